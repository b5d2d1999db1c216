//! One module for each command, named like it.

pub mod analyze;
pub mod compare;
pub mod completions;
pub mod config;
pub mod door;
pub mod explain;
pub mod lab;
pub mod mx;
pub mod probe;
pub mod queue;
pub mod queue_order;
pub mod reload;
pub mod send;
pub mod serve;
pub mod shell;
pub mod spool;
pub mod status;
pub mod stop;
pub mod tls_report;
pub mod user;
pub mod why;
