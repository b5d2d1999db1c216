//! The transfer agent: what runs, and when.
//!
//! Here the parts meet that don't know each other: sessions, spool, queue, transport, evidence.

pub mod config;
pub mod events;
pub mod evidence;
pub mod handle;
pub mod metrics;
pub mod why;
