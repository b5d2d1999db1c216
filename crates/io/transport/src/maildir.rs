//! Final delivery into a Maildir.

use std::path::Path;

use smtp::{Outcome, Recipient, ReversePath};
use world::World;

use crate::content::Content;

/// One message for one local mailbox.
pub struct Delivery<'a> {
    /// For `Return-Path:`.
    pub reverse_path: &'a ReversePath,
    /// For `Delivered-To:`.
    pub recipient: &'a Recipient,
    /// This host's name, for the file's name.
    pub host: &'a str,
    /// What is written behind those two.
    pub content: &'a dyn Content,
}

/// Writes a message into the Maildir at `directory`, which is made if it is missing. After
/// `Relayed` it is on stable storage.
pub async fn deliver(world: &World, directory: &Path, mail: &Delivery<'_>) -> Outcome {
    let _ = (world, directory, mail);
    todo!()
}
