//! `bifrons origin`: a small web server that tells what it received. Independent of the proxy's own HTTP
//! engine on purpose, so that a mistake there is not mirrored here. For demos and tests: it trusts its
//! clients and has few limits.

mod answer;
mod message;
mod websocket;

use crate::cli::OriginArgs;
use crate::command::Failure;
use bifrons_net::Addr;
use message::Reader;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

/// What one instance is.
#[derive(Debug)]
pub struct Identity {
    /// Its name in answers.
    pub name: String,
    /// Connections so far.
    connections: AtomicU64,
}

/// Serves until the process ends.
pub fn run(args: &OriginArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for (at, addr) in args.listen.iter().enumerate() {
            let name = args.name.get(at).cloned().unwrap_or_else(|| addr.to_string());
            let (socket, bound) = Socket::bind(addr).await?;
            println!("{name} listens on {bound}");
            tasks.spawn(socket.serve(name));
        }
        tokio::select! {
            _ = tasks.join_next() => {}
            _ = crate::process::signals::stopped() => {}
        }
        Ok(())
    })
}

/// A listening socket of an instance.
pub enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Socket {
    /// Binds; the second value is the address in fact (port 0 is any free one).
    pub async fn bind(addr: &Addr) -> Result<(Self, String), String> {
        let fail = |error: io::Error| format!("cannot listen on {addr}: {error}");
        match addr {
            Addr::Inet(inet) => {
                let listener = TcpListener::bind(inet).await.map_err(fail)?;
                let bound = listener.local_addr().map_err(fail)?.to_string();
                Ok((Self::Tcp(listener), bound))
            }
            Addr::Udp(_) => Err(format!("cannot listen on {addr}: requests come by connections")),
            Addr::Unix(path) => {
                // A stale socket file of an origin before; a live one's loss is a demo's.
                bifrons_net::listen::remove_socket(path);
                Ok((Self::Unix(UnixListener::bind(path).map_err(fail)?), addr.to_string()))
            }
        }
    }

    /// Accepts connections for good.
    pub async fn serve(self, name: String) {
        let identity = Arc::new(Identity { name, connections: AtomicU64::new(0) });
        loop {
            let serial = identity.connections.load(Ordering::Relaxed) + 1;
            let accepted = match &self {
                Self::Tcp(listener) => listener.accept().await.map(|(stream, peer)| {
                    // Small answers must not wait for the client's ACK; where it fails they are late.
                    let _ = stream.set_nodelay(true);
                    spawn(stream, peer.to_string(), &identity, serial);
                }),
                Self::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                    spawn(stream, "unix".into(), &identity, serial);
                }),
            };
            if accepted.is_ok() {
                identity.connections.store(serial, Ordering::Relaxed);
            } else {
                // No descriptors left: connections end meanwhile.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

fn spawn<S>(stream: S, client: String, identity: &Arc<Identity>, serial: u64)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let identity = identity.clone();
    tokio::spawn(async move {
        // A client that goes away is no news.
        let _ = connection(stream, &client, &identity, serial).await;
    });
}

/// Requests until one side ends the connection.
async fn connection<S>(stream: S, client: &str, identity: &Identity, serial: u64) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut io = Reader::new(stream);
    while let Some(request) = io.request().await? {
        let peer = answer::Peer { client, identity, serial };
        if !answer::answer(&mut io, &request, &peer).await? {
            break;
        }
    }
    io.close().await
}
