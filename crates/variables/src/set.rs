//! All variables of a configuration, and asking for one.

use crate::config::Variable;
use crate::{geo, map, split};
use bifrons_config::{At, Place, Template, Var, vars};
use bifrons_http::vars::{Computed, Scope};
use indexmap::IndexMap;
use std::collections::HashMap;

/// The variables of a configuration, ready to be asked.
#[derive(Debug, Default)]
pub struct VariableSet {
    /// Places in `variables`, by names in lower case.
    names: HashMap<Box<str>, usize, foldhash::fast::RandomState>,
    variables: Box<[Kind]>,
}

#[derive(Debug)]
enum Kind {
    Map(map::Map),
    Geo(geo::Geo),
    Split(split::Split),
}

/// What is wrong with a variable.
#[derive(Clone, Debug, PartialEq)]
pub struct VariableProblem {
    /// Where it stands.
    pub place: Option<Place>,
    /// What is wrong, naming the variable; a help may follow it.
    pub message: String,
}

impl VariableSet {
    /// Compiles the variables.
    ///
    /// # Errors
    /// All that is wrong: names, texts, and variables that need themselves.
    pub fn build(config: &IndexMap<String, At<Variable>>) -> Result<Self, Vec<VariableProblem>> {
        let mut set = Self::default();
        let mut problems = Vec::new();
        let mut built = Vec::new();
        for (name, variable) in config {
            let lower: Box<str> = name.to_ascii_lowercase().into();
            let wrong = |message: String| VariableProblem {
                place: variable.place.clone(),
                message: format!("variable \"${name}\": {message}"),
            };
            if let Err(message) = check_name(&lower) {
                problems.push(wrong(message));
            }
            match build(&variable.value) {
                Ok(kind) => {
                    set.names.insert(lower, built.len());
                    built.push(kind);
                }
                Err(message) => problems.push(wrong(message)),
            }
        }
        set.variables = built.into();
        for (name, variable) in config {
            if let Some(loop_) = set.loop_through(name) {
                let message = format!("variable \"${name}\" needs itself: {loop_}");
                problems.push(VariableProblem { place: variable.place.clone(), message });
            }
        }
        if problems.is_empty() { Ok(set) } else { Err(problems) }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// The way from a variable back to itself, where there is one.
    fn loop_through(&self, name: &str) -> Option<String> {
        let lower = name.to_ascii_lowercase();
        let start = *self.names.get(lower.as_str())?;
        let mut seen = vec![false; self.variables.len()];
        // Depth first, with the way so far.
        let mut ways = vec![(start, format!("${lower}"))];
        while let Some((at, way)) = ways.pop() {
            for needed in self.variables.get(at).into_iter().flat_map(Kind::needs) {
                let Some(&next) = self.names.get(needed) else { continue };
                let way = format!("{way} -> ${needed}");
                if next == start {
                    return Some(way);
                }
                if seen.get_mut(next).is_some_and(|seen| !std::mem::replace(seen, true)) {
                    ways.push((next, way));
                }
            }
        }
        None
    }
}

/// A name that a variable may have: letters, digits, underscores, and none of nginx's.
fn check_name(lower: &str) -> Result<(), String> {
    if lower.is_empty() || !lower.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err("a name has letters, digits and underscores only".to_owned());
    }
    let taken = vars::table().iter().any(|entry| {
        entry.name == lower && entry.origin == vars::Origin::Nginx && matches!(entry.make, vars::Make::One(_))
    });
    if taken { Err("the name is one of the proxy's own variables".to_owned()) } else { Ok(()) }
}

fn build(config: &Variable) -> Result<Kind, String> {
    Ok(match config {
        Variable::Map(config) => Kind::Map(map::Map::build(config)?),
        Variable::Geo(config) => Kind::Geo(geo::Geo::build(config)?),
        Variable::Split(config) => Kind::Split(split::Split::build(config)?),
    })
}

impl Kind {
    /// The declared variables in its templates, without the groups of its own regexes.
    fn needs(&self) -> Vec<&str> {
        let templates: Box<dyn Iterator<Item = &Template>> = match self {
            Self::Map(map) => Box::new(map.templates()),
            Self::Geo(geo) => Box::new(geo.templates()),
            Self::Split(split) => Box::new(split.templates()),
        };
        let own: Vec<&str> = match self {
            Self::Map(map) => map.group_names().collect(),
            Self::Geo(_) | Self::Split(_) => Vec::new(),
        };
        let names = templates.flat_map(Template::vars).filter_map(|var| match var {
            Var::User(name) => Some(&**name),
            _ => None,
        });
        names.filter(|name| !own.contains(name)).collect()
    }
}

impl Computed for VariableSet {
    fn find(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    fn keeps(&self, at: usize) -> bool {
        match self.variables.get(at) {
            Some(Kind::Map(map)) => map.keeps(),
            Some(Kind::Geo(_) | Kind::Split(_)) | None => true,
        }
    }

    fn evaluate(&self, at: usize, scope: &Scope<'_>, out: &mut Vec<u8>) {
        match self.variables.get(at) {
            Some(Kind::Map(map)) => map.evaluate(scope, out),
            Some(Kind::Geo(geo)) => geo.evaluate(scope, out),
            Some(Kind::Split(split)) => split.evaluate(scope, out),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
