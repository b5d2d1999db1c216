//! What the guard knows, kept in `logins.log`: see [`crate::journal`]. There is no file before there is
//! something to keep.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use smtp::Timestamp;
use world::Disk;

use super::{Book, Guard, Inner, State};
use crate::{
    journal::{Form, Journal},
    settings::Logins,
};

const FORM: Form = Form { name: "logins.log", head: b"MWLOGIN1" };

/// Where it is kept.
pub(super) struct Place {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    /// Held while it is written to, which is not done under the book's lock.
    journal: Mutex<Option<Journal>>,
}

impl Guard {
    /// Reads what is in `directory`, if anything is. `key` makes the marks; with another one users are known
    /// nowhere. `wake` is told when there is something to write.
    ///
    /// # Errors
    /// If the file can't be read. Damage is no error: what stands before it is kept.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        settings: &Logins,
        key: &[u8],
        now: Timestamp,
        wake: Arc<tokio::sync::Notify>,
    ) -> io::Result<Self> {
        let mut state = State::new(Book::new(key));
        let book = &mut state.book;
        let found = Journal::find(disk.clone(), directory, FORM, &mut |change| {
            book.apply(settings, change, now);
        })?;
        let journal = found.map(|(journal, lost)| {
            if lost > 0 {
                tracing::warn!(path = %journal.path().display(), octets = lost, "logins: the end was damaged and left out");
                state.news.rewrite();
            }
            tracing::info!(entries = state.book.len(), "failed logins opened");
            journal
        });
        let directory = directory.to_owned();
        let place = Place { disk, directory, journal: Mutex::new(journal) };
        let inner =
            Inner { state: Mutex::new(state), held: Default::default(), place: Some(place), wake };
        Ok(Self(Arc::new(inner)))
    }

    /// Writes what has changed. Blocks on the disk. `sync`: through a power cut too, not only through the end
    /// of the process.
    ///
    /// # Errors
    /// What was not written is tried again with the next call.
    pub fn write(&self, settings: &Logins, now: Timestamp, sync: bool) -> io::Result<()> {
        let Some(place) = &self.0.place else { return Ok(()) };
        let mut journal = place.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if journal.is_none() && self.state(|state| state.news.is_empty()) {
            return Ok(());
        }
        let saved = match &mut *journal {
            Some(journal) => self.save(journal, settings, now, sync),
            none => Journal::open(
                place.disk.clone(),
                &place.directory,
                FORM,
                &mut |_: super::Change| {},
            )
            .and_then(|(made, _)| self.save(none.insert(made), settings, now, sync)),
        };
        if saved.is_err() {
            self.state(|state| state.news.rewrite());
        }
        saved
    }

    fn save(
        &self,
        journal: &mut Journal,
        settings: &Logins,
        now: Timestamp,
        sync: bool,
    ) -> io::Result<()> {
        let (news, whole) = self.state(|state| {
            let news = std::mem::take(&mut state.news);
            let whole = journal.wants_whole(&news, state.book.len());
            (news, whole.then(|| state.book.encode(settings, now)))
        });
        journal.save(&news, whole, sync)
    }
}

/// The directory that the file is in, under the data directory.
pub fn directory(data: &Path) -> PathBuf {
    data.join("logins")
}
