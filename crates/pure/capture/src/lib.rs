//! Reading packets: a capture in, [`diagnose::Session`]s out.
//!
//! `capture file -> packets -> reassembled streams -> [follow] -> Session`. Everything works on a
//! stream of octets in bounded memory; nothing here opens a file.

pub mod follow;
