//! `least_request`: the endpoint with the fewest requests under way for its weight.
//!
//! Up to 16 endpoints are compared all, and equals take nginx's smooth turn, as nginx's `least_conn` does.
//! Beyond that, four drawn by weight are compared: that is O(log n), touches four counters that other
//! workers write instead of n, and keeps close to the least (with two draws the longest queue already
//! grows with log log n only; Mitzenmacher, "The Power of Two Choices", 2001). It also keeps workers that
//! see the same counts from all running to the same endpoint.

use crate::policy::{BuildCx, PickCx, Policy, Spec};
use crate::set::Group;
use crate::weights::{Draw, Smooth, WHOLE_MAX, is_less_busy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The endpoint with the fewest requests under way for its weight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LeastRequest")]
pub struct Config {}

impl Spec for Config {
    const NAME: &'static str = "least_request";
    const DOC: &'static str = "The endpoint with the fewest requests under way for its weight, over all workers; \
        equals take turns. Right where requests differ much in cost. Among more than 16 endpoints, the best \
        of four drawn at random.";
    const EXAMPLE: &'static str = "least_request";
    const PLAIN: bool = true;

    fn build(&self, group: &Group<'_>, cx: &BuildCx) -> Box<dyn Policy> {
        if group.len() > WHOLE_MAX {
            return Box::new(Sample { draw: Draw::new(group) });
        }
        let smooth = Smooth::new(group.len());
        for _ in 0..cx.worker % group.len().max(1) {
            smooth.next(group, |_| true);
        }
        Box::new(Whole { smooth })
    }
}

/// Compares all.
struct Whole {
    smooth: Smooth,
}

impl Policy for Whole {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        // Each is read once: the counts change under our hands, and who is least must not.
        let mut read = [None; WHOLE_MAX];
        let mut least: Option<(u32, u32)> = None;
        for (index, read) in read.iter_mut().enumerate().take(group.len()) {
            if !group.takes(index, cx) {
                continue;
            }
            let load = (group.active(index), group.weight(index));
            *read = Some(load);
            if least.is_none_or(|least| is_less_busy(load, least)) {
                least = Some(load);
            }
        }
        let least = least?;
        let is_least = |index: usize| read[index].is_some_and(|load| !is_less_busy(least, load));
        self.smooth.next(group, is_least)
    }
}

/// Endpoints compared of many.
const SAMPLES: usize = 4;
/// Draws to find those; more are needed only when much is out.
const DRAWS_MAX: usize = 4 * SAMPLES;

/// Compares some.
struct Sample {
    draw: Draw,
}

impl Policy for Sample {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        least_drawn(&self.draw, SAMPLES, DRAWS_MAX, group, cx)
    }
}

/// The least busy of `samples` endpoints that `draw` gives in at most `draws` draws; the best so far is not
/// drawn against itself. Equals go to the one drawn first, so an idle cluster shares by weight.
pub(super) fn least_drawn(
    draw: &Draw,
    samples: usize,
    draws: usize,
    group: &Group<'_>,
    cx: &PickCx<'_>,
) -> Option<usize> {
    let mut best: Option<(usize, (u32, u32))> = None;
    let mut found = 0;
    let mut drawn = 0;
    for _ in 0..draws {
        drawn = draw.draw(cx.rng);
        let is_again = best.is_some_and(|(best, _)| best == drawn);
        if drawn >= group.len() || is_again || !group.takes(drawn, cx) {
            continue;
        }
        let load = (group.active(drawn), group.weight(drawn));
        if best.is_none_or(|(_, least)| is_less_busy(load, least)) {
            best = Some((drawn, load));
        }
        found += 1;
        if found == samples {
            break;
        }
    }
    match best {
        Some((index, _)) => Some(index),
        None => group.scan_from(drawn, cx),
    }
}

#[cfg(test)]
mod tests;
