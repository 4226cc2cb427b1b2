//! Layer 4: whole connections, by address, by the name in TLS, by first bytes; the PROXY protocol both ways.

use crate::support::pattern;
use crate::tls::support::{curl, with_ca, with_pair};
use bifrons_testkit::{Authority, KeyKind, Origin, Proxy, Wire};

/// Everything up to the end, whatever that is.
fn rest(wire: &mut Wire) -> Vec<u8> {
    wire.read_to_end().0
}

/// An origin that says what it is and sends back whatever comes.
fn parrot(name: &'static str) -> Origin {
    Origin::script(move |wire| {
        wire.send(name);
        while let Ok(bytes) = wire.read_some(1)
            && !bytes.is_empty()
        {
            wire.send(bytes);
        }
    })
}

#[test]
fn a_connection_goes_byte_for_byte_and_ends_direction_by_direction() {
    let origin = Origin::script(|wire| {
        let all = rest(wire);
        wire.send(&all);
        wire.send("end");
    });
    let proxy = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\", tcp: app } }\nclusters: { app: { endpoints: [\"@app@\"] } }\n",
    )
    .with("app", origin.addr())
    .start();
    // Enough that the kernel moves most of it, and odd, so that a lost piece shows.
    for len in [0, 1, 70_001, 5_000_003] {
        let mut client = proxy.client();
        let sent = pattern(len);
        client.send(&sent);
        client.half_close();
        let got = rest(&mut client);
        assert!(
            got.len() == len + 3 && got.starts_with(&sent) && got.ends_with(b"end"),
            "{len}: {}",
            got.len()
        );
    }
}

#[test]
fn who_speaks_first_may_be_the_server() {
    let greets = parrot("220 ready\r\n");
    let proxy = Proxy::yaml(
        "workers: 1\n\
         listeners:\n  web:\n    bind: \"@web@\"\n    tcp:\n      first_bytes: 200ms\n      routes:\n\
         \x20       - { protocol: http, http: true }\n        - { protocol: server_first, proxy: greets }\n\
         hosts: [{ default: true, routes: [{ path: /*, respond: web }] }]\n\
         clusters: { greets: { endpoints: [\"@greets@\"] } }\n",
    )
    .with("greets", greets.addr())
    .start();
    let mut client = proxy.client();
    assert_eq!(client.read_exact(11), b"220 ready\r\n");
    client.send("x");
    assert_eq!(client.read_exact(1), b"x");
    assert_eq!(proxy.client().get("/").text(), "web");
    let mut other = proxy.client();
    other.send([5, 1, 0]);
    assert_eq!(rest(&mut other), b"", "no route takes it");
}

#[test]
fn the_name_in_tls_decides_without_being_decrypted() {
    let ca = Authority::new("Test CA");
    let behind = with_pair(
        Proxy::yaml(
            "workers: 1\nlisteners: { web: { bind: \"@web@\", tls: { certificates: [{ cert: own.crt, key: own.key }] } } }\n\
             hosts: [{ default: true, routes: [{ path: /*, respond: behind }] }]\n",
        ),
        "own",
        &ca.issue(&["pass.test", "a.wild.test"], KeyKind::Ecdsa),
    )
    .start();
    let plain = Origin::saying("plain");
    let config = "workers: 1\n\
        listeners:\n  web:\n    bind: \"@web@\"\n    tls: { certificates: [{ cert: site.crt, key: site.key }] }\n\
        \x20   tcp:\n      routes:\n\
        \x20       - { sni: [pass.test, \"*.wild.test\"], proxy: behind }\n\
        \x20       - { sni: term.test, terminate: true, proxy: plain }\n\
        \x20       - { protocol: tls, http: true }\n\
        hosts: [{ default: true, routes: [{ path: /*, respond: own }] }]\n\
        clusters: { behind: { endpoints: [\"@behind@\"] }, plain: { endpoints: [\"@plain@\"] } }\n";
    let setup = Proxy::yaml(config).with("behind", behind.addr("web")).with("plain", plain.addr());
    let pair = ca.issue(&["site.test", "term.test"], KeyKind::Ecdsa);
    let proxy = with_pair(with_ca(setup, &ca), "site", &pair).start();
    for (host, text) in
        [("pass.test", "behind"), ("a.wild.test", "behind"), ("term.test", "plain"), ("site.test", "own")]
    {
        let said = curl(&proxy, proxy.addr("web"), host, &[&format!("https://{host}/")]);
        assert_eq!(said.out, text, "{host}: {}", said.err);
    }
    let said = curl(&proxy, proxy.addr("web"), "site.test", &["http://site.test/"]);
    assert!(!said.ok, "no route takes plain text: {}", said.out);
}

