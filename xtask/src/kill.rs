//! `kill -9` under load.

use crate::shell::{self, Outcome};

/// `cargo x kill [--rounds N]`: see tests/src/kill.rs for what is done and counted.
pub fn run(arguments: &[String]) -> Outcome {
    let binary = shell::release_binary()?;
    let mut kill = shell::command(
        "cargo",
        &["run", "--quiet", "--release", "--package", "mailwright-tests", "--bin", "kill", "--"],
    );
    shell::run(kill.args(arguments).env("MAILWRIGHT", binary))
}
