//! Tests: all of them, or one kind.

use crate::{
    packages,
    shell::{self, Outcome},
};

/// Every test of the workspace. In CI nothing may be skipped.
pub fn run(arguments: &[String]) -> Outcome {
    packages::run(&[])?;
    if shell::shared().is_none() {
        println!("skipped: no ../shared beside this clone, so the suites in it are not run");
    }
    shell::run(&mut shell::command("cargo", &["build", "--quiet", "--workspace", "--bins"]))?;
    let mut test = shell::command("cargo", &["test", "--quiet", "--workspace"]);
    test.args(arguments);
    shell::run(&mut test)?;
    if arguments.is_empty() {
        crate::kill::run(&["--rounds".to_owned(), "8".to_owned()])?;
        if shell::shared().is_some() {
            crate::conformance::run(&[])?;
        }
    }
    Ok(())
}

/// The dialogues.
pub fn golden(arguments: &[String]) -> Outcome {
    let mut test = shell::command(
        "cargo",
        &["test", "--quiet", "--package", "mailwright-smtp", "--test", "golden"],
    );
    shell::run(test.args(arguments))
}

/// The simulated world with other seeds than the test run's.
pub fn sim(arguments: &[String]) -> Outcome {
    let mut arguments = arguments.to_vec();
    let seeds = shell::option(&mut arguments, "--seeds")?;
    let seed = shell::option(&mut arguments, "--seed")?;
    let days = shell::option(&mut arguments, "--days")?;
    let mut test = shell::command(
        "cargo",
        &["test", "--release", "--package", "mailwright-tests", "--test", "sim"],
    );
    for (name, value) in [("SIM_SEEDS", seeds), ("SIM_SEED", seed), ("SIM_DAYS", days)] {
        if let Some(value) = value {
            test.env(name, value);
        }
    }
    shell::run(test.args(["--", "--nocapture"]).args(arguments))
}
