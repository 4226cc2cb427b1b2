//! Many requests for the same: who asks the origin, who waits, and for what.

use super::script::{Rows, play};
use super::support::{Gate, cached, results, status};
use bifrons_testkit::{Message, Origin, Proxy, Wire, wait_until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Enough for what a test does, however slow the machine.
const PATIENT: &str = ", collapse_timeout: 60s, collapse_age: 60s";

const HEAD: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\n";

/// An origin that sends the head and half the body, and the rest once the gate opens.
fn halfway(gate: &Gate) -> Origin {
    let gate = gate.clone();
    Origin::script(move |wire| {
        while wire.read_request().is_some() {
            wire.send(format!("{HEAD}01234"));
            gate.pass();
            wire.send("56789");
        }
    })
}

fn ask(proxy: &Proxy) -> Wire {
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    client
}

#[test]
fn an_answer_goes_to_all_who_wait_while_it_arrives() {
    let gate = Gate::default();
    let origin = halfway(&gate);
    let proxy = cached(&origin, PATIENT);
    let mut clients: Vec<Wire> = Vec::new();
    for _ in 0..4 {
        let mut client = ask(&proxy);
        assert_eq!(client.read_head().status(), 200);
        assert_eq!(client.read_exact(5), b"01234", "the beginning comes before the end is there");
        clients.push(client);
    }
    gate.open();
    for mut client in clients {
        assert_eq!(client.read_exact(5), b"56789");
    }
    assert_eq!((origin.connections(), results(&proxy, "collapsed"), results(&proxy, "miss")), (1, 3, 1));
}

#[test]
fn a_range_is_answered_from_what_arrives() {
    let gate = Gate::default();
    let origin = halfway(&gate);
    let proxy = cached(&origin, PATIENT);
    let mut first = ask(&proxy);
    first.read_head();
    let part = proxy.client().ask("GET / HTTP/1.1\r\nHost: test\r\nRange: bytes=1-3\r\n\r\n");
    assert_eq!((part.status(), part.text(), part.field("Content-Range")), (206, "123", Some("bytes 1-3/10")));
    gate.open();
    assert_eq!(first.read_exact(10), b"0123456789");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn the_client_that_began_it_may_leave_and_the_others_get_all() {
    let gate = Gate::default();
    let origin = halfway(&gate);
    let proxy = cached(&origin, PATIENT);
    let mut leader = ask(&proxy);
    leader.read_head();
    let mut other = ask(&proxy);
    other.read_head();
    drop(leader);
    gate.open();
    assert_eq!(other.read_exact(10), b"0123456789");
    wait_until("it is stored", || status(&proxy.client().get("/")) == "HIT");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn it_may_leave_before_anything_has_come() {
    let (asked, gate) = (Gate::default(), Gate::default());
    let origin = {
        let (asked, gate) = (asked.clone(), gate.clone());
        Origin::script(move |wire| {
            while wire.read_request().is_some() {
                asked.open();
                gate.pass();
                wire.send(format!("{HEAD}0123456789"));
            }
        })
    };
    let proxy = cached(&origin, PATIENT);
    let leader = ask(&proxy);
    asked.pass();
    let mut other = ask(&proxy);
    drop(leader);
    gate.open();
    assert_eq!(other.read_response().text(), "0123456789");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_thousand_clients_for_something_new_ask_the_origin_once() {
    let gate = Gate::default();
    let origin = {
        let gate = gate.clone();
        Origin::script(move |wire| {
            while wire.read_request().is_some() {
                gate.pass();
                wire.send(format!("{HEAD}0123456789"));
            }
        })
    };
    let proxy = cached(&origin, PATIENT);
    let clients: Vec<Wire> = (0..1000).map(|_| ask(&proxy)).collect();
    gate.open();
    for mut client in clients {
        assert_eq!(client.read_response().text(), "0123456789");
    }
    assert_eq!(origin.connections(), 1);
    assert_eq!(results(&proxy, "collapsed") + results(&proxy, "hit") + results(&proxy, "miss"), 1000);
}

/// An origin that holds every request but the first until so many are there.
fn together(count: usize, answer: &'static str) -> (Origin, Arc<AtomicUsize>) {
    let there = Arc::new(AtomicUsize::new(0));
    let counted = there.clone();
    let origin = Origin::script(move |wire| {
        while wire.read_request().is_some() {
            if counted.fetch_add(1, Ordering::SeqCst) > 0 {
                wait_until("all have come", || counted.load(Ordering::SeqCst) > count);
            }
            wire.send(answer);
        }
    });
    (origin, there)
}

fn all_at_once(proxy: &Proxy, count: usize) -> Vec<Message> {
    let clients: Vec<Wire> = (0..count).map(|_| ask(proxy)).collect();
    clients.into_iter().map(|mut client| client.read_response()).collect()
}

#[test]
fn what_turns_out_not_to_be_stored_is_waited_for_by_nobody() {
    let answer = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok";
    let (origin, there) = together(8, answer);
    let proxy = cached(&origin, PATIENT);
    proxy.client().get("/");
    // Each of them would wait for the one before, and the origin for all: this ends only if they go at once.
    let answers = all_at_once(&proxy, 8);
    assert!(answers.iter().all(|answer| status(answer) == "MISS" && answer.text() == "ok"));
    assert_eq!(there.load(Ordering::SeqCst), 9);
}

#[test]
fn and_is_stored_again_once_it_may_be() {
    let calls = AtomicUsize::new(0);
    let origin = Origin::serve(move |_| {
        let control = if calls.fetch_add(1, Ordering::SeqCst) == 0 { "no-store" } else { "max-age=60" };
        format!("HTTP/1.1 200 OK\r\nCache-Control: {control}\r\nContent-Length: 2\r\n\r\nok").into_bytes()
    });
    let proxy = cached(&origin, PATIENT);
    let said: Vec<String> = (0..3).map(|_| status(&proxy.client().get("/")).to_owned()).collect();
    assert_eq!(said, ["MISS", "MISS", "HIT"]);
}

#[test]
fn those_who_already_wait_for_it_go_at_once_too() {
    let (asked, gate) = (Gate::default(), Gate::default());
    let there = Arc::new(AtomicUsize::new(0));
    let origin = {
        let (asked, gate, there) = (asked.clone(), gate.clone(), there.clone());
        Origin::script(move |wire| {
            while wire.read_request().is_some() {
                if there.fetch_add(1, Ordering::SeqCst) == 0 {
                    asked.open();
                    gate.pass();
                } else {
                    wait_until("all have come", || there.load(Ordering::SeqCst) == 8);
                }
                wire.send("HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 2\r\n\r\nok");
            }
        })
    };
    let proxy = cached(&origin, PATIENT);
    let mut leader = ask(&proxy);
    asked.pass();
    let others: Vec<Wire> = (0..7).map(|_| ask(&proxy)).collect();
    gate.open();
    assert_eq!(leader.read_response().text(), "ok");
    for mut other in others {
        assert_eq!(other.read_response().text(), "ok");
    }
}

#[test]
fn rfc5861_3_what_is_outdated_is_fetched_anew_once_while_all_are_given_it() {
    let gate = Gate::default();
    let calls = Arc::new(AtomicUsize::new(0));
    let origin = {
        let (gate, calls) = (gate.clone(), calls.clone());
        Origin::script(move |wire| {
            while wire.read_request().is_some() {
                let number = calls.fetch_add(1, Ordering::SeqCst);
                let age = if number == 0 { "Age: 120\r\n" } else { "" };
                if number > 0 {
                    gate.pass();
                }
                wire.send(format!(
                    "HTTP/1.1 200 OK\r\nCache-Control: max-age=60, stale-while-revalidate=600\r\n{age}\
                     Content-Length: 1\r\n\r\n{number}"
                ));
            }
        })
    };
    let proxy = cached(&origin, PATIENT);
    proxy.client().get("/");
    for answer in all_at_once(&proxy, 8) {
        assert_eq!(answer.text(), "0", "{answer:?}");
        assert!(matches!(status(&answer), "STALE" | "UPDATING"), "{answer:?}");
    }
    wait_until("it is fetched", || calls.load(Ordering::SeqCst) == 2);
    gate.open();
    wait_until("the new one is given", || proxy.client().get("/").text() == "1");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert_eq!(
        (results(&proxy, "stale"), results(&proxy, "stale") + results(&proxy, "updating") >= 8),
        (1, true)
    );
}

#[test]
fn a_request_that_goes_by_the_cache_and_one_that_is_not_stored() {
    let fresh = "! 200 | Cache-Control: max-age=60";
    let rows: Rows = vec![
        (
            "bypass asks, and stores what comes",
            format!(
                "? GET\n{fresh}\n> asked\n? GET | X-Bypass: 0\n> stored\n\
                 ? GET | X-Bypass: 1\n{fresh}\n> asked | X-Cache-Status: BYPASS | =body 2\n? GET\n> stored | =body 2"
            ),
        ),
        (
            "no_store looks, and stores nothing",
            format!(
                "? GET | X-Private: 1\n{fresh}\n> asked\n? GET\n{fresh}\n> asked\n? GET | X-Private: 1\n> stored"
            ),
        ),
    ];
    play(", bypass: [\"$http_x_bypass\"], no_store: [\"$http_x_private\"]", rows);
}

#[test]
fn what_is_seldom_asked_for_is_not_stored() {
    let fresh = "! 200 | Cache-Control: max-age=60";
    let rows: Rows = vec![(
        "three times",
        format!(
            "? GET\n{fresh}\n> asked\n? GET\n{fresh}\n> asked\n? GET\n{fresh}\n> asked\n? GET\n> stored | =body 3"
        ),
    )];
    play(", min_uses: 3", rows);
}

#[test]
fn an_outdated_answer_stands_in_while_another_is_fetched_and_when_none_comes() {
    let old = "! 200 | Cache-Control: max-age=60 | Age: 120 | ETag: \"a\"";
    let rows: Rows = vec![
        (
            "while it is fetched",
            format!("? GET\n{old}\n> asked\n? GET\n! 200\n> =body 1 | X-Cache-Status: STALE"),
        ),
        ("no answer", format!("? GET\n{old}\n> asked\n? GET\n! close\n> =body 1")),
    ];
    play(", use_stale: [updating, error]", rows);
    let rows: Rows = vec![
        ("404", format!("? GET\n{old}\n> asked\n? GET\n! 404\n> =body 1 | X-Cache-Status: STALE")),
        ("403 is not named", format!("? GET\n{old}\n> asked\n? GET\n! 403\n> 403 | =body 2")),
    ];
    play(", use_stale: [http404]", rows);
}

#[test]
fn another_method_or_variant_does_not_wait() {
    let gate = Gate::default();
    let origin = {
        let gate = gate.clone();
        Origin::script(move |wire| {
            while let Some(request) = wire.read_request() {
                if request.field("Foo") == Some("slow") {
                    gate.pass();
                }
                let answer = HEAD.replace("Cache", "Vary: Foo\r\nCache");
                wire.send(format!("{answer}0123456789"));
            }
        })
    };
    let proxy = cached(&origin, ", collapse_timeout: 100ms");
    let get = |value: &str| format!("GET / HTTP/1.1\r\nHost: test\r\nFoo: {value}\r\n\r\n");
    let mut slow = proxy.client();
    slow.send(get("slow"));
    wait_until("it is under way", || origin.connections() == 1);
    thread::scope(|scope| {
        for value in ["a", "b", "c"] {
            let (proxy, request) = (&proxy, get(value));
            scope.spawn(move || assert_eq!(proxy.client().ask(&request).text(), "0123456789"));
        }
    });
    gate.open();
    assert_eq!(slow.read_response().text(), "0123456789");
}
