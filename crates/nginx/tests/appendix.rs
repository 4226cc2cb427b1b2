//! What configurations use most, name by name: each directive is understood, and does something to the model, or
//! is told by `check -v` to need no equivalent. A name that became unknown, or one that is read and forgotten,
//! fails here.

use bifrons_config::Source;
use bifrons_nginx::{Defaults, Loaded, parse};
use std::collections::HashMap;

/// Where a line stands, the line, and a line that it needs beside it.
type Row = (&'static str, &'static str);

/// Directives that do something.
const EFFECTIVE: &[Row] = &[
    ("main", "user www-data;"),
    ("main", "worker_processes 3;"),
    ("main", "pid /run/other.pid;"),
    ("main", "error_log /var/log/e.log warn;"),
    ("http", "error_log syslog:server=127.0.0.1:5140,tag=x info;"),
    ("server", "error_log /var/log/s.log;"),
    ("location", "error_log /var/log/l.log crit;"),
    ("location", "log_not_found off;"),
    ("http", "server { listen 127.0.0.1:8081; }"),
    ("server", "listen 127.0.0.1:8082 backlog=100 so_keepalive=10m::5 rcvbuf=32k;"),
    ("server", "server_name a.example *.b.example ~^(?<n>.+)$;"),
    ("server", "location /other/ { }"),
    ("location", "return 204;"),
    ("location", "if ($arg_a) { return 403; }"),
    ("location", "set $x y;"),
    ("location", "set $limit_rate 4k;"),
    ("location", "rewrite ^/a$ /b last;"),
    ("location", "error_page 404 /404.html;"),
    ("location", "internal;"),
    ("location", "try_files $uri =404;"),
    ("files", "root /srv/x;"),
    ("files", "alias /srv/x/;"),
    ("files", "index a.html /b.html$is_args;"),
    ("files", "autoindex on;"),
    ("files", "types { text/x x; }"),
    ("files", "default_type \"\";"),
    ("files", "charset utf-8;"),
    ("location2", "proxy_pass http://127.0.0.1:1/x/;"),
    ("location", "proxy_http_version 1.1;"),
    ("location", "proxy_set_header X-A $uri;"),
    ("location", "proxy_pass_header Server;"),
    ("location", "proxy_hide_header X-A;"),
    ("location", "proxy_pass_request_headers off;"),
    ("location", "proxy_pass_request_body off;"),
    ("location", "proxy_set_body $args;"),
    ("location", "proxy_method PUT;"),
    ("location", "proxy_redirect http://a/ /;"),
    ("location", "proxy_cookie_domain a b;"),
    ("location", "proxy_cookie_path /a /b;"),
    ("location", "proxy_cookie_flags ~ secure;"),
    ("location", "proxy_bind 127.0.0.2;"),
    ("location", "proxy_bind $server_addr;"),
    ("location", "proxy_buffering off;"),
    ("location", "proxy_request_buffering off;"),
    ("location", "proxy_buffers 8 16k; proxy_busy_buffers_size 32k;"),
    ("location", "proxy_buffer_size 3k;"),
    ("location", "proxy_max_temp_file_size 0;"),
    ("location", "proxy_connect_timeout 1s;"),
    ("location", "proxy_read_timeout 1s;"),
    ("location", "proxy_send_timeout 1s;"),
    ("location", "proxy_next_upstream http_503;"),
    ("location", "proxy_next_upstream_tries 2;"),
    ("location", "proxy_next_upstream_timeout 3s;"),
    ("location", "proxy_intercept_errors on;"),
    ("location", "proxy_ignore_headers X-Accel-Redirect;"),
    ("location", "proxy_ignore_client_abort on;"),
    ("location", "proxy_limit_rate 10k;"),
    ("location", "proxy_pass_trailers on;"),
    ("location", "proxy_force_ranges on;"),
    ("location", "early_hints $http_x;"),
    ("upstream", "server 127.0.0.1:2 weight=2 max_fails=3 fail_timeout=4s max_conns=5;"),
    ("upstream", "server 127.0.0.1:2 backup;"),
    ("upstream", "server 127.0.0.1:2 down;"),
    ("upstream", "server a.example:2 resolve;"),
    ("upstream", "keepalive 4;"),
    ("keepalive", "keepalive_requests 7;"),
    ("keepalive", "keepalive_time 8m;"),
    ("keepalive", "keepalive_timeout 9s;"),
    ("upstream", "hash $uri consistent;"),
    ("upstream", "ip_hash;"),
    ("upstream", "least_conn;"),
    ("upstream", "least_time last_byte;"),
    ("upstream", "random two least_time=header;"),
    ("upstream", "sticky cookie s expires=1h;"),
    ("location", "add_header X-A a always;"),
    ("location", "add_trailer X-A a;"),
    ("location", "expires 1h;"),
    ("http", "server_tokens ours;"),
    ("http", "log_format own $uri;"),
    ("location", "access_log /var/log/a.log combined buffer=2m flush=1s if=$arg_a;"),
    ("http", "map $uri $m { default 1; }"),
    ("http", "geo $g { default 1; }"),
    ("http", "split_clients $uri $s { 50% a; * b; }"),
    ("dynamic", "resolver 127.0.0.1 valid=7s;"),
    ("dynamic", "resolver 127.0.0.1; resolver_timeout 8s;"),
    ("server", "client_header_timeout 7s;"),
    ("location", "client_body_timeout 7s;"),
    ("location", "client_max_body_size 7k;"),
    ("server", "large_client_header_buffers 2 3k;"),
    ("location", "client_body_buffer_size 7k;"),
    ("location", "client_body_in_file_only clean;"),
    ("location", "send_timeout 7s;"),
    ("location", "keepalive_timeout 7s;"),
    ("location", "keepalive_requests 7;"),
    ("server", "keepalive_time 7m;"),
    ("server", "lingering_close off;"),
    ("server", "max_headers 100;"),
    ("server", "underscores_in_headers on;"),
    ("server", "ignore_invalid_headers off;"),
    ("location", "limit_except GET { deny all; }"),
    ("location", "limit_rate 7k;"),
    ("location", "limit_rate_after 7k;"),
    ("server", "set_real_ip_from 10.0.0.0/8;"),
    ("server", "real_ip_header X-Forwarded-For;"),
    ("server", "real_ip_recursive on;"),
    ("location", "allow 10.0.0.0/8;"),
    ("location", "valid_referers none a.test;"),
    ("location", "sub_filter a b;"),
    ("location", "access_log /var/log/a.gz combined gzip=2;"),
    ("location", "deny 10.0.0.0/8;"),
    ("location", "auth_basic a; auth_basic_user_file /etc/htpasswd;"),
    ("location", "satisfy any; deny all; auth_basic a; auth_basic_user_file /etc/htpasswd;"),
    ("location", "absolute_redirect off;"),
    ("location", "server_name_in_redirect on;"),
    ("location", "port_in_redirect off;"),
    ("server", "merge_slashes off;"),
    ("files", "disable_symlinks on;"),
    ("files", "max_ranges 2;"),
    ("files", "open_file_cache max=7;"),
    ("open", "open_file_cache_valid 7s;"),
    ("open", "open_file_cache_min_uses 7;"),
    ("open", "open_file_cache_errors on;"),
];

