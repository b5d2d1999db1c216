//! Chance: the operating system's, or a seed's.

use std::sync::{Arc, Mutex};

/// A source of random numbers. Not for keys: TLS and password hashing bring their own.
#[derive(Clone)]
pub struct Random(Arc<Mutex<fastrand::Rng>>);

impl Random {
    /// Seeded by the operating system.
    pub fn real() -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::new())))
    }

    /// The same numbers for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// Any number.
    pub fn u64(&self) -> u64 {
        self.with(|rng| rng.u64(..))
    }

    /// A number under `bound`, which is over 0.
    pub fn below(&self, bound: u64) -> u64 {
        self.with(|rng| rng.u64(..bound))
    }

    /// True once in `n` times.
    pub fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Puts into random order.
    pub fn shuffle<T>(&self, items: &mut [T]) {
        self.with(|rng| rng.shuffle(items));
    }

    fn with<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
