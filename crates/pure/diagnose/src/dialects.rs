//! Evidence in other programs' words, read into the shared vocabulary.
//!
//! [`log`] reads the logs of mail servers, [`ndr`] non-delivery reports, [`transcript`] dialogues that tools
//! and people write down; [`mailbox`] parts a file of messages. Nothing outside this module knows a vendor's format.

mod assembly;
pub mod log;
pub mod mailbox;
pub mod ndr;
mod quoted;
pub mod transcript;
