//! `least_time`: the endpoint that answers soonest, by its measured times and what it has under way.
//!
//! nginx Plus's `least_time`, with Finagle's cost: the average time of an endpoint's answers times the
//! requests it would have under way, over its weight. The average is an exponential one (an eighth of each
//! new answer) that is forgotten while nothing is measured (a half every ten seconds), so an endpoint that
//! was slow once is tried again. One that was never measured counts as the average of the others. Up to 16
//! endpoints are compared all and equals take turns; of more, four drawn by weight.

use crate::policy::{BuildCx, PickCx, Policy, Spec};
use crate::set::Group;
use crate::weights::{Draw, Smooth, WHOLE_MAX};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The endpoint that answers soonest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "LeastTime")]
pub struct Config {
    /// Up to where an answer is measured.
    pub measure: Measure,
    /// Whether requests that are under way count with the time they have taken so far.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub inflight: bool,
    /// Whether only two endpoints, drawn at random by weight, are compared.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub of_two: bool,
}

/// Up to where an answer is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Its head.
    #[default]
    Header,
    /// Its last byte.
    LastByte,
}

impl Spec for Config {
    const NAME: &'static str = "least_time";
    const DOC: &'static str = "The endpoint that answers soonest: the lowest average time to the head (or the last \
        byte) times what it has under way, for its weight. Right where endpoints differ in speed.";
    const EXAMPLE: &'static str = "{ least_time: { measure: header } }";
    const PLAIN: bool = false;

    fn build(&self, group: &Group<'_>, cx: &BuildCx) -> Box<dyn Policy> {
        let rule = Rule { measure: self.measure, inflight: self.inflight };
        if self.of_two || group.len() > WHOLE_MAX {
            let samples = if self.of_two { 2 } else { SAMPLES };
            return Box::new(Sample { rule, samples, draw: Draw::new(group) });
        }
        let smooth = Smooth::new(group.len());
        for _ in 0..cx.worker % group.len().max(1) {
            smooth.next(group, |_| true);
        }
        Box::new(Whole { rule, smooth })
    }
}

/// Endpoints compared of many.
const SAMPLES: usize = 4;
/// Draws to find those; more are needed only when much is out.
const DRAWS_MAX: usize = 20;

#[derive(Clone, Copy)]
struct Rule {
    measure: Measure,
    inflight: bool,
}

impl Rule {
    /// The time of an endpoint in µs; `None` where nothing is known.
    fn time(self, group: &Group<'_>, index: usize, now_ms: u64) -> Option<u64> {
        let state = group.endpoint(index).state();
        let average = state.times().average_us(self.measure, now_ms);
        let under_way = self.inflight.then(|| state.under_way_us(now_ms)).flatten();
        average.max(under_way)
    }

    /// What a request there costs, against weight 1. Times are at least 1 µs.
    fn cost(group: &Group<'_>, index: usize, time_us: u64) -> u128 {
        let active = u128::from(group.active(index)) + 1;
        u128::from(time_us.max(1)) * active * 1_000 / u128::from(group.weight(index))
    }
}

/// The time of those that were never measured: the average of those that were.
fn unknown(times: impl Iterator<Item = Option<u64>>) -> u64 {
    let (sum, count) = times.flatten().fold((0u64, 0u64), |(sum, n), time| (sum.saturating_add(time), n + 1));
    sum.checked_div(count).unwrap_or(1)
}

/// Compares all.
struct Whole {
    rule: Rule,
    smooth: Smooth,
}

impl Policy for Whole {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        // Each is read once: the times change under our hands, and who is least must not.
        let mut times = [None; WHOLE_MAX];
        for (index, time) in times.iter_mut().enumerate().take(group.len()) {
            *time = self.rule.time(group, index, cx.now_ms);
        }
        let unknown = unknown(times.iter().copied());
        let mut costs = [None; WHOLE_MAX];
        for (index, cost) in costs.iter_mut().enumerate().take(group.len()) {
            if group.takes(index, cx) {
                *cost = Some(Rule::cost(group, index, times[index].unwrap_or(unknown)));
            }
        }
        let least = costs.iter().flatten().min().copied()?;
        self.smooth.next(group, |index| costs[index] == Some(least))
    }

    fn wants_starts(&self) -> bool {
        self.rule.inflight
    }
}

/// Compares some.
struct Sample {
    rule: Rule,
    samples: usize,
    draw: Draw,
}

impl Policy for Sample {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        let mut drawn = [None; SAMPLES];
        let mut last = 0;
        let mut found = 0;
        for _ in 0..DRAWS_MAX {
            last = self.draw.draw(cx.rng);
            if last >= group.len() || drawn[..found].contains(&Some(last)) || !group.takes(last, cx) {
                continue;
            }
            drawn[found] = Some(last);
            found += 1;
            if found == self.samples.min(SAMPLES) {
                break;
            }
        }
        let time = |index: usize| self.rule.time(group, index, cx.now_ms);
        let unknown = unknown(drawn.iter().flatten().map(|index| time(*index)));
        let cost = |index: &usize| Rule::cost(group, *index, time(*index).unwrap_or(unknown));
        drawn.into_iter().flatten().min_by_key(cost).or_else(|| group.scan_from(last, cx))
    }

    fn wants_starts(&self) -> bool {
        self.rule.inflight
    }
}

#[cfg(test)]
mod tests;
