//! The evidence log: what was said and decided about each message, kept after the message is gone.
//!
//! Contract. [`Log::record`] costs a copy into memory and never waits for a disk: mail goes first. A
//! writer behind it (a thread, or a task in the simulated world) writes at least every
//! [`Settings::flush_every`]; what does not fit its buffer is dropped, counted and said in an event.
//! Nothing here is synced: a power cut may cost the newest seconds of evidence, never mail. Damage is
//! skipped and counted, never fatal.
//!
//! | file           | what                                                        |
//! | `00000007.log` | 8 octets of header, then frames; see [`frame`]              |
//! | `00000007.idx` | written when the log file is sealed; see [`index`]           |
//!
//! Files are numbered upwards and never appended to after a restart. The log is bounded by size and
//! by age: the oldest file goes whole, with its index.

mod entry;
mod files;
mod find;
mod frame;
mod index;
mod key;
mod log;

pub use entry::{
    Attempted, Client, Decided, Decision, DsnKind, Entry, Kind, Learned, Origin, Received, Refused,
};
pub use find::Order;
pub use key::Key;
pub use log::{EvidenceError, Log, Pace, Settings, Usage};

#[cfg(test)]
mod tests;