/// Directives that tune what works differently here, and say so.
const ACCEPTED: &[Row] = &[
    ("main", "daemon off;"),
    ("main", "master_process off;"),
    ("events", "worker_connections 7;"),
    ("upstream", "zone z 64k;"),
    ("server", "client_header_buffer_size 7k;"),
    ("location", "client_body_in_single_buffer on;"),
    ("location", "keepalive_disable msie6 safari;"),
    ("location", "sendfile on;"),
    ("location", "sendfile_max_chunk 7k;"),
    ("location", "tcp_nopush on;"),
    ("location", "tcp_nodelay off;"),
    ("location", "output_buffers 2 7k;"),
    ("location", "postpone_output 7;"),
    ("server", "connection_pool_size 7k;"),
    ("http", "server_names_hash_max_size 7;"),
    ("http", "server_names_hash_bucket_size 7;"),
    ("location", "types_hash_max_size 7;"),
    ("location", "types_hash_bucket_size 7;"),
];

/// Variables; a family has a name of it.
const VARIABLES: &str = "\
    upstream_addr server_port server_addr remote_addr binary_remote_addr remote_port uri request_uri args arg_NAME \
    is_args host http_NAME sent_http_NAME sent_trailer_NAME upstream_http_NAME upstream_cookie_NAME cookie_NAME \
    request_body request_body_file request_method scheme https server_name server_protocol status body_bytes_sent \
    bytes_sent request_length request_time request_id msec time_local time_iso8601 connection connection_requests \
    connection_time pid hostname nginx_version content_length content_type document_root request_filename \
    remote_user limit_rate proxy_host proxy_port proxy_add_x_forwarded_for realip_remote_addr realip_remote_port \
    upstream_status upstream_response_time upstream_connect_time upstream_header_time upstream_response_length \
    upstream_bytes_sent upstream_bytes_received 1 9 query_string document_uri realpath_root request \
    request_completion pipe proxy_protocol_addr proxy_protocol_port tcpinfo_rtt upstream_trailer_NAME named";

