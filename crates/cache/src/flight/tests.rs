use super::*;

const AGE: Duration = Duration::from_secs(5);

fn first(joined: Joined<u32>) -> Flight<u32> {
    match joined {
        Joined::First(flight) => flight,
        other => panic!("not the first: {other:?}"),
    }
}

fn other(joined: Joined<u32>) -> watch::Receiver<State<u32>> {
    match joined {
        Joined::Other(news) => news,
        other => panic!("no other: {other:?}"),
    }
}

#[test]
fn one_goes_and_others_wait_for_its_answer() {
    let (flights, now) = (Arc::new(Flights::default()), Instant::now());
    let flight = first(flights.join(1, now, AGE));
    let news = other(flights.join(1, now, AGE));
    assert!(flights.is_under_way(1) && !flights.is_under_way(2));

    flight.serve(Arc::new(7));
    assert!(matches!(&*news.borrow(), State::Serving(answer) if **answer == 7));
    other(flights.join(1, now, AGE));

    drop(flight);
    assert!(!flights.is_under_way(1));
    assert!(matches!(&*news.borrow(), State::Serving(_)), "the last word stays");
    first(flights.join(1, now, AGE));
}

#[test]
fn what_is_not_stored_is_waited_for_by_nobody_for_a_while() {
    let (flights, now) = (Arc::new(Flights::default()), Instant::now());
    let flight = first(flights.join(1, now, AGE));
    let news = other(flights.join(1, now, AGE));

    flight.pass(now, Duration::from_secs(10));

    assert!(matches!(&*news.borrow(), State::Pass));
    assert!(matches!(flights.join(1, now + Duration::from_secs(9), AGE), Joined::Alone));
    first(flights.join(1, now + Duration::from_secs(10), AGE));
}

#[test]
fn one_that_ends_without_a_word_has_failed() {
    let (flights, now) = (Arc::new(Flights::default()), Instant::now());
    let flight = first(flights.join(1, now, AGE));
    let news = other(flights.join(1, now, AGE));
    drop(flight);
    assert!(matches!(&*news.borrow(), State::Failed));
    first(flights.join(1, now, AGE));
}

#[test]
fn after_a_while_another_one_goes_too() {
    let (flights, now) = (Arc::new(Flights::default()), Instant::now());
    let old = first(flights.join(1, now, AGE));
    let new = first(flights.join(1, now + AGE, AGE));
    drop(old);
    assert!(flights.is_under_way(1), "the old one's end is not the new one's");
    drop(new);
    assert!(!flights.is_under_way(1));
}

#[test]
fn what_is_not_stored_for_the_request_that_asked_is_nothing_about_the_next() {
    let (flights, now) = (Arc::new(Flights::default()), Instant::now());
    let flight = first(flights.join(1, now, AGE));
    let news = other(flights.join(1, now, AGE));
    flight.own();
    assert!(matches!(&*news.borrow(), State::Own));
    first(flights.join(1, now, AGE));
}
