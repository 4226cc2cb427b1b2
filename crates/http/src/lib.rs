//! HTTP messages, the HTTP/1 engine of both sides, the pool of upstream connections, and what is known
//! about a request while it is on its way.

pub mod base64;
pub mod buffers;
pub mod coded;
pub mod cx;
pub mod date;
pub mod document;
pub mod encoding;
pub mod h1;
pub mod h2;
pub mod head;
pub mod headers;
pub mod message;
pub mod name;
pub mod pacer;
pub mod pool;
pub mod range;
pub mod spool;
pub mod status;
pub mod termination;
#[cfg(test)]
mod testing;
pub mod tls_facts;
pub mod told;
pub mod vars;

pub use cx::{AskedHello, Attempt, ConnFacts, Layer4, ReqCx};
pub use document::{DocumentRoot, Strip};
pub use encoding::Encoding;
pub use head::{Method, RequestHead, ResponseHead, TargetMark, Version};
pub use headers::Headers;
pub use message::{Body, Duplex, FileBody, Request, Response, Source, Transform, Tunnel};
pub use name::{FieldName, Name};
pub use tls_facts::TlsFacts;
pub use told::{Tlvs, Told};
