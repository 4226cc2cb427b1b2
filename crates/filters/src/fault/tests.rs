use super::*;
use crate::testing::{cx, request, run};
use std::time::Instant;

fn built(config: Config) -> Arc<dyn Filter> {
    config.build().unwrap()
}

fn abort(status: u16) -> Option<Abort> {
    Some(Abort { status })
}

/// The status of an early answer, and how long it took.
fn ask(filter: &dyn Filter) -> (Option<u16>, Duration) {
    let (mut cx, mut req, began) = (cx(), request(""), Instant::now());
    let early = run(async || match filter.request(&mut cx, &mut req) {
        Step::Next | Step::Turn(_) => None,
        Step::Reply(res) => Some(*res),
        Step::Wait(waiting) => waiting.await.unwrap(),
    });
    (early.map(|res| res.head.status), began.elapsed())
}

#[test]
fn an_abort_answers_at_once() {
    let filter = built(Config { abort: abort(503), ..Config::default() });
    assert!(
        matches!(filter.request(&mut cx(), &mut request("")), Step::Reply(res) if res.head.status == 503)
    );
}

#[test]
fn a_delay_waits_and_goes_on() {
    let delay = Some(Dur::millis(20));
    let (status, took) = ask(&*built(Config { delay, ..Config::default() }));
    assert_eq!(status, None);
    assert!(took >= Duration::from_millis(20), "{took:?}");
    let (status, took) = ask(&*built(Config { delay, abort: abort(429), ..Config::default() }));
    assert_eq!(status, Some(429));
    assert!(took >= Duration::from_millis(20), "{took:?}");
}

#[test]
fn a_share_of_the_requests() {
    let with = |percent| built(Config { abort: abort(500), percent, ..Config::default() });
    let struck = |percent| {
        let filter = with(percent);
        (0..4000).filter(|_| matches!(filter.request(&mut cx(), &mut request("")), Step::Reply(_))).count()
    };
    assert_eq!(struck(Ratio::NONE), 0);
    assert_eq!(struck(Ratio::ALL), 4000);
    let quarter = struck(Ratio::percent(25));
    assert!((800..1200).contains(&quarter), "{quarter}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |config: Config| config.build().err().unwrap();
    assert!(refused(Config::default()).contains("nothing happens"));
    assert!(refused(Config { abort: abort(199), ..Config::default() }).contains("199"));
    assert!(refused(Config { abort: abort(600), ..Config::default() }).contains("600"));
    assert!(refused(Config { delay: Some(Dur::secs(301)), ..Config::default() }).contains("301s"));
    assert!(Config { delay: Some(Dur::secs(300)), abort: abort(599), ..Config::default() }.build().is_ok());
}
