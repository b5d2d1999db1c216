//! `cargo x`: what one does with this repository, by name. Standard library only, so that it is built
//! before anything else is.

mod bench;
mod check;
mod conformance;
mod corpora;
mod demo;
mod fuzz;
mod kill;
mod packages;
mod shell;
mod test;

use std::process::ExitCode;

/// Name, what it is for, what it does.
type Task = (&'static str, &'static str, fn(&[String]) -> shell::Outcome);

const TASKS: &[Task] = &[
    ("check", "format, clippy, purity, licences, layout", check::run),
    ("test", "every test; installs what the tests need", test::run),
    ("golden", "the dialogues in tests/golden only", test::golden),
    ("sim", "the simulated world: [--seeds N] [--seed S] [--days D]", test::sim),
    ("fuzz", "fuzz targets: [--seconds N] [TARGET...]", fuzz::run),
    ("conformance", "the black-box suite: [--suite DIR] [-- ARGS]", conformance::run),
    ("bench", "the benchmark beside Postfix: [--suite DIR] [-- ARGS]", bench::run),
    (
        "corpora",
        "explanations scored on evidence from elsewhere: [--dir DIR] [PART...]",
        corpora::run,
    ),
    (
        "demo",
        "a message that arrives, one that is stuck, and the finding that names why",
        demo::run,
    ),
    ("kill", "kill -9 under load: [--rounds N]", kill::run),
    ("packages", "install the Debian packages that tests need", packages::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else { return usage() };
    let Some((_, _, task)) = TASKS.iter().find(|(known, _, _)| known == name) else {
        return usage();
    };
    match task(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo x {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("cargo x TASK\n");
    for (name, what, _) in TASKS {
        eprintln!("  {name:12} {what}");
    }
    ExitCode::from(2)
}
