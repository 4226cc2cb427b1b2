//! `proxy_pass` with variables: upstreams by their names, addresses, names that a `resolver` resolves.

use bifrons_testkit::{Origin, Proxy, wait_until};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A name server that knows one address for every name that begins with `app`, and no other name.
struct NameServer {
    addr: SocketAddr,
    ip: Arc<Mutex<Ipv4Addr>>,
    asked: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl NameServer {
    fn start(ip: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (addr, ip) = (socket.local_addr().unwrap(), Arc::new(Mutex::new(ip)));
        let (asked, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (known, count, over) = (ip.clone(), asked.clone(), is_over.clone());
        std::thread::spawn(move || {
            let mut buf = [0; 512];
            while !over.load(Ordering::SeqCst) {
                let Ok((len, from)) = socket.recv_from(&mut buf) else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                let _ = socket.send_to(&answer(&buf[..len], *known.lock().unwrap()), from);
            }
        });
        Self { addr, ip, asked, is_over }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

/// An answer in the form of RFC 1035 4: the question repeated, one record of a second, or "no such name".
fn answer(question: &[u8], ip: Ipv4Addr) -> Vec<u8> {
    let name_end = 12 + question[12..].iter().position(|&b| b == 0).unwrap();
    let is_a = question[name_end + 1..name_end + 3] == [0, 1];
    let is_known = question[13..].starts_with(b"app");
    let mut out = question[..2].to_vec();
    out.extend_from_slice(&[0x81, if is_known { 0x80 } else { 0x83 }]);
    out.extend_from_slice(&[0, 1, 0, u8::from(is_known && is_a), 0, 0, 0, 0]);
    out.extend_from_slice(&question[12..name_end + 5]);
    if is_known && is_a {
        out.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        out.extend_from_slice(&ip.octets());
    }
    out
}

#[test]
fn a_variable_names_an_upstream_or_an_address() {
    let (group, direct) = (Origin::echo(), Origin::echo());
    let proxy = Proxy::nginx(
        r#"
http {
    upstream Group { server @group@; }
    server {
        listen @web@;
        location /plain/ { proxy_pass http://$arg_to; }
        location /uri/ { proxy_pass http://$arg_to/v1$uri; }
        location /request/ { proxy_pass http://$arg_to$request_uri; }
        location /query/ { proxy_pass http://$arg_to?q=1; }
        location /whole/ { proxy_pass $arg_url; }
    }
}
"#,
    )
    .with("group", group.addr())
    .start();
    let addr = direct.addr();
    let get = |path: &str| proxy.client().get(path);
    for (path, target) in [
        (format!("/plain/a%20b?to={addr}"), format!("/plain/a%20b?to={addr}")),
        (format!("/uri/x?to={addr}"), "/v1/uri/x".to_owned()),
        (format!("/request/x?to={addr}"), format!("/request/x?to={addr}")),
        (format!("/query/x?to={addr}"), "/?q=1".to_owned()),
        (format!("/whole/x?url=http://{addr}/y"), "/y".to_owned()),
    ] {
        let sent = get(&path).echoed();
        assert_eq!(
            (sent.target(), sent.field("Host")),
            (target.as_str(), Some(addr.to_string().as_str())),
            "{path}"
        );
    }
    assert_eq!(get("/plain/?to=group").echoed().field("Host"), Some("group"));
    assert_eq!(group.requests().len(), 1, "by the upstream of that name");
    for (path, status) in
        [("/plain/?to=", 500), ("/whole/?url=ftp://x", 500), ("/plain/?to=nobody.test", 502)]
    {
        assert_eq!(get(path).status(), status, "{path}");
    }
}

#[test]
fn an_error_leads_back_to_what_the_client_asked_for() {
    let (missing, group) =
        (Origin::answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), Origin::echo());
    let proxy = Proxy::nginx(
        r#"
http {
    upstream group { server @group@; }
    server {
        listen @web@;
        location / {
            proxy_pass http://$arg_to/v1$uri;
            proxy_intercept_errors on;
            error_page 404 = @again;
        }
        location @again {
            proxy_pass http://group;
            proxy_set_header X-To $proxy_host;
            proxy_set_header X-Uri $uri;
        }
    }
}
"#,
    )
    .with("group", group.addr())
    .start();
    let target = format!("/a%20b?to={}", missing.addr());
    let sent = proxy.client().get(&target).echoed();
    assert_eq!(sent.target(), target);
    assert_eq!((sent.field("X-To"), sent.field("X-Uri")), (Some("group"), Some("/a b")));
    assert_eq!(missing.requests().len(), 1);
}

#[test]
fn names_are_resolved_by_the_resolver_as_long_as_they_are_valid() {
    let origin = Origin::saying("here");
    let port = origin.addr().port();
    let std::net::IpAddr::V4(ip) = origin.addr().ip() else { panic!("IPv4") };
    let names = NameServer::start(ip);
    let proxy = Proxy::nginx(
        r#"
worker_processes 1;
http {
    resolver @names@ ipv6=off valid=1s;
    resolver_timeout 2s;
    server { listen @web@; location / { proxy_pass http://$arg_to; } }
}
"#,
    )
    .with("names", names.addr)
    .start();
    let status = |name: &str| proxy.client().get(&format!("/?to={name}:{port}")).status();
    for _ in 0..5 {
        assert_eq!(status("app.test"), 200);
    }
    assert_eq!(names.asked.load(Ordering::SeqCst), 1, "asked once");
    assert_eq!(status("other.test"), 502, "no such name");
    // The name moves to where nobody listens.
    *names.ip.lock().unwrap() = Ipv4Addr::new(127, 255, 255, 254);
    wait_until("the name is asked for again", || status("app.test") == 502);
}
