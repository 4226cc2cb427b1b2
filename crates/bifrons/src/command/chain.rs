//! `demo-chain`: four proxies in a row, each a process of its own, and an app behind them: CDN → load balancer →
//! gateway → sidecar. TLS in front, both sides prove who they are on the last hop.

mod ask;
mod certificates;
mod hops;

use super::Failure;
use crate::cli::ChainArgs;
use crate::origin::Socket;
use crate::process::signals;
use ask::Answer;
use bifrons_net::Addr;
use hops::{Dir, Hops};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// A hop: its name, its configuration, what it does.
type Hop = (&'static str, &'static str, &'static str);

const HOPS: [Hop; 4] = [
    ("cdn", include_str!("../../../../conf/demo-chain/cdn.yaml"), "ends TLS, caches /static/"),
    ("lb", include_str!("../../../../conf/demo-chain/lb.yaml"), "balances over the gateway's addresses"),
    ("gateway", include_str!("../../../../conf/demo-chain/gateway.yaml"), "request ids, proves who it is"),
    ("sidecar", include_str!("../../../../conf/demo-chain/sidecar.yaml"), "lets the gateway in, nobody else"),
];

/// What a client pretends, and nobody believes.
const FORGED: &str = "6.6.6.6";

/// Where clients on this machine come from.
const CLIENT: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Where everything is: an address each, so that one sees in `X-Forwarded-For` which hop is which.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The first three bytes of the hops' addresses.
    net: [u8; 3],
    /// Where clients come in.
    front: SocketAddr,
}

impl Place {
    /// Where the files say, so that the commands to try can be told.
    const USUAL: Self = Self { net: [127, 0, 7], front: SocketAddr::new(IpAddr::V4(CLIENT), 8443) };

    /// Addresses of this process alone: several may run at once.
    fn own() -> Self {
        let [.., high, low] = std::process::id().to_be_bytes();
        let net = [127, 64 | (high & 63), low];
        Self { net, front: (Ipv4Addr::new(net[0], net[1], net[2], 1), 8443).into() }
    }

    /// The address of a hop, counted from 1; 5 is the app.
    fn at(self, hop: u8, port: u16) -> SocketAddr {
        let [a, b, c] = self.net;
        (Ipv4Addr::new(a, b, c, hop), port).into()
    }

    fn net_text(self) -> String {
        let [a, b, c] = self.net;
        format!("{a}.{b}.{c}")
    }

    fn app(self) -> SocketAddr {
        self.at(5, 3000)
    }

    fn sidecar(self) -> SocketAddr {
        self.at(4, 8443)
    }

    /// All listening sockets of the hops, with whose they are.
    fn listeners(self) -> [(&'static str, SocketAddr); 5] {
        [
            ("cdn", self.front),
            ("lb", self.at(2, 8081)),
            ("gateway", self.at(3, 8082)),
            ("gateway", self.at(3, 8083)),
            ("sidecar", self.sidecar()),
        ]
    }

    /// What the app must see: the client, and each hop by the address it dialled from.
    fn forwarded_for(self) -> String {
        format!("{CLIENT}, {}, {}, {}", self.at(1, 0).ip(), self.at(2, 0).ip(), self.at(3, 0).ip())
    }
}

/// `bifrons demo-chain`.
pub fn demo_chain(args: &ChainArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = signals::stopped() => Ok(()),
            done = serve(args.once) => done,
        }
    })
}

/// Starts everything, shows one request, and goes on until something ends; dropped, all of it ends.
async fn serve(once: bool) -> Result<(), Failure> {
    let place = if once { Place::own() } else { Place::USUAL };
    let dir = Dir::write().map_err(|error| format!("cannot write the demo's files: {error}"))?;
    let authority = certificates::write(dir.path())?;
    hops::check_free(&place)?;
    let (app, _) = Socket::bind(&Addr::Inet(place.app())).await?;
    // Ends with the runtime.
    tokio::spawn(app.serve("app".into()));
    let mut hops = Hops::start(&dir, &place, once)?;
    hops.ready(&place).await?;
    let asked = hops::or_end(&mut hops, show(&place, dir.path(), &authority)).await?;
    println!("{asked}");
    if !once {
        println!("{}", greeting(&place, dir.path()));
        return hops::or_end(&mut hops, std::future::pending()).await;
    }
    hops.stop().await;
    Ok(())
}

