//! Configuration types that several places share: edits of fields.

use bifrons_config::Template;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes of header fields, carried out in the order `remove`, `set`, `add`, `append`.
/// All values are rendered before the first change, so that they see the message as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FieldEdits {
    /// Names to remove.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// Name to the one value it has from then on; an empty value removes the field.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub set: IndexMap<String, Template>,
    /// Name to a further value, in a field of its own; an empty value adds nothing.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub add: IndexMap<String, Template>,
    /// Name to a value appended to the existing one after a comma; an empty value appends nothing.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub append: IndexMap<String, Template>,
}

impl FieldEdits {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
