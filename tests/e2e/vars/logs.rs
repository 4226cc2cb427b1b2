//! The access log's formats and variables, beside nginx.

use super::beside::Beside;
use bifrons_testkit::{Message, Origin, Proxy, Wire, wait_until};

/// What does not depend on time, place and who serves.
const VARIABLES: &[&str] = &[
    "remote_addr",
    "remote_user",
    "request",
    "status",
    "body_bytes_sent",
    "http_referer",
    "request_length",
    "request_method",
    "request_uri",
    "uri",
    "document_uri",
    "args",
    "query_string",
    "is_args",
    "https",
    "scheme",
    "host",
    "server_protocol",
    "server_name",
    "request_completion",
    "content_length",
    "content_type",
    "arg_a",
    "arg_none",
    "cookie_c",
    "cookie_none",
    "http_x_none",
    "http_x_one",
    "sent_http_content_type",
    "sent_http_x_set",
    "sent_http_none",
    "sent_http_location",
    "upstream_addr",
    "upstream_status",
    "upstream_response_length",
    "upstream_cookie_s",
    "upstream_http_x_b",
    "upstream_http_none",
    "proxy_host",
    "proxy_port",
    "connection_requests",
    "pipe",
    "limit_rate",
    "hostname",
    "binary_remote_addr",
    "proxy_add_x_forwarded_for",
    "upstream_cache_status",
    "proxy_protocol_addr",
    "realip_remote_addr",
    "mapped",
    "captured",
];

/// A pair of logs for all variables: by name, so that what differs is seen.
fn formats() -> String {
    let text: Vec<String> = VARIABLES.iter().map(|name| format!("'{name}=[${{{name}}}] '")).collect();
    format!(
        "log_format all {};\nlog_format js escape=json '$request_uri|$http_x_one|$arg_a|$http_x_none|';\n\
         log_format raw escape=none '$request_uri|$http_x_one|$arg_a|$http_x_none|';\n\
         log_format times '$time_local $time_iso8601 $msec $request_time $upstream_response_time';",
        text.join("\n")
    )
}

fn origin() -> Origin {
    Origin::serve(|_: &Message| {
        b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nX-B: two\r\nSet-Cookie: s=v1; Path=/\r\nContent-Length: 5\r\n\r\nhello".to_vec()
    })
}

fn both(origin: &Origin) -> Beside {
    Beside::start(&format!(
        r#"
        {}
        map $arg_a $mapped {{ default ""; x y; }}
        map $status $is_ok {{ ~^2 1; default 0; }}
        server {{
            listen @web@;
            server_name a.example b.example;
            add_header X-Set $arg_a always;
            access_log @dir@/all.log all;
            access_log @dir@/js.log js;
            access_log @dir@/raw.log raw buffer=32k flush=1s;
            access_log @dir@/ok.log times if=$is_ok;
            access_log @dir@/host-$host-$arg_a.log js;
            root @dir@;
            location / {{ return 200 "text of $uri"; }}
            location ~ ^/c/(?<captured>.*)$ {{ return 204; }}
            location /moved {{ return 301 /x?$args; }}
            location /gone {{ return 410 ""; }}
            location /proxied {{ proxy_pass http://{addr}; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }}
            location /off {{ access_log off; return 200 "off"; }}
        }}
        "#,
        formats(),
        addr = origin.addr(),
    ))
}

#[test]
fn variables_in_logs_are_nginxs() {
    let origin = origin();
    let both = both(&origin);
    let requests = [
        "GET /a/../b%20c?a=x&a=y HTTP/1.1\r\nHost: A.example:80\r\nReferer: http://r\r\nX-One: q\"u\\o\tte\u{e9}\r\nCookie: b=1; c=2\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET /? HTTP/1.1\r\nHost: none.example\r\n\r\n",
        "GET /c/x/y?a= HTTP/1.1\r\nHost: b.example\r\n\r\n",
        "POST /proxied HTTP/1.1\r\nHost: b.example\r\nContent-Length: 3\r\nContent-Type: t/x\r\n\r\nabc",
        "GET /proxied?a=1 HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 1.2.3.4\r\nAuthorization: Basic YW5uYTpzZWNyZXQ=\r\n\r\n",
        "GET /off HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "HEAD /x HTTP/1.1\r\nHost: a.example\r\nAuthorization: Basic YW5uYQ==\r\n\r\n",
    ];
    for request in requests {
        both.ask(request);
    }
    both.lines("all.log", requests.len() - 1);
    both.lines("js.log", requests.len() - 1);
    both.lines("raw.log", requests.len() - 1);
    both.lines("host-a.example-x.log", 1);
    both.lines("host-a.example-1.log", 1);
    let times = both.ours.dir().read("ok.log");
    for line in times.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let is_time = |text: &str| text.split_once('.').is_some_and(|(_, decimals)| decimals.len() == 3);
        assert!(parts.len() == 6 && is_time(parts[3]) && is_time(parts[4]), "{line}");
        assert!(parts[5] == "-" || is_time(parts[5]), "{line}");
    }
}

#[test]
fn pipelined_requests_are_marked() {
    let origin = origin();
    let both = both(&origin);
    let request = "GET /p HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let ask = |mut wire: Wire| {
        wire.send(request.repeat(3));
        for _ in 0..3 {
            assert_eq!(wire.read_response().status(), 200);
        }
    };
    ask(both.ours.client());
    both.nginx_client().into_iter().for_each(ask);
    let lines = both.lines("all.log", 3);
    assert!(lines[1].contains("pipe=[p]") && lines[2].contains("connection_requests=[3]"), "{lines:?}");
}

