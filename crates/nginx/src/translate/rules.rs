//! The rewrite phase: rules of a block as the steps of a `rewrite`, `if` blocks as routes that take over.

use super::routes::Emitter;
use crate::directives::rewrite::{IfBlock, Rule};
use crate::level::Level;
use bifrons_config::Template;
use bifrons_filters::FilterConfig;
use bifrons_filters::rewrite::{Config, If, Return, Step};
use bifrons_model::{Redirect, Respond, Route};
use bifrons_route::PathPattern;

impl Emitter<'_> {
    /// The rules of a location, as a filter in front of all others; `true` where they are the action.
    pub(super) fn rules(&mut self, level: &Level, route: &mut Route) -> bool {
        if let Some(answer) = sole_answer(level) {
            emit_answer(answer, level, route);
            return true;
        }
        let steps = self.steps(level, Some(&route.path.value));
        if steps.is_empty() {
            return false;
        }
        if has_text(&steps) {
            route.media_types = Some(level.files.media_types());
        }
        route.filters.insert(0, FilterConfig::Rewrite(Config(steps)).into());
        false
    }

    /// The rules of a block. In a location, whose pattern is given, an `if` block takes over where one of
    /// them has settings of its own, and where it loses the location's `try_files`, as in nginx.
    pub(super) fn steps(&mut self, level: &Level, location: Option<&PathPattern>) -> Vec<Step> {
        let has_settings = |rule: &Rule| matches!(rule, Rule::If(block) if block.has_settings);
        let takes_over = level.try_files.is_some() || level.rules.iter().any(has_settings);
        let answers = level.rules.iter().any(answers);
        let mut steps = Vec::new();
        for rule in &level.rules {
            let block = match rule {
                Rule::Step(step) => {
                    steps.push(step.clone());
                    continue;
                }
                Rule::If(block) => block,
            };
            let mut then = Vec::new();
            if let Some(pattern) = location.filter(|_| takes_over) {
                then.extend(self.take_over(block, pattern, answers).map(Step::Use));
            }
            then.extend(self.steps(&block.level, None));
            steps.push(Step::If(If { then, ..block.test.clone() }));
        }
        steps
    }

    /// The route of an `if` block, by name. `answers` says whether a rule of its location does: the text is
    /// of the media type that the block has.
    fn take_over(&mut self, block: &IfBlock, pattern: &PathPattern, answers: bool) -> Option<String> {
        let (level, place) = (&block.level, &block.place);
        let name = self.free_name(&format!("if:{}", place.line_column().0));
        let mut route = self.plain(level, pattern.clone(), Some(place.clone()));
        if answers {
            route.media_types = Some(level.files.media_types());
        }
        let route = self.with_content(level, route)?;
        self.named.insert(name.clone(), route);
        Some(name)
    }

    /// A name that no named location has.
    pub(super) fn free_name(&self, base: &str) -> String {
        let mut name = base.to_owned();
        let mut number = 1;
        while self.named.contains_key(&name) {
            number += 1;
            name = format!("{base}:{number}");
        }
        name
    }
}

/// Whether a rule answers, or one within it.
fn answers(rule: &Rule) -> bool {
    match rule {
        Rule::Step(step) => matches!(step, Step::Return(_)),
        Rule::If(block) => block.level.rules.iter().any(answers),
    }
}

/// The one rule of a block that answers whatever is asked for.
pub(super) fn sole_answer(level: &Level) -> Option<&Return> {
    match level.rules.as_slice() {
        [Rule::Step(Step::Return(answer))] => Some(answer),
        _ => None,
    }
}

/// Such a rule as an action.
fn emit_answer(answer: &Return, level: &Level, route: &mut Route) {
    let Return { status, to, body, .. } = answer;
    if let Some(to) = to {
        route.redirect = Some(Redirect { to: to.clone(), status: *status }.into());
        return;
    }
    // The media type follows from the path, which is but one for an exact location.
    let exact = level.files.media_type_of_exact(level.matcher.as_ref());
    let content_type = match exact {
        Some(media) => Some(Template::text(media)),
        None => {
            if *status < 300 || !body.is_empty() {
                route.media_types = Some(level.files.media_types());
            }
            None
        }
    };
    let content_type = content_type.filter(|_| !body.is_empty());
    let respond = Respond { status: *status, body: body.clone(), content_type, headers: Default::default() };
    route.respond = Some(respond.into());
}

/// Whether some step answers with a text.
fn has_text(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Return(answer) => answer.to.is_none() && (answer.status < 300 || !answer.body.is_empty()),
        Step::If(test) => has_text(&test.then),
        _ => false,
    })
}
