//! Values that are lists.

/// The members of a comma-separated list, trimmed, empty ones left out (RFC 9110 5.6.1.2).
/// Commas inside quoted strings do not separate; a quote that is never closed is no quote, so that it
/// can't hide what a proxy appended behind it.
pub fn list_members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value;
    let mut has_quotes = true;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = if has_quotes { member_end(rest) } else { None };
            let end = end.unwrap_or_else(|| {
                has_quotes = false;
                memchr::memchr(b',', rest).unwrap_or(rest.len())
            });
            let member = rest.get(..end).unwrap_or_default().trim_ascii();
            rest = rest.get(end + 1..).unwrap_or_default();
            if !member.is_empty() {
                return Some(member);
            }
        }
        None
    })
}

/// Where the first member ends; `None` when a quote in it is never closed.
fn member_end(text: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(text.len())
}
