//! `-v`, `-V`, `-h`: in the form that other programs read. `-V` names what is there and what is not, by the
//! table of directives itself.

use super::options::Options;
use super::{ACCESS_LOG, CONF, ERROR_LOG, PID, PREFIX};
use bifrons_nginx::{VERSION, supports, supports_in_stream};

/// Modules that nginx builds in unless told otherwise, each with a directive that only it has.
const BUILT_IN: &[(&str, &str)] = &[
    ("http", "server_name"),
    ("http-cache", "proxy_cache"),
    ("http_charset_module", "charset"),
    ("http_gzip_module", "gzip"),
    ("http_ssi_module", "ssi"),
    ("http_userid_module", "userid"),
    ("http_access_module", "deny"),
    ("http_auth_basic_module", "auth_basic"),
    ("http_mirror_module", "mirror"),
    ("http_autoindex_module", "autoindex"),
    ("http_geo_module", "geo"),
    ("http_map_module", "map"),
    ("http_split_clients_module", "split_clients"),
    ("http_referer_module", "valid_referers"),
    ("http_rewrite_module", "rewrite"),
    ("http_proxy_module", "proxy_pass"),
    ("http_fastcgi_module", "fastcgi_pass"),
    ("http_uwsgi_module", "uwsgi_pass"),
    ("http_scgi_module", "scgi_pass"),
    ("http_grpc_module", "grpc_pass"),
    ("http_memcached_module", "memcached_pass"),
    ("http_limit_conn_module", "limit_conn"),
    ("http_limit_req_module", "limit_req"),
    ("http_empty_gif_module", "empty_gif"),
    ("http_browser_module", "ancient_browser"),
    ("http_upstream_hash_module", "hash"),
    ("http_upstream_ip_hash_module", "ip_hash"),
    ("http_upstream_least_conn_module", "least_conn"),
    ("http_upstream_random_module", "random"),
    ("http_upstream_keepalive_module", "keepalive"),
    ("http_upstream_zone_module", "zone"),
];

/// Modules that nginx has only where its build asks for them.
const ON_DEMAND: &[(&str, &str)] = &[
    ("http_ssl_module", "ssl_certificate"),
    ("http_v2_module", "http2_max_concurrent_streams"),
    ("http_v3_module", "http3"),
    ("http_realip_module", "set_real_ip_from"),
    ("http_addition_module", "add_before_body"),
    ("http_image_filter_module", "image_filter"),
    ("http_geoip_module", "geoip_country"),
    ("http_sub_module", "sub_filter"),
    ("http_dav_module", "dav_methods"),
    ("http_flv_module", "flv"),
    ("http_mp4_module", "mp4"),
    ("http_gunzip_module", "gunzip"),
    ("http_gzip_static_module", "gzip_static"),
    ("http_auth_request_module", "auth_request"),
    ("http_random_index_module", "random_index"),
    ("http_secure_link_module", "secure_link"),
    ("http_slice_module", "slice"),
    ("http_stub_status_module", "stub_status"),
    ("mail", "mail"),
    ("stream", "stream"),
];

/// The same of `stream`: what is there unless told otherwise.
const STREAM_BUILT_IN: &[(&str, &str)] = &[
    ("stream_limit_conn_module", "limit_conn"),
    ("stream_access_module", "deny"),
    ("stream_geo_module", "geo"),
    ("stream_map_module", "map"),
    ("stream_split_clients_module", "split_clients"),
    ("stream_return_module", "return"),
    ("stream_set_module", "set"),
    ("stream_upstream_hash_module", "hash"),
    ("stream_upstream_least_conn_module", "least_conn"),
    ("stream_upstream_random_module", "random"),
    ("stream_upstream_zone_module", "zone"),
];

/// And what is there only where it is asked for.
const STREAM_ON_DEMAND: &[(&str, &str)] = &[
    ("stream_ssl_module", "ssl_certificate"),
    ("stream_realip_module", "set_real_ip_from"),
    ("stream_geoip_module", "geoip_country"),
    ("stream_ssl_preread_module", "ssl_preread"),
];

const HELP: &str = "\
Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and configure options then exit
  -t            : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a master process: stop, quit, reopen, reload
";

/// Says what is asked for, on standard error as nginx does.
pub fn show(options: &Options) {
    if !options.shows() {
        return;
    }
    eprintln!("nginx version: nginx/{VERSION} (Bifrons {})", env!("CARGO_PKG_VERSION"));
    if options.help {
        eprint!(
            "Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]\n             \
             [-e filename] [-c filename] [-g directives]\n\n{HELP}  \
             -p prefix     : set prefix path (default: {PREFIX})\n  \
             -e filename   : set error log file (default: {ERROR_LOG})\n  \
             -c filename   : set configuration file (default: {CONF})\n  \
             -g directives : set global directives out of configuration file\n\n"
        );
    }
    if options.configure {
        eprintln!("built with rustc");
        if supports("ssl_certificate") {
            eprintln!("TLS SNI support enabled");
        }
        eprintln!("configure arguments: {}", configure());
    }
}

/// The arguments by which nginx would have been built like this.
fn configure() -> String {
    let mut words = vec![
        format!("--prefix={}", PREFIX.trim_end_matches('/')),
        format!("--conf-path={CONF}"),
        format!("--http-log-path={ACCESS_LOG}"),
        format!("--error-log-path={ERROR_LOG}"),
        format!("--pid-path={PID}"),
    ];
    words.push("--with-threads".to_owned());
    let mut modules = |with: &[(&str, &str)], without: &[(&str, &str)], supports: fn(&str) -> bool| {
        words.extend(with.iter().filter(|(_, of)| supports(of)).map(|(name, _)| format!("--with-{name}")));
        words.extend(
            without.iter().filter(|(_, of)| !supports(of)).map(|(name, _)| format!("--without-{name}")),
        );
    };
    modules(ON_DEMAND, BUILT_IN, supports);
    if supports("stream") {
        modules(STREAM_ON_DEMAND, STREAM_BUILT_IN, supports_in_stream);
    }
    words.join(" ")
}

#[cfg(test)]
mod tests;
