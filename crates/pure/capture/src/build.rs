//! The other way round: captures of made-up traffic, with right lengths and checksums.
//!
//! Tests, the lab and the generator of big captures write with it: a [`Segment`] becomes an IP packet,
//! a [`Conversation`] counts sequence numbers, a [`File`] frames packets.

mod conversation;
mod file;
mod packet;

pub use conversation::{Conversation, Timed};
pub use file::{File, Link};
pub use packet::{ACK, FIN, PSH, RST, SYN, Segment, fragments, unreachable};
