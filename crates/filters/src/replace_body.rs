//! `replace_body`: replaces texts in response bodies while they pass, piece by piece (as nginx's `sub_filter`).

mod several;

use crate::filter::Filter;
use crate::spec::Spec;
use bifrons_config::Template;
use bifrons_core::Result as FlowResult;
use bifrons_http::message::forget_length;
use bifrons_http::name::is_token;
use bifrons_http::vars::Scope;
use bifrons_http::{Headers, Method, Name, ReqCx, RequestHead, ResponseHead, Transform};
use bytes::Bytes;
use memchr::memmem::Finder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use several::{Several, Texts};
use std::sync::Arc;

/// 1 KiB: what is held back at the end of a piece is shorter than `from`.
const FROM_BYTES_MAX: usize = 1024;

/// 4 KiB, the longest word of an nginx.conf: scripts are put into pages so. A piece can grow to at most as many times
/// its size.
const TO_BYTES_MAX: usize = 4096;

/// 256: what is held back is compared with each.
const TEXTS_MAX: usize = 256;

/// Replaces a text in response bodies of the given media types wherever it occurs, or several at once. Bodies that
/// are compressed, partial (206) or marked `no-transform` pass as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The text to look for, 1 to 1024 bytes.
    pub from: Template,
    /// What takes its place, at most 4096 bytes; may be empty.
    pub to: Template,
    /// Further texts that are looked for at the same time, 255 at most. Where two begin at one place, the first goes
    /// before the second; none is looked for in what has taken another's place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Text>,
    /// Media types of the bodies to change, such as `text/css` or `text/*`; `*` is all.
    #[serde(default = "html", skip_serializing_if = "is_html")]
    pub types: Vec<String>,
    /// Whether letters of ASCII are the same in both cases.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_case: bool,
    /// Whether each text is replaced only where it occurs first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first_only: bool,
    /// What becomes of `ETag` and `Last-Modified` of a body that is changed.
    #[serde(default, skip_serializing_if = "Validators::are_kept")]
    pub validators: Validators,
}

/// A further text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The text to look for, 1 to 1024 bytes.
    pub from: Template,
    /// What takes its place, at most 4096 bytes; may be empty.
    pub to: Template,
}

/// What becomes of the fields that tell one version of a body from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validators {
    /// They stay: what takes a text's place is always the same.
    #[default]
    Keep,
    /// The tag is made a weak one.
    Weaken,
    /// They are removed.
    Remove,
}

impl Validators {
    fn are_kept(&self) -> bool {
        *self == Self::Keep
    }

    fn apply(self, headers: &mut Headers) {
        match self {
            Self::Keep => {}
            Self::Weaken => crate::compress::head::weaken(headers),
            Self::Remove => {
                headers.remove(Name::Etag);
                headers.remove(Name::LastModified);
            }
        }
    }
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
        let pairs: Vec<Text> = [Text { from: self.from.clone(), to: self.to.clone() }]
            .into_iter()
            .chain(self.also.clone())
            .collect();
        if pairs.len() > TEXTS_MAX {
            return Err(format!("at most {TEXTS_MAX} texts are looked for at once"));
        }
        for Text { from, to } in &pairs {
            if from.as_text().is_some_and(|from| !is_text(from.as_bytes())) {
                return Err(format!("`from` must have 1 to {FROM_BYTES_MAX} bytes"));
            }
            if to.as_text().is_some_and(|to| to.len() > TO_BYTES_MAX) {
                return Err(format!("`to` must have at most {TO_BYTES_MAX} bytes"));
            }
        }
        if let Some(wrong) = self.types.iter().find(|kind| !is_media_type(kind)) {
            return Err(format!("\"{wrong}\" is no media type such as \"text/html\""));
        }
        if self.types.is_empty() {
            return Err("without `types` nothing is changed".to_owned());
        }
        Ok(Arc::new(ReplaceBody {
            search: self.search(pairs)?,
            types: self.types.clone(),
            validators: self.validators,
        }))
    }
}

impl Config {
    /// What is looked for, and how.
    fn search(&self, pairs: Vec<Text>) -> Result<Search, String> {
        if let ([only], false, false) = (&*pairs, self.ignore_case, self.first_only)
            && let (Some(from), Some(to)) = (only.from.as_text(), only.to.as_text())
        {
            return Ok(Search::One(Arc::new(Words::new(from.as_bytes(), to.as_bytes()))));
        }
        let constant: Option<Vec<_>> =
            pairs.iter().map(|pair| pair.from.as_text().map(|from| from.as_bytes().to_vec())).collect();
        let texts = constant.map(|from| Texts::build(from, self.ignore_case)).transpose()?.map(Arc::new);
        Ok(Search::Several { pairs, texts, ignore_case: self.ignore_case, first_only: self.first_only })
    }
}

/// Whether it can be looked for.
fn is_text(from: &[u8]) -> bool {
    (1..=FROM_BYTES_MAX).contains(&from.len())
}

fn is_media_type(text: &str) -> bool {
    text == "*"
        || text
            .split_once('/')
            .is_some_and(|(kind, part)| is_token(kind.as_bytes()) && is_token(part.as_bytes()))
}

/// The running filter.
struct ReplaceBody {
    search: Search,
    types: Vec<String>,
    validators: Validators,
}

/// What is looked for.
enum Search {
    /// One text, always the same.
    One(Arc<Words>),
    Several {
        pairs: Vec<Text>,
        /// Compiled where no variable is in them.
        texts: Option<Arc<Texts>>,
        ignore_case: bool,
        first_only: bool,
    },
}

impl Search {
    /// What replaces in that answer's body; none where nothing is left to look for.
    fn begin(&self, scope: &Scope<'_>) -> Option<Box<dyn Transform>> {
        let (pairs, texts, ignore_case, first_only) = match self {
            Self::One(words) => return Some(Box::new(Replace { words: words.clone(), held: 0 })),
            Self::Several { pairs, texts, ignore_case, first_only } => {
                (pairs, texts, *ignore_case, *first_only)
            }
        };
        let rendered = |template: &Template| {
            let mut out = Vec::new();
            template.render(scope, &mut out);
            out
        };
        if let Some(texts) = texts {
            let to = pairs.iter().map(|pair| rendered(&pair.to)).collect();
            return Some(Box::new(Several::new(texts.clone(), to, first_only)));
        }
        // What renders as nothing is nowhere.
        let pairs = pairs.iter().map(|pair| (rendered(&pair.from), rendered(&pair.to)));
        let (from, to): (Vec<_>, Vec<_>) = pairs.filter(|(from, _)| is_text(from)).unzip();
        let texts = Texts::build(from, ignore_case).ok()?;
        (!to.is_empty())
            .then(|| Box::new(Several::new(Arc::new(texts), to, first_only)) as Box<dyn Transform>)
    }
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
        if self.types.iter().any(|kind| kind == "*") {
            return true;
        }
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
        let changes = is_bodiless && self.changes(res);
        if changes || res.status == 304 {
            forget_length(&mut res.headers);
        }
        if changes && res.status != 304 {
            self.validators.apply(&mut res.headers);
        }
        Ok(())
    }

    fn response_body(
        &self,
        cx: &ReqCx,
        req: &RequestHead,
        res: &mut ResponseHead,
    ) -> Option<Box<dyn Transform>> {
        let transform =
            self.changes(res).then(|| self.search.begin(&Scope { cx, req, res: Some(res) }))??;
        self.validators.apply(&mut res.headers);
        Some(transform)
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
