//! A disk in memory that loses power, fills up, fails and rots on demand; the same seed, the same harm.
//!
//! It keeps the contract of [`crate::disk`] to the letter and no better: after [`SimDisk::crash`] a file
//! holds what its last `sync` covered, and of anything newer each 512-octet sector is new or old at
//! random; directory changes since the last `sync_directory` happened in part, or not. A failed `sync`
//! is the nasty kind: what it should have covered is never made durable by a later one, unless it is
//! written again.
//!
//! Each change to the disk is a step. After the step named by [`SimDisk::crash_after`] every call fails
//! until `crash()`, which is the reboot: handles from before it stay dead for ever.

mod file;

use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use self::file::SimFile;
use crate::disk::{Disk, File, Open};

/// What a disk writes as one.
const SECTOR: u64 = 512;

/// The simulated disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

struct State {
    rng: fastrand::Rng,
    incarnation: u64,
    steps: u64,
    crash_at: Option<u64>,
    down: bool,
    power_lost: Arc<Notify>,
    capacity: u64,
    delay: Duration,
    writes_until_failure: Option<u64>,
    syncs_until_failure: Option<u64>,
    syncs: u64,
    written: u64,
    live: BTreeMap<PathBuf, Entry>,
    durable: BTreeMap<PathBuf, Entry>,
    pending: Vec<Change>,
    locks: BTreeMap<PathBuf, u64>,
}

#[derive(Clone)]
enum Entry {
    Directory,
    File(Arc<Mutex<Node>>),
}

/// A file's content. Octets between `octets.len()` and `length` read as zeros.
#[derive(Default)]
struct Node {
    octets: Vec<u8>,
    length: u64,
    durable_length: u64,
    /// Sectors as they were when last synced, where they have been written since.
    unsynced: BTreeMap<u64, Box<[u8]>>,
    /// The same, for sectors that a failed sync gave up on: no later sync covers them.
    given_up: BTreeMap<u64, Box<[u8]>>,
}

/// A change to directories that no `sync_directory` has covered yet.
enum Change {
    Create(PathBuf, Entry),
    Rename(PathBuf, PathBuf, Entry),
    Remove(PathBuf),
}

