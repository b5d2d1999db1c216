//! The paired benchmark beside Postfix, with the adapter in benches/.

use crate::{
    packages,
    shell::{self, Outcome},
};

/// `cargo x bench [--suite DIR] [-- ARGS]`: ARGS go to bench.sh, for example `--scenarios relay-1k`.
pub fn run(arguments: &[String]) -> Outcome {
    let (mut ours, theirs) = shell::split(arguments);
    let suite = match shell::option(&mut ours, "--suite")? {
        Some(folder) => folder.into(),
        None => match shell::shared() {
            Some(shared) => shared.join("bench"),
            None => return skipped(),
        },
    };
    packages::run(&[])?;
    let binary = shell::release_binary()?;
    let adapter = shell::root().join("benches/mailwright.sh");
    let out = shell::target().join("bench");
    let work = out.join("work");
    std::fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    let mut bench = std::process::Command::new("bash");
    bench.arg(suite.join("bench.sh")).arg("--adapter").arg(adapter).env("MAILWRIGHT", binary);
    for (name, value) in [("--out", &out), ("--work", &work)] {
        if !theirs.iter().any(|argument| argument == name) {
            bench.arg(name).arg(value);
        }
    }
    shell::run(bench.args(theirs).current_dir(shell::root()))?;
    println!("report: {}", out.join("report.md").display());
    Ok(())
}

fn skipped() -> Outcome {
    println!("skipped: no ../shared/bench beside this clone; name the suite with --suite DIR");
    Ok(())
}
