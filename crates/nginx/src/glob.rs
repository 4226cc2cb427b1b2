//! File names by pattern, as glob(3): `*`, `?`, `[a-z]`, `[!a-z]`.

use std::path::{Component, Path, PathBuf};

/// Whether a path has a character that makes it a pattern (nginx's own test).
pub(crate) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The existing paths that a pattern names, in the order of their names; a name that begins with a dot only
/// where the pattern does. None is no mistake: an empty `conf.d` is common.
pub(crate) fn find(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        };
        match name.to_str() {
            Some(name) if is_pattern(name) => {
                found = found.iter().flat_map(|directory| entries(directory, name)).collect();
            }
            _ => found.iter_mut().for_each(|path| path.push(name)),
        }
    }
    found.retain(|path| path.exists());
    found
}

/// The entries of a directory whose names fit, sorted.
fn entries(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let read = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let Ok(entries) = std::fs::read_dir(read) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') || pattern.starts_with('.'))
        .filter(|name| matches(pattern.as_bytes(), name.as_bytes()))
        .collect();
    names.sort_unstable();
    names.into_iter().map(|name| directory.join(name)).collect()
}

/// Whether a name fits a pattern. At most one star is held open, so it takes pattern × name steps.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut with) = (0, 0);
    // Where to go on when a later piece does not fit: behind the star, one byte further in the name.
    let mut star: Option<(usize, usize)> = None;
    while with < name.len() {
        let step = match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, with));
                at += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(&pattern[at..], name[with]),
            Some(byte) => (*byte == name[with]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(length), _) => {
                at += length;
                with += 1;
            }
            (None, Some((behind, from))) => {
                star = Some((behind, from + 1));
                at = behind;
                with = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// The length of the class that `pattern` begins with, where `byte` is in it. A `[` that nothing closes is
/// an ordinary character.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = if negated { 2 } else { 1 };
    // A "]" that comes first belongs to the class.
    let Some(length) = pattern.iter().skip(start + 1).position(|&byte| byte == b']') else {
        return (byte == b'[').then_some(1);
    };
    let end = start + 1 + length;
    let members = &pattern[start..end];
    let mut within = false;
    let mut at = 0;
    while at < members.len() {
        match members[at..] {
            [low, b'-', high, ..] => {
                within |= (low..=high).contains(&byte);
                at += 3;
            }
            [member, ..] => {
                within |= member == byte;
                at += 1;
            }
            [] => break,
        }
    }
    (within != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests;
