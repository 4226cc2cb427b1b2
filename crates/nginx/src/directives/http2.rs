//! HTTP/2 with clients: the `http2` family. `listen … http2` is with `listen`.

use super::super::settings::settings;
use crate::directive::{Args, Contexts, Spec};
use crate::values;
use bifrons_config::units::Size;
use bifrons_model::{Http2, PlainHttp2};

const HTTP: Contexts = Contexts::HTTP;
const SERVERS: Contexts = Contexts::SERVERS;

settings! {
    /// How HTTP/2 is spoken.
    Http2Settings {
        on: bool,
        streams: u32,
        preread: Size,
    }
}

const OBSOLETE_HEADS: &str = "nginx has taken `large_client_header_buffers` instead since 1.19.7";
const NO_PUSH: &str = "no client takes pushes any more, and nginx has sent none since 1.25.1";

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "http2",
        SERVERS,
        Args::Flag,
        "Whether HTTP/2 is spoken: by ALPN with TLS, without it with clients that begin with it (nginx 1.25.1). \
         The word of an address's default server holds.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.http2.on),
    )
    .default("off"),
    Spec::new(
        "http2_max_concurrent_streams",
        SERVERS,
        Args::Exact(1),
        "Streams of a connection at once.",
        |cx, d| cx.once(d, values::number, |cx| &mut cx.level.http2.streams),
    )
    .default("128"),
    Spec::new(
        "http2_body_preread_size",
        SERVERS,
        Args::Exact(1),
        "Bytes of a request's body that a client may send ahead; less than 64k counts as 64k, the least that \
         HTTP/2 begins with.",
        |cx, d| cx.once(d, values::size, |cx| &mut cx.level.http2.preread),
    )
    .default("64k"),
    Spec::accepted("http2_recv_buffer_size", HTTP, Args::Exact(1), "a buffer grows with what it holds"),
    Spec::accepted("http2_chunk_size", Contexts::LEVELS, Args::Exact(1), "frames are as large as clients take them"),
    Spec::accepted("http2_max_field_size", SERVERS, Args::Exact(1), OBSOLETE_HEADS),
    Spec::accepted("http2_max_header_size", SERVERS, Args::Exact(1), OBSOLETE_HEADS),
    Spec::accepted(
        "http2_max_requests",
        SERVERS,
        Args::Exact(1),
        "nginx has taken `keepalive_requests` instead since 1.19.7",
    ),
    Spec::accepted(
        "http2_idle_timeout",
        SERVERS,
        Args::Exact(1),
        "nginx has taken `keepalive_timeout` instead since 1.19.7",
    ),
    Spec::accepted(
        "http2_recv_timeout",
        SERVERS,
        Args::Exact(1),
        "nginx has taken `client_header_timeout` instead since 1.19.7",
    ),
    Spec::accepted("http2_max_concurrent_pushes", SERVERS, Args::Exact(1), NO_PUSH),
    Spec::accepted("http2_push", Contexts::LEVELS, Args::Exact(1), NO_PUSH),
    Spec::accepted("http2_push_preload", Contexts::LEVELS, Args::Flag, NO_PUSH),
];

impl Http2Settings {
    /// What the model has for it; `asked`: by `listen`, where nginx 1.22 then speaks nothing else without TLS.
    pub(crate) fn emit(&self, asked: bool) -> Http2 {
        let on = self.on == Some(true);
        Http2 {
            enabled: on || asked,
            plain: match (asked, on) {
                (true, _) => PlainHttp2::Only,
                (false, true) => PlainHttp2::Accept,
                (false, false) => PlainHttp2::Refuse,
            },
            streams: self.streams.unwrap_or(128),
            stream_window: self.preread.unwrap_or(Size::kib(64)),
            ..Http2::default()
        }
    }
}
