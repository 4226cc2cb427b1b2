//! [`Meta`] as bytes, for stores that outlive the process. Little-endian numbers, texts with their length before them.

use super::{Key, Meta, Role, Span, Terms, Times, Variants};
use bifrons_http::ResponseHead;

/// The form of what follows; one of another form is not read.
const FORM: u8 = 1;

/// 64 KiB: what a head may have, and so each text in it.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// 4,096: tags, fields and variants of one entry that are read back.
const LIST_MAX: usize = 4096;

/// Appends `meta`.
pub fn encode(meta: &Meta, out: &mut Vec<u8>) {
    out.push(FORM);
    text(out, &meta.text);
    text(out, &meta.url);
    let Times { requested_s, received_s, initial_age_s, lifetime_s, while_revalidate_s, if_error_s } = meta.times;
    for number in [requested_s, received_s, initial_age_s, lifetime_s, while_revalidate_s, if_error_s] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let Terms { no_cache, must_revalidate, immutable, heuristic } = meta.terms;
    let flags = [no_cache, must_revalidate, immutable, heuristic];
    out.push(flags.iter().enumerate().fold(0, |bits, (at, flag)| bits | u8::from(*flag) << at));
    for number in [meta.span.start, meta.span.end, meta.span.total] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    list(out, meta.tags.iter().map(|tag| tag.as_bytes()));
    match &meta.role {
        Role::Answer => out.push(0),
        Role::Variants(variants) => {
            out.push(1);
            out.extend_from_slice(&variants.series.to_le_bytes());
            list(out, variants.fields.iter().map(|name| name.as_bytes()));
            count(out, variants.keys.len());
            for key in &variants.keys {
                out.extend_from_slice(&key.0.to_le_bytes());
            }
        }
    }
    out.extend_from_slice(&meta.head.status.to_le_bytes());
    count(out, meta.head.headers.len());
    for (_, name, value) in meta.head.headers.iter() {
        text(out, name);
        text(out, value);
    }
}

/// Reads back what [`encode`] has written; `None` for anything else.
pub fn decode(bytes: &[u8]) -> Option<Meta> {
    let mut read = Reader(bytes);
    if read.array::<1>()? != [FORM] {
        return None;
    }
    let (key_text, url) = (read.text()?.into(), read.text()?.into());
    let times = Times {
        requested_s: read.number()?,
        received_s: read.number()?,
        initial_age_s: read.number()?,
        lifetime_s: read.number()?,
        while_revalidate_s: read.number()?,
        if_error_s: read.number()?,
    };
    let [flags] = read.array()?;
    let has = |at: u8| flags >> at & 1 == 1;
    let terms = Terms { no_cache: has(0), must_revalidate: has(1), immutable: has(2), heuristic: has(3) };
    let span = Span { start: read.number()?, end: read.number()?, total: read.number()? };
    if span.start > span.end || span.end > span.total {
        return None;
    }
    let tags = read.list()?;
    let role = match read.array()? {
        [0] => Role::Answer,
        [1] => {
            let series = read.number()?;
            let fields = read.list()?;
            let count = read.count()?;
            let keys = (0..count).map(|_| Some(Key(u128::from_le_bytes(read.array()?))));
            Role::Variants(Variants { series, fields, keys: keys.collect::<Option<_>>()? })
        }
        _ => return None,
    };
    let mut head = ResponseHead::new(u16::from_le_bytes(read.array()?));
    if !(100..1000).contains(&head.status) {
        return None;
    }
    for _ in 0..read.count()? {
        let (name, value) = (read.text()?, read.text()?);
        if !bifrons_http::name::is_token(name) || !bifrons_http::name::is_field_value(value) {
            return None;
        }
        head.headers.append(name, value);
    }
    read.0.is_empty().then_some(Meta { text: key_text, url, head, times, terms, span, tags, role })
}

fn count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    count(out, text.len());
    out.extend_from_slice(text);
}

fn list<'a>(out: &mut Vec<u8>, texts: impl ExactSizeIterator<Item = &'a [u8]>) {
    count(out, texts.len());
    texts.for_each(|member| text(out, member));
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn count(&mut self) -> Option<usize> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        (count <= LIST_MAX).then_some(count)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let len = u32::from_le_bytes(self.array()?) as usize;
        let (text, rest) = self.0.split_at_checked(len).filter(|_| len <= TEXT_BYTES_MAX)?;
        self.0 = rest;
        Some(text)
    }

    fn list(&mut self) -> Option<Box<[Box<str>]>> {
        let count = self.count()?;
        (0..count).map(|_| Some(std::str::from_utf8(self.text()?).ok()?.into())).collect()
    }
}

#[cfg(test)]
mod tests;
