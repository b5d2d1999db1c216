//! At the door: may this client, this sender, this recipient come in?
//!
//! [`Policy`] judges a [`Case`] and gives a [`Verdict`]: the reply to say or none, under a rule's name
//! that stays the same, the lists' score, and what each check found. [`CHECKS`] is the table of all
//! checks in their order. Everything outside is `world`'s: names, time, files.
//!
//! Nothing here loses mail: what could not be found out passes or is put off, as configured, and what
//! is remembered is bounded, whoever comes how often.

pub mod asked;
mod case;
mod checks;
pub mod dnsbl;
pub mod facts;
pub mod greylist;
pub mod guard;
pub mod journal;
pub mod names;
mod policy;
pub mod rates;
pub mod recent;
pub mod settings;
pub mod verdict;
pub mod waited;

pub use case::Case;
pub use checks::{CHECKS, Check, EARLY_TALKER, LOGIN_RATE, LOGIN_UNAVAILABLE, Stage, WRONG_LOGIN};
pub use policy::{Ourselves, Policy, PolicyError, Set};
pub use settings::Settings;
pub use verdict::{Detail, Ended, Outcome, Refusal, Verdict};
