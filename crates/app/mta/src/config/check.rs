//! What the types can't say: values that contradict each other, and files that are not there.

use super::{Config, Problem, Warning, load::Document};

/// All that was found.
#[derive(Debug, Default)]
pub struct Found {
    /// What keeps the configuration from being used.
    pub errors: Vec<Problem>,
    /// What is probably not meant.
    pub warnings: Vec<Warning>,
}

/// Checks a configuration; `document` is what it was read from.
pub fn check(_config: &Config, _document: &Document<'_>) -> Found {
    Found::default()
}
