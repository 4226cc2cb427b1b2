//! Routes of layer 4, ready to serve.

use super::RoutePlan;
use bifrons_model::{StartTls, TcpProtocol};
use bifrons_observe::metrics::DatagramStats;
use bifrons_route::IpSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Routes of layer 4.
pub struct TcpPlan {
    /// In order.
    pub routes: Vec<TcpRoutePlan>,
    /// Whether any of them asks for first bytes.
    pub asks_bytes: bool,
    /// How long those may take.
    pub first_bytes: Duration,
    /// Whether a client that sends none in that time is closed.
    pub is_silence_over: bool,
    /// In whose words clients ask for TLS first.
    pub starttls: Option<StartTls>,
}

/// Which connections go where.
pub struct TcpRoutePlan {
    /// Names in lower case; those that begin with `.` are ends of names.
    pub sni: Vec<String>,
    /// Protocols in TLS.
    pub alpn: Vec<Vec<u8>>,
    /// Networks.
    pub source: Option<IpSet>,
    /// Protocols by first bytes.
    pub protocol: Vec<TcpProtocol>,
    /// What becomes of them.
    pub action: TcpAction,
}

/// What becomes of a connection.
#[derive(Clone)]
pub enum TcpAction {
    /// It has requests.
    Http,
    /// It goes to the cluster of the route.
    Proxy {
        /// With the action `proxy`.
        route: Arc<RoutePlan>,
        /// Whether its TLS ends here.
        terminate: bool,
    },
}

/// Routes of datagrams.
pub struct UdpPlan {
    /// In order.
    pub routes: Vec<Arc<UdpRoutePlan>>,
    /// Whether any of them ends sessions after so many datagrams.
    pub counts: bool,
    /// Sessions at once.
    pub sessions_max: u32,
    /// Sessions of one address at once; 0: any.
    pub per_address_max: u32,
    /// Series of its metrics.
    pub stats: DatagramStats,
}

/// Which sessions go where.
pub struct UdpRoutePlan {
    /// Networks.
    pub source: Option<IpSet>,
    /// With the action `proxy`, or `respond`.
    pub route: Arc<RoutePlan>,
    /// Answers to each datagram; `None`: any number.
    pub responses: Option<u32>,
    /// Datagrams of a session; 0: any number.
    pub requests: u32,
    /// How long nothing may come.
    pub idle: Duration,
}

impl UdpRoutePlan {
    /// Whether it takes sessions of the client.
    pub fn takes(&self, ip: IpAddr) -> bool {
        self.source.as_ref().is_none_or(|nets| nets.contains(ip))
    }
}
