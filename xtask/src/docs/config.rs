//! config.md: every key of the configuration, a section per type.

use super::markdown::{NOTICE, code, table};
use super::schema::{Schema, description, properties, references, short, title};
use serde_json::Value;
use std::collections::HashSet;

const INTRO: &str = "\
# Configuration reference

Every key of a YAML configuration, by the type it belongs to. How the file is read (includes, environment, \
templates, units) is told in [the guide](../guide/configuration.md); the same as JSON Schema is \
[schema.json](schema.json), which `bifrons schema` prints too. *Default* is what holds where the key is \
left out; a dash means that there is none, and that the feature is off or the key is required.

";

/// The page.
pub(super) fn page(schema: &Schema) -> Result<String, String> {
    let mut page = Writer::new(schema, "config.md", format!("{NOTICE}{INTRO}"));
    page.out.push_str("## The file\n\n");
    page.body("Config", schema.root())?;
    page.types_of(schema.root())?;
    Ok(page.finish())
}

/// Writes types as sections, each once.
pub(super) struct Writer<'s> {
    schema: &'s Schema,
    page: &'static str,
    out: String,
    walked: HashSet<&'s str>,
}

impl<'s> Writer<'s> {
    pub(super) fn new(schema: &'s Schema, page: &'static str, out: String) -> Self {
        Self { schema, page, out, walked: HashSet::new() }
    }

    /// The page, with one line end at its end.
    pub(super) fn finish(self) -> String {
        format!("{}\n", self.out.trim_end())
    }

    /// The sections of all types that a value names and that live on this page, in order.
    pub(super) fn types_of(&mut self, value: &'s Value) -> Result<(), String> {
        for name in references(value) {
            if self.schema.home(name, self.page) != self.page || !self.walked.insert(name) {
                continue;
            }
            let definition = self.schema.definition(name)?;
            if !self.schema.is_map_form(name) {
                let level = if self.page == "config.md" { "##" } else { "###" };
                self.out.push_str(&format!("{level} {}\n\n", title(name)));
                self.body(name, definition)?;
            }
            self.types_of(definition)?;
        }
        Ok(())
    }

    /// What a type is: its description, its keys or its values.
    pub(super) fn body(&mut self, name: &str, value: &'s Value) -> Result<(), String> {
        let (_, value) = self.schema.follow(value);
        let value_of_map = self.schema.map_form(value).map(|(_, map)| map);
        match (description(value), value_of_map) {
            ("", Some(map)) => self.paragraph(description(map)),
            (text, _) => self.paragraph(text),
        }
        if let Some(map) = value_of_map {
            self.keys(name, map);
            return Ok(());
        }
        if properties(value).is_some() {
            self.keys(name, value);
            return Ok(());
        }
        let forms = value["oneOf"].as_array().or_else(|| value["anyOf"].as_array());
        match forms {
            Some(forms) => self.forms(name, forms),
            None => {
                self.paragraph(&format!("Type: {}.", self.type_of(value)));
                self.examples(value);
                Ok(())
            }
        }
    }

    /// A type that has several forms: words, words with a value, or different types.
    fn forms(&mut self, name: &str, forms: &'s [Value]) -> Result<(), String> {
        let rows = forms.iter().map(|form| {
            let word = form["const"].as_str().map(code);
            let tagged =
                properties(form).filter(|_| form["required"].is_array()).and_then(|map| map.iter().next());
            let written = match (word, tagged) {
                (Some(word), _) => word,
                (None, Some((key, value))) if forms.len() > 1 && form["required"][0] == *key => {
                    format!("{} with {}", code(&format!("{{ {key}: … }}")), self.type_of(value))
                }
                _ => self.type_of(form),
            };
            vec![written, description(form).to_owned()]
        });
        let rows: Vec<_> = rows.collect();
        let head = ["value", "meaning"];
        if rows.iter().all(|row| row[1].is_empty()) {
            let all: Vec<_> = rows.into_iter().map(|row| row[0].clone()).collect();
            self.paragraph(&format!("Type: {}.", all.join(", or ")));
            return Ok(());
        }
        self.out.push_str(&table(&head, rows));
        self.out.push('\n');
        for form in forms {
            self.inline_maps(name, form);
        }
        Ok(())
    }

