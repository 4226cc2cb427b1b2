//! PCRE's spelling brought into that of our engines, and whether a pattern needs one that backtracks.
//!
//! nginx compiles its patterns with PCRE. What PCRE takes and means, and the `regex` crate's syntax refuses or
//! reads otherwise, is written anew here: `\/`-like escapes of any punctuation, `\h`, `\R`, `\Q…\E`, octal
//! numbers, `(?'name'…)`, comments, braces that are no quantifier, and classes, in which PCRE has no nesting
//! and no set operators. What nobody can read stays as it is, for the engine to complain about.

use std::iter::Peekable;
use std::str::CharIndices;

/// A pattern as our engines read it.
pub(super) struct Translated {
    /// The text.
    pub(super) text: String,
    /// Whether it has look-around, back-references, atomic groups, possessive quantifiers or the like, which
    /// need an engine that backtracks.
    pub(super) backtracks: bool,
}

/// Horizontal space (PCRE2 pattern, "Generic character types"), in bytes.
const HORIZONTAL: &str = r"\t\x20\xA0";
/// Vertical space.
const VERTICAL: &str = r"\n\x0B\f\r\x85";

/// Brings a pattern into the engines' syntax.
pub(super) fn translate(pattern: &str) -> Translated {
    let mut scan = Scan {
        pattern,
        chars: pattern.char_indices().peekable(),
        out: String::with_capacity(pattern.len() + 8),
        groups: group_count(pattern),
        backtracks: false,
    };
    scan.run();
    Translated { text: scan.out, backtracks: scan.backtracks }
}

struct Scan<'p> {
    pattern: &'p str,
    chars: Peekable<CharIndices<'p>>,
    out: String,
    /// Groups that capture: `\12` is a reference to one if there are so many, else an octal number.
    groups: usize,
    backtracks: bool,
}

/// How many groups a pattern captures; one too many in odd patterns does no harm.
fn group_count(pattern: &str) -> usize {
    let bytes = pattern.as_bytes();
    let opens = |at: usize| match bytes.get(at + 1..) {
        Some([b'?', b'P' | b'<' | b'\'', next, ..]) => !matches!(next, b'=' | b'!' | b'>'),
        Some([b'?' | b'*', ..]) => false,
        _ => true,
    };
    let escaped = |at: usize| bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    (0..bytes.len()).filter(|at| bytes[*at] == b'(' && !escaped(*at) && opens(*at)).count()
}

impl<'p> Scan<'p> {
    fn run(&mut self) {
        while let Some((at, char)) = self.chars.next() {
            match char {
                '\\' => self.escape(),
                '[' => self.class(),
                '(' => self.open(at),
                '{' if !is_quantifier(self.rest(at)) => self.out.push_str(r"\{"),
                '*' | '+' | '?' => {
                    self.out.push(char);
                    self.after_quantifier();
                }
                '{' => self.braces(at),
                _ => self.out.push(char),
            }
        }
    }

