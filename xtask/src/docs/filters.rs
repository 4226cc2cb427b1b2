//! filters.md: every filter with an example and its settings.

use super::config::Writer;
use super::markdown::NOTICE;
use super::schema::{Schema, description, properties};
use bifrons_filters::KINDS;

const INTRO: &str = "\
# Filters

A filter changes a request before its action or the answer after it, or answers itself. `filters:` of a host \
and of a route is a list of them, each one key with its settings; a host's filters come before its routes' \
own. Requests pass the list from the first to the last, answers from the last to the first. \
[How to write one](../dev/adding-a-feature.md).

";

/// The page.
pub(super) fn page(schema: &Schema) -> Result<String, String> {
    let mut page = Writer::new(schema, "filters.md", format!("{NOTICE}{INTRO}"));
    let forms = schema.definition("FilterConfig")?["oneOf"].as_array().ok_or("filters have no forms")?;
    for kind in KINDS {
        let form = forms.iter().find(|form| form["required"][0] == kind.name);
        let form = form.ok_or_else(|| format!("the schema has no filter {}", kind.name))?;
        page.paragraph(&format!("## `{}`", kind.name));
        let settings = properties(form).and_then(|map| map.get(kind.name)).unwrap_or(form);
        let (name, settings) = schema.follow(settings);
        if description(settings).is_empty() || name == Some("FieldEdits") {
            page.paragraph(description(form));
        }
        page.body(name.unwrap_or(kind.name), settings)?;
        page.paragraph(&format!("```yaml\nfilters:\n  - {}: {}\n```", kind.name, kind.example));
        page.types_of(settings)?;
    }
    Ok(page.finish())
}
