//! balance.md: every balancing policy with an example and its settings.

use super::config::Writer;
use super::markdown::NOTICE;
use super::schema::{Schema, properties};
use bifrons_balance::POLICIES;

const INTRO: &str = "\
# Balancing policies

How a cluster chooses the endpoint of a request: the value of `balance:`. Without it `round_robin` is taken. \
Endpoints that are `down`, out after failures, at `max_conns`, or that this request has been tried at are \
passed over by every policy; `backup` endpoints serve only when no other can. \
[How to write one](../dev/adding-a-feature.md).

";

/// The page.
pub(super) fn page(schema: &Schema) -> Result<String, String> {
    let mut page = Writer::new(schema, "balance.md", format!("{NOTICE}{INTRO}"));
    let forms = schema.definition("Balance")?["oneOf"].as_array().ok_or("policies have no forms")?;
    for kind in POLICIES {
        page.paragraph(&format!("## `{}`", kind.name));
        page.paragraph(kind.doc);
        page.paragraph(&format!("```yaml\nbalance: {}\n```", kind.example));
        let form = forms.iter().find(|form| form["required"][0] == kind.name);
        if let Some(settings) = form.and_then(properties).and_then(|map| map.get(kind.name)) {
            let (name, settings) = schema.follow(settings);
            page.keys(name.unwrap_or(kind.name), settings);
            page.types_of(settings)?;
        }
    }
    Ok(page.finish())
}
