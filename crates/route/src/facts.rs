//! What a route may depend on.

use std::net::IpAddr;

/// A request as routing sees it. `flow` implements it on its own request type.
pub trait Facts {
    /// The path after [`normalize`](crate::path::normalize), without the query.
    fn path(&self) -> &[u8];

    /// The method as it came, such as `GET`.
    fn method(&self) -> &[u8];

    /// Calls `accept` with the value of each field of this name, in order, until it answers `true`.
    /// `name` is lower case, fields are compared without case. `true` when one was accepted.
    fn header(&self, name: &str, accept: &mut dyn FnMut(&[u8]) -> bool) -> bool;

    /// The query as it came, without the `?`; empty where there is none.
    fn query(&self) -> &[u8];

    /// The client's address: the real one, where a trusted proxy told it.
    fn client(&self) -> IpAddr;
}

#[cfg(test)]
pub(crate) mod tests;
