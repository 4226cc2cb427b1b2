//! `xtask new`: a filter, a policy or a directive from its template, and its line in the list.

use crate::{Outcome, read, write};
use std::path::{Path, PathBuf};

/// Where a kind of part lives and what its template is.
struct Kind {
    word: &'static str,
    /// Folder of its file.
    folder: &'static str,
    template: &'static str,
    /// Its tests, in a folder beside the file.
    tests: Option<&'static str>,
    /// The file with the list.
    list: &'static str,
    /// How its module is declared.
    module: &'static str,
    /// The line that opens the list.
    opens: &'static str,
    /// Its entry.
    entry: &'static str,
    next: &'static str,
}

/// In templates `__name__` is the name, `__Name__` the same in camel case.
const KINDS: &[Kind] = &[
    Kind {
        word: "filter",
        folder: "crates/filters/src",
        template: include_str!("new/filter.rs.txt"),
        tests: Some(include_str!("new/filter_tests.rs.txt")),
        list: "crates/filters/src/lib.rs",
        module: "pub mod __name__;",
        opens: "spec::filters! {",
        entry: "    /// TODO: what it does, in a sentence.\n    __Name__(__name__::Config),\n",
        next: "write what it does, then `make docs` and `cargo nextest run -p bifrons-filters`",
    },
    Kind {
        word: "policy",
        folder: "crates/balance/src/policies",
        template: include_str!("new/policy.rs.txt"),
        tests: Some(include_str!("new/policy_tests.rs.txt")),
        list: "crates/balance/src/policies.rs",
        module: "pub mod __name__;",
        opens: "policies! {",
        entry: "    /// TODO: how it chooses.\n    __Name__(__name__),\n",
        next: "write how it chooses, then `make docs` and `cargo nextest run -p bifrons-balance`",
    },
    Kind {
        word: "directive",
        folder: "crates/nginx/src/directives",
        template: include_str!("new/directive.rs.txt"),
        tests: None,
        list: "crates/nginx/src/directives.rs",
        module: "pub(crate) mod __name__;",
        opens: "const LISTS: &[(&str, &[Spec])] = &[",
        entry: "    (\"__Name__\", __name__::DIRECTIVES),\n",
        next: "this made a family of its own; a directive that belongs to one goes as a row into that family's \
               file. If the name stands in later.rs or accepted.rs, take it out there. Then write what it does, \
               a golden file, `make docs` and `cargo nextest run -p bifrons-nginx`",
    },
];

/// Makes a part called `name`.
pub(crate) fn run(root: &Path, kind: &str, name: &str) -> Outcome {
    let kinds: Vec<_> = KINDS.iter().map(|kind| kind.word).collect();
    let found = KINDS.iter().find(|one| one.word == kind);
    let kind = found.ok_or_else(|| format!("no template for \"{kind}\"; there are {}", kinds.join(", ")))?;
    check_name(name)?;
    let file = root.join(kind.folder).join(format!("{name}.rs"));
    if file.exists() {
        return Err(format!("{} is there already", shown(root, &file)));
    }
    let list = root.join(kind.list);
    let text =
        enter(&read(&list)?, kind, name).ok_or_else(|| format!("{} has no list to enter", kind.list))?;
    write(&file, &filled(kind.template, name))?;
    println!("written: {}", shown(root, &file));
    if let Some(tests) = kind.tests {
        let file = root.join(kind.folder).join(name).join("tests.rs");
        write(&file, &filled(tests, name))?;
        println!("written: {}", shown(root, &file));
    }
    write(&list, &text)?;
    println!("changed: {} (its module and its line in the list)", kind.list);
    println!("next: {}", kind.next);
    Ok(())
}

/// A module's name.
fn check_name(name: &str) -> Outcome {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    match name.bytes().next() {
        Some(b'a'..=b'z') if name.bytes().all(is_word) => Ok(()),
        _ => Err(format!(
            "\"{name}\" is no name: write small letters, digits and underscores, such as deny_path"
        )),
    }
}

/// The file of the list with the module and the entry; `None` where the list is not found.
fn enter(text: &str, kind: &Kind, name: &str) -> Option<String> {
    let module = format!("{}\n", filled(kind.module, name));
    let visibility = module.split("mod ").next()?;
    let is_module = |line: &str| line.starts_with(&format!("{visibility}mod ")) && line.ends_with(';');
    // Modules are sorted: before the first that comes later, else behind the last.
    let lines = text.split_inclusive('\n');
    let mut at = 0;
    let mut place = None;
    for line in lines {
        let next = at + line.len();
        if is_module(line.trim_end()) {
            if line > module.as_str() {
                place = place.filter(|(is_final, _)| *is_final).or(Some((true, at)));
            } else if !place.is_some_and(|(is_final, _)| is_final) {
                place = Some((false, next));
            }
        }
        at = next;
    }
    let (_, module_at) = place?;
    let opens = text.find(&format!("{}\n", kind.opens))? + kind.opens.len() + 1;
    let closing = if kind.opens.ends_with('[') { "];" } else { "}" };
    let closes = opens
        + text
            .get(opens..)?
            .lines()
            .take_while(|line| *line != closing)
            .map(|line| line.len() + 1)
            .sum::<usize>();
    let (head, rest) = text.split_at(module_at);
    let (middle, tail) = rest.split_at(closes.checked_sub(module_at)?);
    Some(format!("{head}{module}{middle}{}{tail}", filled(kind.entry, name)))
}

fn filled(template: &str, name: &str) -> String {
    template.replace("__name__", name).replace("__Name__", &camel(name))
}

/// `deny_path` to `DenyPath`.
fn camel(name: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_uppercase() + rest,
        None => String::new(),
    };
    name.split('_').map(word).collect()
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).map_or_else(|_| path.to_owned(), PathBuf::from).display().to_string()
}

#[cfg(test)]
mod tests;
