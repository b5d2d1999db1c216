//! The newest octets of a stream, to see whether a segment that repeats some says the same.

/// Octets kept at least: what a forged reply or command could be.
const KEEP_MIN: usize = 1_024;
/// Octets kept at most.
const KEEP_MAX: usize = 65_536;

/// Octets in a row up to the newest.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    octets: Vec<u8>,
    /// Position of the first.
    start: u64,
}

impl History {
    /// Takes octets at a position. `wanted` is how many the other side has not acknowledged yet.
    pub fn push(&mut self, position: u64, octets: &[u8], wanted: u64) {
        let keep = usize::try_from(wanted).unwrap_or(KEEP_MAX).clamp(KEEP_MIN, KEEP_MAX);
        if position != self.start + self.octets.len() as u64 {
            self.octets.clear();
            self.start = position;
        }
        if octets.len() >= keep {
            self.octets.clear();
            self.octets.extend_from_slice(&octets[octets.len() - keep..]);
            self.start = position + (octets.len() - keep) as u64;
            return;
        }
        // Moving what stays only when as much has piled up keeps this at two copies for each octet.
        if self.octets.len() + octets.len() > 2 * keep {
            let surplus = self.octets.len() + octets.len() - keep;
            let surplus = surplus.min(self.octets.len());
            self.octets.drain(..surplus);
            self.start += surplus as u64;
        }
        self.octets.extend_from_slice(octets);
    }

    /// Whether any of these octets is known to have been another one.
    pub fn contradicts(&self, position: u64, octets: &[u8]) -> bool {
        let end = (position + octets.len() as u64).min(self.start + self.octets.len() as u64);
        let start = position.max(self.start);
        start < end
            && self.octets[(start - self.start) as usize..(end - self.start) as usize]
                != octets[(start - position) as usize..(end - position) as usize]
    }

    pub fn memory(&self) -> usize {
        self.octets.capacity()
    }
}
