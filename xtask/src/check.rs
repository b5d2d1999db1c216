//! What holds for every commit, apart from the tests.

use std::path::Path;

use crate::{
    fuzz,
    shell::{self, Outcome},
};

/// Longest function of production code, in lines: beyond it, split by state or stage.
const FUNCTION_LENGTH_MAX: usize = 70;
/// Longest file of production code; most have a third of it.
const FILE_LENGTH_MAX: usize = 600;

/// Everything.
pub fn run(_arguments: &[String]) -> Outcome {
    shell::run(&mut shell::command("cargo", &["fmt", "--all", "--check"]))?;
    // They are no members of the workspace.
    let targets = fuzz::files("fuzz/fuzz_targets", "rs").map_err(|error| error.to_string())?;
    shell::run(shell::command("rustfmt", &["--edition", "2024", "--check"]).args(targets))?;
    let clippy = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    shell::run(&mut shell::command("cargo", &clippy))?;
    one_crypto_provider()?;
    tidy()?;
    match shell::has("cargo-deny") {
        true => shell::run(&mut shell::command(
            "cargo",
            &["deny", "check", "licenses", "bans", "sources"],
        )),
        false => {
            println!("skipped: cargo-deny is not installed (`cargo install cargo-deny`)");
            Ok(())
        }
    }
}

/// Two providers compiled in are a panic at the first handshake.
fn one_crypto_provider() -> Outcome {
    let mut tree =
        shell::command("cargo", &["tree", "--workspace", "--prefix", "none", "--edges", "normal"]);
    let tree = shell::output(&mut tree)?;
    match tree.lines().any(|line| line.starts_with("ring v")) {
        true => Err(
            "`ring` is compiled in beside aws-lc-rs: find who brings it with `cargo tree -i ring`"
                .to_owned(),
        ),
        false => Ok(()),
    }
}

/// Files open with their contract, and stay of a size that can be read.
fn tidy() -> Outcome {
    let mut found = Vec::new();
    for folder in ["crates", "xtask", "tests"] {
        walk(&shell::root().join(folder), &mut found)?;
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(format!("not tidy:\n  {}", found.join("\n  "))),
    }
}

fn walk(folder: &Path, found: &mut Vec<String>) -> Outcome {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            look_at(&path.display().to_string(), &text, found);
        }
    }
    Ok(())
}

/// The one file that calls a C library. Elsewhere nobody may lift what the workspace denies.
const UNSAFE: &str = "crates/io/gss/src/library.rs";

fn look_at(path: &str, text: &str, found: &mut Vec<String>) {
    if text.contains(concat!("allow(", "unsafe_code)")) && !path.ends_with(UNSAFE) {
        found.push(format!("{path}: `unsafe` belongs into {UNSAFE} alone"));
    }
    if !text.starts_with("//!") && !text.starts_with("#![") {
        found.push(format!("{path}: does not open with its contract (`//! ...`)"));
    }
    let production = text.split("\n#[cfg(test)]").next().unwrap_or(text);
    if path.contains("/tests/") || path.ends_with("tests.rs") {
        return;
    }
    let lines = production.lines().count();
    if lines > FILE_LENGTH_MAX {
        found.push(format!("{path}: {lines} lines; split it by state or stage"));
    }
    for (name, at, length) in functions(production) {
        if length > FUNCTION_LENGTH_MAX {
            found.push(format!("{path}:{at}: `{name}` has {length} lines; split it"));
        }
    }
}

/// Functions as rustfmt lays them out: from `fn` to the brace at its own indentation.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let mut words = line.split_whitespace();
        let is_function = words.by_ref().take(5).any(|word| word == "fn");
        if !is_function || line.trim_start().starts_with("//") {
            continue;
        }
        let name =
            line.split("fn ").nth(1).and_then(|rest| rest.split(['(', '<']).next()).unwrap_or("?");
        let close = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[at..].iter().position(|line| **line == close) {
            found.push((name.to_owned(), at + 1, length + 1));
        }
    }
    found
}
