//! `hide_fields`: fields of answers that clients don't get.

use crate::filter::Filter;
use crate::spec::Spec;
use bifrons_core::Result as FlowResult;
use bifrons_http::{FieldName, Name, ReqCx, RequestHead, ResponseHead};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Removes fields from answers, in one pass however many names there are: nginx's `proxy_hide_header`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HideFields")]
pub struct Config {
    /// Names of the fields.
    pub names: Vec<String>,
}

impl Spec for Config {
    const NAME: &str = "hide_fields";
    const EXAMPLE: &str = r#"{ names: [X-Powered-By, X-Internal] }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        let mut hide = HideFields { known: 0, others: Vec::new() };
        for text in &self.names {
            let name = FieldName::new(text).ok_or_else(|| format!("\"{text}\" is no field name"))?;
            match name.id() {
                Name::ContentLength | Name::TransferEncoding => {
                    return Err(format!("\"{text}\" says where the message ends and cannot be hidden"));
                }
                Name::Other => hide.others.push(text.to_ascii_lowercase().into()),
                known => hide.known |= known.bit(),
            }
        }
        Ok(Arc::new(hide))
    }
}

struct HideFields {
    /// Bits of the well-known names.
    known: u64,
    /// The others.
    others: Vec<Box<str>>,
}

impl Filter for HideFields {
    fn takes_requests(&self) -> bool {
        false
    }

    fn response(&self, _: &mut ReqCx, _: &RequestHead, res: &mut ResponseHead) -> FlowResult<()> {
        res.headers.remove_where(|name, text| match name {
            Name::Other => self.others.iter().any(|other| other.as_bytes().eq_ignore_ascii_case(text)),
            known => self.known & known.bit() != 0,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
