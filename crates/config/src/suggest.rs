//! "Did you mean …?": the nearest of some words to one that is not among them.

/// The candidate that `word` most likely was meant to be, or `None` where none is near enough to name.
///
/// Near means: at most a third of the longer word's characters differ (but always one may), transposed
/// neighbours counting as one difference, or the two differ only in case, `-` and `_`. Of equally near
/// candidates the first wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = squash(word);
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let other = squash(candidate);
        let longer = plain.chars().count().max(other.chars().count());
        let allowed = (longer / 3).max(1);
        // The lengths alone may already rule it out; this keeps long lists cheap.
        if plain.len().abs_diff(other.len()) > allowed * 4 {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&plain, &other);
        // A word of one or two letters is not "near" to every other such word.
        if distance > allowed || (distance > 0 && longer <= 2) {
            continue;
        }
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Lower case, `-` as `_`: spellings that people mix up count as equal. Cut to a length that keeps the
/// comparison cheap whatever a file contains.
fn squash(word: &str) -> String {
    /// Longer than any name we suggest, and 64 × 64 steps a comparison at most.
    const CHARS_MAX: usize = 64;
    word.chars().take(CHARS_MAX).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests;
