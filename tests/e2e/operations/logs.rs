//! The access log: what a record holds, where it goes, and that none is lost.

use crate::support::front;
use bifrons_testkit::{Origin, Proxy, free_addr, wait_until};
use serde_json::Value;

fn logged(access_log: &str, origin: &Origin) -> Proxy {
    let yaml = format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\nclusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: app }}, {{ path: /quiet, proxy: app, access_log: [] }}] }}]\n\
         {access_log}"
    );
    Proxy::yaml(&yaml).with("app", origin.addr()).start()
}

#[test]
fn a_json_record_holds_what_there_is_to_know() {
    let origin = Origin::saying("hello");
    let proxy = front(&origin);
    proxy.client().ask(
        "POST /a?b=\"c\" HTTP/1.1\r\nHost: Shop.test\r\nUser-Agent: tester \"1\"\r\nReferer: http://r/\r\nContent-Length: 3\r\n\r\nabc",
    );
    let line = &proxy.wait_records(1)[0];
    let record: Value = serde_json::from_str(line).unwrap_or_else(|err| panic!("{err}: {line}"));
    let texts = [
        ("client", "127.0.0.1"),
        ("method", "POST"),
        ("host", "shop.test"),
        ("target", "/a?b=\"c\""),
        ("protocol", "HTTP/1.1"),
        ("user_agent", "tester \"1\""),
        ("referer", "http://r/"),
        ("listener", "web"),
        ("route", "/*"),
        ("cluster", "app"),
    ];
    for (key, want) in texts {
        assert_eq!(record[key], want, "{key} in {line}");
    }
    assert_eq!(record["endpoint"], origin.addr().to_string());
    assert_eq!(
        (&record["status"], &record["attempts"]),
        (&Value::from(200), &Value::from(1)),
        "numbers are numbers"
    );
    for time in ["request_time", "upstream_connect_time", "upstream_header_time", "upstream_response_time"] {
        assert!(record[time].as_f64().is_some_and(|time| (0.0..20.0).contains(&time)), "{time} in {line}");
    }
    let (bytes_in, bytes_out) = (record["bytes_in"].as_u64().unwrap(), record["bytes_out"].as_u64().unwrap());
    assert!((100..300).contains(&bytes_in) && (60..300).contains(&bytes_out), "{line}");
    assert!(record.get("termination").is_none(), "it ended well: {line}");
}

#[test]
fn a_record_counts_every_byte_on_the_wire() {
    let origin = Origin::saying("hello");
    let proxy = front(&origin);
    let mut client = proxy.client();
    let request = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let record = client.record();
    client.ask(request);
    let line = &proxy.wait_records(1)[0];
    let value: Value = serde_json::from_str(line).unwrap();
    assert_eq!(value["bytes_out"], record.lock().unwrap().len());
    assert_eq!(value["bytes_in"], request.len());
}

#[test]
fn combined_is_nginxs() {
    let origin = Origin::saying("hello");
    let proxy = logged("access_log: [{ to: { file: access.log }, format: combined }]\n", &origin);
    proxy.client().ask(
        "GET /x?y HTTP/1.1\r\nHost: test\r\nUser-Agent: a \"b\"\r\nAuthorization: Basic YW5uYTpwdw==\r\n\r\n",
    );
    wait_until("it is written", || proxy.dir().read("access.log").ends_with('\n'));
    let line = proxy.dir().read("access.log");
    let (before, rest) = line.split_once('[').unwrap();
    let (time, after) = rest.split_once(']').unwrap();
    assert_eq!(before, "127.0.0.1 - anna ");
    assert_eq!(after, " \"GET /x?y HTTP/1.1\" 200 5 \"-\" \"a \\x22b\\x22\"\n");
    // 10/Oct/2000:13:55:36 -0700
    assert!(time.len() == 26 && time.as_bytes()[2] == b'/' && time.as_bytes()[11] == b':', "{time}");
}

#[test]
fn formats_of_ones_own_and_records_only_when() {
    let origin = Origin::saying("hello");
    let config = r#"
log_formats:
  short: { text: { template: "$request_method $uri $status $http_x_tenant" } }
  fields: { json: { path: $uri, tenant: $http_x_tenant, status: $status, who: "a $remote_addr" } }
access_log:
  - { to: { file: short.log }, format: short }
  - { to: { file: fields.log }, format: fields, when: $http_x_tenant }
"#;
    let proxy = logged(config, &origin);
    proxy.client().ask("GET /one HTTP/1.1\r\nHost: test\r\nX-Tenant: a\"b\r\n\r\n");
    proxy.client().get("/two");
    wait_until("all are written", || {
        proxy.dir().read("short.log").lines().count() == 2 && proxy.dir().read("fields.log").ends_with('\n')
    });
    assert_eq!(proxy.dir().read("short.log"), "GET /one 200 a\\x22b\nGET /two 200 -\n");
    let fields = proxy.dir().read("fields.log");
    let record: Value = serde_json::from_str(&fields).unwrap_or_else(|err| panic!("{err}: {fields}"));
    assert_eq!(
        record,
        serde_json::json!({ "path": "/one", "tenant": "a\"b", "status": 200, "who": "a 127.0.0.1" })
    );
}

