//! The rules of caching, through the proxy, each with the section it is from.

mod fields;
mod freshness;
mod methods;
mod requests;
mod stale;
mod targeted;
mod validation;
mod vary;
