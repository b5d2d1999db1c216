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

/// Each fuzz target for a while.
pub fn fuzz(arguments: &[String]) -> Outcome {
    let mut arguments = arguments.to_vec();
    let seconds = shell::option(&mut arguments, "--seconds")?.unwrap_or_else(|| "60".to_owned());
    if !shell::has("cargo-fuzz") {
        return Err("cargo-fuzz is missing: run `cargo install cargo-fuzz`".to_owned());
    }
    let folder = shell::root().join("fuzz/fuzz_targets");
    let entries =
        std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut targets: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
        .filter(|target| arguments.is_empty() || arguments.contains(target))
        .collect();
    targets.sort();
    for target in targets {
        let limit = format!("-max_total_time={seconds}");
        let mut fuzz =
            shell::command("cargo", &["fuzz", "run", &target, "--", &limit, "-rss_limit_mb=4096"]);
        // Coverage needs unstable compiler flags; the toolchain is the stable one all the same.
        shell::run(fuzz.env("RUSTC_BOOTSTRAP", "1"))?;
    }
    Ok(())
}
