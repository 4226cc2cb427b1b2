//! Connections of clients: timeouts, buffers of heads, keep-alive, size of bodies.
//!
//! nginx lets a location change some of them; in the model they belong to the listener, where those of its
//! default server count (as they do in nginx until a request's host is known).

use super::super::settings::settings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::Directive;
use crate::values;
use bifrons_config::Problem;
use bifrons_config::units::{Dur, Size};
use bifrons_model::{ClientTimes, ConnectionLimits, MessageLimits, NameRule, Timeouts};

const LEVELS: Contexts = Contexts::LEVELS;
const SERVERS: Contexts = Contexts::SERVERS;

settings! {
    /// What connections of clients may do.
    ConnectionSettings {
        header_timeout: Dur,
        body_timeout: Dur,
        send_timeout: Dur,
        keep_alive_timeout: Dur,
        keep_alive_requests: u32,
        /// Number and size of the buffers for long heads.
        large_buffers: (u32, Size),
        linger_timeout: Dur,
        /// Whether unread bytes are read over at all.
        linger: bool,
        max_body: Size,
        merge_slashes: bool,
        underscores: bool,
        ignore_invalid: bool,
        /// Seconds that `Keep-Alive` tells.
        keep_alive_told: Dur,
        keep_alive_age: Dur,
        reset_timedout: bool,
        max_headers: u32,
        chunks: bool,
    }
}

/// The most fields of a head that the model takes.
const FIELDS_MAX: u32 = 512;