const BASE: &str = "
@main@
events { @events@ }
http {
    @http@
    upstream u { server 127.0.0.1:1; server 127.0.0.1:9; @upstream@ }
    upstream k { server 127.0.0.1:1; keepalive 2; @keepalive@ }
    server {
        listen 127.0.0.1:8080;
        @server@
        location / { proxy_pass http://u; @location@ }
        location /k { proxy_pass http://k; }
        location /d { proxy_pass http://$arg_a; @dynamic@ }
        location /l { @location2@ }
        location /f/ { @files@ }
        location /o/ { open_file_cache max=8; @open@ }
        location ~ ^/(?<named>x)(.)(.)(.)(.)(.)(.)(.)(.)$ { return 200 $named@value@; }
    }
}
";

fn load(lines: &HashMap<&str, &str>) -> Result<Loaded, String> {
    let places = [
        "main",
        "events",
        "http",
        "upstream",
        "keepalive",
        "server",
        "location",
        "dynamic",
        "location2",
        "files",
        "open",
        "value",
    ];
    let mut text = BASE.to_owned();
    for place in places {
        text = text.replace(&format!("@{place}@"), lines.get(place).copied().unwrap_or_default());
    }
    parse(Source::new("nginx.conf", text), &Defaults::default()).map_err(|problems| problems.to_string())
}

fn one(place: &'static str, line: &'static str) -> Result<Loaded, String> {
    load(&HashMap::from([(place, line)]))
}

/// The names of what stands in the line.
fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split(';').filter_map(|part| part.split_whitespace().next()).filter(|name| *name != "}")
}

#[test]
fn each_directive_does_something_to_the_model() {
    let without = load(&HashMap::new()).unwrap();
    let mut wrong = Vec::new();
    for (place, line) in EFFECTIVE {
        match one(place, line) {
            Err(problems) => wrong.push(format!("{line} {problems}")),
            Ok(loaded) if loaded.config == without.config => wrong.push(format!("{line} does nothing")),
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_tunes_is_told() {
    let mut wrong = Vec::new();
    for (place, line) in ACCEPTED {
        let name = names(line).next().unwrap();
        match one(place, line) {
            Err(problems) => wrong.push(format!("{line} {problems}")),
            Ok(loaded) if loaded.accepted.iter().any(|(_, text)| text.contains(&format!("\"{name}\""))) => {}
            Ok(loaded) => wrong.push(format!("{line} is not among {:?}", loaded.accepted)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_variable_is_known() {
    let mut wrong = Vec::new();
    for name in VARIABLES.split_whitespace() {
        let text = format!("${{{}}}", name.replace("NAME", "x_y").replace("cookie_x_y", "cookie_x"));
        if let Err(problems) = load(&HashMap::from([("value", text.as_str())])) {
            wrong.push(format!("{name}: {problems}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unknown = load(&HashMap::from([("value", "$no_such_thing")])).unwrap_err();
    assert!(unknown.contains("no_such_thing"), "{unknown}");
}
