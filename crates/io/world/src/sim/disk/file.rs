//! An open file of the simulated disk.

use super::*;

pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) node: Arc<Mutex<Node>>,
    pub(super) incarnation: u64,
    pub(super) writes: bool,
}

impl SimFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.incarnation != self.incarnation {
            return Err(no_power());
        }
        state.check()?;
        Ok(state)
    }

    /// For a change: counts the step and checks that it may be made and fits.
    fn change(&self, length: u64) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state()?;
        if !self.writes {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        state.step()?;
        let more = length.saturating_sub(lock(&self.node).length);
        if more > 0 {
            state.reserve(more)?;
        }
        Ok(state)
    }
}

impl File for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let _state = self.state()?;
        let node = lock(&self.node);
        let end = node.length.min(offset.saturating_add(buffer.len() as u64));
        if offset >= end {
            return Ok(0);
        }
        let length = (end - offset) as usize;
        let stored = node.octets.get(offset as usize..).unwrap_or_default();
        let stored = &stored[..stored.len().min(length)];
        buffer[..stored.len()].copy_from_slice(stored);
        buffer[stored.len()..length].fill(0);
        Ok(length)
    }

    fn write_at(&self, offset: u64, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let total: usize = slices.iter().map(|s| s.len()).sum();
        let mut state = self.change(offset + total as u64)?;
        state.written += total as u64;
        let mut node = lock(&self.node);
        if is_now(&mut state.writes_until_failure) {
            node.write(offset, &slices[..slices.len() / 2]);
            return Err(injected("a write"));
        }
        node.write(offset, slices);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state()?;
        state.step()?;
        state.syncs += 1;
        let failed = is_now(&mut state.syncs_until_failure);
        lock(&self.node).synced(!failed);
        let delay = state.delay;
        drop(state);
        if delay > Duration::ZERO {
            std::thread::sleep(delay);
        }
        if failed { Err(injected("a sync")) } else { Ok(()) }
    }

    fn len(&self) -> io::Result<u64> {
        let _state = self.state()?;
        Ok(lock(&self.node).length)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let _state = self.change(length)?;
        lock(&self.node).set_len(length);
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let _state = self.change(length)?;
        let mut node = lock(&self.node);
        node.length = node.length.max(length);
        Ok(())
    }
}
