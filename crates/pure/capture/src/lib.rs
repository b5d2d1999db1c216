//! Reading packets: a capture in, [`diagnose::Session`]s out.
//!
//! `capture file -> packets -> reassembled streams -> [follow] -> Session`. Everything works on a
//! stream of octets in bounded memory; nothing here opens a file.
//!
//! | module      | what                                                                          |
//! |-------------|-------------------------------------------------------------------------------|
//! | `analysis`  | [`Analysis`]: everything put together                                          |
//! | `file`      | pcap and pcapng, in pieces of any size                                         |
//! | `decode`    | link layers, IP, TCP, ICMP                                                     |
//! | `fragments` | IP packets in fragments                                                        |
//! | `tcp`       | reassembly, and what the packets show of a connection                          |
//! | [`follow`]  | the dialogue of a connection                                                   |
//! | [`build`]   | the other way round: captures of made-up traffic, for tests and the lab        |

mod analysis;
pub mod build;
mod decode;
mod file;
pub mod follow;
mod fragments;
pub mod keys;
mod limits;
mod problem;
mod tcp;
mod tls;

pub use analysis::{Analysis, Progress};
pub use file::{foreign, is_capture};
pub use limits::Limits;
pub use problem::{Problem, Trouble};