#[test]
fn tls_that_ends_here_agrees_on_nothing_and_lets_only_whom_it_should() {
    let ca = Authority::new("Test CA");
    let plain = Origin::script(|wire| {
        if wire.read_request().is_some() {
            wire.send(bifrons_testkit::origin::ok("plain"));
        }
    });
    let config = "workers: 1\n\
        listeners:\n  web:\n    bind: \"@web@\"\n    tcp: { routes: [{ terminate: true, proxy: plain }] }\n\
        \x20   tls: { certificates: [{ cert: site.crt, key: site.key }], client: { ca: ca.crt, refusal: answer } }\n\
        clusters: { plain: { endpoints: [\"@plain@\"] } }\n";
    let setup = with_ca(Proxy::yaml(config).with("plain", plain.addr()), &ca);
    let setup = with_pair(setup, "site", &ca.issue(&["site.test"], KeyKind::Ecdsa));
    let proxy = with_pair(setup, "good", &ca.issue(&["anna.test"], KeyKind::Ecdsa)).start();
    // What the endpoint speaks only the endpoint knows, so that a client that could do HTTP/2 does not begin it.
    let own = ["--http2", "--cert", "@dir@/good.crt", "--key", "@dir@/good.key", "https://site.test/"];
    let said = curl(&proxy, proxy.addr("web"), "site.test", &own);
    assert_eq!(said.out, "plain", "{}", said.err);
    let said = curl(&proxy, proxy.addr("web"), "site.test", &["https://site.test/"]);
    assert!(!said.ok, "without a certificate: {}", said.out);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(rest(&mut client), b"", "plain text is not what the listener speaks");
    assert_eq!(plain.connections(), 1);
}

#[test]
fn a_hello_in_many_pieces_is_read_whole() {
    let behind = Origin::script(|wire| {
        let hello = wire.read_exact(5);
        wire.send(hello);
    });
    let proxy = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\", tcp: { routes: [{ sni: a.test, proxy: app }] } } }\n\
         clusters: { app: { endpoints: [\"@app@\"] } }\n",
    )
    .with("app", behind.addr())
    .start();
    let mut client = proxy.client();
    for byte in hello("a.test") {
        client.send([byte]);
    }
    assert_eq!(client.read_exact(3), [22, 3, 1]);
    let mut other = proxy.client();
    other.send(hello("b.test"));
    assert_eq!(rest(&mut other), b"");
}

/// A ClientHello of TLS 1.2 that asks for that name and has nothing else.
pub(crate) fn hello(name: &str) -> Vec<u8> {
    let sized = |bytes: Vec<u8>| [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat();
    let entry = [&[0][..], &sized(name.as_bytes().to_vec())].concat();
    let extension = [&[0, 0][..], &sized(sized(entry))].concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0xc0, 0x2b], &[1, 0], &sized(extension)].concat();
    let message = [&[1, 0][..], &sized(body)].concat();
    [&[22, 3, 1][..], &sized(message)].concat()
}

#[test]
fn dead_endpoints_are_passed_over_and_none_is_a_reset() {
    let alive = parrot("alive");
    let dead = bifrons_testkit::addr::free_addr();
    let proxy = Proxy::yaml(
        "workers: 1\n\
         listeners: { web: { bind: \"@web@\", tcp: app }, none: { bind: \"@none@\", tcp: none } }\n\
         clusters: { app: { endpoints: [\"@dead@\", \"@alive@\"] }, none: { endpoints: [\"@dead@\"] } }\n",
    )
    .with("alive", alive.addr())
    .with("dead", dead)
    .start();
    for _ in 0..4 {
        assert_eq!(proxy.client().read_exact(5), b"alive");
    }
    assert_eq!(rest(&mut proxy.client_to("none")), b"");
}

/// An endpoint goes away while bytes for it are held: what it has said before that reaches the client.
#[test]
fn last_words_reach_the_client() {
    // What it leaves unread makes its end a reset.
    let origin = Origin::script(|wire| {
        wire.read_exact(5);
        wire.send("no more");
    });
    let proxy = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\", tcp: app } }\nclusters: { app: { endpoints: [\"@app@\"] } }\n",
    )
    .with("app", origin.addr())
    .start();
    for _ in 0..20 {
        let mut client = proxy.client();
        let mut twin = client.twin();
        client.send("hello");
        let sends = std::thread::spawn(move || while twin.try_send([0; 65_536]).is_ok() {});
        assert_eq!(client.read_exact(7), b"no more");
        drop(client);
        sends.join().unwrap();
    }
}

