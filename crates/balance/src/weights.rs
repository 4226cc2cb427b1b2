//! Ways to share by weight that several policies use: nginx's smooth turn, and a random draw.

use crate::policy::Rng;
use crate::set::Group;
use std::cell::Cell;

/// Groups up to this size are looked at whole, per request. 16 entries are some 20 ns of work; more would
/// make the cost of a request grow with the number of endpoints.
pub(crate) const WHOLE_MAX: usize = 16;

/// Whether all endpoints have the same weight.
pub(crate) fn are_equal(group: &Group<'_>) -> bool {
    (1..group.len()).all(|index| group.weight(index) == group.weight(0))
}

/// nginx's smooth weighted turn: over a period of `sum of weights` picks each endpoint has exactly its
/// weight, spread as evenly as it goes (5, 1, 1 gives a a b a c a a). O(n), so for small groups.
pub(crate) struct Smooth {
    /// What each is owed; sums to 0 between picks while nobody is left out.
    owed: Box<[Cell<i64>]>,
}

impl Smooth {
    pub(crate) fn new(len: usize) -> Self {
        Self { owed: (0..len).map(|_| Cell::new(0)).collect() }
    }

    /// The next of those for which `among` holds. The others neither gain nor lose.
    pub(crate) fn next(&self, group: &Group<'_>, among: impl Fn(usize) -> bool) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<usize> = None;
        for (index, owed) in self.owed.iter().enumerate() {
            if !among(index) {
                continue;
            }
            let weight = i64::from(group.weight(index));
            total += weight;
            owed.set(owed.get() + weight);
            if best.is_none_or(|best| owed.get() > self.owed[best].get()) {
                best = Some(index);
            }
        }
        let chosen = &self.owed[best?];
        chosen.set(chosen.get() - total);
        best
    }
}

/// Draws by weight: O(log n), O(1) where all weights are equal.
pub(crate) struct Draw {
    /// Sums of the weights up to and including each; empty where all are equal.
    sums: Box<[u64]>,
    /// Sum of all weights, or the number of endpoints where all are equal.
    total: u64,
}

impl Draw {
    pub(crate) fn new(group: &Group<'_>) -> Self {
        if are_equal(group) {
            return Self { sums: Box::new([]), total: group.len() as u64 };
        }
        let mut total = 0;
        let sums = (0..group.len())
            .map(|index| {
                total += u64::from(group.weight(index));
                total
            })
            .collect();
        Self { sums, total }
    }

    /// One at random; 0 for an empty group.
    pub(crate) fn draw(&self, rng: &Rng) -> usize {
        self.at(rng.below(self.total))
    }

    /// The endpoint whose share covers `point`, wrapped to the sum of the weights.
    pub(crate) fn at(&self, point: u64) -> usize {
        let point = point.checked_rem(self.total).unwrap_or(0);
        if self.sums.is_empty() { point as usize } else { self.sums.partition_point(|&sum| sum <= point) }
    }
}

/// Whether an endpoint with `a` requests under way and weight `a_weight` has less to do than the other.
pub(crate) fn is_less_busy((a, a_weight): (u32, u32), (b, b_weight): (u32, u32)) -> bool {
    u64::from(a) * u64::from(b_weight) < u64::from(b) * u64::from(a_weight)
}
