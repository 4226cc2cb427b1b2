//! Dictionaries of structured fields (RFC 9651 4.2.2), as far as directives need them.

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Boolean(bool),
    /// A string or a token.
    Text(String),
    /// Something else that is well-formed.
    Other,
}

/// The members, the last one of each name; `None` if the text is no dictionary.
pub(super) fn parse(text: &[u8]) -> Option<Vec<(String, Value)>> {
    let mut rest = Rest(text.trim_ascii());
    let mut members: Vec<(String, Value)> = Vec::new();
    // Bounded: every turn reads a name at least.
    while !rest.0.is_empty() {
        let name = rest.name()?;
        let value = if rest.skip(b'=') { rest.value()? } else { Value::Boolean(true) };
        rest.parameters()?;
        members.retain(|(known, _)| *known != name);
        members.push((name, value));
        rest.blanks();
        if rest.0.is_empty() {
            return Some(members);
        }
        if !rest.skip(b',') {
            return None;
        }
        rest.blanks();
        if rest.0.is_empty() {
            return None;
        }
    }
    Some(members)
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn blanks(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn while_(&mut self, test: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self.0.iter().position(|&b| !test(b)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn name(&mut self) -> Option<String> {
        let first = *self.0.first()?;
        if !first.is_ascii_lowercase() && first != b'*' {
            return None;
        }
        let name = self.while_(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b));
        Some(String::from_utf8_lossy(name).into_owned())
    }

    fn value(&mut self) -> Option<Value> {
        if !self.skip(b'(') {
            return self.item();
        }
        // Bounded: every turn reads an item.
        loop {
            self.blanks();
            if self.skip(b')') {
                return Some(Value::Other);
            }
            self.item()?;
            self.parameters()?;
        }
    }

    fn item(&mut self) -> Option<Value> {
        match *self.0.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'?' => {
                self.skip(b'?');
                match (self.skip(b'1'), self.skip(b'0')) {
                    (true, _) => Some(Value::Boolean(true)),
                    (_, true) => Some(Value::Boolean(false)),
                    _ => None,
                }
            }
            b':' => {
                self.skip(b':');
                self.while_(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
                self.skip(b':').then_some(Value::Other)
            }
            first if first.is_ascii_alphabetic() || first == b'*' => {
                let is_inner = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&b);
                Some(Value::Text(String::from_utf8_lossy(self.while_(is_inner)).into_owned()))
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Value> {
        let is_negative = self.skip(b'-');
        let digits = self.while_(|b| b.is_ascii_digit());
        // 15 digits are what an integer has (RFC 9651 3.3.1).
        if digits.is_empty() || digits.len() > 15 {
            return None;
        }
        let number = digits.iter().fold(0i64, |number, digit| number * 10 + i64::from(digit - b'0'));
        if self.skip(b'.') {
            let fraction = self.while_(|b| b.is_ascii_digit());
            return (1..=3).contains(&fraction.len()).then_some(Value::Other);
        }
        Some(Value::Integer(if is_negative { -number } else { number }))
    }

    fn string(&mut self) -> Option<Value> {
        self.skip(b'"');
        let mut text = String::new();
        // Bounded: every turn reads a byte.
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            match byte {
                b'"' => return Some(Value::Text(text)),
                b'\\' => {
                    let (&escaped, rest) = self.0.split_first().filter(|(b, _)| b"\"\\".contains(b))?;
                    self.0 = rest;
                    text.push(char::from(escaped));
                }
                0x20..0x7f => text.push(char::from(byte)),
                _ => return None,
            }
        }
    }

    fn parameters(&mut self) -> Option<()> {
        // Bounded: every turn reads a name.
        while self.skip(b';') {
            self.blanks();
            self.name()?;
            if self.skip(b'=') {
                self.item()?;
            }
        }
        Some(())
    }
}