#[test]
fn what_version_2_tells_besides_is_known() {
    let proxy = Proxy::yaml(
        "workers: 1\n\
         listeners:\n\
         \x20 web: { bind: \"@web@\", proxy_protocol: required, tcp: { routes: [{ respond: \"$remote_addr $proxy_protocol_tlv_authority $proxy_protocol_tlv_0xea\" }] } }\n\
         \x20 http: { bind: \"@http@\", proxy_protocol: required }\n\
         hosts: [{ default: true, routes: [{ path: /*, respond: \"$proxy_protocol_tlv_ssl_version $proxy_protocol_tlv_ssl_verify\" }] }]\n",
    )
    .start();
    let header = |command: u8, rest: &[u8]| {
        [b"\r\n\r\n\0\r\nQUIT\n", &[command, 0x11][..], &(rest.len() as u16).to_be_bytes(), rest].concat()
    };
    let addresses = [192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0, 2];
    let facts = b"\x02\0\x06a.test\xea\0\x03vpc\x20\0\x0f\x01\0\0\0\0\x21\0\x07TLSv1.3";
    let whole = header(0x21, &[&addresses[..], facts].concat());
    let mut client = proxy.client();
    for byte in &whole {
        client.send([*byte]);
    }
    assert_eq!(String::from_utf8_lossy(&rest(&mut client)), "192.0.2.1 a.test vpc");
    let get = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut client = proxy.client_to("http");
    client.send([&whole[..], get].concat());
    assert_eq!(client.read_response().text(), "TLSv1.3 0");
    // One of the other proxy's own has no addresses, whatever its family says.
    let mut client = proxy.client();
    client.send(header(0x20, b""));
    assert_eq!(String::from_utf8_lossy(&rest(&mut client)), "127.0.0.1  ");
    let mut client = proxy.client();
    client.send("GET");
    assert_eq!(rest(&mut client), b"", "no header begins so: there is nothing to wait for");
}

#[test]
fn the_proxy_protocol_comes_in_and_goes_out() {
    let origin = Origin::script(|wire| {
        let line = wire.read_to(b"\r\n");
        wire.send(line);
    });
    let proxy = Proxy::yaml(
        "workers: 1\n\
         listeners:\n\
         \x20 web: { bind: \"@web@\", proxy_protocol: required, tcp: app }\n\
         \x20 http: { bind: \"@http@\", proxy_protocol: trusted, client: { trusted: [127.0.0.0/8] } }\n\
         \x20 untrusting: { bind: \"@untrusting@\", proxy_protocol: trusted, client: { trusted: [192.0.2.0/24] } }\n\
         hosts: [{ default: true, routes: [{ path: /*, respond: $remote_addr:$server_port }] }]\n\
         clusters: { app: { endpoints: [\"@app@\"], proxy_protocol: v1 } }\n",
    )
    .with("app", origin.addr())
    .start();
    let line = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
    let mut client = proxy.client();
    client.send(line);
    assert_eq!(String::from_utf8_lossy(&rest(&mut client)), line, "what was told is told on");
    let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let http = proxy.client_to("http").ask(&format!("{line}{get}"));
    assert_eq!(http.text(), "192.0.2.7:443");
    let mut bare = proxy.client_to("http");
    bare.send(get);
    assert_eq!(rest(&mut bare), b"", "a header is demanded of whom it is believed");
    assert_eq!(proxy.client_to("untrusting").ask(get).status(), 200, "others send none");
    assert_eq!(proxy.client_to("untrusting").ask(&format!("{line}{get}")).status(), 400);
}

#[test]
fn version_2_tells_address_name_and_checksum() {
    let origin = Origin::script(|wire| {
        let fixed = wire.read_exact(16);
        let len = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
        let rest = wire.read_exact(len);
        wire.read_request();
        wire.send(bifrons_testkit::origin::ok(&format!("{fixed:?} {rest:?}")));
    });
    let proxy = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\" } }\n\
         hosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\n\
         clusters: { app: { endpoints: [\"@app@\"], proxy_protocol: v2 } }\n",
    )
    .with("app", origin.addr())
    .start();
    for _ in 0..2 {
        let text = proxy.client().get("/").text().to_owned();
        assert!(text.starts_with("[13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10, 33, 17, "), "{text}");
        assert!(text.contains("[127, 0, 0, 1, 127, "), "{text}");
    }
    assert_eq!(origin.connections(), 2, "a connection that names its client serves no other");
}

#[test]
fn mistakes_are_told() {
    for (config, word) in [
        ("tcp: { routes: [{ path: /x, proxy: app }] }", "has no path"),
        ("tcp: { routes: [{ sni: a.test }] }", "either `proxy`, `respond` or `http`"),
        ("tcp: { routes: [{ terminate: true, proxy: app }] }", "the listener has no `tls`"),
        ("tcp: nobody", "nobody"),
        ("proxy_protocol: trusted", "`client.trusted` names nobody"),
    ] {
        let config = format!(
            "listeners: {{ web: {{ bind: \"@web@\", {config} }} }}\n\
             clusters: {{ app: {{ endpoints: [\"127.0.0.1:1\"] }} }}\n"
        );
        let (_, said) = Proxy::yaml(&config).fail();
        assert!(said.contains(word), "{config}\n{said}");
    }
}
