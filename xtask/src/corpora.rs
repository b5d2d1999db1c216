//! Scoring explanation, capture and log reading on evidence from elsewhere.

use crate::shell::{self, Outcome};

/// `[--dir DIR] [--misses FILE] [PART...]`, passed on to the program that scores.
pub fn run(arguments: &[String]) -> Outcome {
    let base = ["run", "--quiet", "--release", "-p", "mailwright-tests", "--bin", "corpora", "--"];
    shell::run(shell::command("cargo", &base).args(arguments))
}
