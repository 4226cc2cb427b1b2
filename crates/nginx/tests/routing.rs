//! Locations in all forms lead where nginx leads: model routes in a route table, asked for paths.

use bifrons_model::{Config, Host};
use bifrons_nginx::{Defaults, load};
use bifrons_route::{Captures, Facts, HostName, HostTable, RouteTable, RouteTableBuilder};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// A GET of a path.
struct Get<'a>(&'a str);

impl Facts for Get<'_> {
    fn path(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn header(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }

    fn query(&self) -> &[u8] {
        b""
    }

    fn client(&self) -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }
}

fn config(path: &Path) -> Config {
    load(path, &Defaults::default()).unwrap_or_else(|problems| panic!("{problems}")).config
}

/// The routes of a host, each leading to the text it answers.
fn table(host: &Host) -> RouteTable<String> {
    let mut builder = RouteTableBuilder::new(host.path);
    for route in &host.routes {
        let says = route.respond.as_ref().map_or("", |respond| respond.value.body.source());
        builder.add(route.path.value.clone(), route.condition.clone(), says.to_owned());
    }
    builder.build().unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn nested_locations() {
    let config = config(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/routing.conf"));
    let table = table(&config.hosts[0]);
    for (path, expected) in [
        ("/", "root"),
        ("/app", "root"),
        ("/app/", "app"),
        ("/app/x.php", "app-php"),
        ("/app/x.txt", "outer-re"),
        ("/app/ping", "app-ping"),
        ("/app/exact", "exact"),
        ("/app/static/a", "app-static"),
        ("/app/static/a.php", "app-php"),
        ("/app/static/a.gz", "outer-re"),
        ("/app/sub/deep/a", "sub"),
        ("/app/sub/deep/a.php", "outer-re"),
        ("/app/raw/a.php", "outer-re"),
        ("/app/raw/a", "app-raw"),
        ("/app/draw", "app-re-raw"),
        ("/app/draw.php", "app-php"),
        ("/raw/a", "raw"),
        ("/raw/a.php", "raw"),
        ("/raw/a.txt", "raw-txt"),
        ("/raw/quiet/a.txt", "raw-quiet"),
        ("/raw/loud/a", "raw-loud"),
        ("/raw/loud/a.gz", "raw-loud-gz"),
        ("/raw/loud/a.txt", "raw-txt"),
        ("/raw/loud/a.php", "raw-loud"),
        ("/x", "x"),
        ("/xy", "xy"),
        ("/xxy", "xy"),
        ("/xx.php", "x"),
        ("/a.php", "outer-re"),
        ("/same/", "same-inner"),
    ] {
        let mut captures = Captures::default();
        assert_eq!(table.find(&Get(path), &mut captures).map(String::as_str), Some(expected), "{path}");
    }
}

/// Everything that loads builds: no two routes of a host and no two hosts of a listener collide.
#[test]
fn tables_build() {
    for directory in ["tests/golden", "../../conf/nginx"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        for entry in std::fs::read_dir(directory).expect("the directory") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "conf") {
                continue;
            }
            let config = config(&path);
            // Those of layer 4 have no hosts.
            let with_hosts = config.listeners.iter().filter(|(_, on)| on.tcp.is_none() && on.udp.is_none());
            for (listener, _) in with_hosts {
                let mut hosts = HostTable::builder();
                let mut defaults = 0;
                for host in
                    config.hosts.iter().filter(|host| host.listeners.iter().any(|on| on.value == *listener))
                {
                    let at = hosts.add_host(table(host));
                    defaults += usize::from(host.default);
                    for name in &host.names {
                        let name: HostName = name.value.parse().expect("a name");
                        hosts.add_name(at, name).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
                    }
                }
                assert_eq!(defaults, 1, "{}: {listener}", path.display());
            }
        }
    }
}

/// 10,000 servers and 10,000 locations load in a moment.
#[test]
fn large_files() {
    let server = |n| {
        format!(
            "server {{ server_name s{n}.example.com; location /a/ {{ proxy_pass http://10.0.{}.{}; }} }}\n",
            n / 250,
            n % 250
        )
    };
    let location = |n| format!("location /p{n}/ {{ proxy_pass http://10.1.0.1; }}\n");
    let servers: String = (0..10_000).map(server).collect();
    let locations: String = (0..10_000).map(location).collect();
    let text = format!("http {{ {servers} server {{ listen 81; {locations} }} }}");
    let began = std::time::Instant::now();
    let loaded = bifrons_nginx::parse(bifrons_config::Source::new("t.conf", text), &Defaults::default());
    let config = loaded.unwrap_or_else(|problems| panic!("{problems}")).config;
    assert_eq!((config.hosts.len(), config.clusters.len()), (10_001, 10_001));
    // 0.5 s when it was written, without optimisation; quadratic work would take minutes.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    eprintln!("took {:?}", began.elapsed());
}
