//! What TLS came to with whom, day by day (TLSRPT, RFC 8460): counted for each recipient domain and
//! policy, kept in files of their own, and told to domains that ask for it.
//!
//! Counting is on by default, sending is not: a report tells a stranger about our mail.

mod day;
mod keep;
mod mail;
mod report;
mod rua;
mod send;
mod web;

pub use day::{Day, DomainDay};
pub use keep::{Keeper, Sight};
pub use report::{About, json};
pub use send::run;
