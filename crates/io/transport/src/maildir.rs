//! Final delivery into a Maildir.
//!
//! | step                          | after a crash                                          |
//! |-------------------------------|--------------------------------------------------------|
//! | written to `tmp/NAME`, synced | a file in `tmp`, that mail readers remove after 36 h   |
//! | renamed to `new/NAME`         | perhaps there; nobody was told, so it is delivered again |
//! | directory `new` synced        | there; only now the outcome is `Relayed`               |
//!
//! Names are never used twice: seconds, chance and host. Directories have mode 0700, files 0600.

use std::{io, io::IoSlice, path::Path, path::PathBuf, sync::Arc};

use bytes::Bytes;
use smtp::{Cause, EnhancedStatus, Outcome, Recipient, Reply, ReversePath, Stage, Trouble};
use world::{
    World,
    disk::{File, Open},
};

use crate::content::Content;

/// What is read and written at once of content that is not in memory.
const PIECE: usize = 256 * 1024;

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
    let name = unique_name(world, mail.host);
    let (temporary, new) = (directory.join("tmp").join(&name), directory.join("new").join(&name));
    match write(world, directory, &temporary, &new, mail).await {
        Ok(()) => {
            Outcome::Relayed(Reply::new(250, (2, 0, 0), format!("delivered as {}", new.display())))
        }
        Err(error) => {
            Outcome::Deferred(Cause { stage: Stage::Mailbox, trouble: trouble(directory, &error) })
        }
    }
}

async fn write(
    world: &World,
    directory: &Path,
    temporary: &Path,
    new: &Path,
    mail: &Delivery<'_>,
) -> io::Result<()> {
    let head = trace_fields(mail.reverse_path, mail.recipient);
    let (made, path) = (directory.to_owned(), temporary.to_owned());
    let file = blocking(world, move |world| create(world, &made, &path)).await?;
    let written = write_content(world, &file, head, mail.content).await;
    let (directory, temporary, new) = (directory.to_owned(), temporary.to_owned(), new.to_owned());
    blocking(world, move |world| {
        if let Err(error) = written.and_then(|()| file.sync()) {
            // The error above is the one to tell; a leftover in `tmp` does no harm.
            let _ = world.disk.remove(&temporary);
            return Err(error);
        }
        world.disk.rename(&temporary, &new)?;
        world.disk.sync_directory(&directory.join("new"))
    })
    .await
}

/// The file, in a Maildir that is made on the way where it is missing.
fn create(world: &World, directory: &Path, temporary: &Path) -> io::Result<Arc<dyn File>> {
    match world.disk.open(temporary, Open::New) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            for part in ["cur", "new", "tmp"] {
                world.disk.create_directory(&directory.join(part))?;
            }
            world.disk.open(temporary, Open::New)
        }
        other => other,
    }
}

async fn write_content(
    world: &World,
    file: &Arc<dyn File>,
    head: Bytes,
    content: &dyn Content,
) -> io::Result<()> {
    if let Some([prefix, rest]) = content.in_memory() {
        let file = Arc::clone(file);
        return blocking(world, move |_| {
            file.write_at(0, &mut [IoSlice::new(&head), IoSlice::new(&prefix), IoSlice::new(&rest)])
        })
        .await;
    }
    let (mut piece, mut at, mut offset) = (head, 0, 0);
    loop {
        let (target, octets) = (Arc::clone(file), piece);
        let length = octets.len() as u64;
        blocking(world, move |_| target.write_at(at, &mut [IoSlice::new(&octets)])).await?;
        at += length;
        if offset >= content.len() {
            return Ok(());
        }
        piece = content.read(offset, PIECE).await?;
        if piece.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the content ends too early"));
        }
        offset += piece.len() as u64;
    }
}

/// RFC 5321 section 4.4: final delivery writes the reverse-path on top.
pub(crate) fn trace_fields(reverse_path: &ReversePath, recipient: &Recipient) -> Bytes {
    let mut head = Vec::with_capacity(128);
    message::trace::return_path(reverse_path, &mut head);
    head.extend_from_slice(b"Delivered-To: ");
    head.extend_from_slice(recipient.forward_path.as_str().as_bytes());
    head.extend_from_slice(b"\r\n");
    Bytes::from(head)
}

/// `1732241640.M123R0123456789abcdef.host`.
fn unique_name(world: &World, host: &str) -> PathBuf {
    let now = world.clock.now().0;
    // A `/` would leave the directory, a `:` begins the flags of `cur`.
    let host: String =
        host.chars().map(|c| if matches!(c, '/' | ':' | '\0') { '_' } else { c }).collect();
    PathBuf::from(format!("{}.M{:03}R{:016x}.{host}", now / 1000, now % 1000, world.random.u64()))
}

/// Runs what blocks where blocking does no harm.
pub(crate) async fn blocking<T: Send + 'static>(
    world: &World,
    work: impl FnOnce(&World) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let own = world.clone();
    world.aside(move || work(&own)).await.unwrap_or_else(Err)
}

fn trouble(directory: &Path, error: &io::Error) -> Trouble {
    let mailbox = directory.display();
    let (status, text) = match error.kind() {
        io::ErrorKind::StorageFull => {
            ((4, 3, 1), format!("the disk that holds `{mailbox}` is full"))
        }
        io::ErrorKind::QuotaExceeded => {
            ((4, 2, 2), format!("the quota for `{mailbox}` is used up"))
        }
        io::ErrorKind::PermissionDenied => {
            ((4, 2, 0), format!("no permission to write into `{mailbox}`"))
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            ((4, 2, 0), format!("the disk that holds `{mailbox}` can only be read"))
        }
        io::ErrorKind::NotADirectory => ((4, 2, 0), format!("`{mailbox}` is no directory")),
        _ => ((4, 2, 0), format!("cannot write into `{mailbox}`: {error}")),
    };
    let status: (u8, u16, u16) = status;
    Trouble::Local(EnhancedStatus::new(status.0, status.1, status.2), text)
}
