//! Directives that need no equivalent here: they tune what works differently. `check -v` lists them.

use crate::directive::{Args, Contexts, Spec};

const HTTP: Contexts = Contexts::HTTP;
const SERVERS: Contexts = Contexts::SERVERS;
const LEVELS: Contexts = Contexts::LEVELS;

const NO_TABLE: &str = "tables grow with what they hold";
const SENDS: &str = "the proxy chooses itself how bytes are sent";
const FILES: &str = "files are read by what the proxy measures to be fastest";

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::accepted("server_names_hash_max_size", HTTP, Args::Exact(1), NO_TABLE),
    Spec::accepted("server_names_hash_bucket_size", HTTP, Args::Exact(1), NO_TABLE),
    Spec::accepted("types_hash_max_size", LEVELS, Args::Exact(1), NO_TABLE),
    Spec::accepted("types_hash_bucket_size", LEVELS, Args::Exact(1), NO_TABLE),
    Spec::accepted("variables_hash_max_size", HTTP.or(Contexts::STREAM), Args::Exact(1), NO_TABLE),
    Spec::accepted("variables_hash_bucket_size", HTTP.or(Contexts::STREAM), Args::Exact(1), NO_TABLE),
    Spec::accepted("map_hash_max_size", HTTP.or(Contexts::STREAM), Args::Exact(1), NO_TABLE),
    Spec::accepted("map_hash_bucket_size", HTTP.or(Contexts::STREAM), Args::Exact(1), NO_TABLE),
    Spec::accepted("connection_pool_size", SERVERS, Args::Exact(1), "memory is not taken from pools"),
    Spec::accepted("request_pool_size", SERVERS, Args::Exact(1), "memory is not taken from pools"),
    Spec::accepted("sendfile", LEVELS, Args::Flag, SENDS),
    Spec::accepted("sendfile_max_chunk", LEVELS, Args::Exact(1), SENDS),
    Spec::accepted("tcp_nopush", LEVELS, Args::Flag, SENDS),
    Spec::accepted("tcp_nodelay", LEVELS.or(Contexts::STREAMS), Args::Flag, SENDS),
    Spec::accepted("output_buffers", LEVELS, Args::Exact(2), SENDS),
    Spec::accepted("postpone_output", LEVELS, Args::Exact(1), SENDS),
    Spec::accepted("send_lowat", LEVELS, Args::Exact(1), SENDS),
    Spec::accepted("subrequest_output_buffer_size", LEVELS, Args::Exact(1), "there are no subrequests"),
    Spec::accepted("aio", LEVELS, Args::Exact(1), FILES),
    Spec::accepted("aio_write", LEVELS, Args::Flag, FILES),
    Spec::accepted("directio", LEVELS, Args::Exact(1), FILES),
    Spec::accepted("directio_alignment", LEVELS, Args::Exact(1), FILES),
    Spec::accepted("read_ahead", LEVELS, Args::Exact(1), FILES),
    Spec::accepted("msie_padding", LEVELS, Args::Flag, "the browser it was made for is gone"),
    Spec::accepted("msie_refresh", LEVELS, Args::Flag, "the browser it was made for is gone"),
    Spec::accepted("rewrite_log", LEVELS.or(Contexts::IF), Args::Flag, "the log's level decides"),
    Spec::accepted(
        "uninitialized_variable_warn",
        LEVELS.or(Contexts::IF),
        Args::Flag,
        "unknown variables are mistakes",
    ),
];