/// One request through all hops, told in a table, and what must hold of it.
async fn show(place: &Place, dir: &Path, authority: &str) -> Result<String, Failure> {
    let client = ask::Client::new(authority)?;
    // The first one makes the connections; the second is what one wants to see.
    client.get(place.front, "localhost", "/hello").await?;
    let answer = client.get(place.front, "localhost", "/hello").await?;
    verify(place, &answer)?;
    let stored = cached(place, &client).await?;
    if client.get(place.sidecar(), "sidecar.mesh", "/hello").await.is_ok() {
        return Err("the sidecar answered a client without a certificate".to_owned().into());
    }
    Ok(told(place, dir, &answer, &stored))
}

/// What the CDN's cache says of the second of two requests for the same file.
async fn cached(place: &Place, client: &ask::Client) -> Result<String, Failure> {
    client.get(place.front, "localhost", "/static/file").await?;
    let again = client.get(place.front, "localhost", "/static/file").await?;
    let said = again.field("cache-status").unwrap_or_default();
    if !said.contains("hit") {
        return Err(format!("the second request for /static/file was no hit of the cache: {said:?}").into());
    }
    Ok(said.to_owned())
}

/// Whether the app saw what it should, and each hop told its time.
fn verify(place: &Place, answer: &Answer) -> Result<(), Failure> {
    if answer.status != 200 {
        return Err(format!("GET /hello was answered with {}:\n{}", answer.status, answer.body).into());
    }
    let want = [
        ("X-Forwarded-For", place.forwarded_for()),
        ("X-Forwarded-Proto", "https".to_owned()),
        ("X-Real-IP", CLIENT.to_string()),
        ("X-Forwarded-Client-Cert", "URI=spiffe://demo/gateway".to_owned()),
    ];
    for (name, want) in want {
        let seen = answer.received(name);
        if seen.as_deref() != Some(&want) {
            return Err(format!("the app saw {name}: {seen:?} instead of {want:?}").into());
        }
    }
    for (name, ..) in HOPS {
        if answer.took_ms(name).is_none() {
            return Err(format!("no Server-Timing of {name}: {:?}", answer.timings()).into());
        }
    }
    Ok(())
}

/// The table.
fn told(place: &Place, dir: &Path, answer: &Answer, stored: &str) -> String {
    let mut text = format!(
        "\nGET https://localhost:{}/hello with a forged X-Forwarded-For: {FORGED}\n\n",
        place.front.port()
    );
    let times: Vec<f64> = HOPS
        .iter()
        .map(|hop| hop.0)
        .chain(["app"])
        .map(|name| answer.took_ms(name).unwrap_or_default())
        .collect();
    // Each tells its own time with all that is behind it, so the difference to the next is what it adds.
    for (((name, _, what), pair), hop) in HOPS.iter().zip(times.windows(2)).zip(1..) {
        let (ip, added) = (place.at(hop, 0).ip().to_string(), pair[0] - pair[1]);
        let _ = writeln!(text, "  {name:<8} {ip:<14} {what:<38} added {added:>7.3} ms");
    }
    let (ip, app) = (place.app().ip().to_string(), times.last().copied().unwrap_or_default());
    let _ = writeln!(text, "  {:<8} {ip:<14} {:<38} took  {app:>7.3} ms", "app", "");
    let _ = writeln!(
        text,
        "  the client waited {:.3} ms, connecting and the TLS handshake included\n\nThe app saw",
        answer.took.as_secs_f64() * 1e3
    );
    for name in ["X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "X-Forwarded-Client-Cert"] {
        let _ = writeln!(text, "  {name}: {}", answer.received(name).unwrap_or_default());
    }
    let _ =
        writeln!(text, "\nThe second GET /static/file came from the CDN's cache\n  Cache-Status: {stored}");
    let _ = write!(text, "\nConfigurations and certificates are in {}", dir.display());
    text
}

fn greeting(place: &Place, dir: &Path) -> String {
    let ca = dir.join(certificates::CA).display().to_string();
    let front = format!("https://localhost:{}", place.front.port());
    let sidecar = place.sidecar();
    format!(
        "
Try, in another terminal:

  CA={ca}
  curl --cacert $CA {front}/hello                           what the app received
  curl --cacert $CA -sD- -o /dev/null {front}/hello         Server-Timing: what each hop added
  curl --cacert $CA -sD- -o /dev/null {front}/static/x      again within ten seconds: a hit of the CDN's cache
  curl --cacert $CA {front}/hello -H 'X-Forwarded-For: {FORGED}'   forged, and gone: the CDN believes nobody
  curl --cacert $CA {front}/internal/x                      the gateway keeps it away
  curl -k https://{sidecar}/hello                          the sidecar lets nobody in without a certificate

Each request is a line of each hop here. Ctrl-C ends everything.
"
    )
}
