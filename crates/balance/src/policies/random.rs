//! `random`: two endpoints drawn at random by weight, the less busy one takes the request.
//!
//! nginx's `random two least_conn`, Envoy's and linkerd's default idea: nearly as even as looking at all,
//! at O(log n) (O(1) where weights are equal), and without a turn to keep.

use super::least_request::least_drawn;
use crate::policy::{BuildCx, PickCx, Policy, Spec};
use crate::set::Group;
use crate::weights::Draw;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Two endpoints drawn at random by weight, the less busy one takes the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Random")]
pub struct Config {}

impl Spec for Config {
    const NAME: &'static str = "random";
    const DOC: &'static str = "Two endpoints are drawn at random by weight, and the less busy one takes the \
        request. Right where several proxies that don't know of each other balance over the same endpoints.";
    const EXAMPLE: &'static str = "random";
    const PLAIN: bool = true;

    fn build(&self, group: &Group<'_>, _cx: &BuildCx) -> Box<dyn Policy> {
        Box::new(Random { draw: Draw::new(group) })
    }
}

/// Draws to find two; as many as nginx tries before it goes in turn.
const DRAWS_MAX: usize = 20;

struct Random {
    draw: Draw,
}

impl Policy for Random {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        least_drawn(&self.draw, 2, DRAWS_MAX, group, cx)
    }
}

#[cfg(test)]
mod tests;
