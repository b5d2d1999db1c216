//! How many connections a site gets: one more for each round of successes, half on trouble.

/// Additive up, multiplicative down, between 1 and a cap.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    now: f32,
    cap: f32,
}

/// What a site begins with: enough to be quick, few enough to be polite to a stranger.
const FIRST: f32 = 8.0;

impl Limit {
    /// Begins at [`FIRST`], or at the cap if that is lower.
    pub fn new(cap: usize) -> Self {
        let cap = (cap.max(1)) as f32;
        Self { now: FIRST.min(cap), cap }
    }

    /// The configuration may have changed.
    pub fn set_cap(&mut self, cap: usize) {
        self.cap = cap.max(1) as f32;
        self.now = self.now.min(self.cap);
    }

    /// Connections allowed now.
    pub fn allowed(&self) -> usize {
        self.now as usize
    }

    /// After a success.
    pub fn grow(&mut self) {
        self.now = (self.now + 1.0 / self.now).min(self.cap);
    }

    /// After a rest that the site has asked for.
    pub fn begin_again(&mut self) {
        self.now = 1.0;
    }

    /// After trouble.
    pub fn shrink(&mut self) {
        self.now = (self.now / 2.0).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_on_trouble_and_climbs_back_by_one_a_round() {
        let mut limit = Limit::new(20);
        assert_eq!(limit.allowed(), 8);
        limit.shrink();
        assert_eq!(limit.allowed(), 4);
        for _ in 0..5 {
            limit.grow();
        }
        assert_eq!(limit.allowed(), 5);
        for _ in 0..10 {
            limit.shrink();
        }
        assert_eq!(limit.allowed(), 1);
        for _ in 0..10_000 {
            limit.grow();
        }
        assert_eq!(limit.allowed(), 20);
    }
}
