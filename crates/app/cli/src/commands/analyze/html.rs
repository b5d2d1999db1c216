//! One page that needs nothing else: a table of sessions, and for each a ladder diagram.
//!
//! The client's line of life is on the left, the server's on the right, what is said an arrow between
//! them, findings under the arrow that they concern. Everything foreign is escaped by the template.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
};

use diagnose::{
    Finding, Session, Weight,
    session::{Kind, Party},
    summary::Summary,
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    ledger::{self, Row},
    overview::Overview,
};
use crate::{evidence::Opened, output, problem::Problem};

/// Sessions that get a diagram: those with findings first come first served, others while they are few.
const DIAGRAMS_MAX: usize = 2_000;
/// Sessions without findings that get one.
const CLEAN_MAX: usize = 200;
/// Rows of a diagram; beyond it the middle is left out.
const ROWS_MAX: usize = 2_000;

const STYLE: &str = include_str!("page.css");

/// A page that is being written.
pub struct Page {
    path: PathBuf,
    body: BufWriter<File>,
    /// The sessions that have a diagram.
    shown: BTreeSet<usize>,
    clean: usize,
}

impl Page {
    /// Opens what it is gathered in; the page itself is written at the end.
    pub fn create(path: &Path) -> Result<Self, Problem> {
        let body = tempfile::tempfile()
            .map_err(|error| Problem::new(format!("cannot open a temporary file: {error}")))?;
        Ok(Self {
            path: path.to_owned(),
            body: BufWriter::new(body),
            shown: BTreeSet::new(),
            clean: 0,
        })
    }

    /// Adds a session's diagram.
    pub fn session(
        &mut self,
        number: usize,
        session: &Session,
        summary: &Summary,
        findings: &[Finding],
    ) -> Result<(), Problem> {
        if self.shown.len() >= DIAGRAMS_MAX || (findings.is_empty() && self.clean >= CLEAN_MAX) {
            return Ok(());
        }
        self.shown.insert(number);
        self.clean += usize::from(findings.is_empty());
        let diagram = diagram(number, session, summary, findings).into_string();
        self.body.write_all(diagram.as_bytes()).map_err(|error| self.cannot(&error))
    }

    /// Writes the page.
    pub fn finish(mut self, overview: &Overview, opened: &[Opened]) -> Result<(), Problem> {
        let head = head(overview, opened, &self.shown).into_string();
        let copied = self.copy(&head);
        copied.map_err(|error| self.cannot(&error))
    }

    fn copy(&mut self, head: &str) -> std::io::Result<()> {
        self.body.flush()?;
        let body = self.body.get_mut();
        body.rewind()?;
        let mut page = BufWriter::new(File::create(&self.path)?);
        page.write_all(head.as_bytes())?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match body.read(&mut buffer)? {
                0 => break,
                count => page.write_all(&buffer[..count])?,
            }
        }
        page.write_all(b"</main></body></html>\n")?;
        page.flush()
    }

    fn cannot(&self, error: &std::io::Error) -> Problem {
        Problem::new(format!("cannot write `{}`: {error}", self.path.display()))
    }
}

fn head(overview: &Overview, opened: &[Opened], shown: &BTreeSet<usize>) -> Markup {
    html! {
        (DOCTYPE)
        // The closing tags come after the diagrams, which are written as they are found.
        (PreEscaped("<html lang=\"en\"><head>"))
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        title { "Mail sessions" }
        style { (PreEscaped(STYLE)) }
        (PreEscaped("</head><body><main>"))
        h1 id="top" { "Mail sessions" }
        ul.files {
            @for file in opened {
                li { (output::clean(&file.name)) span.soft { " " (file.kind) ", " (output::size(file.octets)) } }
            }
        }
        @for file in opened { @for problem in &file.problems { p.problem { (output::clean(problem)) } } }
        p { (overview.sentence()) "." }
        @if !overview.found().is_empty() {
            table.found { tbody { @for (rule, weight, count) in overview.found() {
                tr { td.number { (count) } td { span class=(word(weight)) { (word(weight)) } } td { (rule) } }
            } } }
        }
        (table(overview, shown))
        @if overview.rows().len() < overview.count() {
            p { "The table has " (overview.rows().len()) " of " (overview.count()) " sessions; "
                code { "mailwright analyze --json" } " has all." }
        }
        @if shown.len() < overview.count() {
            p { "Diagrams are shown for " (shown.len()) " of " (overview.count()) " sessions: the first "
                (CLEAN_MAX) " without findings, and the first with findings up to " (DIAGRAMS_MAX) " in all." }
        }
    }
}

