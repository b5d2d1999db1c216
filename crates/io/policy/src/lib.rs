//! At the door: may this client, this sender, this recipient come in?

pub mod dnsbl;
pub mod recent;
pub mod verdict;

pub use verdict::{Detail, Ended, Outcome, Refusal, Verdict};
