//! Sessions in, findings out: `tests/golden/session-*.md`; and the page of all rules, `docs/rules.md`.
//!
//! A page holds its session as a fenced block (the notation is that of `notation/mod.rs`); what stands behind
//! the block is made. After a change that is meant, write it anew with
//! `GOLDEN=write cargo test -p mailwright-diagnose --test sessions`, and read the difference.
#![allow(clippy::disallowed_methods, reason = "a test reads its expectations from files")]

mod notation;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use diagnose::{Class, Finding, RULE_NAMES, Session, Weight, inspect, session::Party};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn check(path: &Path, actual: &str) {
    if std::env::var("GOLDEN").is_ok_and(|mode| mode == "write") {
        std::fs::write(path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(expected == actual, "{} differs; it is now:\n{actual}", path.display());
}

#[test]
fn pages() {
    let folder = root().join("tests/golden");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("session-") || !name.ends_with(".md") {
            continue;
        }
        seen += 1;
        let page = std::fs::read_to_string(&path).unwrap();
        let (head, rest) = page.split_once("```session\n").expect("a block of session lines");
        let (text, _) = rest.split_once("```").expect("the block's end");
        let session = notation::session(text);
        let made = told(&session, &inspect(&session));
        check(&path, &format!("{head}```session\n{text}```\n\n{made}"));
    }
    assert!(seen >= 15, "{seen} pages: they are missing from {}", folder.display());
}

fn told(session: &Session, findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "Nothing to find.\n".to_owned();
    }
    let mut out = String::new();
    for finding in findings {
        let weight = match finding.weight {
            Weight::Remark => "a remark",
            Weight::Fault => "a fault",
            Weight::Failure => "a failure",
        };
        let Finding { rule, what, who, confidence, why, remedy, .. } = finding;
        let _ = write!(out, "## {rule}: {weight}\n\n");
        if let Some(line) = finding.line {
            let _ = writeln!(out, "- line: `{}`", shown(session, line));
        }
        if let Some(line) = finding.command.filter(|line| finding.line != Some(*line)) {
            let _ = writeln!(out, "- answers: `{}`", shown(session, line));
        }
        let _ = write!(
            out,
            "- what: {what}\n- who has to act: {who}\n- how sure: {confidence}\n- why: {why}\n- remedy: {remedy}\n"
        );
        for line in &finding.consequences {
            let _ = writeln!(out, "- and so: `{}`", shown(session, *line));
        }
        if let Some(test) = &finding.next_test {
            let _ = writeln!(out, "- what would tell: {test}");
        }
        let again = if finding.retry_helps { "yes" } else { "no" };
        let _ = write!(out, "- trying again may help: {again}\n\n");
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn shown(session: &Session, line: usize) -> String {
    let line = &session.lines[line];
    let mark = match line.by {
        Party::Client => "C:",
        Party::Server => "S:",
        Party::Note => "--",
    };
    match line.lossy() {
        text if text.is_empty() => format!("{mark} {:?}", line.kind),
        text => format!("{mark} {text}"),
    }
}

#[test]
fn all_rules_are_documented() {
    let mut page = String::from(
        "# The rules of diagnosis\n\nWhat the `rule` of a finding can be: stable words. This page is made from the program's own \
         table by a test.\n\n| rule | what it means | evidence it needs |\n|---|---|---|\n",
    );
    for row in RULE_NAMES {
        let _ = writeln!(page, "| `{}` | {} | {} |", row.name, row.means, row.evidence);
    }
    page.push_str(
        "\nA refusal whose words are known and that none of these explains more precisely carries the name of its class:\n\n\
         | class | what it means |\n|---|---|\n",
    );
    for class in Class::all().filter(|class| *class != Class::Unknown) {
        let profile = class.profile();
        let _ = writeln!(page, "| `{}` | {} |", profile.name, profile.means);
    }
    check(&root().join("docs/rules.md"), &page);
}
