//! Sockets and nothing above them. The only crate of the project that may use `unsafe`.
//!
//! [`Stream`] is kept narrow on purpose (read into a buffer we own, vectored write), so that another
//! backend can come later without touching what is above it.

pub mod addr;
pub mod alloc;
pub mod clock;
pub mod dial;
pub mod handover;
pub mod listen;
pub mod splice;
pub mod stream;
pub mod tcp_info;
pub mod timer;
pub mod tls;
pub mod udp;

pub use addr::Addr;
pub use listen::{Acceptor, ListenOptions, Listening, TcpKeepAlive};
pub use stream::{Stream, Waiting};
pub use tcp_info::TcpInfo;
pub use timer::Timer;
pub use tls::Tls;
pub use udp::Udp;