impl SimDisk {
    /// An empty disk without limits. The seed decides what a crash leaves.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: fastrand::Rng::with_seed(seed),
            incarnation: 0,
            steps: 0,
            crash_at: None,
            down: false,
            power_lost: Arc::default(),
            capacity: u64::MAX,
            delay: Duration::ZERO,
            writes_until_failure: None,
            syncs_until_failure: None,
            syncs: 0,
            written: 0,
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            locks: BTreeMap::new(),
        })))
    }

    /// Cuts the power and boots again: unsynced octets and directory changes are lost, torn or kept at
    /// random, open files and locks are gone, and calls work again.
    pub fn crash(&self) {
        self.state().crash();
    }

    /// Lets `steps` more changes happen; after that every call fails until [`SimDisk::crash`].
    pub fn crash_after(&self, steps: u64) {
        let mut state = self.state();
        state.crash_at = Some(state.steps + steps);
        state.down = steps == 0;
    }

    /// Whether the power is off, waiting for [`SimDisk::crash`].
    pub fn is_down(&self) -> bool {
        self.state().down
    }

    /// Waits until the power goes off: the moment to stop what runs on this machine.
    pub async fn power_lost(&self) {
        let notify = self.state().power_lost.clone();
        loop {
            let lost = notify.notified();
            if self.is_down() {
                return;
            }
            lost.await;
        }
    }

    /// Changes made so far.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Syncs of files made so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Octets written so far.
    pub fn written(&self) -> u64 {
        self.state().written
    }

    /// Limits the octets that fit; growing beyond fails with `StorageFull`.
    pub fn limit(&self, capacity: u64) {
        self.state().capacity = capacity;
    }

    /// Octets in use, by the files' lengths.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// The `n`th write from now on (1 is the next) fails with an I/O error, having written a part.
    pub fn fail_write(&self, n: u64) {
        self.state().writes_until_failure = Some(n);
    }

    /// The `n`th sync of a file from now on (1 is the next) fails with an I/O error.
    pub fn fail_sync(&self, n: u64) {
        self.state().syncs_until_failure = Some(n);
    }

    /// Makes each sync block its thread for so long (real time: for tests with threads only).
    pub fn slow(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Flips the bits of `mask` in one octet, durably, as a failing medium would.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) -> io::Result<()> {
        let node = self.state().node(path)?;
        let mut node = lock(&node);
        node.extend_octets(offset + 1);
        node.octets[offset as usize] ^= mask;
        Ok(())
    }

    /// Zeros a range, durably, as a lost write would.
    pub fn zero(&self, path: &Path, offset: u64, length: u64) -> io::Result<()> {
        let node = self.state().node(path)?;
        let mut node = lock(&node);
        let end = (node.octets.len() as u64).min(offset + length);
        if offset < end {
            node.octets[offset as usize..end as usize].fill(0);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_power() -> io::Error {
    io::Error::other("the simulated machine has lost its power")
}

fn injected(what: &str) -> io::Error {
    io::Error::other(format!("injected I/O error in {what}"))
}

impl State {
    fn check(&self) -> io::Result<()> {
        if self.down { Err(no_power()) } else { Ok(()) }
    }

    /// Called once for each change, before it is made: the change of the last step still happens.
    fn step(&mut self) -> io::Result<()> {
        self.check()?;
        self.steps += 1;
        self.down = self.crash_at.is_some_and(|at| self.steps >= at);
        if self.down {
            self.power_lost.notify_waiters();
        }
        Ok(())
    }

    fn used(&self) -> u64 {
        self.live
            .values()
            .map(|entry| match entry {
                Entry::Directory => 0,
                Entry::File(node) => lock(node).length,
            })
            .sum()
    }

    fn reserve(&self, more: u64) -> io::Result<()> {
        if self.capacity < u64::MAX && self.used().saturating_add(more) > self.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn node(&self, path: &Path) -> io::Result<Arc<Mutex<Node>>> {
        match self.live.get(path) {
            Some(Entry::File(node)) => Ok(node.clone()),
            Some(Entry::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn directory_of(&self, path: &Path) -> io::Result<()> {
        match path.parent().map(|parent| self.live.get(parent)) {
            Some(Some(Entry::Directory)) | None => Ok(()),
            // The top: an empty relative parent always exists.
            Some(None) if path.parent().is_some_and(|p| p.as_os_str().is_empty()) => Ok(()),
            Some(Some(Entry::File(_))) => Err(io::ErrorKind::NotADirectory.into()),
            Some(None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn crash(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        // A journal keeps a prefix; a disk without one keeps any of the changes.
        let prefix = self.rng.bool().then(|| self.rng.usize(..=pending.len()));
        for (n, change) in pending.into_iter().enumerate() {
            if prefix.map_or_else(|| self.rng.bool(), |prefix| n < prefix) {
                change.apply(&mut self.durable);
            }
        }
        for entry in self.durable.values() {
            if let Entry::File(node) = entry {
                lock(node).crash(&mut self.rng);
            }
        }
        self.live = self.durable.clone();
        self.locks.clear();
        self.incarnation += 1;
        self.crash_at = None;
        self.down = false;
        self.writes_until_failure = None;
        self.syncs_until_failure = None;
    }
}

/// Counts down; true when the time has come.
fn is_now(countdown: &mut Option<u64>) -> bool {
    match countdown {
        Some(0 | 1) => {
            *countdown = None;
            true
        }
        Some(n) => {
            *n -= 1;
            false
        }
        None => false,
    }
}

impl Change {
    fn touches(&self, directory: &Path) -> bool {
        match self {
            Self::Create(path, _) | Self::Remove(path) => path.parent() == Some(directory),
            Self::Rename(from, to, _) => {
                from.parent() == Some(directory) || to.parent() == Some(directory)
            }
        }
    }

    fn apply(self, entries: &mut BTreeMap<PathBuf, Entry>) {
        match self {
            Self::Create(path, entry) => {
                entries.insert(path, entry);
            }
            Self::Rename(from, to, entry) => {
                entries.remove(&from);
                entries.insert(to, entry);
            }
            Self::Remove(path) => {
                entries.remove(&path);
            }
        }
    }
}

impl Node {
    fn extend_octets(&mut self, end: u64) {
        if (self.octets.len() as u64) < end {
            self.octets.resize(end as usize, 0);
        }
    }

    fn sector(&self, number: u64) -> Box<[u8]> {
        let mut sector = vec![0; SECTOR as usize].into_boxed_slice();
        let start = ((number * SECTOR) as usize).min(self.octets.len());
        let end = (((number + 1) * SECTOR) as usize).min(self.octets.len());
        sector[..end - start].copy_from_slice(&self.octets[start..end]);
        sector
    }

    fn remember(&mut self, from: u64, to: u64) {
        for number in from / SECTOR..to.div_ceil(SECTOR) {
            // Written again: a later sync covers it, but a crash before that brings back what was
            // durable, which is older than what the failed sync gave up on.
            if let Some(old) = self.given_up.remove(&number) {
                self.unsynced.insert(number, old);
            } else if !self.unsynced.contains_key(&number) {
                let old = self.sector(number);
                self.unsynced.insert(number, old);
            }
        }
    }

    fn write(&mut self, mut offset: u64, slices: &[IoSlice<'_>]) {
        let total: usize = slices.iter().map(|s| s.len()).sum();
        self.remember(offset, offset + total as u64);
        self.extend_octets(offset + total as u64);
        for slice in slices {
            self.octets[offset as usize..offset as usize + slice.len()].copy_from_slice(slice);
            offset += slice.len() as u64;
        }
        self.length = self.length.max(offset);
    }

    fn set_len(&mut self, length: u64) {
        if length < self.octets.len() as u64 {
            self.remember(length, self.octets.len() as u64);
            self.octets.truncate(length as usize);
        }
        self.length = length;
    }

    fn synced(&mut self, ok: bool) {
        let unsynced = std::mem::take(&mut self.unsynced);
        if ok {
            self.durable_length = self.length;
        } else {
            self.given_up.extend(unsynced);
        }
    }

    fn crash(&mut self, rng: &mut fastrand::Rng) {
        let kept_in_16 = [0, 8, 16][rng.usize(..3)];
        let mut unsynced = std::mem::take(&mut self.unsynced);
        unsynced.append(&mut std::mem::take(&mut self.given_up));
        for (number, old) in unsynced {
            if rng.u32(..16) >= kept_in_16 {
                self.extend_octets((number + 1) * SECTOR);
                let start = (number * SECTOR) as usize;
                self.octets[start..start + SECTOR as usize].copy_from_slice(&old);
            }
        }
        if rng.u32(..16) >= kept_in_16 {
            self.length = self.durable_length;
        }
        self.octets.truncate(self.length as usize);
        self.durable_length = self.length;
    }
}

impl Disk for SimDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        if let Some(Entry::Directory) = state.live.get(path) {
            return Ok(());
        }
        state.step()?;
        for path in path.ancestors().filter(|p| !p.as_os_str().is_empty()) {
            state.live.insert(path.to_owned(), Entry::Directory);
            state.durable.insert(path.to_owned(), Entry::Directory);
        }
        Ok(())
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        state.check()?;
        let node = match (state.node(path), how) {
            (Ok(_), Open::New) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Ok(node), _) => node,
            (Err(e), Open::New | Open::Any) if e.kind() == io::ErrorKind::NotFound => {
                state.directory_of(path)?;
                state.step()?;
                let node = Arc::new(Mutex::new(Node::default()));
                let entry = Entry::File(node.clone());
                state.live.insert(path.to_owned(), entry.clone());
                state.pending.push(Change::Create(path.to_owned(), entry));
                node
            }
            (Err(e), _) => return Err(e),
        };
        let writes = how != Open::Read;
        Ok(Arc::new(SimFile { disk: self.clone(), node, incarnation: state.incarnation, writes }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        state.directory_of(to)?;
        let entry = Entry::File(state.node(from)?);
        state.step()?;
        state.live.remove(from);
        state.live.insert(to.to_owned(), entry.clone());
        state.pending.push(Change::Rename(from.to_owned(), to.to_owned(), entry));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        state.node(path)?;
        state.step()?;
        state.live.remove(path);
        state.pending.push(Change::Remove(path.to_owned()));
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.state();
        state.check()?;
        if !matches!(state.live.get(path), Some(Entry::Directory)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = state.live.keys().filter(|entry| entry.parent() == Some(path));
        Ok(inside.filter_map(|entry| entry.file_name()).map(PathBuf::from).collect())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let (done, rest) =
            std::mem::take(&mut state.pending).into_iter().partition(|change| change.touches(path));
        state.pending = rest;
        let done: Vec<Change> = done;
        for change in done {
            change.apply(&mut state.durable);
        }
        Ok(())
    }

    fn free(&self, _path: &Path) -> io::Result<u64> {
        let state = self.state();
        state.check()?;
        Ok(state.capacity.saturating_sub(state.used()))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.state();
        state.check()?;
        if state.locks.contains_key(path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let incarnation = state.incarnation;
        state.locks.insert(path.to_owned(), incarnation);
        Ok(Box::new(Lock { disk: self.clone(), path: path.to_owned(), incarnation }))
    }
}

struct Lock {
    disk: SimDisk,
    path: PathBuf,
    incarnation: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.locks.get(&self.path) == Some(&self.incarnation) {
            state.locks.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{read_exact_at, write_all_at};

    fn content(disk: &SimDisk, path: &Path) -> Vec<u8> {
        let file = disk.open(path, Open::Read).unwrap();
        let mut octets = vec![0; file.len().unwrap() as usize];
        read_exact_at(&*file, 0, &mut octets).unwrap();
        octets
    }

    #[test]
    fn a_crash_leaves_what_was_synced_and_tears_the_rest_by_sectors() {
        let (mut kept, mut lost, mut torn) = (0, 0, 0);
        for seed in 0..60 {
            let disk = SimDisk::new(seed);
            let (top, path) = (Path::new("/d"), Path::new("/d/f"));
            disk.create_directory(top).unwrap();
            let file = disk.open(path, Open::New).unwrap();
            write_all_at(&*file, 0, &[1; 2048]).unwrap();
            file.sync().unwrap();
            disk.sync_directory(top).unwrap();
            write_all_at(&*file, 0, &[2; 2048]).unwrap();
            disk.crash();
            assert!(file.sync().is_err(), "the handle died with the power");
            let octets = content(&disk, path);
            for sector in octets.chunks(512) {
                assert!(sector == [1; 512] || sector == [2; 512], "sectors are whole");
            }
            match octets.iter().filter(|&&o| o == 2).count() {
                0 => lost += 1,
                2048 => kept += 1,
                _ => torn += 1,
            }
        }
        assert!(kept > 5 && lost > 5 && torn > 5, "{kept} {lost} {torn}");
    }

    #[test]
    fn names_need_their_directory_synced() {
        let mut there = 0;
        for seed in 0..40 {
            let disk = SimDisk::new(seed);
            disk.create_directory(Path::new("/d")).unwrap();
            disk.open(Path::new("/d/old"), Open::New).unwrap();
            disk.sync_directory(Path::new("/d")).unwrap();
            disk.rename(Path::new("/d/old"), Path::new("/d/new")).unwrap();
            disk.crash();
            let names = disk.list(Path::new("/d")).unwrap();
            assert_eq!(names.len(), 1, "a rename is one change: {names:?}");
            there += usize::from(names[0] == Path::new("new"));
        }
        assert!((5..35).contains(&there), "{there}");
    }

    #[test]
    fn what_a_failed_sync_gave_up_on_is_not_saved_by_the_next() {
        let mut lost = 0;
        for seed in 0..20 {
            let disk = SimDisk::new(seed);
            disk.create_directory(Path::new("/d")).unwrap();
            let file = disk.open(Path::new("/d/f"), Open::New).unwrap();
            disk.sync_directory(Path::new("/d")).unwrap();
            file.allocate(512).unwrap();
            file.sync().unwrap();
            write_all_at(&*file, 0, &[3; 512]).unwrap();
            disk.fail_sync(1);
            assert!(file.sync().is_err());
            file.sync().unwrap();
            disk.crash();
            lost += usize::from(content(&disk, Path::new("/d/f")) == [0; 512]);
        }
        assert!(lost > 3, "{lost}");
    }

    #[test]
    fn power_goes_after_the_step_that_was_named() {
        let disk = SimDisk::new(1);
        disk.create_directory(Path::new("/d")).unwrap();
        disk.crash_after(2);
        let file = disk.open(Path::new("/d/f"), Open::New).unwrap();
        write_all_at(&*file, 0, b"x").unwrap();
        assert!(disk.is_down() && file.sync().is_err() && disk.free(Path::new("/d")).is_err());
        disk.crash();
        assert!(disk.free(Path::new("/d")).is_ok());
    }

    #[test]
    fn space_ends_where_the_limit_says() {
        let disk = SimDisk::new(1);
        disk.create_directory(Path::new("/d")).unwrap();
        disk.limit(1000);
        let file = disk.open(Path::new("/d/f"), Open::New).unwrap();
        file.allocate(900).unwrap();
        write_all_at(&*file, 0, &[1; 900]).unwrap();
        let refused = write_all_at(&*file, 900, &[1; 101]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        assert_eq!(disk.free(Path::new("/d")).unwrap(), 100);
        disk.remove(Path::new("/d/f")).unwrap();
        assert_eq!(disk.free(Path::new("/d")).unwrap(), 1000);
    }
}
