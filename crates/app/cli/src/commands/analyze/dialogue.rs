//! A session's dialogue as text, with the findings under the lines that they concern.

use std::fmt::Write;

use diagnose::{
    Finding, Session, Weight,
    session::{Kind, Line, Party},
    summary::Summary,
};

use super::ledger::{self, Row};
use crate::output;

/// Lines shown at the beginning, at the end, and around each finding of a long session.
const CONTEXT: usize = 12;
/// Sessions up to this many lines are shown whole.
const WHOLE_MAX: usize = 120;

/// The page of one session.
pub fn text(
    number: usize,
    session: &Session,
    summary: &Summary,
    findings: &[Finding],
    colour: bool,
) -> String {
    let mut page = String::new();
    let bold = |text: String| if colour { format!("\x1b[1m{text}\x1b[0m") } else { text };
    let head = format!("Session {number}: {}", ledger::ends(session));
    // Writing into a String does not fail.
    let _ = writeln!(page, "\n{}", bold(head));
    let _ = writeln!(page, "  {}{}\n", ledger::when(session), summary.result);
    let places = ledger::place_width(session);
    let mut hidden = 0;
    for row in ledger::rows(session, findings) {
        if !is_shown(&row, session.lines.len(), findings) {
            hidden += 1;
            continue;
        }
        skipped(&mut page, &mut hidden, places);
        line(&mut page, &row, places, colour);
        for finding in &row.findings {
            told(&mut page, finding, places + 15, colour);
        }
    }
    skipped(&mut page, &mut hidden, places);
    for finding in findings.iter().filter(|finding| finding.line.is_none()) {
        told(&mut page, finding, 2, colour);
    }
    page
}

fn skipped(page: &mut String, hidden: &mut usize, places: usize) {
    if *hidden > 0 {
        let _ = writeln!(page, "{:places$}             ... {hidden} lines ...", "");
        *hidden = 0;
    }
}

fn is_shown(row: &Row<'_>, count: usize, findings: &[Finding]) -> bool {
    let index = row.index;
    let near = |at: usize| index.abs_diff(at) <= CONTEXT;
    count <= WHOLE_MAX
        || index < CONTEXT
        || index + CONTEXT >= count
        || findings.iter().any(|f| f.line.is_some_and(near) || f.command.is_some_and(near))
}

fn line(page: &mut String, row: &Row<'_>, places: usize, colour: bool) {
    let by = by(row.line);
    let shown = match (row.line.by, row.line.kind) {
        (Party::Note, _) => row.text.clone(),
        (_, Kind::Event(_)) => format!("-- {}", row.text),
        _ => row.text.clone(),
    };
    let paint = match () {
        () if !colour => "",
        () if !row.findings.is_empty() => "\x1b[31m",
        () if row.is_consequence => "\x1b[33m",
        () if matches!(row.line.kind, Kind::Event(_)) => "\x1b[2m",
        () => "",
    };
    let end = if paint.is_empty() { "" } else { "\x1b[0m" };
    let note = if row.is_consequence { "   (follows from the above)" } else { "" };
    let _ = writeln!(
        page,
        "  {:>places$} {:>9}  {by} {paint}{shown}{end}{note}",
        place(row.line),
        ledger::seconds(row.line.at)
    );
}

/// Who said it: `C:`.
pub fn by(line: &Line) -> &'static str {
    match line.by {
        Party::Client => "C:",
        Party::Server => "S:",
        Party::Note => "--",
    }
}

fn place(line: &Line) -> String {
    match line.place.first {
        0 => String::new(),
        first => first.to_string(),
    }
}

pub fn told(page: &mut String, finding: &Finding, indent: usize, colour: bool) {
    let width = output::prose_width().saturating_sub(indent).max(40);
    let mark = match finding.weight {
        Weight::Failure => "failure",
        Weight::Fault => "fault",
        Weight::Remark => "remark",
    };
    let (bold, end) = if colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let mut put = |text: &str| {
        for line in ledger::wrapped(text, width) {
            let _ = writeln!(page, "{:indent$}| {line}", "");
        }
    };
    put(&format!("{bold}{}{end} ({mark}, {}; {})", finding.rule, finding.confidence, finding.who));
    put(&output::clean(&finding.what));
    put(&format!("why: {}", output::clean(&finding.why)));
    put(&format!("do:  {}", output::clean(&finding.remedy)));
    if let Some(test) = &finding.next_test {
        put(&format!("to be sure: {}", output::clean(test)));
    }
}