#[test]
fn the_kernels_numbers_are_told() {
    let proxy = bifrons_testkit::Proxy::nginx(
        r#"
        http {
            map $server_port $known { default "port $server_port"; "" none; }
            server { listen @web@; return 200 "$tcpinfo_rtt $tcpinfo_rttvar $tcpinfo_snd_cwnd $tcpinfo_rcv_space $known"; }
        }
        "#,
    )
    .start();
    let text = proxy.client().get("/").text().to_owned();
    let mut words = text.split(' ');
    assert!(words.by_ref().take(4).all(|word| word.parse::<u32>().is_ok()), "{text}");
    assert!(text.ends_with(&format!("port {}", proxy.addr("web").port())), "{text}");
}

#[test]
fn a_name_from_a_client_leads_nowhere_else() {
    let origin = origin();
    let both = both(&origin);
    both.ours.client().ask("GET /?a=/../../escaped HTTP/1.1\r\nHost: a.example\r\n\r\n");
    both.ours.client().ask("GET /?a=ok HTTP/1.1\r\nHost: a.example\r\n\r\n");
    both.ours.client().ask("GET /?a=ok HTTP/1.1\r\nHost: a.example\r\n\r\n");
    bifrons_testkit::wait::wait_until("the log", || {
        both.ours.dir().read("host-a.example-ok.log").lines().count() == 2
    });
    assert!(!both.ours.dir().path().join("../escaped.log").exists());
}

#[test]
fn fields_behind_bodies_are_told() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: abc\r\nX-Sum: d\r\n\r\n",
    );
    let proxy = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\" } }\nclusters: { app: { endpoints: [\"@app@\"] } }\n\
         hosts: [{ default: true, filters: [{ response_trailers: { add: { X-Own: $request_method } } }],\n\
         routes: [{ path: /*, proxy: app }, { path: /quiet, proxy: { cluster: app, trailers: false } }] }]\n\
         log_formats: { t: { text: { template: \"$sent_trailer_x_sum|$upstream_trailer_x_sum|$sent_trailer_x_own\" } } }\n\
         access_log: [{ to: { file: t.log }, format: t }]\n",
    );
    let proxy = proxy.with("app", origin.addr()).start();
    proxy.client().get("/loud");
    proxy.client().get("/quiet");
    wait_until("both are written", || proxy.dir().read("t.log").lines().count() == 2);
    assert_eq!(proxy.dir().read("t.log"), "abc, d|abc, d|GET\n-|-|GET\n");
}