    /// Tables for maps that stand within a form and have no name.
    fn inline_maps(&mut self, name: &str, form: &'s Value) {
        let Some(outer) = properties(form) else { return };
        let is_map_form = outer.len() > 1;
        if is_map_form {
            self.paragraph("The map:");
            self.keys(name, form);
        }
        for (key, value) in outer.iter().filter(|(_, value)| properties(value).is_some()) {
            self.paragraph(&format!("The map of {}:", code(key)));
            self.keys(name, value);
        }
    }

    /// The table of a map's keys.
    pub(super) fn keys(&mut self, name: &str, value: &'s Value) {
        let rows: Vec<_> = properties(value)
            .into_iter()
            .flatten()
            .map(|(key, property)| self.row(name, value, key, property))
            .collect();
        self.out.push_str(&table(&["key", "type", "default", "meaning"], rows));
        self.out.push('\n');
    }

    fn row(&self, name: &str, owner: &Value, key: &str, property: &'s Value) -> Vec<String> {
        let is_required = owner["required"].as_array().is_some_and(|keys| keys.iter().any(|one| one == key));
        let default = match self.schema.default_of(name, key, property) {
            _ if is_required => "required".to_owned(),
            default if default.is_empty() => "–".to_owned(),
            default => default,
        };
        vec![code(key), self.type_of(property), default, description(property).to_owned()]
    }

    /// A type in words.
    fn type_of(&self, value: &Value) -> String {
        if let Some(reference) = value["$ref"].as_str() {
            return self.schema.link(short(reference), self.page);
        }
        if let Some(forms) = value["anyOf"].as_array().or_else(|| value["oneOf"].as_array()) {
            let forms = forms.iter().filter(|form| form["type"] != "null");
            let forms: Vec<_> = forms.map(|form| self.type_of(form)).collect();
            return forms.join(" or ");
        }
        if let Some(word) = value.get("const") {
            return code(word.as_str().unwrap_or(&word.to_string()));
        }
        if let Some(words) = value["enum"].as_array() {
            let words: Vec<_> = words.iter().filter_map(Value::as_str).map(code).collect();
            return words.join(", ");
        }
        match &value["type"] {
            Value::String(kind) => self.type_named(kind, value),
            Value::Array(kinds) => {
                let kinds = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
                kinds.map(|kind| self.type_named(kind, value)).collect::<Vec<_>>().join(" or ")
            }
            _ => "any value".to_owned(),
        }
    }

    fn type_named(&self, kind: &str, value: &Value) -> String {
        match kind {
            "array" => format!("list of {}", self.type_of(&value["items"])),
            "object" if value["additionalProperties"].is_object() => {
                format!("map of name to {}", self.type_of(&value["additionalProperties"]))
            }
            "object" => "map".to_owned(),
            // Bounds beside a format are only those of the Rust type.
            "integer" => match (&value["minimum"], &value["maximum"]) {
                (Value::Number(least), Value::Number(most)) if value["format"].is_null() => {
                    format!("number, {least} to {most}")
                }
                _ => "number".to_owned(),
            },
            other => other.to_owned(),
        }
    }

    fn examples(&mut self, value: &Value) {
        let examples = value["examples"].as_array().or_else(|| value["items"]["examples"].as_array());
        let examples = examples.into_iter().flatten().filter_map(Value::as_str).map(code);
        let examples: Vec<_> = examples.collect();
        if !examples.is_empty() {
            self.paragraph(&format!("Examples: {}.", examples.join(", ")));
        }
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        if !text.is_empty() {
            self.out.push_str(text);
            self.out.push_str("\n\n");
        }
    }
}
