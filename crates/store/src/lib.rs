//! Where answers are kept: a memory tier over a disk tier, found by key and variant, purged by URL, prefix,
//! host and tag.
//!
//! The store knows nothing of HTTP's rules: what is fresh, what may be stored and what a variant is, the
//! cache decides, which is a layer above. Its way through a [`Zone`]:
//!
//! 1. [`Zone::key`], then [`Zone::find`]: an [`Object`] in memory, or one to wait for.
//! 2. On a miss: [`Zone::ticket`] before the request goes out, [`Zone::begin`] when the head has come, then
//!    [`Fill::push`] and [`Fill::finish`]. Those that wait for the same answer read [`Fill::object`] meanwhile.
//! 3. A confirmed one: [`Zone::renew`]. An outdated one: [`Zone::remove`]. Purges: [`Zone::purge`].
//!
//! Files, from the top: `zone.rs` (all of the above), `index.rs` (what is stored), `memory.rs`, `growing.rs`
//! and `fill.rs` (what arrives), `purge.rs`, `disk.rs` with its folder.

mod body;
mod config;
mod disk;
mod fill;
mod growing;
mod index;
mod key;
mod memory;
mod object;
pub mod purge;
mod stats;
#[cfg(test)]
mod testing;
mod ticket;
mod uses;
mod zone;
mod zones;

pub use body::{Body, ReadError, Reader};
pub use config::ZoneConfig;
pub use disk::DiskBody;
pub use fill::Fill;
pub use growing::Growing;
pub use key::{Key, tag_hash};
pub use object::{Meta, Object};
pub use purge::{KeyInputs, Mode, Purge, PurgeError, Scope};
pub use stats::{Counter, Stats, Usage};
pub use ticket::Ticket;
pub use zone::{Found, Listed, Loading, Zone};
pub use zones::{Zones, ZonesError};
