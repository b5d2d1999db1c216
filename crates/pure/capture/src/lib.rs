//! Reading packets: a capture in, [`diagnose::Session`]s out.
//!
//! `capture file -> packets -> reassembled streams -> [follow] -> Session`. Everything works on a
//! stream of octets in bounded memory; nothing here opens a file.

pub mod follow;
pub mod keys;
mod limits;
mod problem;

pub use limits::Limits;
pub use problem::{Problem, Trouble};
