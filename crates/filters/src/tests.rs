//! What every filter of the list keeps to.

use super::*;
use bifrons_config::Source;
use bifrons_config::yaml::{Options, load};
use std::collections::HashSet;

fn read(text: &str) -> Result<FilterConfig, String> {
    load(&Source::new("filter.yaml", text), &Options::default()).map_err(|problems| problems.to_string())
}

#[test]
fn names_are_unique() {
    let names: HashSet<_> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), KINDS.len());
}

#[test]
fn every_example_is_read_and_runs() {
    for kind in KINDS {
        let config = read(&format!("{}: {}", kind.name, kind.example)).unwrap();
        assert_eq!(config.name(), kind.name);
        if let Err(problem) = config.build() {
            panic!("{}: {problem}", kind.name);
        }
    }
}

/// What is written is read as the same, as JSON too (which `show` and the admin API write).
#[test]
fn every_example_comes_back_as_it_was() {
    for kind in KINDS {
        let config = read(&format!("{}: {}", kind.name, kind.example)).unwrap();
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(read(&written).unwrap(), config, "{written}");
    }
}

#[test]
fn no_filter_takes_an_unknown_key() {
    for kind in KINDS {
        // A filter that is a list tests its members itself.
        let Some(example) = kind.example.trim().strip_suffix('}') else { continue };
        let problem = read(&format!("{}: {example}, no_such_key: 1 }}", kind.name)).unwrap_err();
        assert!(problem.contains("no_such_key"), "{}: {problem}", kind.name);
    }
}

#[test]
fn the_schema_has_every_filter_with_a_description() {
    let schema = serde_json::to_value(schemars::schema_for!(FilterConfig)).unwrap();
    let variants = schema["oneOf"].as_array().unwrap();
    for kind in KINDS {
        let variant = variants.iter().find(|variant| variant["properties"].get(kind.name).is_some());
        assert!(variant.is_some_and(|variant| variant["description"].is_string()), "{}", kind.name);
    }
}
