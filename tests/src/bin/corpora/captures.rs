//! Scoring captures beside their oracle.

use std::path::Path;

use crate::figure::{Figure, Misses};

pub fn score(_folder: &Path, _misses: &mut Misses) -> Vec<Figure> {
    Vec::new()
}
