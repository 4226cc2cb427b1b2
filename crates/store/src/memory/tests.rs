//! The benchmark's row by Zipf's law in small: hit ratio beside simulations of the best known policies.

use crate::testing::{FOREVER, memory_zone};
use crate::{Found, Meta, Zone, ZoneConfig};
use bifrons_config::units::Size;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};

/// So many objects are asked for so often.
#[derive(Clone, Copy)]
struct Load {
    objects: usize,
    requests: usize,
}

impl Load {
    /// Twenty requests for each object, of which the second half counts.
    const fn of(objects: usize) -> Self {
        Self { objects, requests: 20 * objects }
    }

    /// Objects that fit: 5 %.
    const fn room(self) -> usize {
        self.objects / 20
    }
}

/// Numbers of objects, as popular as Zipf's law with 0.9 says.
struct Zipf {
    sums: Vec<f64>,
    random: fastrand::Rng,
}

impl Zipf {
    fn new(count: usize) -> Self {
        let mut sum = 0.0;
        let weigh = |rank: usize| {
            sum += (rank as f64).powf(-0.9);
            sum
        };
        Self { sums: (1..=count).map(weigh).collect(), random: fastrand::Rng::with_seed(9) }
    }

    fn next(&mut self) -> usize {
        let at = self.random.f64() * self.sums[self.sums.len() - 1];
        self.sums.partition_point(|sum| *sum < at)
    }
}

/// Share of hits in the second half of the requests.
fn ratio(load: Load, mut is_hit: impl FnMut(usize) -> bool) -> f64 {
    let mut zipf = Zipf::new(load.objects);
    let mut hits = 0;
    for turn in 0..load.requests {
        let hit = is_hit(zipf.next());
        hits += usize::from(hit && turn >= load.requests / 2);
    }
    hits as f64 / (load.requests / 2) as f64
}

fn lru(load: Load) -> f64 {
    let (mut used, mut by_time, mut clock) = (HashMap::new(), std::collections::BTreeMap::new(), 0_u64);
    ratio(load, |object| {
        clock += 1;
        let before = used.insert(object, clock);
        if let Some(before) = before {
            by_time.remove(&before);
        }
        by_time.insert(clock, object);
        if used.len() > load.room()
            && let Some((_, oldest)) = by_time.pop_first()
        {
            used.remove(&oldest);
        }
        before.is_some()
    })
}

/// S3-FIFO (Yang et al., SOSP 2023): a small queue for a tenth, a main one, a ghost of the main one's size.
fn s3_fifo(load: Load) -> f64 {
    let (mut small, mut main) = (VecDeque::new(), VecDeque::new());
    let (mut ghost, mut ghosts) = (VecDeque::new(), HashMap::<usize, u32>::new());
    let mut uses: HashMap<usize, u8> = HashMap::new();
    ratio(load, |object| {
        if let Some(count) = uses.get_mut(&object) {
            *count = (*count + 1).min(3);
            return true;
        }
        while uses.len() >= load.room() {
            if small.len() >= load.room() / 10 || main.is_empty() {
                let Some(out) = small.pop_front() else { break };
                if uses[&out] > 1 {
                    uses.insert(out, 0);
                    main.push_back(out);
                } else {
                    uses.remove(&out);
                    ghost.push_back(out);
                    *ghosts.entry(out).or_default() += 1;
                }
                continue;
            }
            let Some(out) = main.pop_front() else { break };
            let count = uses[&out];
            if count > 0 {
                uses.insert(out, count - 1);
                main.push_back(out);
            } else {
                uses.remove(&out);
            }
        }
        while ghost.len() > load.room() {
            let Some(out) = ghost.pop_front() else { break };
            if let Some(count) = ghosts.get_mut(&out) {
                *count -= 1;
                if *count == 0 {
                    ghosts.remove(&out);
                }
            }
        }
        uses.insert(object, 0);
        if ghosts.contains_key(&object) {
            main.push_back(object)
        } else {
            small.push_back(object)
        }
        false
    })
}

/// LFU that forgets nothing: with popularity that never changes no policy without foresight is better, and
/// W-TinyLFU tends to it.
fn lfu(load: Load) -> f64 {
    let (mut counts, mut kept) = (vec![0_u64; load.objects], std::collections::BTreeSet::new());
    ratio(load, |object| {
        let hit = kept.remove(&(counts[object], object));
        counts[object] += 1;
        kept.insert((counts[object], object));
        if kept.len() > load.room() {
            kept.pop_first();
        }
        hit
    })
}

