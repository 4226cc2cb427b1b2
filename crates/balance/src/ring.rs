//! The consistent-hash ring: each endpoint at many points of a circle, a key at the next point after it.

use crate::set::Group;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// 160 points per unit of weight, as ketama and nginx have: shares then differ by some 8 %.
const POINTS_PER_WEIGHT: u64 = 160;
/// 2^18 points are 4 MiB; with 10,000 endpoints still 20 each.
const POINTS_MAX: u64 = 1 << 18;

/// Points in ascending order. Depends on addresses and weights only, not on order or names: proxies that
/// know the same endpoints send a key to the same one.
#[derive(Debug)]
pub(crate) struct Ring {
    points: Box<[(u64, u32)]>,
}

impl Ring {
    pub(crate) fn build(group: &Group<'_>) -> Self {
        let total: u64 = (0..group.len()).map(|index| u64::from(group.weight(index))).sum();
        // Halved as often as needed, rather than scaled: so one endpoint more or less seldom changes the
        // number of points of the others.
        let mut halvings = 0;
        while (total * POINTS_PER_WEIGHT) >> halvings > POINTS_MAX {
            halvings += 1;
        }
        let mut points = Vec::new();
        for index in 0..group.len() {
            let address = group.endpoint(index).address.to_string();
            let share = ((u64::from(group.weight(index)) * POINTS_PER_WEIGHT) >> halvings).max(1);
            for number in 0..share {
                points.push((xxh3_64_with_seed(address.as_bytes(), number), index as u32));
            }
        }
        points.sort_unstable();
        Self { points: points.into() }
    }

    /// The endpoints in the order in which they stand in for each other for `key`, with repetitions, each
    /// point once.
    pub(crate) fn walk(&self, key: u64) -> impl Iterator<Item = usize> {
        let start = self.points.partition_point(|&(point, _)| point < key);
        self.points[start..].iter().chain(&self.points[..start]).map(|&(_, index)| index as usize)
    }
}

/// The hash of a key's bytes.
pub(crate) fn hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

#[cfg(test)]
mod tests;
