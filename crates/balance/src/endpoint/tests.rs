use super::*;
use crate::testing::spec;

fn endpoint(max_conns: u32) -> Arc<Endpoint> {
    Endpoint::new(EndpointSpec { max_conns, ..spec(1) }, Arc::default())
}

#[test]
fn active_counts_from_creation_to_drop() {
    let endpoint = endpoint(0);
    let total = Arc::new(AtomicU32::new(0));
    let first = Active::begin(&endpoint, Some(&total));
    let second = Active::begin(&endpoint, None);
    assert_eq!((endpoint.state().active(), total.load(Relaxed)), (2, 1));
    drop((first, second));
    assert_eq!((endpoint.state().active(), total.load(Relaxed)), (0, 0));
}

#[test]
fn max_conns_holds_across_threads() {
    let endpoint = endpoint(3);
    let most = AtomicU32::new(0);
    let now = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    if let Some(_active) = Active::begin(&endpoint, None) {
                        most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                        now.fetch_sub(1, Relaxed);
                    }
                }
            });
        }
    });
    assert!((1..=3).contains(&most.load(Relaxed)));
    assert_eq!(endpoint.state().active(), 0);
}

#[test]
fn the_sole_endpoint_counts_failures_but_stays() {
    let endpoint = endpoint(0);
    endpoint.report(Outcome::Failure, 5);
    endpoint.report_sole(Outcome::Failure);
    assert_eq!((endpoint.state().failures(), endpoint.state().health().fails()), (2, 0));
}
