//! Chance: the operating system's, or a seed's.

use std::{
    io,
    sync::{Arc, Mutex},
};

/// A source of random numbers. Nobody shall be able to guess only what [`Random::secret`] gives.
#[derive(Clone)]
pub struct Random {
    rng: Arc<Mutex<fastrand::Rng>>,
    /// All that happens follows from one seed.
    is_seeded: bool,
}

impl Random {
    /// Seeded by the operating system.
    pub fn real() -> Self {
        Self { rng: Arc::new(Mutex::new(fastrand::Rng::new())), is_seeded: false }
    }

    /// The same numbers for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self { rng: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))), is_seeded: true }
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

    /// Octets that nobody can guess: keys, nonces.
    ///
    /// # Errors
    /// The operating system gives none.
    pub fn secret<const N: usize>(&self) -> io::Result<[u8; N]> {
        let mut octets = [0; N];
        match self.is_seeded {
            true => self.with(|rng| rng.fill(&mut octets)),
            false => {
                getrandom::fill(&mut octets).map_err(|error| io::Error::other(error.to_string()))?
            }
        }
        Ok(octets)
    }

    fn with<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_follow_from_the_seed_in_the_simulated_world_only() {
        let draw = |random: Random| random.secret::<16>().unwrap();
        assert_eq!(draw(Random::seeded(7)), draw(Random::seeded(7)));
        assert_ne!(draw(Random::real()), draw(Random::real()));
    }
}
