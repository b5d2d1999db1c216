//! How a session ended, and who ended it.

use std::time::Duration;

use smtp::{Party, Stage};

use super::{Dialogue, Verb};
use crate::session::{Event, Kind, Line};

/// The end of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// In which way.
    pub how: How,
    /// Whose packets or whose doing it was.
    pub by: Option<Party>,
    /// The event's line, where there is one.
    pub line: Option<usize>,
    /// How long nothing had been said before it.
    pub waited: Duration,
}

/// In which way a session ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// With QUIT, whoever closed after that.
    Quit,
    /// Closed in order (FIN) without a QUIT.
    Closed,
    /// Broken off (RST).
    Reset,
    /// It went on under TLS, where nothing can be read.
    Encrypted,
    /// No connection came about.
    NotConnected,
    /// The evidence ends first, or does not tell.
    #[default]
    Unseen,
}

impl Ending {
    pub(super) fn of(dialogue: &Dialogue<'_>) -> Self {
        let lines = &dialogue.session.lines;
        let is = |event: Event| move |line: &Line| matches!(line.kind, Kind::Event(found) if found == event);
        if let Some(index) = lines.iter().position(is(Event::NotConnected)) {
            return Self::at(How::NotConnected, dialogue, index);
        }
        let has_quit = dialogue.of(Verb::Quit).next().is_some()
            || dialogue.exchanges.last().is_some_and(|e| e.code == 221 && e.stage == Stage::Other);
        let first_closing = lines
            .iter()
            .position(|line| matches!(line.kind, Kind::Event(Event::Closed | Event::Reset)));
        let how = match first_closing {
            _ if has_quit => How::Quit,
            _ if is_opaque(dialogue) => How::Encrypted,
            Some(index) if is(Event::Reset)(&lines[index]) => How::Reset,
            Some(_) => How::Closed,
            None => How::Unseen,
        };
        match first_closing {
            Some(index) => Self::at(how, dialogue, index),
            None => match lines.iter().rposition(is(Event::EvidenceEnds)) {
                // How long it was watched without a word; no line of the dialogue's own ends it.
                Some(index) => Self { line: None, by: None, ..Self::at(how, dialogue, index) },
                None => Self { how, ..Self::default() },
            },
        }
    }

    fn at(how: How, dialogue: &Dialogue<'_>, index: usize) -> Self {
        let lines = &dialogue.session.lines;
        let spoke = |line: &&Line| !matches!(line.kind, Kind::Event(_));
        let before = lines[..index].iter().rev().find(spoke).map_or(Duration::ZERO, |line| line.at);
        let by = Some(lines[index].by).filter(|by| *by != Party::Note);
        Self { how, by, line: Some(index), waited: lines[index].at.saturating_sub(before) }
    }
}

/// Whether TLS began and nothing after it was read.
fn is_opaque(dialogue: &Dialogue<'_>) -> bool {
    let lines = &dialogue.session.lines;
    let is_hidden = |line: &Line| {
        matches!(
            line.kind,
            Kind::Encrypted { .. } | Kind::Event(Event::TlsHello | Event::TlsEstablished)
        )
    };
    let Some(begin) = lines.iter().rposition(is_hidden) else { return false };
    !lines[begin..].iter().any(|line| matches!(line.kind, Kind::Command(_) | Kind::Reply(_)))
}
