//! Early data (0-RTT, RFC 8470): what is taken of it, what endpoints are told, and that nothing is taken twice.

use super::support::{Said, request, s_client, with_pair};
use bifrons_testkit::{Authority, KeyKind, Message, Origin, Proxy};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const CONFIG: &str = "workers: 1\n\
    listeners: { web: { bind: \"@web@\", tls: { certificates: [{ cert: site.crt, key: site.key }]@early@ } } }\n\
    hosts: [{ default: true, routes: [{ path: /*, proxy: { cluster: app, headers: { set: { X-Seen: \"$ssl_early_data\" } } } }] }]\n\
    clusters: { app: { endpoints: [\"@app@\"] } }\n";

/// An endpoint that answers with the target and what it was told, and counts.
fn origin(asked: &Arc<Mutex<Vec<String>>>) -> Origin {
    let asked = asked.clone();
    Origin::serve(move |head: &Message| {
        let field = |name| head.field(name).unwrap_or("-").to_owned();
        let text = format!("{} {} {} {}", head.method(), head.target(), field("early-data"), field("x-seen"));
        asked.lock().unwrap().push(text.clone());
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
    })
}

fn site(config: &str, early: &str, origin: &Origin) -> Proxy {
    let ca = Authority::new("Test CA");
    let setup = match config.starts_with("http") {
        true => Proxy::nginx(config),
        false => Proxy::yaml(&config.replace("@early@", early)),
    };
    with_pair(setup.with("app", origin.addr()), "site", &ca.issue(&["site.test"], KeyKind::Ecdsa)).start()
}

/// Passes a connection on, the client's side not before early data is among its bytes; these are kept.
fn gathering(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let seen = Arc::<Mutex<Vec<u8>>>::default();
    let kept = seen.clone();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut first = Vec::new();
        let mut buf = [0; 4096];
        while !has_data(&first) {
            let len = client.read(&mut buf).unwrap();
            assert!(len > 0, "no early data came");
            first.extend_from_slice(&buf[..len]);
        }
        kept.lock().unwrap().clone_from(&first);
        let mut server = TcpStream::connect(to).unwrap();
        server.write_all(&first).unwrap();
        let (mut from, mut into) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut into));
        let _ = std::io::copy(&mut server, &mut client);
        let _ = client.shutdown(std::net::Shutdown::Both);
    });
    (addr, seen)
}

/// Whether a whole record of application data is among them (RFC 8446 5.1).
fn has_data(mut bytes: &[u8]) -> bool {
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        if rest.len() < len {
            return false;
        }
        if *kind == 23 {
            return true;
        }
        bytes = &rest[len..];
    }
    false
}

/// Connects once for a session, and again with that request as early data.
fn early(proxy: &Proxy, text: &str) -> (Said, Vec<u8>) {
    let dir = proxy.dir().path().display().to_string();
    let (session, data) = (format!("{dir}/session"), format!("{dir}/early"));
    let args = ["-servername", "site.test", "-tls1_3", "-sess_out", &session];
    let first = s_client(proxy.addr("web"), &args, &request("site.test", "/first"));
    assert!(first.out.contains("GET /first - "), "{} {}", first.out, first.err);
    std::fs::write(&data, text).unwrap();
    let (addr, seen) = gathering(proxy.addr("web"));
    let said = s_client(addr, &["-servername", "site.test", "-sess_in", &session, "-early_data", &data], "");
    let seen = seen.lock().unwrap().clone();
    (said, seen)
}

#[test]
fn requests_that_change_nothing_are_taken() {
    let asked = Arc::default();
    let origin = origin(&asked);
    let proxy = site(CONFIG, ", early_data: true", &origin);
    let (said, first) = early(&proxy, &request("site.test", "/early"));
    assert!(said.out.contains("Early data was accepted"), "{} {}", said.out, said.err);
    assert!(said.out.contains("GET /early 1 1"), "{}", said.out);
    assert_eq!(asked.lock().unwrap().len(), 2);
    // Whoever saw the bytes can send them once more; the session has served its turn.
    let mut again = TcpStream::connect(proxy.addr("web")).unwrap();
    again.write_all(&first).unwrap();
    again.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    let _ = again.read_to_end(&mut answer);
    assert_eq!(answer.first(), Some(&22), "a handshake from the beginning");
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[test]
fn others_come_again() {
    let asked = Arc::default();
    let origin = origin(&asked);
    let proxy = site(CONFIG, ", early_data: true", &origin);
    let post = "POST /change HTTP/1.1\r\nHost: site.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (said, _) = early(&proxy, post);
    assert!(said.out.contains("Early data was accepted"), "{} {}", said.out, said.err);
    assert!(said.out.contains("HTTP/1.1 425 Too Early"), "{}", said.out);
    assert_eq!(asked.lock().unwrap().len(), 1);
    assert!(proxy.wait_records(2)[1].contains("\"termination\":\"too_early\""));
}

#[test]
fn nothing_is_taken_unasked() {
    let asked = Arc::default();
    let origin = origin(&asked);
    let proxy = site(CONFIG, "", &origin);
    let said =
        s_client(proxy.addr("web"), &["-servername", "site.test", "-tls1_3"], &request("site.test", "/"));
    assert!(said.out.contains("Max Early Data: 0"), "{}", said.out);
}

#[test]
fn what_does_not_go_with_it() {
    let (_, said) = Proxy::yaml(
        "listeners: { web: { bind: \"127.0.0.1:0\", tls: { certificates: [], unknown_names: reject, early_data: true, sessions: { cache: 0 } } } }\n",
    )
    .fail();
    assert!(said.contains("early_data needs sessions that are kept here"), "{said}");
}

#[test]
fn in_nginxs_dialect() {
    let asked = Arc::default();
    let origin = origin(&asked);
    let proxy = site(
        "http { server { listen @web@ ssl; ssl_certificate site.crt; ssl_certificate_key site.key; ssl_early_data on; \
         location / { proxy_pass http://@app@; } } }",
        "",
        &origin,
    );
    let (said, _) = early(&proxy, &request("site.test", "/early"));
    assert!(said.out.contains("Early data was accepted"), "{} {}", said.out, said.err);
    assert!(said.out.contains("GET /early 1 -"), "{}", said.out);
}
