//! Text to tokens, cut exactly as nginx's `ngx_conf_read_token` does.
//!
//! Words end at white space, `;` or `{`; a `}` or `#` ends none but begins something of its own between
//! words. `'…'` and `"…"` are alike. A backslash keeps the next byte from meaning anything; `\"`, `\'` and
//! `\\` lose it, `\t`, `\r` and `\n` become what they name, any other keeps it (regexes need it). The `{`
//! of `${name}` ends no word.

use crate::notes::Notes;
use crate::tree::Word;
use bifrons_config::{Place, Problem, Source};
use std::ops::Range;
use std::sync::Arc;

/// nginx's buffer (`NGX_CONF_BUFFER`): a word as long as that is a quote somebody forgot to close.
const WORD_BYTES_MAX: usize = 4096;

/// A piece of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word(Word),
    /// `;`
    Semicolon(Place),
    /// `{`
    Open(Place),
    /// `}`
    Close(Place),
    /// Something that is none of these, already noted as a mistake. The directive it stood in is lost and
    /// the text goes on in the next line.
    Broken,
}

/// Cuts one source. Total: any text gives tokens, each at least a byte long, until `None`.
pub(crate) struct Lexer<'a> {
    source: &'a Arc<Source>,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(source: &'a Arc<Source>) -> Self {
        // A byte order mark is what an editor left there, not a word.
        let at = if source.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { source, at }
    }

    /// The next token; `None` at the end of the text.
    pub(crate) fn next(&mut self, notes: &mut Notes) -> Option<Token> {
        self.skip_blanks();
        let byte = self.byte(self.at)?;
        let place = self.place(self.at..self.at + 1);
        let sign: fn(Place) -> Token = match byte {
            b';' => Token::Semicolon,
            b'{' => Token::Open,
            b'}' => Token::Close,
            b'"' | b'\'' => return Some(self.quoted(byte, notes)),
            _ => return Some(self.bare(notes)),
        };
        self.at += 1;
        Some(sign(place))
    }

    /// The place at the end of the text.
    pub(crate) fn end(&self) -> Place {
        // From the last character that is no blank, so that a message shows a line with something in it, to
        // the very end, whose line nginx counts.
        let shown = self.source.text.trim_end().len();
        self.place(shown.saturating_sub(1)..self.source.text.len())
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.source.text.as_bytes().get(at).copied()
    }

    fn place(&self, range: Range<usize>) -> Place {
        let text = &self.source.text;
        let mut start = range.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = range.end.min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        Place::new(self.source, start..end)
    }

    /// Skips white space and comments. A `#` begins a comment only here, between words.
    fn skip_blanks(&mut self) {
        while let Some(byte) = self.byte(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'#' => self.skip_line(),
                _ => break,
            }
        }
    }

    /// Goes to the end of the line.
    fn skip_line(&mut self) {
        let rest = self.source.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    }

    /// A word that begins with a quote.
    fn quoted(&mut self, quote: u8, notes: &mut Notes) -> Token {
        let open = self.at;
        let mut at = open + 1;
        loop {
            match self.byte(at) {
                Some(byte) if byte == quote => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
                None => return self.unclosed(quote, notes),
            }
            if at - (open + 1) >= WORD_BYTES_MAX {
                return self.unclosed(quote, notes);
            }
        }
        let word = self.word(open + 1..at, open..at + 1);
        self.at = at + 1;
        match self.byte(self.at) {
            Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b')') | None => Token::Word(word),
            Some(_) => {
                let next = self.place(self.at..self.at + 1);
                let shown = next.source.text.get(next.range.clone()).unwrap_or_default();
                let message = format!("unexpected \"{shown}\"");
                let help = format!("the quoted word {} ends before it", written(&word.place));
                notes.problem(Problem::at(next, message).help(help));
                self.skip_line();
                Token::Broken
            }
        }
    }

    /// A quote that nothing closes.
    fn unclosed(&mut self, quote: u8, notes: &mut Notes) -> Token {
        let quote = char::from(quote);
        let (message, end) = if self.source.text.len() - self.at > WORD_BYTES_MAX {
            let what = format!("too long parameter, probably missing terminating \"{quote}\" character");
            (what, self.at + 1)
        } else {
            ("unexpected end of file, expecting \";\" or \"}\"".to_owned(), self.source.text.len())
        };
        let place = self.place(self.at..end);
        notes.problem(Problem::at(place, message).help(format!("nothing closes this {quote}")));
        self.skip_line();
        Token::Broken
    }

    /// A word without quotes.
    fn bare(&mut self, notes: &mut Notes) -> Token {
        let start = self.at;
        let mut at = start;
        let mut after_dollar = false;
        while let Some(byte) = self.byte(at) {
            match byte {
                b'{' if after_dollar => {}
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' => break,
                b'\\' => {
                    after_dollar = false;
                    at += 1;
                }
                _ => after_dollar = byte == b'$',
            }
            at += 1;
            if at - start >= WORD_BYTES_MAX {
                let shown: String = self.source.text[start..].chars().take(10).collect();
                let message = format!("too long parameter \"{shown}...\" started");
                notes.problem(Problem::at(self.place(start..start + 10), message));
                self.at = at;
                self.skip_line();
                return Token::Broken;
            }
        }
        // A backslash may be the very last byte.
        let end = at.min(self.source.text.len());
        self.at = end;
        Token::Word(self.word(start..end, start..end))
    }

    /// The word of the bytes `inner`, which stands at `whole`.
    fn word(&self, inner: Range<usize>, whole: Range<usize>) -> Word {
        let quoted = inner != whole;
        let raw = self.source.text.get(inner).unwrap_or_default();
        Word { text: unescape(raw), place: self.place(whole), quoted }
    }
}

/// What stands at a place.
fn written(place: &Place) -> &str {
    place.source.text.get(place.range.clone()).unwrap_or_default()
}

/// Resolves the escapes that nginx resolves.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        let escaped = after.as_bytes().get(1);
        let plain = match escaped {
            Some(b'"') => '"',
            Some(b'\'') => '\'',
            Some(b'\\') => '\\',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'n') => '\n',
            _ => {
                text.push('\\');
                rest = &after[1..];
                continue;
            }
        };
        text.push(plain);
        rest = &after[2..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests;