#[test]
fn what_a_request_died_of_is_named() {
    let yaml = "workers: 1\nlisteners: { web: { bind: \"@web@\" } }\nclusters: { app: { endpoints: [\"@app@\"] } }\n\
                hosts: [{ names: [test], routes: [{ path: /*, proxy: app }, { path: /cut, proxy: app }] }]\n";
    let proxy = Proxy::yaml(yaml).with("app", free_addr()).start();
    let cases = [
        ("GET / HTTP/1.1\r\nHost: test\r\n\r\n", 502, "upstream_connect"),
        ("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n", 404, "no_route"),
        ("GET / HTTP/1.1\r\nHost: test\r\nHost: test\r\n\r\n", 400, "client_malformed"),
        ("GET / HTTP/2.0\r\nHost: test\r\n\r\n", 505, "version"),
        ("TRACE / HTTP/1.1\r\nHost: test\r\n\r\n", 405, "method"),
    ];
    for (number, (request, status, word)) in cases.into_iter().enumerate() {
        assert_eq!(proxy.client().ask(request).status(), status, "{request}");
        let line = &proxy.wait_records(number + 1)[number];
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (record["status"].as_u64(), record["termination"].as_str()),
            (Some(status.into()), Some(word)),
            "{line}"
        );
    }
}

#[test]
fn a_rotated_file_is_opened_again() {
    let origin = Origin::saying("hello");
    let proxy = logged("access_log: access.log\n", &origin);
    let mut client = proxy.client();
    client.get("/before");
    wait_until("it is written", || proxy.dir().read("access.log").contains("/before"));
    std::fs::rename(proxy.dir().path().join("access.log"), proxy.dir().path().join("old.log")).unwrap();
    client.get("/between");
    wait_until("it goes to the old file", || proxy.dir().read("old.log").contains("/between"));
    proxy.signal("USR1");
    wait_until("the new file is there", || proxy.dir().path().join("access.log").exists());
    client.get("/after");
    wait_until("it goes to the new file", || proxy.dir().read("access.log").contains("/after"));
    assert!(!proxy.dir().read("old.log").contains("/after"));
}

#[test]
fn no_record_is_lost_at_the_end() {
    let origin = Origin::saying("hello");
    let mut proxy = logged("access_log: access.log\n", &origin);
    let mut client = proxy.client();
    for number in 0..500 {
        client.get(&format!("/{number}"));
    }
    client.get("/quiet");
    proxy.signal("TERM");
    assert_eq!(proxy.wait_exit().code(), Some(0));
    let log = proxy.dir().read("access.log");
    assert_eq!(log.lines().count(), 500);
    assert!(!log.contains("/quiet"), "a route may write none");
}

#[test]
fn a_client_writes_no_second_line() {
    let origin = Origin::saying("hello");
    let proxy =
        logged("access_log: [{ to: { file: a.log }, format: combined }, { to: { file: b.log } }]\n", &origin);
    proxy.client().ask("GET /%0a%0d?x=%0aevil HTTP/1.1\r\nHost: test\r\nUser-Agent: \x1b[31m\u{e4}\r\n\r\n");
    proxy.client().ask("GET / HTTP/1.1\r\nHost: test\r\nUser-Agent: \u{e4}\u{2028}\tx\r\n\r\n");
    wait_until("written", || {
        proxy.dir().read("a.log").lines().count() >= 2 && proxy.dir().read("b.log").lines().count() >= 2
    });
    for line in proxy.dir().read("b.log").lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|err| panic!("{err}: {line}"));
    }
    assert!(proxy.dir().read("a.log").bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)));
}

#[test]
fn records_go_to_syslog() {
    let server = std::net::UdpSocket::bind((bifrons_testkit::addr::own_ip(), 0)).unwrap();
    server.set_read_timeout(Some(bifrons_testkit::wait::DEADLINE)).unwrap();
    let origin = Origin::saying("hello");
    let to = format!("{{ syslog: {{ server: \"{}\", tag: edge }} }}", server.local_addr().unwrap());
    let proxy = logged(&format!("access_log: [{{ to: {to}, format: common }}]\n"), &origin);
    proxy.client().get("/logged");
    let mut message = [0; 2048];
    let len = server.recv(&mut message).unwrap();
    let text = String::from_utf8_lossy(&message[..len]).into_owned();
    // local7.info is 23 * 8 + 6.
    assert!(
        text.starts_with("<190>") && text.contains("edge: 127.0.0.1 - ") && text.contains("GET /logged"),
        "{text}"
    );
}

#[test]
fn a_reset_by_either_side_is_named() {
    let origin = Origin::script(|wire| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
        wire.reset();
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_cut_response();
    let line = &proxy.wait_records(1)[0];
    assert!(
        line.contains("\"termination\":\"upstream_reset\"")
            || line.contains("\"termination\":\"upstream_closed\""),
        "{line}"
    );
}
