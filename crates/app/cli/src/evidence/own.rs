//! Our own evidence: what `why` answers, live or from a file of `why --json`.

use std::time::Duration;

use diagnose::session::{Place, Session, Vantage};
use mta::{
    handle::{Request, Response},
    why::{AttemptStep, DialogueLine, Step, Why},
};
use smtp::{Attempt, Party, Transcript};

use super::{Item, Opened, Sink};
use crate::{problem::Problem, server::Place as ServerPlace};

/// Asks the running server about a queue id, an address, a domain or a Message-ID.
pub(super) fn ask(subject: &str, place: &ServerPlace, sink: Sink<'_>) -> Result<Opened, Problem> {
    let mut answers: Vec<Why> = Vec::new();
    let request = Request::Why { subject: subject.to_owned() };
    let (_, problems) = place.ask(&request, |response| {
        if let Response::Explanation { why } = response {
            answers.push(*why);
        }
    })?;
    for session in answers.iter().flat_map(of_why) {
        sink(Item::Session(session))?;
    }
    Ok(Opened { name: format!("queue:{subject}"), kind: "our own evidence", octets: 0, problems })
}

/// The sessions in a file of `why --json`; `None` if it is none.
pub(super) fn sessions(octets: &[u8]) -> Option<Vec<Session>> {
    let text = str::from_utf8(octets).ok()?.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    let answers: Result<Vec<Why>, _> =
        serde_json::Deserializer::from_str(text).into_iter::<Why>().collect();
    Some(answers.ok()?.iter().flat_map(of_why).collect())
}

fn of_why(why: &Why) -> Vec<Session> {
    let steps = why.stories.iter().flat_map(|story| &story.steps);
    steps
        .filter_map(|step| match step {
            Step::Attempt(attempt) => Some(of_attempt(attempt)),
            Step::Refusal { at, dialogue, .. } => {
                Some(session(Vantage::Server, at.0.saturating_mul(1_000), dialogue))
            }
            Step::Note { .. } => None,
        })
        .filter(|session| !session.lines.is_empty())
        .collect()
}

fn of_attempt(attempt: &AttemptStep) -> Session {
    let ended = attempt.at.0.saturating_mul(1_000);
    let took = attempt.took.saturating_mul(1_000);
    let mut session = session(Vantage::Client, ended.saturating_sub(took), &attempt.dialogue);
    session.server.name = Some(attempt.next_hop.clone());
    session.server.address = attempt.address.as_deref().and_then(|address| address.parse().ok());
    session
}

/// The dialogue as our machine recorded it, so that it is read in the one way.
fn session(vantage: Vantage, started: u64, dialogue: &[DialogueLine]) -> Session {
    let mut transcript = Transcript::default();
    for line in dialogue {
        let by = match line.by {
            'C' => Party::Client,
            'S' => Party::Server,
            _ => Party::Note,
        };
        transcript.record(Duration::from_millis(line.at), by, &line.text);
    }
    let mut session = Session::from(&Attempt {
        next_hop: String::new(),
        address: None,
        route: Vec::new(),
        transcript,
        tls: None,
        outcomes: Vec::new(),
    });
    session.vantage = vantage;
    session.started = i64::try_from(started).ok();
    session.server.name = None;
    for (index, line) in session.lines.iter_mut().enumerate() {
        line.place = Place::at(index as u64 + 1);
    }
    session
}
