//! Reads the corpus: text files of cases, one a line.

use std::collections::HashMap;

/// One case.
pub(crate) struct Case {
    /// Where it stands, `file:line title`.
    pub(crate) place: String,
    /// Its columns before the bytes: the verdict, then what the file says.
    pub(crate) columns: Vec<String>,
    /// What is sent.
    pub(crate) bytes: Vec<u8>,
}

/// The cases of a file with `columns` columns, the bytes last.
pub(crate) fn read(file: &str, text: &str, columns: usize) -> Vec<Case> {
    let mut words = HashMap::new();
    let mut cases = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if let Some(definition) = line.strip_prefix('!') {
            let (name, value) = definition.split_once(" = ").expect("`!name = bytes`");
            words.insert(format!("@{}@", name.trim()), value.to_owned());
        } else if !line.is_empty() && !line.starts_with('#') {
            cases.push(case(&format!("{file}:{}", at + 1), line, columns, &words));
        }
    }
    cases
}

fn case(place: &str, line: &str, columns: usize, words: &HashMap<String, String>) -> Case {
    let mut parts: Vec<&str> = line.splitn(columns, " | ").collect();
    assert_eq!(parts.len(), columns, "{place}: {columns} columns");
    let mut text = parts.pop().expect("bytes").to_owned();
    for (word, value) in words {
        text = text.replace(word, value);
    }
    let columns: Vec<String> = parts.iter().map(|part| part.trim().to_owned()).collect();
    let title = columns.last().cloned().unwrap_or_default();
    Case { place: format!("{place} {title}"), columns, bytes: bytes(text.as_bytes()) }
}

/// The bytes of `\r`, `{text*N}` and the like.
fn bytes(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'\\' => {
                let (value, taken) = escape(rest);
                out.push(value);
                rest = &rest[taken..];
            }
            b'{' => {
                let end = closing(rest);
                let star = rest[..end].iter().rposition(|&b| b == b'*').expect("`{text*N}`");
                let count = std::str::from_utf8(&rest[star + 1..end]).expect("a number");
                out.extend(bytes(&rest[..star]).repeat(count.parse().expect("a number")));
                rest = &rest[end + 1..];
            }
            byte => out.push(byte),
        }
    }
    out
}

fn escape(rest: &[u8]) -> (u8, usize) {
    match rest[0] {
        b'r' => (b'\r', 1),
        b'n' => (b'\n', 1),
        b't' => (b'\t', 1),
        b's' => (b' ', 1),
        b'0' => (0, 1),
        b'\\' => (b'\\', 1),
        b'x' => {
            let digits = std::str::from_utf8(&rest[1..3]).expect("two digits");
            (u8::from_str_radix(digits, 16).expect("two hexadecimal digits"), 3)
        }
        other => panic!("no escape: \\{}", other as char),
    }
}

/// Where the brace closes that stands before `rest`.
fn closing(rest: &[u8]) -> usize {
    let mut depth = 1;
    for (at, &byte) in rest.iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    panic!("an open `{{`");
}
