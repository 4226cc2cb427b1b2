//! Rules that replace a value, or its beginning: what `rewrite_location` and `rewrite_cookies` share.

use bifrons_config::Template;
use bifrons_http::vars::Scope;
use bifrons_http::{ReqCx, RequestHead, ResponseHead};
use bifrons_route::{Captures, Regex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A rule: the values it is for, and what stands there instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ValueRule")]
pub struct Rule {
    /// The values it is for.
    #[serde(rename = "match")]
    pub of: Match,
    /// What takes the place of the text that matched (of a regex: of the whole value), with variables and
    /// the regex's groups `$1` to `$9`.
    pub to: Template,
}

/// Which values a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "ValueMatch")]
pub enum Match {
    /// This text, with variables. Where a value is compared as a whole and where by its beginning, the
    /// filter says.
    Text(Template),
    /// A regular expression.
    Regex(Regex),
}

/// A message whose values are looked at, with what variables mean for it.
pub(crate) struct Message<'a> {
    pub(crate) cx: &'a mut ReqCx,
    pub(crate) req: &'a RequestHead,
    pub(crate) res: &'a ResponseHead,
}

impl Message<'_> {
    /// The template's value.
    pub(crate) fn render(&self, template: &Template) -> Vec<u8> {
        let mut out = Vec::new();
        template.render(&Scope { cx: self.cx, req: self.req, res: Some(self.res) }, &mut out);
        out
    }

    /// Whether the regex matches; its groups are then `$1` to `$9`, and variables by their names.
    pub(crate) fn is_match(&mut self, regex: &Regex, value: &[u8]) -> bool {
        let mut captures = Captures::new();
        if !regex.captures(value, &mut captures) {
            return false;
        }
        if !captures.is_empty() {
            let bytes = |number| captures.bytes(number, value).unwrap_or_default().to_vec();
            self.cx.captures = (1..captures.len()).map(bytes).collect();
            for (name, number) in captures.names() {
                self.cx.variables.push((name.into(), bytes(number)));
            }
        }
        true
    }

    /// What the first rule that fits makes of a value; `compare` gives the part of the value that a text
    /// stands for, if it fits.
    pub(crate) fn apply(
        &mut self,
        rules: &[Rule],
        value: &[u8],
        compare: fn(text: &[u8], value: &[u8]) -> Option<Range<usize>>,
    ) -> Option<Vec<u8>> {
        for Rule { of, to } in rules {
            let replaced = match of {
                Match::Text(text) => compare(&self.render(text), value),
                Match::Regex(regex) => self.is_match(regex, value).then_some(0..value.len()),
            };
            if let Some(Range { start, end }) = replaced {
                let (before, behind) = (value.get(..start)?, value.get(end..)?);
                return Some([before, &self.render(to), behind].concat());
            }
        }
        None
    }
}

/// The text is what the value begins with.
pub(crate) fn begins(text: &[u8], value: &[u8]) -> Option<Range<usize>> {
    value.starts_with(text).then_some(0..text.len())
}
