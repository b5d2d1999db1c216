//! Reading a Maildir.

use std::{fs, path::Path, time::Duration};

use crate::program::wait_for;

/// All messages of a Maildir that have arrived, `new` before `cur`; none if it isn't there yet.
///
/// # Panics
///
/// When a message can't be read.
pub fn read(folder: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = ["new", "cur"]
        .iter()
        .filter_map(|part| fs::read_dir(folder.join(part)).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
        .collect()
}

/// Waits until it holds `count` messages, and gives them.
///
/// # Panics
///
/// When they have not come after 20 s.
#[track_caller]
pub fn wait(folder: &Path, count: usize) -> Vec<Vec<u8>> {
    wait_for(&format!("{count} messages in {}", folder.display()), Duration::from_secs(20), || {
        let messages = read(folder);
        (messages.len() >= count).then_some(messages)
    })
}
