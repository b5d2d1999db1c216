//! The tree that is scored: its files, and what is read of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use capture::{Analysis, Limits};
use diagnose::Session;
use serde_json::Value;

/// All files below a folder whose path satisfies, in order.
pub fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if wanted(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// All files below a folder whose path ends so, in order.
pub fn files_ending(folder: &Path, end: &str) -> Vec<PathBuf> {
    files(folder, &|path| path.to_string_lossy().ends_with(end))
}

/// A file's JSON value; `None` if it is not there or is none.
pub fn read_json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Every session of a capture.
pub fn sessions(capture: &Path) -> Vec<Session> {
    let octets = fs::read(capture).unwrap_or_default();
    let mut analysis = Analysis::new(Limits::default());
    analysis.feed(&octets);
    analysis.finish();
    analysis.sessions()
}
