//! A session on one line: how far it got, and what came of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use smtp::Stage;

use crate::{
    Session,
    dialogue::{Dialogue, How, Verb},
    session::{Event, Kind, Party},
};

/// What a session came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The last step at which the server said yes; [`Stage::Connect`] before the greeting.
    pub reached: Stage,
    /// Messages that the server took over.
    pub messages: u32,
    /// Recipients that it accepted, and that it refused.
    pub recipients: (u32, u32),
    /// What became of the session.
    pub result: Result,
}

/// What became of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Result {
    /// At least one message was taken over, and nothing refused.
    Accepted,
    /// Some was taken over, some refused: the last refusal.
    Partly {
        /// Where.
        stage: Stage,
        /// Its reply code.
        code: u16,
    },
    /// Nothing was taken over; the refusal that decided.
    Refused {
        /// Where.
        stage: Stage,
        /// Its reply code.
        code: u16,
    },
    /// It ended without a QUIT before anything was taken over.
    BrokenOff {
        /// The step that was going on.
        stage: Stage,
        /// By RST instead of FIN.
        by_reset: bool,
        /// The server ended it.
        by_server: bool,
    },
    /// No connection came about.
    NotConnected,
    /// It went on under TLS.
    Encrypted,
    /// It ended with QUIT, without mail having been tried or refused.
    NoMail,
    /// The evidence ends before the session does.
    Unseen {
        /// The step that was going on.
        stage: Stage,
    },
}

impl Summary {
    /// Reads a session.
    pub fn of(session: &Session) -> Self {
        Self::of_dialogue(&Dialogue::read(session))
    }

    /// The same, where the dialogue was read already.
    pub fn of_dialogue(dialogue: &Dialogue<'_>) -> Self {
        let positive = dialogue.exchanges.iter().filter(|e| (200..400).contains(&e.code));
        let reached = positive.map(|e| e.stage).filter(|stage| *stage != Stage::Other).max();
        let rcpt = |yes: bool| {
            dialogue
                .at(Stage::Rcpt)
                .filter(|e| if yes { e.is_positive() } else { e.is_refusal() })
                .count()
        };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let messages = dialogue
            .at(Stage::EndOfData)
            .filter(|e| e.is_positive() && ends_message(dialogue, e.command));
        let messages = count(messages.count());
        Self {
            reached: reached.unwrap_or(Stage::Connect),
            messages,
            recipients: (count(rcpt(true)), count(rcpt(false))),
            result: result(dialogue, messages),
        }
    }
}

/// Whether the reply to this line says that a message was taken over: a BDAT that is not the last one does not.
fn ends_message(dialogue: &Dialogue<'_>, command: Option<usize>) -> bool {
    let Some(line) = command.and_then(|index| dialogue.line(index)) else { return true };
    match line.kind {
        Kind::Command(_) => line.text.to_ascii_uppercase().ends_with(b"LAST"),
        _ => true,
    }
}

fn result(dialogue: &Dialogue<'_>, messages: u32) -> Result {
    let decides = |e: &&crate::dialogue::Exchange| {
        e.is_refusal()
            && !matches!(e.verb, Verb::Xexch50 | Verb::Xlink2State | Verb::Noop | Verb::Quit)
    };
    let refusal = dialogue.exchanges.iter().filter(decides).find(|e| e.stage != Stage::Other);
    let last = dialogue.exchanges.iter().rev().find(|e| decides(e) && e.stage != Stage::Other);
    let is_yes_after = |e: &crate::dialogue::Exchange| {
        // EHLO refused and HELO accepted, a login at the second try: got round, not decisive.
        dialogue
            .exchanges
            .iter()
            .any(|later| later.reply > e.reply && later.stage == e.stage && later.is_positive())
    };
    let ending = &dialogue.ending;
    match (messages, refusal, last) {
        (0, ..) if ending.how == How::NotConnected => Result::NotConnected,
        (0, _, Some(last)) if !is_yes_after(last) => {
            let first = refusal.filter(|first| !is_yes_after(first)).unwrap_or(last);
            Result::Refused { stage: first.stage, code: first.code }
        }
        (0, ..) => match ending.how {
            How::Encrypted => Result::Encrypted,
            How::Quit => Result::NoMail,
            How::Reset | How::Closed => Result::BrokenOff {
                stage: going_on(dialogue),
                by_reset: ending.how == How::Reset,
                by_server: ending.by == Some(Party::Server),
            },
            How::NotConnected | How::Unseen => Result::Unseen { stage: going_on(dialogue) },
        },
        (_, _, Some(last)) if !is_yes_after(last) || last.stage == Stage::Rcpt => {
            Result::Partly { stage: last.stage, code: last.code }
        }
        _ => Result::Accepted,
    }
}

/// The step of the first line without an answer, else of the last answer.
fn going_on(dialogue: &Dialogue<'_>) -> Stage {
    let unanswered = dialogue.unanswered.first().copied();
    let command = unanswered
        .and_then(|line| dialogue.commands.iter().find(|command| command.line == line))
        .map(|command| command.stage);
    let content = unanswered.is_some_and(|line| {
        dialogue
            .line(line)
            .is_some_and(|line| matches!(line.kind, Kind::Content { .. } | Kind::Blob { .. }))
    });
    let connected = dialogue.exchanges.is_empty()
        && dialogue
            .session
            .lines
            .iter()
            .all(|line| matches!(line.kind, Kind::Event(Event::Connected)));
    match (command, content) {
        (Some(stage), _) => stage,
        (None, true) => Stage::Content,
        (None, false) if connected => Stage::Greeting,
        (None, false) => dialogue.exchanges.last().map_or(Stage::Greeting, |e| e.stage),
    }
}

impl fmt::Display for Result {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Partly { stage, code } => write!(f, "partly accepted, {code} at {stage}"),
            Self::Refused { stage, code } => write!(f, "refused with {code} at {stage}"),
            Self::BrokenOff { stage, by_reset, by_server } => {
                let who = if *by_server { "the server" } else { "the client" };
                let how = if *by_reset { "reset" } else { "closed" };
                write!(f, "{how} by {who} at {stage}")
            }
            Self::NotConnected => f.write_str("no connection"),
            Self::Encrypted => f.write_str("goes on under TLS"),
            Self::NoMail => f.write_str("no mail tried"),
            Self::Unseen { stage } => write!(f, "not seen to its end, last at {stage}"),
        }
    }
}