fn table(overview: &Overview, shown: &BTreeSet<usize>) -> Markup {
    html! {
        div.wide { table.sessions {
            thead { tr {
                @for title in ["#", "began", "client", "server", "got to", "outcome", "findings"] { th { (title) } }
            } }
            tbody { @for row in overview.rows() { tr {
                td.number {
                    @if shown.contains(&row.number) { a href={ "#s" (row.number) } { (row.number) } }
                    @else { (row.number) }
                }
                td.time { (row.time) }
                td { (row.client) }
                td { (row.server) }
                td { (row.reached) }
                td { (row.outcome) }
                td { @for rule in &row.findings { span class={ "rule " (word(rule.weight)) } { (rule.shown()) } " " } }
            } } }
        } }
    }
}

fn diagram(number: usize, session: &Session, summary: &Summary, findings: &[Finding]) -> Markup {
    let count = session.lines.len();
    let is_shown =
        |index: usize| count <= ROWS_MAX || index < ROWS_MAX / 2 || index + ROWS_MAX / 2 >= count;
    html! {
        section id={ "s" (number) } {
            h2 { (number) ". " (ledger::ends(session)) a.up-link href="#top" title="to the table" { "\u{2191}" } }
            p.outcome { (ledger::when(session)) (summary.result) }
            @for finding in findings.iter().filter(|finding| finding.line.is_none()) { (card(finding)) }
            div class={ "ladder" @if !has_times(session) { " timeless" } } {
                div.ends {
                    div { "client" br; (ledger::end(&session.client)) }
                    div { "server" br; (ledger::end(&session.server)) }
                }
                @for row in ledger::rows(session, findings) {
                    @if is_shown(row.index) { (rung(&row)) }
                    @else if row.index == ROWS_MAX / 2 { div.event { "... " (count - ROWS_MAX) " lines ..." } }
                }
            }
        }
    }
}

/// Whether the evidence tells when lines were said: a pasted dialogue does not.
fn has_times(session: &Session) -> bool {
    session.lines.iter().any(|line| !line.at.is_zero())
}

fn rung(row: &Row<'_>) -> Markup {
    let direction = match (row.line.by, row.line.kind) {
        (Party::Note, _) => "event",
        (Party::Client, Kind::Event(_)) => "event of-client",
        (Party::Server, Kind::Event(_)) => "event of-server",
        (Party::Client, _) => "arrow up",
        (Party::Server, _) => "arrow down",
    };
    let worst = row.findings.iter().map(|finding| finding.weight).max();
    let mark = match worst {
        Some(weight) => word(weight),
        None if row.is_consequence => "follows",
        None => "",
    };
    html! {
        div class={ "rung " (direction) " " (mark) } {
            span.time { (ledger::seconds(row.line.at)) }
            span.said { (row.text) @if row.is_consequence { em { " follows from the above" } } }
            span.place { @if row.line.place.first > 0 { (row.line.place.first) } }
        }
        @for finding in &row.findings { (card(finding)) }
    }
}

fn card(finding: &Finding) -> Markup {
    html! {
        div class={ "card " (word(finding.weight)) } {
            p.title { strong { (finding.rule) } " " (word(finding.weight)) ", " (finding.confidence) "; " (finding.who) }
            p { (output::clean(&finding.what)) }
            p { b { "Why: " } (output::clean(&finding.why)) }
            p { b { "Do: " } (output::clean(&finding.remedy)) }
            @if let Some(test) = &finding.next_test { p { b { "To be sure: " } (output::clean(test)) } }
        }
    }
}

fn word(weight: Weight) -> &'static str {
    match weight {
        Weight::Failure => "failure",
        Weight::Fault => "fault",
        Weight::Remark => "remark",
    }
}
