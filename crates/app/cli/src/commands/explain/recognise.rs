//! What somebody gave us to explain: found out by looking, the unmistakable first.

use diagnose::{
    Finding, Session, Testimony,
    dialects::{
        log::{Reader, Record},
        ndr::{self, Kind, Ndr},
        transcript,
    },
    inspect,
};
use smtp::EnhancedStatus;

/// Of a log so many things are explained.
const RECORDS_MAX: usize = 200;

/// What it is.
#[allow(clippy::large_enum_variant)] // there is one of it
pub enum Exhibit {
    /// A bare code.
    Code(u16),
    /// A bare status.
    Status(EnhancedStatus),
    /// A reply, or words that hold one.
    Reply(Testimony),
    /// A report.
    Report(Ndr),
    /// Dialogues, each with what is wrong in it.
    Dialogues(Vec<(Session, Vec<Finding>)>),
    /// Lines of a log: what became of recipients, and dialogues.
    Log(Vec<Testimony>, Vec<(Session, Vec<Finding>)>),
    /// Nothing that we know.
    Nothing,
}

/// Finds out what `octets` are.
pub fn exhibit(octets: &[u8]) -> Exhibit {
    let text = String::from_utf8_lossy(octets);
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Exhibit::Nothing;
    }
    if let Some(bare) = bare(trimmed) {
        return bare;
    }
    if is_reply(trimmed) {
        return Exhibit::Reply(ndr::read_words(&one_line(trimmed)));
    }
    let report = ndr::read(octets);
    if has_header_section(octets) {
        return Exhibit::Report(report);
    }
    // Reports quote dialogues; by their own sentences they are known all the same.
    let is_known_report = matches!(report.kind, Kind::Failure | Kind::Delay)
        && !matches!(report.dialect.as_str(), "plain" | "rfc3464")
        && !report.reports.is_empty();
    let told_by_log = is_known_report.then(|| log(octets));
    if matches!(told_by_log, Some(None)) {
        return Exhibit::Report(report);
    }
    if let Some(sessions) = transcript::read(octets).filter(|sessions| !sessions.is_empty()) {
        return Exhibit::Dialogues(sessions.into_iter().map(inspected).collect());
    }
    if let Some(log) = told_by_log.unwrap_or_else(|| log(octets)) {
        return log;
    }
    let lines = unknown_log(trimmed);
    if !lines.is_empty() {
        return Exhibit::Log(lines, Vec::new());
    }
    if report.kind != Kind::Other {
        return Exhibit::Report(report);
    }
    let testimony = ndr::read_words(&one_line(trimmed));
    match testimony.reply.is_some() || testimony.status.is_some() || is_known(&testimony) {
        true => Exhibit::Reply(testimony),
        false => Exhibit::Nothing,
    }
}

/// Whether it is a whole message: two fields of those that every message has. `C:` and `S:` in front of a
/// dialogue's lines look like fields, too.
fn has_header_section(octets: &[u8]) -> bool {
    const NAMES: [&str; 8] =
        ["from", "to", "subject", "date", "received", "return-path", "message-id", "content-type"];
    let fields = message::header::fields(octets.trim_ascii_start()).take(50);
    fields.filter(|field| NAMES.iter().any(|name| field.is(name))).take(2).count() == 2
}

/// `503`, `5.7.1`, `#5.7.1`.
fn bare(text: &str) -> Option<Exhibit> {
    let word = text.trim_matches(['#', '(', ')', '"', '\'', '.', ':']);
    if word.len() == 3 && word.bytes().all(|octet| octet.is_ascii_digit()) {
        let code: u16 = word.parse().ok()?;
        return (200..600).contains(&code).then_some(Exhibit::Code(code));
    }
    word.parse().ok().map(Exhibit::Status)
}

/// Whether every line begins with the same code, as the lines of a reply do.
fn is_reply(text: &str) -> bool {
    let code = |line: &str| -> Option<u16> {
        let line = line.trim_start_matches(['#', '"', '\'']);
        let code = line.get(..3)?.parse().ok()?;
        let goes_on = line[3..].is_empty() || line[3..].starts_with([' ', '-', '\t']);
        ((200..600).contains(&code) && goes_on).then_some(code)
    };
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().and_then(code);
    first.is_some() && lines.all(|line| code(line) == first)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn inspected(session: Session) -> (Session, Vec<Finding>) {
    let findings = inspect(&session);
    (session, findings)
}

fn log(octets: &[u8]) -> Option<Exhibit> {
    let mut reader = Reader::new(None);
    reader.feed(octets);
    reader.finish();
    let (mut testimonies, mut sessions) = (Vec::new(), Vec::new());
    while let Some(record) = reader.take() {
        if testimonies.len() + sessions.len() >= RECORDS_MAX {
            break;
        }
        match record {
            Record::Testimony(testimony) => testimonies.push(testimony),
            Record::Session(session) => sessions.push(inspected(session)),
            Record::Happening(_) => {}
        }
    }
    let is_empty = testimonies.is_empty() && sessions.is_empty();
    (!is_empty).then_some(Exhibit::Log(testimonies, sessions))
}

/// Lines that begin with a time, of a log in no known format: each by its words. No report is written so.
fn unknown_log(text: &str) -> Vec<Testimony> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    if !lines.clone().all(begins_with_time) {
        return Vec::new();
    }
    let told = lines.by_ref().take(RECORDS_MAX).map(ndr::read_words);
    told.filter(|told| told.reply.is_some() || told.status.is_some() || is_known(told)).collect()
}

/// `2026-11-22T10:00:01`, `Nov 22 10:00:01`, `[22/Nov/2026 10:00:01`: a time of day within the first words.
fn begins_with_time(line: &str) -> bool {
    let is_time = |word: &str| {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        digits >= 6 && word.matches(':').count() >= 2
    };
    line.split_whitespace().take(4).any(is_time)
        && line.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
}

fn is_known(testimony: &Testimony) -> bool {
    diagnose::class::class_of_testimony(testimony) != diagnose::Class::Unknown
}
