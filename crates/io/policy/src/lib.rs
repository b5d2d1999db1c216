//! At the door: may this client, this sender, this recipient come in?

pub mod asked;
pub mod dnsbl;
pub mod facts;
pub mod greylist;
pub mod names;
pub mod rates;
pub mod recent;
pub mod settings;
pub mod verdict;
pub mod waited;

pub use verdict::{Detail, Ended, Outcome, Refusal, Verdict};
