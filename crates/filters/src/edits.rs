//! Changes of header fields, compiled once and carried out per message.

use crate::config::FieldEdits;
use bifrons_config::Template;
use bifrons_config::problem::HELP_MARK;
use bifrons_http::name::is_field_value;
use bifrons_http::vars::Scope;
use bifrons_http::{FieldName, Headers, Name, ReqCx, RequestHead, ResponseHead};
use std::cell::RefCell;

/// Compiled [`FieldEdits`].
#[derive(Clone, Debug, Default)]
pub struct Edits {
    edits: Box<[(Op, FieldName, Template)]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Remove,
    Set,
    Add,
    Append,
}

thread_local! {
    /// Rendered values of the message at hand; kept so that edits allocate nothing.
    static SCRATCH: RefCell<(Vec<u8>, Vec<usize>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

impl Edits {
    /// Compiles the configuration.
    ///
    /// # Errors
    /// A name that is no token (RFC 9110 5.1), or one that frames the message.
    pub fn build(config: &FieldEdits) -> Result<Self, String> {
        let mut edits = Vec::new();
        for name in &config.remove {
            edits.push((Op::Remove, field_name(name)?, Template::default()));
        }
        for (op, fields) in [(Op::Set, &config.set), (Op::Add, &config.add), (Op::Append, &config.append)] {
            for (name, value) in fields {
                if let Some(text) = value.as_text()
                    && !is_field_value(text.as_bytes())
                {
                    return Err(format!("the value of \"{name}\" has a control character"));
                }
                edits.push((op, field_name(name)?, value.clone()));
            }
        }
        Ok(Self { edits: edits.into() })
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Whether the field gets a value.
    pub fn sets(&self, name: Name) -> bool {
        self.edits.iter().any(|(op, field, _)| *op == Op::Set && field.id() == name)
    }

    /// Changes a request's fields.
    pub fn apply_request(&self, cx: &ReqCx, head: &mut RequestHead) {
        if !self.is_empty() {
            SCRATCH.with_borrow_mut(|(values, ends)| {
                self.render(&Scope { cx, req: head, res: None }, values, ends);
                self.apply(&mut head.headers, values, ends);
            });
        }
    }

    /// Changes a response's fields.
    pub fn apply_response(&self, cx: &ReqCx, req: &RequestHead, head: &mut ResponseHead) {
        if !self.is_empty() {
            SCRATCH.with_borrow_mut(|(values, ends)| {
                self.render(&Scope { cx, req, res: Some(head) }, values, ends);
                self.apply(&mut head.headers, values, ends);
            });
        }
    }

    /// Whether what a client says in that field is gone behind these edits.
    pub fn replaces(&self, name: &str) -> bool {
        self.edits.iter().any(|(op, field, _)| {
            matches!(op, Op::Remove | Op::Set) && field.text().eq_ignore_ascii_case(name)
        })
    }

    /// Adds to `out` what is to be added to that response.
    pub fn render_response(&self, cx: &ReqCx, req: &RequestHead, res: &ResponseHead, out: &mut Headers) {
        SCRATCH.with_borrow_mut(|(values, ends)| {
            self.render(&Scope { cx, req, res: Some(res) }, values, ends);
            self.apply(out, values, ends);
        });
    }

    /// All values first, so that they see the message as it came.
    fn render(&self, scope: &Scope<'_>, values: &mut Vec<u8>, ends: &mut Vec<usize>) {
        values.clear();
        ends.clear();
        for (_, _, template) in &self.edits {
            let start = values.len();
            template.render(scope, values);
            // A variable may hold what a client sent decoded: a line end must not become a field.
            if !values.get(start..).is_none_or(is_field_value) {
                values.truncate(start);
            }
            ends.push(values.len());
        }
    }

    fn apply(&self, headers: &mut Headers, values: &[u8], ends: &[usize]) {
        let mut start = 0;
        for ((op, name, _), &end) in self.edits.iter().zip(ends) {
            let value = values.get(start..end).unwrap_or_default();
            start = end;
            match op {
                Op::Remove => {
                    headers.remove(name);
                }
                Op::Set if value.is_empty() => {
                    headers.remove(name);
                }
                Op::Set => headers.set(name, value),
                Op::Add | Op::Append if value.is_empty() => {}
                Op::Add => headers.append(name, value),
                Op::Append => append_member(headers, name, value),
            }
        }
    }
}

/// Appends `value` behind a comma to what the field has.
fn append_member(headers: &mut Headers, name: &FieldName, value: &[u8]) {
    let mut joined = Vec::new();
    for old in headers.get_all(name) {
        joined.extend_from_slice(old);
        joined.extend_from_slice(b", ");
    }
    joined.extend_from_slice(value);
    headers.set(name, &joined);
}

fn field_name(text: &str) -> Result<FieldName, String> {
    let name = FieldName::new(text).ok_or_else(|| format!("\"{text}\" is no field name"))?;
    match name.id() {
        Name::ContentLength | Name::TransferEncoding => {
            Err(format!("\"{text}\" says where the message ends and is the proxy's own"))
        }
        Name::Host => Err(format!(
            "\"{text}\" can't be changed here{HELP_MARK}write `proxy: {{ cluster: …, host: {{ set: … }} }}`"
        )),
        id if id.is_hop_by_hop() => {
            Err(format!("\"{text}\" concerns one connection only and is the proxy's own (RFC 9110 7.6.1)"))
        }
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests;
