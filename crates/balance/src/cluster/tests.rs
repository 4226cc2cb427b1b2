use super::*;
use crate::policy::{Rng, TriedSet};
use crate::testing::spec;
use std::net::Ipv4Addr;

/// A cluster on one worker, with a clock and requests' memory.
struct Worker {
    cluster: Cluster,
    rng: Rng,
    tried: TriedSet,
    now_ms: u64,
}

impl Worker {
    fn new(specs: Vec<EndpointSpec>) -> Self {
        Self::on(&Arc::new(SharedEndpoints::new(EndpointSet::new(specs))), 0)
    }

    fn on(shared: &Arc<SharedEndpoints>, number: usize) -> Self {
        let cluster = Cluster::new(shared.clone(), Arc::default(), number);
        Self { cluster, rng: Rng::seeded(1), tried: TriedSet::default(), now_ms: 1_000 }
    }

    fn pick(&self) -> Result<Picked, NoEndpoint> {
        let client = Ipv4Addr::LOCALHOST.into();
        let Self { tried, rng, .. } = self;
        self.cluster.pick(&PickCx { key: None, preferred: None, client, tried, now_ms: self.now_ms, rng })
    }

    fn index(&self) -> Result<usize, NoEndpoint> {
        self.pick().map(|picked| picked.index())
    }

    /// One attempt with its outcome.
    fn attempt(&self, outcome: Outcome) -> (usize, Change) {
        let picked = self.pick().expect("an endpoint");
        (picked.index(), self.cluster.report(picked.endpoint(), outcome, self.now_ms))
    }
}

#[test]
fn one_worker_goes_round_in_configured_order() {
    let worker = Worker::new(vec![spec(1), spec(2), spec(3)]);
    assert_eq!([0; 4].map(|_| worker.index()), [Ok(0), Ok(1), Ok(2), Ok(0)]);
}

#[test]
fn a_pick_counts_until_dropped() {
    let worker = Worker::new(vec![spec(1)]);
    let picked = worker.pick().expect("an endpoint");
    let state = picked.endpoint().state().clone();
    assert_eq!((state.active(), state.requests()), (1, 1));
    let tunnel = picked.into_active();
    assert_eq!(state.active(), 1);
    drop(tunnel);
    assert_eq!((state.active(), state.requests()), (0, 1));
}

#[test]
fn a_failed_one_is_out_then_tried_once_by_all_workers_together() {
    let shared = Arc::new(SharedEndpoints::new(EndpointSet::new(vec![spec(1), spec(2)])));
    let mut workers = [Worker::on(&shared, 0), Worker::on(&shared, 0)];
    assert_eq!(workers[0].attempt(Outcome::Failure), (0, Change::Ejected));
    assert_eq!(workers.each_ref().map(Worker::index), [Ok(1), Ok(1)]);

    workers.iter_mut().for_each(|worker| worker.now_ms = 11_000);
    assert_eq!(workers.each_ref().map(Worker::index), [Ok(1), Ok(1)], "the last millisecond");

    workers.iter_mut().for_each(|worker| worker.now_ms = 11_001);
    let tried = workers[0].pick().expect("the try");
    assert_eq!(tried.index(), 0);
    assert_eq!([0; 3].map(|_| workers[1].index()), [Ok(1); 3]);
    let change = workers[0].cluster.report(tried.endpoint(), Outcome::Success, 11_002);
    assert_eq!(change, Change::Restored);
    assert_eq!(workers[1].index(), Ok(0));
}

#[test]
fn all_out_stays_out_until_the_first_timeout() {
    let mut worker = Worker::new(vec![spec(1), spec(2)]);
    worker.attempt(Outcome::Failure);
    worker.now_ms += 1;
    worker.attempt(Outcome::Failure);
    assert_eq!(worker.index(), Err(NoEndpoint::AllDown));
    worker.now_ms = 11_000;
    assert_eq!(worker.index(), Err(NoEndpoint::AllDown), "nobody is forgiven early");
    worker.now_ms = 11_001;
    assert_eq!(worker.index(), Ok(0));
    assert_eq!(worker.index(), Err(NoEndpoint::AllDown), "one try");
}

#[test]
fn the_sole_endpoint_is_never_out() {
    let worker = Worker::new(vec![spec(1)]);
    for _ in 0..5 {
        assert_eq!(worker.attempt(Outcome::Failure), (0, Change::None));
    }
    let with_backup = Worker::new(vec![spec(1), EndpointSpec { backup: true, ..spec(2) }]);
    assert_eq!(with_backup.attempt(Outcome::Failure), (0, Change::Ejected));
    assert_eq!(with_backup.index(), Ok(1));
}

#[test]
fn reasons_are_told_apart() {
    assert_eq!(Worker::new(Vec::new()).index(), Err(NoEndpoint::Empty));
    let down = EndpointSpec { down: true, ..spec(1) };
    assert_eq!(Worker::new(vec![down.clone()]).index(), Err(NoEndpoint::AllDown));

    let narrow = EndpointSpec { max_conns: 1, ..spec(2) };
    let mut worker = Worker::new(vec![down.clone(), narrow]);
    let picked = worker.pick().expect("a free one");
    assert_eq!(worker.index(), Err(NoEndpoint::AllBusy));
    worker.tried.mark(&picked);
    assert_eq!(worker.index(), Err(NoEndpoint::AllTried));
    drop(picked);
    assert_eq!(worker.index(), Err(NoEndpoint::AllTried));
    worker.tried = TriedSet::default();
    assert_eq!(worker.index(), Ok(1));
}

#[test]
fn an_update_reaches_the_worker_at_its_next_pick() {
    let shared = Arc::new(SharedEndpoints::new(EndpointSet::new(vec![spec(1)])));
    let mut worker = Worker::on(&shared, 0);
    let picked = worker.pick().expect("an endpoint");
    worker.tried.mark(&picked);
    assert_eq!(worker.index(), Err(NoEndpoint::AllTried));

    assert!(!shared.update(vec![spec(1)]), "the same again");
    assert_eq!(worker.index(), Err(NoEndpoint::AllTried));
    assert!(shared.update(vec![spec(2), spec(1)]));
    assert_eq!(worker.index(), Ok(0), "the old index says nothing about the new set");
    assert_eq!(shared.load().endpoints()[1].state().active(), 1);
}

#[test]
fn workers_pick_while_endpoints_change() {
    let shared = Arc::new(SharedEndpoints::new(EndpointSet::new(vec![spec(0)])));
    std::thread::scope(|scope| {
        for number in 0..2 {
            let shared = &shared;
            scope.spawn(move || {
                let worker = Worker::on(shared, number);
                for _ in 0..5_000 {
                    worker.pick().expect("there is always one");
                }
            });
        }
        for len in (1..40).cycle().take(500) {
            shared.update((0..len).map(spec).collect());
        }
    });
    assert!(shared.load().endpoints().iter().all(|endpoint| endpoint.state().active() == 0));
}

#[test]
fn a_policy_that_wants_the_total_gets_it() {
    let shared = Arc::new(SharedEndpoints::new(EndpointSet::new(vec![spec(1), spec(2)])));
    let hash: Balance = serde_saphyr::from_str("hash: { key: a }").expect("hash");
    let worker =
        Worker { cluster: Cluster::new(shared.clone(), Arc::new(hash), 0), ..Worker::on(&shared, 0) };
    let picked = worker.pick();
    assert_eq!(shared.load().group(Rank::Primary).active_total(), 1);
    drop(picked);
    assert_eq!(shared.load().group(Rank::Primary).active_total(), 0);
}
