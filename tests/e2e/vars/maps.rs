//! `map`, `geo` and `split_clients`, beside nginx.

use super::beside::Beside;
use bifrons_testkit::Proxy;

#[test]
fn maps_are_nginxs() {
    let both = Beside::with(
        r#"
        map $arg_v $by_text { default none; a A; B B2; "" empty; \~t tilde; \default word; include @dir@/more.map; }
        map $arg_v $by_regex { ~^a(?<Tail>.*)$ "a-$tail-$1"; ~*^B "b"; ~^(.)(.)$ "$2$1"; ~(?<!x)y$ noxy; }
        map $host $by_host {
            hostnames; default other; *.example.com sub; .example.org org; www.example.* www; ~^re regex; example.com exact;
        }
        map $arg_n $kept { default $arg_n; }
        map $arg_n $fresh { volatile; default $arg_n; }
        map $by_text$by_regex $nested { emptynone n1; default "<$by_text|$by_regex>"; ~^A nested-$by_regex; }
        map $http_upgrade $connection_upgrade { default upgrade; '' close; }
        server {
            listen @web@;
            location / { return 200 "$by_text|$by_regex|$tail|$by_host|$kept|$fresh|$nested|$connection_upgrade"; }
            location ~ ^/loc/(?<rest>.+)$ { return 200 "$rest|$by_text|$nested"; }
        }
        "#,
        &[("more.map", "included yes;\n# a comment\n\"two words\" two;\n")],
    );
    let queries = [
        "",
        "v=a",
        "v=A",
        "v=b",
        "v=",
        "v=~t",
        "v=default",
        "v=included",
        "v=two%20words",
        "v=abc",
        "v=bcd",
        "v=xy",
        "v=ay",
        "v=zzy",
        "v=ab&n=7",
        "v=%00",
        "n=1&n=2",
    ];
    for query in queries {
        both.get(&format!("/?{query}"));
        both.get(&format!("/loc/x?{query}"));
    }
    let hosts = [
        "example.com",
        "a.example.com",
        "A.B.Example.COM",
        "example.org",
        "x.example.org.",
        "www.example.net",
        "www.example.com",
        "re.test",
        "test",
        "www.example",
        ".example.org",
    ];
    for host in hosts {
        both.ask(&format!("GET /?v=a HTTP/1.1\r\nHost: {host}\r\nUpgrade: x\r\n\r\n"));
    }
    assert_eq!(both.get("/?v=abc&n=7"), "none|a-bc-bc|bc|other|7|7|<none|a-bc-bc>|close");
}

#[test]
fn geo_is_nginxs() {
    let both = Beside::start(
        r#"
        geo $client { default far; 127.0.0.0/8 loopback; 127.0.0.1 self; }
        geo $arg_ip $net {
            default none; 10.0.0.0/8 ten; 10.1.0.0/16 ten-one; 10.1.2.3 host; 0.0.0.0/1 low; 2001:db8::/32 six;
            2001:db8:1::/48 six-one; 172.16.0.0/12 gone; delete 172.16.0.0/12; 255.255.255.255 broadcast;
        }
        geo $arg_ip $ranged {
            ranges; default none; 10.0.0.0-10.255.255.255 ten; 10.1.0.0-10.1.255.255 inner; 10.0.0.5-10.0.0.9 five;
            10.0.0.7-10.0.0.8 over; 192.168.0.1-192.168.0.1 one; 10.9.0.0-10.9.0.255 gone; delete 10.9.0.0-10.9.0.255;
        }
        geo $arg_ip $proxied { default none; proxy 10.0.0.0/8; 10.0.0.0/8 proxy; 192.0.2.0/24 client; }
        geo $arg_ip $recursive { proxy 10.0.0.0/8; proxy_recursive; 10.0.0.0/8 proxy; 192.0.2.0/24 client; }
        server { listen @web@; return 200 "$client|$net|$ranged|$proxied|$recursive"; }
        "#,
    );
    let addresses = [
        "10.0.0.1",
        "10.1.0.0",
        "10.1.2.3",
        "10.0.0.4",
        "10.0.0.5",
        "10.0.0.7",
        "10.0.0.9",
        "10.0.0.10",
        "10.2.0.0",
        "10.2.0.1",
        "10.9.0.1",
        "10.255.255.255",
        "11.0.0.0",
        "192.168.0.1",
        "200.1.1.1",
        "2001:db8::1",
        "2001:db8:1::1",
        "::ffff:10.1.2.3",
        "172.16.0.1",
        "nothing",
        "",
        "10.0.0.1x",
    ];
    for address in addresses {
        both.get(&format!("/?ip={address}"));
        for field in ["192.0.2.7", "192.0.2.7, 10.0.0.3", "1.2.3.4,192.0.2.7:80 , 10.0.0.3", "x, 10.0.0.3"] {
            let request =
                format!("GET /?ip={address} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {field}\r\n\r\n");
            both.ask(&request);
        }
    }
    assert!(both.get("/?ip=10.0.0.6").ends_with("|ten|five|proxy|proxy"));
}

#[test]
fn split_clients_has_nginxs_buckets() {
    let both = Beside::start(
        r#"
        split_clients "${arg_v}AAA" $three { 0.5% .one; 33.33% .two; 20% .three; * ""; }
        split_clients $arg_v $half { 50% a; 49.99% b; }
        server { listen @web@; return 200 "$three|$half"; }
        "#,
    );
    let mut seen = std::collections::BTreeMap::new();
    for number in 0..200 {
        *seen.entry(both.get(&format!("/?v={number}"))).or_insert(0) += 1;
    }
    assert!(seen.len() >= 6, "{seen:?}");
}

#[test]
fn variables_of_yaml_are_everybodys() {
    let proxy = Proxy::yaml(
        r#"
        workers: 1
        listeners: { web: { bind: "@web@" } }
        variables:
          Tenant: { map: { of: $host, values: { "~^(?<name>[a-z]+)\\.": "t-$name" }, default: nobody } }
          near: { geo: { networks: { 127.0.0.0/8: "yes" }, default: "no" } }
          half: { split: { of: $arg_v, shares: [{ percent: 50, value: a }, { value: b }] } }
        hosts:
          - default: true
            routes: [{ path: /*, respond: "$tenant $name ${near} $half" }]
        "#,
    )
    .start();
    let text = proxy.client().ask("GET /?v=1 HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    assert!(text.text().starts_with("t-shop shop yes "), "{text:?}");
}

#[test]
fn a_variable_that_needs_itself_does_not_start() {
    let (status, log) = Proxy::nginx(
        "http { map $a $b { x y; } map $b $a { x y; } server { listen @web@; return 200 $a; } }",
    )
    .fail();
    assert!(!status.success() && log.contains("needs itself"), "{log}");
}