/// `client_max_body_size 0` means any size; the model has a bound always, and this is none.
const NO_LIMIT: Size = Size(1 << 60);

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "client_header_timeout",
        SERVERS,
        Args::Exact(1),
        "How long a request's head may take.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.connection.header_timeout),
    )
    .default("60s"),
    Spec::new(
        "client_body_timeout",
        LEVELS,
        Args::Exact(1),
        "How long nothing of a request's body may arrive.",
        |cx, d| {
            cx.once(d, values::time, |cx| &mut cx.level.connection.body_timeout);
        },
    )
    .default("60s"),
    Spec::new(
        "send_timeout",
        LEVELS,
        Args::Exact(1),
        "How long a client may take nothing of an answer.",
        |cx, d| {
            cx.once(d, values::time, |cx| &mut cx.level.connection.send_timeout);
        },
    )
    .default("60s"),
    Spec::new(
        "keepalive_timeout",
        LEVELS,
        Args::Range(1, 2),
        "How long a client's connection may wait for a further request; 0 closes it after each. The second \
         value is told to clients in a `Keep-Alive` field.",
        |cx, d| {
            cx.once(d, values::time, |cx| &mut cx.level.connection.keep_alive_timeout);
            if let Some(word) = d.arg(1) {
                listener_wide(cx, d);
                match values::time(word) {
                    Ok(told) => cx.level.connection.keep_alive_told = Some(told),
                    Err(invalid) => cx.invalid(d, word, invalid),
                }
            }
        },
    )
    .default("75s"),
    Spec::new(
        "keepalive_requests",
        LEVELS,
        Args::Exact(1),
        "Requests on a client's connection before it is closed.",
        |cx, d| {
            cx.once(d, values::number, |cx| &mut cx.level.connection.keep_alive_requests);
        },
    )
    .default("1000"),
    Spec::new(
        "large_client_header_buffers",
        SERVERS,
        Args::Exact(2),
        "Number and size of buffers for heads: the size bounds the request line (414) and each field (400), both \
         together the head (400).",
        large_buffers,
    )
    .default("4 8k"),
    Spec::new(
        "client_max_body_size",
        LEVELS,
        Args::Exact(1),
        "Bytes of a request's body, 0 for any; larger ones get 413.",
        |cx, d| cx.once(d, values::size, |cx| &mut cx.level.connection.max_body),
    )
    .default("1m"),
    Spec::new(
        "lingering_timeout",
        LEVELS,
        Args::Exact(1),
        "How long unread bytes of a refused request are read over before the connection is closed.",
        |cx, d| {
            listener_wide(cx, d);
            cx.once(d, values::time, |cx| &mut cx.level.connection.linger_timeout);
        },
    )
    .default("5s"),
    Spec::new(
        "lingering_close",
        LEVELS,
        Args::Exact(1),
        "Whether unread bytes of a refused request are read over: `on`, `always` or `off`.",
        |cx, d| match d.text(0) {
            "on" | "always" | "off" => {
                listener_wide(cx, d);
                cx.put(d, d.text(0) != "off", |cx| &mut cx.level.connection.linger);
            }
            _ => cx.invalid(d, &d.args[0], values::Invalid::Choice("on, always or off")),
        },
    )
    .default("on"),
    Spec::new(
        "merge_slashes",
        SERVERS,
        Args::Flag,
        "Whether several slashes in a row in a path count as one.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.connection.merge_slashes),
    )
    .default("on"),
    Spec::new(
        "underscores_in_headers",
        SERVERS,
        Args::Flag,
        "Whether a field's name with underscores is a valid one; see `ignore_invalid_headers`.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.connection.underscores),
    )
    .default("off"),
    Spec::new(
        "ignore_invalid_headers",
        SERVERS,
        Args::Flag,
        "Whether fields are left out whose names have other bytes than letters, digits, hyphens and maybe \
         underscores. With `off` they are passed on, but for names that no token is (RFC 9110 5.6.2): those \
         get 400.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.connection.ignore_invalid),
    )
    .default("on"),
    Spec::accepted(
        "client_header_buffer_size",
        SERVERS,
        Args::Exact(1),
        "a buffer grows with the head it holds",
    ),
    Spec::accepted("lingering_time", LEVELS, Args::Exact(1), "`lingering_timeout` bounds it"),
    Spec::judged(
        "keepalive_disable",
        LEVELS,
        Args::AtLeast(1),
        "the browsers it was made for are gone",
        |cx, d| {
            for word in &d.args {
                if !matches!(&*word.text, "none" | "msie6" | "safari") {
                    cx.invalid(d, word, values::Invalid::Choice("none, msie6 or safari"));
                }
            }
        },
    ),
    Spec::new(
        "keepalive_time",
        LEVELS,
        Args::Exact(1),
        "Age after which a client's connection is closed behind its request.",
        |cx, d| {
            listener_wide(cx, d);
            cx.once(d, values::time, |cx| &mut cx.level.connection.keep_alive_age);
        },
    )
    .default("1h"),
    Spec::new(
        "reset_timedout_connection",
        LEVELS,
        Args::Flag,
        "Whether the connection of a client that takes nothing for too long is reset, which frees its buffers.",
        |cx, d| {
            listener_wide(cx, d);
            cx.once(d, values::flag, |cx| &mut cx.level.connection.reset_timedout);
        },
    )
    .default("off"),
    Spec::new(
        "max_headers",
        SERVERS,
        Args::Exact(1),
        "Fields of a request's head; more get 400, and more than 512 do in any case.",
        |cx, d| match values::number(&d.args[0]) {
            Ok(number @ 1..) => {
                if number > FIELDS_MAX {
                    let message = format!("\"max_headers {number}\": no head may have more than {FIELDS_MAX} fields");
                    cx.notes.warn(Problem::at(d.place.clone(), message).help("more get 400"));
                }
                cx.put(d, number.min(FIELDS_MAX), |cx| &mut cx.level.connection.max_headers);
            }
            _ => cx.invalid(d, &d.args[0], values::Invalid::Number),
        },
    )
    .default("1000"),
    Spec::new(
        "chunked_transfer_encoding",
        LEVELS,
        Args::Flag,
        "Whether answers whose length is not known go in chunks to clients of HTTP/1.1; otherwise the connection \
         ends behind them.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.connection.chunks),
    )
    .default("on"),
    Spec::accepted(
        "keepalive_min_timeout",
        LEVELS,
        Args::Exact(1),
        "an idle connection is closed only when the process ends or its own time is over",
    ),
];

/// Warns where a location says something that is one value for the whole listener.
fn listener_wide(cx: &mut Ctx, directive: &Directive) {
    if cx.context == Contexts::LOCATION {
        let name = &directive.name.text;
        let message = format!("\"{name}\" of a location has no effect yet");
        let help =
            "connections have the settings of their address's default server; set it there or in \"http\"";
        cx.notes.warn(Problem::at(directive.place.clone(), message).help(help));
    }
}

