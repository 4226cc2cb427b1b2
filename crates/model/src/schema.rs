//! The JSON Schema of a configuration file, for editors and the reference page.

use crate::Config;
use schemars::{Schema, json_schema, schema_for};

/// What a YAML file may hold: a [`Config`], and what is read before the model is made from it.
pub fn schema() -> Schema {
    let mut schema = schema_for!(Config);
    // `bifrons_config::yaml` merges other files before there is a model, so this is no field of it.
    let include = json_schema!({
        "description": "Other files merged into this one: maps by key, lists by appending. `*` and `?` may stand \
                        in the last part of a path; relative paths begin at this file's directory.",
        "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
    });
    if let Some(properties) = schema.get_mut("properties").and_then(|value| value.as_object_mut()) {
        properties.insert("include".to_owned(), include.to_value());
    }
    schema
}
