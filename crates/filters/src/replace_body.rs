//! `replace_body`: replaces a text in response bodies while they pass, piece by piece (as nginx's
//! `sub_filter`).

use crate::filter::Filter;
use crate::spec::Spec;
use bifrons_core::Result as FlowResult;
use bifrons_http::message::forget_length;
use bifrons_http::name::is_token;
use bifrons_http::{Headers, Method, Name, ReqCx, RequestHead, ResponseHead, Transform};
use bytes::Bytes;
use memchr::memmem::Finder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// 1 KiB: what is held back at the end of a piece is shorter than `from`, and a piece can grow to at most
/// as many times its size as `to` has bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// Replaces every occurrence of a text in response bodies of the given media types. Bodies that are
/// compressed, partial (206) or marked `no-transform` pass as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The text to look for, case-sensitive, 1 to 1024 bytes.
    pub from: String,
    /// What takes its place; may be empty.
    pub to: String,
    /// Media types of the bodies to change, such as `text/css` or `text/*`.
    #[serde(default = "html", skip_serializing_if = "is_html")]
    pub types: Vec<String>,
}

fn html() -> Vec<String> {
    vec!["text/html".to_owned()]
}

fn is_html(types: &[String]) -> bool {
    types == html()
}

impl Spec for Config {
    const NAME: &str = "replace_body";
    const EXAMPLE: &str =
        r#"{ from: "http://old.example", to: "https://new.example", types: [text/html, text/css] }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        if self.from.is_empty() || self.from.len() > TEXT_BYTES_MAX {
            return Err(format!("`from` must have 1 to {TEXT_BYTES_MAX} bytes"));
        }
        if self.to.len() > TEXT_BYTES_MAX {
            return Err(format!("`to` must have at most {TEXT_BYTES_MAX} bytes"));
        }
        if let Some(wrong) = self.types.iter().find(|kind| !is_media_type(kind)) {
            return Err(format!("\"{wrong}\" is no media type such as \"text/html\""));
        }
        if self.types.is_empty() {
            return Err("without `types` nothing is changed".to_owned());
        }
        let words = Arc::new(Words::new(self.from.as_bytes(), self.to.as_bytes()));
        Ok(Arc::new(ReplaceBody { words, types: self.types.clone() }))
    }
}

fn is_media_type(text: &str) -> bool {
    text.split_once('/').is_some_and(|(kind, part)| is_token(kind.as_bytes()) && is_token(part.as_bytes()))
}

/// The running filter.
struct ReplaceBody {
    words: Arc<Words>,
    types: Vec<String>,
}

impl ReplaceBody {
    /// Whether the body behind that head is changed.
    fn changes(&self, res: &ResponseHead) -> bool {
        let headers = &res.headers;
        let is_coded = headers
            .get(Name::ContentEncoding)
            .is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        // RFC 9110 7.7: a proxy must not transform what says so. A part of a body has its offsets.
        !is_coded
            && res.status != 206
            && !headers.has(Name::ContentRange)
            && !headers.lists(Name::CacheControl, "no-transform")
            && self.has_type(headers)
    }

    fn has_type(&self, headers: &Headers) -> bool {
        let Some(value) = headers.get(Name::ContentType) else { return false };
        let essence = value.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
        self.types.iter().any(|kind| match kind.strip_suffix('*') {
            Some(prefix) => essence
                .split_at_checked(prefix.len())
                .is_some_and(|(start, _)| start.eq_ignore_ascii_case(prefix.as_bytes())),
            None => essence.eq_ignore_ascii_case(kind.as_bytes()),
        })
    }
}

impl Filter for ReplaceBody {
    fn response(&self, _cx: &mut ReqCx, req: &RequestHead, res: &mut ResponseHead) -> FlowResult<()> {
        // RFC 9110 8.6: without a body, a length would be that of the unchanged one.
        let is_bodiless = req.method() == Method::Head || res.status == 304;
        if is_bodiless && (self.changes(res) || res.status == 304) {
            forget_length(&mut res.headers);
        }
        Ok(())
    }

    fn response_body(
        &self,
        _cx: &ReqCx,
        _req: &RequestHead,
        res: &mut ResponseHead,
    ) -> Option<Box<dyn Transform>> {
        self.changes(res)
            .then(|| Box::new(Replace { words: self.words.clone(), held: 0 }) as Box<dyn Transform>)
    }
}

/// The text to look for and its replacement, compiled.
struct Words {
    finder: Finder<'static>,
    to: Box<[u8]>,
    /// For each length of a beginning of the text: how long its longest end is that begins the text too
    /// (Knuth, Morris and Pratt).
    borders: Box<[usize]>,
}

impl Words {
    fn new(from: &[u8], to: &[u8]) -> Self {
        let mut words =
            Self { finder: Finder::new(from).into_owned(), to: to.into(), borders: Box::default() };
        let mut borders = vec![0; from.len() + 1];
        for len in 2..=from.len() {
            words.borders = borders.as_slice().into();
            let last = from.get(len - 1).copied().unwrap_or_default();
            let border = words.grown(borders.get(len - 1).copied().unwrap_or_default(), last);
            if let Some(slot) = borders.get_mut(len) {
                *slot = border;
            }
        }
        words.borders = borders.into();
        words
    }

    fn from(&self) -> &[u8] {
        self.finder.needle()
    }

    /// How much of the text is matched by one more byte, after `matched` bytes of it.
    fn grown(&self, mut matched: usize, byte: u8) -> usize {
        while self.from().get(matched) != Some(&byte) {
            if matched == 0 {
                return 0;
            }
            matched = self.borders.get(matched).copied().unwrap_or_default();
        }
        matched + 1
    }

    /// How long the end of `tail`, which holds no whole match, is that may begin one.
    fn begun(&self, tail: &[u8]) -> usize {
        let start = tail.len().saturating_sub(self.from().len() - 1);
        tail.iter().skip(start).fold(0, |matched, &byte| self.grown(matched, byte))
    }
}

/// Replaces in one body. What may be the beginning of the text at the end of a piece is held back: it is
/// always the beginning of `from`, so that its length says all.
struct Replace {
    words: Arc<Words>,
    held: usize,
}

impl Transform for Replace {
    fn piece(&mut self, piece: Bytes) -> FlowResult<Bytes> {
        let words = &*self.words;
        let input = match words.from().get(..self.held) {
            None | Some([]) => piece,
            Some(held) => [held, &piece].concat().into(),
        };
        let mut out = Vec::new();
        let mut done = 0;
        for at in words.finder.find_iter(&input) {
            out.extend_from_slice(input.get(done..at).unwrap_or_default());
            out.extend_from_slice(&words.to);
            done = at + words.from().len();
        }
        let tail = input.get(done..).unwrap_or_default();
        self.held = words.begun(tail);
        let keep = input.len() - self.held;
        if done == 0 {
            return Ok(input.slice(..keep));
        }
        out.extend_from_slice(input.get(done..keep).unwrap_or_default());
        Ok(out.into())
    }

    fn end(&mut self) -> FlowResult<Bytes> {
        let held = self.words.from().get(..std::mem::take(&mut self.held)).unwrap_or_default();
        Ok(Bytes::copy_from_slice(held))
    }
}

#[cfg(test)]
mod tests;
