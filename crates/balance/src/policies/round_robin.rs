//! `round_robin`: endpoints take turns, in configured order, each as often as its weight says.
//!
//! Three ways to keep the turn, all exact over a period:
//! - equal weights: an index that goes round, O(1);
//! - up to 16 endpoints: nginx's smooth turn, in the very order nginx has, O(16);
//! - more: earliest deadline first on a heap, as Envoy does it, O(log n). The k-th turn of an endpoint of
//!   weight w is due at (k + phase) / w. The phases of endpoints of like weight lie evenly between 0 and 1:
//!   with one phase for all, those that weigh the same would come in one burst, and the heavy ones in
//!   another. A precomputed schedule would be O(1), but its length is the sum of the weights, which nothing
//!   bounds.
//!
//! The turn is each worker's own; worker k begins k turns on. An endpoint that is passed over because it
//! is out or tried loses that turn, except in the smooth way, where it neither gains nor loses.

use crate::policy::{BuildCx, PickCx, Policy, Spec};
use crate::set::Group;
use crate::weights::{Smooth, WHOLE_MAX, are_equal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Endpoints take turns, in configured order, each as often as its weight says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RoundRobin")]
pub struct Config {}

impl Spec for Config {
    const NAME: &'static str = "round_robin";
    const DOC: &'static str = "Endpoints take turns, in configured order, each as often as its weight says. \
        The default; right where requests cost about the same.";
    const EXAMPLE: &'static str = "round_robin";
    const PLAIN: bool = true;

    fn build(&self, group: &Group<'_>, cx: &BuildCx) -> Box<dyn Policy> {
        // More turns than endpoints would come round again where weights are equal, and where they are not
        // this many spread the workers well enough.
        let turns = cx.worker % group.len().max(1);
        if are_equal(group) {
            return Box::new(Round { next: Cell::new(turns) });
        }
        if group.len() <= WHOLE_MAX {
            let smooth = Smooth::new(group.len());
            for _ in 0..turns {
                smooth.next(group, |_| true);
            }
            return Box::new(smooth);
        }
        let deadlines = Deadlines::new(group);
        for _ in 0..turns {
            deadlines.next();
        }
        Box::new(deadlines)
    }
}

/// Equal weights.
struct Round {
    next: Cell<usize>,
}

impl Policy for Round {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        let index = group.scan_from(self.next.get(), cx)?;
        self.next.set(index + 1);
        Some(index)
    }
}

impl Policy for Smooth {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        self.next(group, |index| group.takes(index, cx))
    }
}

/// Different weights, many endpoints.
struct Deadlines {
    /// The earliest on top. Deadlines are positive floats by their bits, which order the same.
    heap: RefCell<BinaryHeap<Reverse<(u64, usize)>>>,
    turns: Box<[Turns]>,
}

/// What is kept of each endpoint. From the number of turns, not by adding up, deadlines are reckoned: so
/// nothing drifts, and in each unit of that time each has as many turns as it weighs.
struct Turns {
    had: Cell<u64>,
    /// More than 0, less than 1.
    phase: f64,
    weight: f64,
}

impl Turns {
    /// When the next is due, as the bits of a float.
    fn deadline(&self) -> u64 {
        ((self.had.get() as f64 + self.phase) / self.weight).to_bits()
    }
}

/// Turns passed over before the next that serves is looked for in order. Met only when most of the weight
/// is out.
const PASSED_MAX: usize = 64;

impl Deadlines {
    fn new(group: &Group<'_>) -> Self {
        let mut by_weight: Vec<usize> = (0..group.len()).collect();
        by_weight.sort_by_key(|&index| group.weight(index));
        let mut phases = vec![0.5; group.len()];
        for (rank, index) in by_weight.into_iter().enumerate() {
            // Multiples of the golden ratio, modulo 1: any run of them is spread evenly.
            phases[index] = ((rank as f64 + 0.5) * std::f64::consts::GOLDEN_RATIO).fract();
        }
        let turns =
            |(index, phase)| Turns { had: Cell::new(0), phase, weight: f64::from(group.weight(index)) };
        let turns: Box<[_]> = phases.into_iter().enumerate().map(turns).collect();
        let heap = turns.iter().enumerate().map(|(index, turns)| Reverse((turns.deadline(), index)));
        Self { heap: RefCell::new(heap.collect()), turns }
    }

    /// Whose turn it is.
    fn next(&self) -> Option<usize> {
        let mut heap = self.heap.borrow_mut();
        let mut top = heap.peek_mut()?;
        let Reverse((_, index)) = *top;
        let turns = self.turns.get(index)?;
        turns.had.set(turns.had.get() + 1);
        *top = Reverse((turns.deadline(), index));
        Some(index)
    }
}

impl Policy for Deadlines {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        let mut index = 0;
        for _ in 0..PASSED_MAX {
            index = self.next()?;
            if group.takes(index, cx) {
                return Some(index);
            }
        }
        group.scan_from(index, cx)
    }
}

#[cfg(test)]
mod tests;