fn large_buffers(cx: &mut Ctx, directive: &Directive) {
    match (values::number(&directive.args[0]), values::size(&directive.args[1])) {
        (Ok(number @ 1..), Ok(size @ Size(1..))) => {
            cx.put(directive, (number, size), |cx| &mut cx.level.connection.large_buffers);
        }
        (Ok(1..), _) => cx.invalid(directive, &directive.args[1], values::Invalid::Value),
        _ => cx.invalid(directive, &directive.args[0], values::Invalid::Value),
    }
}

impl ConnectionSettings {
    /// How long the client may take.
    pub(crate) fn timeouts(&self) -> Timeouts {
        let linger = match self.linger {
            Some(false) => Dur::secs(0),
            _ => self.linger_timeout.unwrap_or(Dur::secs(5)),
        };
        Timeouts {
            // nginx has the same for both.
            handshake: self.header_timeout.unwrap_or(Dur::secs(60)),
            head: self.header_timeout.unwrap_or(Dur::secs(60)),
            body: self.body_timeout.unwrap_or(Dur::secs(60)),
            send: self.send_timeout.unwrap_or(Dur::secs(60)),
            keep_alive: self.keep_alive_timeout.unwrap_or(Dur::secs(75)),
            linger,
            // nginx has no lower bound on the speed of bodies.
            body_rate: Size(0),
            send_rate: Size(0),
            ..Timeouts::default()
        }
    }

    /// How long clients may take with requests of a block.
    pub(crate) fn times(&self) -> ClientTimes {
        let timeouts = self.timeouts();
        ClientTimes {
            body: Some(timeouts.body),
            send: Some(timeouts.send),
            keep_alive: Some(timeouts.keep_alive),
            requests: Some(self.connections().requests),
        }
    }

    /// Those that are not as the listener has them, which are `base`.
    pub(crate) fn times_over(&self, base: Option<&ClientTimes>) -> Option<ClientTimes> {
        let (own, none) = (self.times(), ClientTimes::default());
        let base = base.unwrap_or(&none);
        fn other<T: PartialEq>(own: Option<T>, base: &Option<T>) -> Option<T> {
            if own == *base { None } else { own }
        }
        let times = ClientTimes {
            body: other(own.body, &base.body),
            send: other(own.send, &base.send),
            keep_alive: other(own.keep_alive, &base.keep_alive),
            requests: other(own.requests, &base.requests),
        };
        (times != none).then_some(times)
    }

    /// What of the connection only the default server of an address says.
    pub(crate) fn of_listener(&self) -> (Timeouts, ConnectionLimits) {
        let fixed = Timeouts::default();
        let timeouts =
            Timeouts { body: fixed.body, send: fixed.send, keep_alive: fixed.keep_alive, ..self.timeouts() };
        (timeouts, ConnectionLimits { requests: 0, ..self.connections() })
    }

    /// Bounds of one message.
    pub(crate) fn limits(&self) -> MessageLimits {
        let (number, size) = self.large_buffers.unwrap_or((4, Size::kib(8)));
        MessageLimits {
            request_line: size,
            field: size,
            head_status: 400,
            // nginx counts none where it is not told to; this is the model's most.
            fields: u16::try_from(self.max_headers.unwrap_or(FIELDS_MAX)).unwrap_or(u16::MAX),
            head: Size(size.0.saturating_mul(u64::from(number))),
            body: self.max_body(),
        }
    }

    /// Bounds of connections.
    pub(crate) fn connections(&self) -> ConnectionLimits {
        let requests = self.keep_alive_requests.unwrap_or(1000);
        ConnectionLimits {
            requests,
            age: self.keep_alive_age.unwrap_or(Dur::secs(3600)),
            tell_timeout: self.keep_alive_told.unwrap_or_default(),
            reset_slow: self.reset_timedout.unwrap_or(false),
            ..ConnectionLimits::default()
        }
    }

    /// What becomes of fields with underscores in their names, and of those with other unusual bytes.
    pub(crate) fn names(&self) -> (NameRule, NameRule) {
        let rule = |drops| if drops { NameRule::Drop } else { NameRule::Allow };
        let ignores = self.ignore_invalid.unwrap_or(true);
        (rule(ignores && !self.underscores.unwrap_or(false)), rule(ignores))
    }

    /// Bytes of a body.
    pub(crate) fn max_body(&self) -> Size {
        match self.max_body.unwrap_or(Size::mib(1)) {
            Size(0) => NO_LIMIT,
            size => size,
        }
    }
}
