//! Explaining: from evidence to findings.
//!
//! [`examine()`] looks at one attempt of ours and says which line decided, who has to act and why;
//! [`meanings`] is the one table of what reply codes and enhanced statuses mean. Nothing here states
//! more than its evidence carries: where two explanations are possible, the finding names the test
//! that would tell them apart. [`class`] puts refusals into classes for machines; [`dialects`] reads other
//! people's formats.

#[cfg(test)]
extern crate self as diagnose;

pub mod blocklists;
mod cascade;
pub mod class;
pub mod compare;
pub mod dialects;
pub mod dialogue;
mod evidence;
pub mod examine;
pub mod explanation;
pub mod finding;
pub mod fingerprint;
pub mod happening;
pub mod inspect;
pub mod known;
pub mod meanings;
#[cfg(test)]
#[path = "../tests/notation/mod.rs"]
mod notation;
mod own;
mod quote;
mod rules;
pub mod sequence;
pub mod session;
pub mod summary;
pub mod testimony;

pub use class::{Class, class_of};
pub use examine::{examine, examine_reply, examine_testimony};
pub use finding::{Confidence, Finding, Party, Weight};
pub use happening::Happening;
pub use inspect::inspect;
pub use meanings::Meaning;
pub use rules::table::{RULE_NAMES, RuleName, is_rule};
pub use session::Session;
pub use testimony::Testimony;
