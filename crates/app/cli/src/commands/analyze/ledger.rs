//! What the text and the page have in common: rows of a dialogue in words, times, names of the ends.

use std::time::Duration;

use diagnose::{
    Finding, Session,
    session::{Ending, Endpoint, Event, Kind, Line, Source},
};
use smtp::Timestamp;

use crate::output;

/// Longest line that is shown whole.
const TEXT_MAX: usize = 500;

/// One line of a dialogue, ready to be shown.
pub struct Row<'a> {
    /// Its index.
    pub index: usize,
    /// Itself.
    pub line: &'a Line,
    /// Its words, harmless to a terminal.
    pub text: String,
    /// What is found at it.
    pub findings: Vec<&'a Finding>,
    /// It only follows from what was found elsewhere.
    pub is_consequence: bool,
}

/// All lines of a session.
pub fn rows<'a>(session: &'a Session, findings: &'a [Finding]) -> impl Iterator<Item = Row<'a>> {
    session.lines.iter().enumerate().map(move |(index, line)| Row {
        index,
        line,
        text: words(line),
        findings: findings.iter().filter(|finding| finding.line == Some(index)).collect(),
        is_consequence: findings.iter().any(|finding| finding.consequences.contains(&index)),
    })
}

/// A line in words.
pub fn words(line: &Line) -> String {
    let text = output::clean(&line.lossy());
    let text: String = if text.chars().count() > TEXT_MAX {
        text.chars().take(TEXT_MAX).chain("...".chars()).collect()
    } else {
        text
    };
    let remark =
        |what: &str| if text.is_empty() { what.to_owned() } else { format!("{what}: {text}") };
    match line.kind {
        Kind::Command(ending) | Kind::Reply(ending) => format!("{text}{}", ended(ending)),
        Kind::SaslResponse if text == "*" => text,
        Kind::SaslResponse => "****".to_owned(),
        Kind::Content { octets, finished: true } => format!("[content, {octets} octets] ."),
        Kind::Content { octets, finished: false } => {
            format!("[content, {octets} octets, its end not seen]")
        }
        Kind::Blob { octets, announced } if octets == announced => format!("[{octets} octets]"),
        Kind::Blob { octets, announced } => format!("[{octets} of {announced} octets]"),
        Kind::Encrypted { octets } => format!("[{octets} octets that can't be read]"),
        Kind::Gap { octets } => format!("[{octets} octets are missing in the capture]"),
        Kind::Event(event) => match event {
            Event::Connected => remark("connected"),
            Event::NotConnected => remark("not connected"),
            Event::Closed => remark("closes"),
            Event::Reset => remark("resets the connection"),
            Event::TlsHello => remark("begins TLS"),
            Event::TlsEstablished => remark("TLS is established"),
            Event::TlsAlert => remark("TLS alert"),
            Event::TlsFailed => remark("TLS failed"),
            Event::EvidenceEnds => remark("the evidence ends here"),
            Event::Remark => text,
        },
    }
}

fn ended(ending: Ending) -> &'static str {
    match ending {
        Ending::Crlf => "",
        Ending::Lf => "  <LF alone>",
        Ending::Cr => "  <CR alone>",
        Ending::Missing => "  <cut off>",
    }
}

/// `192.0.2.10:50001 -> mx.b.test (198.51.100.25:25)`.
pub fn ends(session: &Session) -> String {
    let is_known = |end: &Endpoint| end.name.is_some() || end.address.is_some();
    if !is_known(&session.client) && !is_known(&session.server) {
        return "a dialogue without addresses".to_owned();
    }
    format!("{} -> {}", end(&session.client), end(&session.server))
}

/// One end, by name and address.
pub fn end(endpoint: &Endpoint) -> String {
    let name = endpoint.name.as_deref().map(output::clean);
    match (name, endpoint.address) {
        (Some(name), Some(address)) => format!("{name} ({address})"),
        (Some(name), None) => name,
        (None, Some(address)) => address.to_string(),
        (None, None) => "?".to_owned(),
    }
}

/// When it began, and for how long it went, with a comma behind; empty where nothing is known.
pub fn when(session: &Session) -> String {
    let took = session.lines.last().map_or(Duration::ZERO, |line| line.at);
    let took = if took.is_zero() { String::new() } else { format!("{} s, ", seconds(took)) };
    let source = match &session.source {
        Source::Capture | Source::Pasted => String::new(),
        Source::Log(program) => format!("log of {}, ", output::clean(program)),
        Source::Own => "our own evidence, ".to_owned(),
    };
    match time(session) {
        Some(time) => format!("{time}, {took}{source}"),
        None => format!("{took}{source}"),
    }
}

/// `2026-11-22 05:43:00Z`.
pub fn time(session: &Session) -> Option<String> {
    let started = u64::try_from(session.started?).ok()?;
    Some(output::utc(Timestamp(started / 1_000)))
}

/// `12.345`, seconds since the session's start.
pub fn seconds(at: Duration) -> String {
    format!("{}.{:03}", at.as_secs(), at.subsec_millis())
}

/// How wide the column of packet or line numbers is.
pub fn place_width(session: &Session) -> usize {
    let last = session.lines.iter().map(|line| line.place.first).max().unwrap_or(0);
    if last == 0 { 0 } else { last.to_string().len() }
}

/// Lines of at most `width` columns, broken at blanks.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push("     ".to_owned());
        }
        let Some(last) = lines.last_mut() else { continue };
        if !last.is_empty() && !last.ends_with(' ') {
            last.push(' ');
        }
        last.push_str(word);
    }
    lines
}
