//! What a score is made of.

use std::fmt;

/// How many were right, of how many, and the share that has to be reached.
pub struct Figure {
    /// What is counted.
    pub name: &'static str,
    /// Right ones.
    pub right: usize,
    /// All that have an independent answer.
    pub of: usize,
    /// Least share of right ones, 0 to 1; 0 where it is only told.
    pub wanted: f64,
}

/// Everything that was not as the corpus has it.
#[derive(Default)]
pub struct Misses(Vec<String>);

impl Figure {
    /// Whether the share is what it has to be. Nothing to count is no failure: a tree may lack a kind.
    pub fn is_reached(&self) -> bool {
        self.of == 0 || self.share() >= self.wanted
    }

    fn share(&self) -> f64 {
        self.right as f64 / self.of as f64
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, right, of, wanted } = self;
        if *of == 0 {
            return write!(f, "{name:48} none here");
        }
        let (share, verdict) =
            (self.share() * 100.0, if self.is_reached() { "" } else { "  NOT REACHED" });
        write!(
            f,
            "{name:48} {right:6} of {of:6}  {share:6.2} %  (wanted {:.0} %){verdict}",
            wanted * 100.0
        )
    }
}

impl Misses {
    /// Notes one: where, what the corpus has, what we have.
    pub fn note(
        &mut self,
        part: &str,
        at: impl fmt::Display,
        want: impl fmt::Display,
        have: impl fmt::Display,
    ) {
        self.0.push(format!("{part}\t{at}\twant {want}\thave {have}"));
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A line each.
    pub fn text(&self) -> String {
        self.0.iter().map(|line| format!("{line}\n")).collect()
    }
}
