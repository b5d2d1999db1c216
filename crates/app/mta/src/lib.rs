//! The transfer agent: what runs, and when.
//!
//! Here the parts meet that don't know each other: sessions, spool, queue, transport, evidence.

pub mod agent;
pub mod carried;
pub mod config;
pub mod context;
mod control;
mod customer;
mod decoys;
pub mod events;
pub mod evidence;
pub mod handle;
mod identity;
pub mod inquire;
pub mod intake;
mod kept;
pub mod listen;
pub mod metrics;
pub mod notify;
mod outgoing_tls;
pub mod queue;
pub mod quirks;
pub mod record;
pub mod run;
mod session;
pub mod tasks;
pub mod tls_reports;
pub mod why;

pub use agent::{Agent, Pace, StartError};