/// W-TinyLFU (Einziger, Friedman and Manes, 2017), as Caffeine has it: a window for a hundredth, a main part in two
/// segments, the second for what was used again, and counts that are halved every ten times as many requests as fit.
/// What leaves the window takes the place of what would leave the main part if it is asked for more often. Counted
/// exactly, where a sketch would err now and then.
fn w_tiny_lfu(load: Load) -> f64 {
    let room = load.room();
    let window = room / 100;
    let protected = (room - window) * 4 / 5;
    let (mut counts, mut turns) = (vec![0_u32; load.objects], 0);
    let mut all = Segments::default();
    ratio(load, |object| {
        turns += 1;
        counts[object] = (counts[object] + 1).min(15);
        if turns % (10 * room as u64) == 0 {
            counts.iter_mut().for_each(|count| *count /= 2);
        }
        let segment = all.segment_of(object);
        match segment {
            None | Some(0) => all.put(object, 0, turns),
            Some(_) => all.put(object, 2, turns),
        }
        if all.by_time[2].len() > protected
            && let Some((at, demoted)) = all.take_oldest(2)
        {
            all.put(demoted, 1, at);
        }
        if all.by_time[0].len() > window
            && let Some((at, candidate)) = all.take_oldest(0)
        {
            let is_full = all.by_time[1].len() + all.by_time[2].len() >= room - window;
            let victim = all.by_time[1].values().next().copied();
            let wins = victim.is_some_and(|victim| counts[candidate] > counts[victim]);
            if is_full && wins {
                all.take_oldest(1);
            }
            if !is_full || wins {
                all.put(candidate, 1, at);
            }
        }
        segment.is_some()
    })
}

/// Objects in three lists, each in the order of their last use.
#[derive(Default)]
struct Segments {
    by_time: [std::collections::BTreeMap<u64, usize>; 3],
    places: HashMap<usize, (usize, u64)>,
}

impl Segments {
    fn segment_of(&self, object: usize) -> Option<usize> {
        self.places.get(&object).map(|(segment, _)| *segment)
    }

    fn put(&mut self, object: usize, segment: usize, at: u64) {
        if let Some((old, before)) = self.places.insert(object, (segment, at)) {
            self.by_time[old].remove(&before);
        }
        self.by_time[segment].insert(at, object);
    }

    fn take_oldest(&mut self, segment: usize) -> Option<(u64, usize)> {
        let (at, object) = self.by_time[segment].pop_first()?;
        self.places.remove(&object);
        Some((at, object))
    }
}

/// What the zone does with the same requests.
fn ours(load: Load) -> f64 {
    let key = |object: usize| format!("k{object:07}").into_bytes();
    // What one object of that kind weighs.
    let store = |zone: &Zone, object: usize| {
        let key = key(object);
        let (path, head) = (format!("/{object:07}").into(), Bytes::from_static(b"head"));
        let meta = Meta { key: key.clone().into(), path, head, keep_until_s: FOREVER, ..Meta::default() };
        let mut fill = zone.begin(zone.ticket(), &zone.key(&key), meta, Some(7600));
        fill.push(Bytes::from(vec![0; 7600]));
        fill.finish().weight()
    };
    let weight = store(&memory_zone(), 0);
    let config = ZoneConfig {
        memory: Size((weight * load.room()) as u64),
        memory_object: Size::kib(64),
        ..ZoneConfig::default()
    };
    let zone = Zone::open("zipf", &config).unwrap();
    ratio(load, |object| {
        let hit = matches!(zone.find(&zone.key(&key(object)), 1, |_| true), Found::Memory(_));
        if !hit {
            store(&zone, object);
        }
        hit
    })
}

#[test]
fn zipf_hits_are_within_two_points_of_the_best_known_policy() {
    compare(Load::of(20_000));
}

/// As many as the benchmark's row has.
#[test]
#[ignore = "takes a minute: run it by name with --run-ignored all"]
fn zipf_hits_of_200_000_objects_are_so_too() {
    compare(Load::of(200_000));
}

/// As many as a large site has.
#[test]
#[ignore = "takes many minutes without optimisation: run it by name with --run-ignored all"]
fn zipf_hits_of_a_million_objects_are_so_too() {
    compare(Load::of(1_000_000));
}

#[track_caller]
fn compare(load: Load) {
    let ours = ours(load);
    let (lru, s3_fifo, w_tiny_lfu, lfu) = (lru(load), s3_fifo(load), w_tiny_lfu(load), lfu(load));
    let all = format!(
        "{} objects: ours {ours:.4}, LRU {lru:.4}, S3-FIFO {s3_fifo:.4}, W-TinyLFU {w_tiny_lfu:.4}, LFU {lfu:.4}",
        load.objects
    );
    println!("{all}");
    // Simulations that are wrong would prove nothing.
    assert!(lru < s3_fifo && s3_fifo < lfu && lru < w_tiny_lfu && w_tiny_lfu <= lfu, "{all}");
    // LFU that forgets nothing is the bound of such a load, not a policy for real ones.
    let best = lru.max(s3_fifo).max(w_tiny_lfu);
    assert!(ours >= best - 0.02, "{all}");
}

#[test]
fn a_scan_does_not_push_out_what_is_popular() {
    let config = ZoneConfig { memory: Size::mib(1), memory_object: Size::kib(32), ..ZoneConfig::default() };
    let zone = Zone::open("scan", &config).unwrap();
    let paths: Vec<String> = (0..50).map(|number| format!("/hot/{number}")).collect();
    for _ in 0..5 {
        for path in &paths {
            if crate::testing::find(&zone, path).is_none() {
                crate::testing::store(&zone, path, &[1; 4000]);
            }
        }
    }
    for number in 0..5000 {
        crate::testing::store(&zone, &format!("/cold/{number}"), &[2; 4000]);
    }
    let left = paths.iter().filter(|path| crate::testing::find(&zone, path).is_some()).count();
    assert!(left > 45, "{left} of 50 are left");
}
