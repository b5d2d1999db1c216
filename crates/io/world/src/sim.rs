//! The simulated outside.

pub mod disk;