    fn rest(&self, at: usize) -> &'p str {
        self.pattern.get(at..).unwrap_or_default()
    }

    /// What has not been read yet.
    fn ahead(&mut self) -> &'p str {
        let at = self.chars.peek().map_or(self.pattern.len(), |(at, _)| *at);
        self.rest(at)
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.chars.next();
        }
    }

    /// A lazy `?` or a possessive `+` behind a quantifier.
    fn after_quantifier(&mut self) {
        match self.chars.peek() {
            Some((_, '+')) => self.backtracks = true,
            Some((_, '?')) => {}
            _ => return,
        }
        if let Some((_, char)) = self.chars.next() {
            self.out.push(char);
        }
    }

    /// `{2}`, `{2,}`, `{2,3}`.
    fn braces(&mut self, at: usize) {
        let length = self.rest(at).find('}').map_or(1, |end| end + 1);
        let text = self.rest(at).get(..length).unwrap_or_default().to_owned();
        self.out.push_str(&text);
        self.skip(length - 1);
        self.after_quantifier();
    }

    /// What begins with `(`.
    fn open(&mut self, at: usize) {
        let rest = self.rest(at);
        if rest.starts_with("(?#") {
            let length = rest.find(')').map_or(rest.len(), |end| end + 1);
            let count = rest.get(..length).unwrap_or_default().chars().count();
            return self.skip(count - 1);
        }
        if rest.starts_with("(?'") {
            let Some(end) = rest.get(3..).and_then(|name| name.find('\'')) else { return self.out.push('(') };
            let name = rest.get(3..3 + end).unwrap_or_default().to_owned();
            self.out.push_str(&format!("(?<{name}>"));
            return self.skip(3 + name.chars().count());
        }
        const NEEDS: [&str; 13] =
            ["(?=", "(?!", "(?<=", "(?<!", "(?>", "(?|", "(?(", "(?R", "(?&", "(?P=", "(?P>", "(*", "(?+"];
        let calls =
            rest.strip_prefix("(?").is_some_and(|call| call.starts_with(|c: char| c.is_ascii_digit()));
        self.backtracks |= calls || NEEDS.iter().any(|start| rest.starts_with(start));
        self.out.push('(');
        // The `?` is no quantifier.
        if rest.starts_with("(?") {
            self.out.push('?');
            self.skip(1);
        }
    }

    /// What stands behind a backslash, outside of classes.
    fn escape(&mut self) {
        let Some((_, char)) = self.chars.next() else { return self.out.push('\\') };
        match char {
            'h' => self.out.push_str(&format!("[{HORIZONTAL}]")),
            'H' => self.out.push_str(&format!("[^{HORIZONTAL}]")),
            'v' => self.out.push_str(&format!("[{VERTICAL}]")),
            'V' => self.out.push_str(&format!("[^{VERTICAL}]")),
            'N' => self.out.push_str(r"[^\n]"),
            'R' => self.out.push_str(&format!("(?:\\r\\n|[{VERTICAL}])")),
            // Before a final line feed too, in PCRE; a path that ends so is refused here as in nginx's `$`.
            'Z' => self.out.push_str(r"\z"),
            'Q' => self.quoted(),
            'E' => {}
            'K' | 'G' | 'k' | 'g' => {
                self.backtracks = true;
                self.out.push('\\');
                self.out.push(char);
            }
            '1'..='9' => self.number(char),
            _ => self.plain_escape(char),
        }
    }

    /// `\1`: a back-reference, or octal where there are not so many groups.
    fn number(&mut self, first: char) {
        let more: String = self.ahead().chars().take(2).take_while(char::is_ascii_digit).collect();
        let digits = format!("{first}{more}");
        let two: String = digits.chars().take(2).collect();
        if digits.len() > 1 && two.parse().is_ok_and(|number: usize| number > self.groups) {
            let octal: String = digits.chars().take_while(|c| ('0'..='7').contains(c)).collect();
            if !octal.is_empty() {
                self.skip(octal.len() - 1);
                return self.byte(&octal);
            }
        }
        self.backtracks = true;
        self.out.push('\\');
        self.out.push(first);
    }

    /// A byte given as an octal number.
    fn byte(&mut self, octal: &str) {
        let byte = u32::from_str_radix(octal, 8).unwrap_or(0) & 0xff;
        self.out.push_str(&format!("\\x{byte:02X}"));
    }

    /// Escapes that mean the same inside of classes and outside.
    fn plain_escape(&mut self, char: char) {
        match char {
            'e' => self.out.push_str(r"\x1B"),
            '0' => {
                let more: String =
                    self.ahead().chars().take(2).take_while(|c| ('0'..='7').contains(c)).collect();
                self.skip(more.len());
                self.byte(&format!("0{more}"));
            }
            'c' => match self.chars.next() {
                Some((_, control)) if control.is_ascii() => {
                    let byte = (control.to_ascii_uppercase() as u8) ^ 0x40;
                    self.out.push_str(&format!("\\x{byte:02X}"));
                }
                _ => self.out.push_str(r"\c"),
            },
            'o' if self.ahead().starts_with('{') => {
                let digits: String =
                    self.ahead().chars().skip(1).take_while(|c| ('0'..='7').contains(c)).collect();
                self.skip(digits.len() + 2);
                self.byte(&digits);
            }
            'x' | 'p' | 'P' if self.ahead().starts_with('{') => {
                let length = self.ahead().find('}').map_or(1, |end| end + 1);
                let braces = self.ahead().get(..length).unwrap_or_default();
                self.out.push('\\');
                self.out.push(char);
                self.out.push_str(braces);
                self.skip(braces.chars().count());
            }
            // A class of the `regex` crate's, `\<`, is a word's start; PCRE's is a character.
            '<' | '>' => self.out.push(char),
            _ if char.is_ascii_alphanumeric() => {
                self.out.push('\\');
                self.out.push(char);
            }
            _ => self.literal(char),
        }
    }

    /// A character as itself.
    fn literal(&mut self, char: char) {
        if char.is_ascii_punctuation() && !matches!(char, '<' | '>' | '/' | '_') {
            self.out.push('\\');
        }
        self.out.push(char);
    }

    /// `\Q…\E`: all literal.
    fn quoted(&mut self) {
        let text = self.ahead();
        let text = text.split("\\E").next().unwrap_or_default().to_owned();
        text.chars().for_each(|char| self.literal(char));
        self.skip(text.chars().count() + 2);
    }

    /// A class. PCRE knows ranges, escapes and `[:name:]` in it; `[`, `&&`, `--` and `~~` are characters.
    fn class(&mut self) {
        self.out.push('[');
        if self.ahead().starts_with('^') {
            self.out.push('^');
            self.skip(1);
        }
        // A class that is the first thing in it is a character.
        if self.ahead().starts_with(']') {
            self.out.push_str(r"\]");
            self.skip(1);
        }
        // Whether the last member was a set, which begins no range.
        let mut after_set = false;
        while let Some((at, char)) = self.chars.next() {
            let was_set = std::mem::take(&mut after_set);
            match char {
                ']' => return self.out.push(']'),
                '[' => after_set = self.posix(at),
                '\\' => after_set = self.class_escape(),
                '-' if was_set || self.before_set() => self.out.push_str(r"\-"),
                '-' if self.ahead().starts_with('-') => {
                    self.out.push('-');
                    // A range up to the hyphen, unless it is the class's last character.
                    self.out.push_str(r"\-");
                    self.skip(1);
                }
                '&' | '~' => self.literal(char),
                _ => self.out.push(char),
            }
        }
    }

    /// Whether a set stands next, so that a hyphen before it is a character.
    fn before_set(&mut self) -> bool {
        let rest = self.ahead();
        let escape = rest.strip_prefix('\\').and_then(|rest| rest.chars().next());
        rest.starts_with("[:") || escape.is_some_and(|c| "dDwWsShHvVpPN".contains(c))
    }

    /// `[:alpha:]`, or a `[` as a character. Whether it was a set.
    fn posix(&mut self, at: usize) -> bool {
        let rest = self.rest(at);
        let end = rest.find(":]").filter(|_| rest.starts_with("[:"));
        let name = end.and_then(|end| rest.get(..end + 2));
        let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b"[]:^".contains(&b));
        match name.filter(is_name).map(str::to_owned) {
            Some(name) => {
                self.out.push_str(&name);
                self.skip(name.len() - 1);
                true
            }
            None => {
                self.out.push_str(r"\[");
                false
            }
        }
    }

    /// What stands behind a backslash in a class. Whether it was a set.
    fn class_escape(&mut self) -> bool {
        let Some((_, char)) = self.chars.next() else {
            self.out.push('\\');
            return false;
        };
        match char {
            'h' => self.out.push_str(HORIZONTAL),
            'v' => self.out.push_str(VERTICAL),
            // A backspace, in a class.
            'b' => {
                self.out.push_str(r"\x08");
                return false;
            }
            '1'..='7' => {
                let more: String =
                    self.ahead().chars().take(2).take_while(|c| ('0'..='7').contains(c)).collect();
                self.skip(more.len());
                self.byte(&format!("{char}{more}"));
                return false;
            }
            'Q' => {
                self.quoted();
                return false;
            }
            'E' => return false,
            'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'p' | 'P' => self.plain_escape(char),
            _ => {
                self.plain_escape(char);
                return false;
            }
        }
        true
    }
}

/// Whether a text begins with `{2}`, `{2,}` or `{2,3}`.
fn is_quantifier(text: &str) -> bool {
    let Some((inner, _)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match inner.split_once(',') {
        Some((least, most)) => digits(least) && (most.is_empty() || digits(most)),
        None => digits(inner),
    }
}

#[cfg(test)]
mod tests;
