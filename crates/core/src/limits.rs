//! The bounds a message must keep to, by name, with the reason for each default.

/// What one side may send us in one message's head.
///
/// Built from the listener's (or cluster's) configuration; the defaults are used where it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request line or status line, without its line end.
    pub line_bytes: usize,
    /// Bytes of one field's line, without its line end.
    pub field_bytes: usize,
    /// Fields in one head or trailer section.
    pub fields: usize,
    /// Bytes of the whole head, line ends included.
    pub head_bytes: usize,
    /// Whether a lone LF ends a line of the head (RFC 9112 2.2 allows it, nginx does it).
    pub lone_lf: bool,
    /// What becomes of fields with unusual names; `None`: every token is a name (RFC 9110 5.1).
    pub names: Option<NameRules>,
}

/// What becomes of fields whose names some servers take for others, or don't take at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameRules {
    /// Names with `_`, which CGI and its kin can't tell from `-`: `X_Real_IP`.
    pub underscores: NameRule,
    /// Names with other bytes than letters, digits, `-` and `_`.
    pub irregular: NameRule,
}

/// What becomes of a field because of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// It passes; what is no token is refused.
    Allow,
    /// It is left out, also where the name is no token.
    Drop,
    /// The message is refused.
    Refuse,
}

impl Limits {
    /// 8 KiB: what RFC 9112 3 recommends at least (8000 octets), and nginx's largest header buffer.
    pub const LINE_BYTES: usize = 8 * 1024;
    /// 100: real heads have 10-30 fields; Apache's `LimitRequestFields` and Envoy's default are 100.
    pub const FIELDS: usize = 100;
    /// 64 KiB: twice the total of nginx's default `large_client_header_buffers` (4 × 8 KiB).
    pub const HEAD_BYTES: usize = 64 * 1024;
    /// 512: room on the parser's stack; more fields than this no configuration may ask for.
    pub const FIELDS_MAX: usize = 512;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes: Self::LINE_BYTES,
            field_bytes: usize::MAX,
            fields: Self::FIELDS,
            head_bytes: Self::HEAD_BYTES,
            lone_lf: false,
            names: None,
        }
    }
}

#[cfg(test)]
mod tests;
