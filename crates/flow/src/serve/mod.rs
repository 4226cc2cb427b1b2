//! Step 3. One file per downstream protocol.

pub mod http1;
pub mod http2;
pub mod tcp;
pub mod udp;
