//! `events`: how nginx waits for its sockets.

use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::Directive;
use crate::values;

const EVENTS: Contexts = Contexts::EVENTS;

/// nginx demands an `events` block; here it may be left out, as nothing in it has an effect, unless we are
/// called as nginx.
pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new("events", Contexts::MAIN, Args::Block(0, 0), "How sockets are waited for.", |cx, d| {
        cx.put(d, (), |cx| &mut cx.main.events);
        cx.inside(EVENTS, d);
    }),
    Spec::judged(
        "worker_connections",
        EVENTS,
        Args::Exact(1),
        "connections are bounded per listener (`connections` in the model) and not taken from a fixed table",
        worker_connections,
    ),
    Spec::judged("use", EVENTS, Args::Exact(1), "the runtime uses epoll", method),
    Spec::accepted("multi_accept", EVENTS, Args::Flag, "each worker accepts what is there"),
    Spec::accepted(
        "accept_mutex",
        EVENTS,
        Args::Flag,
        "each worker has sockets of its own and needs no lock",
    ),
    Spec::accepted("accept_mutex_delay", EVENTS, Args::Exact(1), "each worker has sockets of its own"),
    Spec::accepted("epoll_events", EVENTS, Args::Exact(1), "the runtime sizes its list of events"),
    Spec::accepted("debug_connection", EVENTS, Args::Exact(1), "the log's level is one for all connections"),
];

fn worker_connections(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    if values::digits(&word.text).is_none_or(|number| number == 0) {
        cx.problem(word, format!("invalid number \"{}\"", word.text));
    }
}

fn method(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    // Those of nginx on Linux.
    if !["epoll", "poll", "select"].contains(&&*word.text) {
        cx.problem(word, format!("invalid event type \"{}\"", word.text));
    }
}
