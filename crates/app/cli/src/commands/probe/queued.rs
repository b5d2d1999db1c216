//! What a queued message meets: the running server tells its envelope, size and way, and the evidence of its newest
//! attempt by which name and from which address we came.

use std::net::{IpAddr, SocketAddr};

use mta::{
    handle::{Detail, Request, Response, Status},
    why::{AttemptStep, Step, Why},
};
use smtp::Address;
use transport::probe::{Subject, Trial};

use crate::{problem::Problem, server::Place};

/// The context of a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Context {
    /// Its recipients' domain; or the next hop where that is configured.
    pub subject: Subject,
    /// Where the newest attempt went to.
    pub port: Option<u16>,
    /// The name in EHLO.
    pub ehlo: String,
    /// The address that the newest attempt came from.
    pub source: Option<IpAddr>,
    /// Envelope and size.
    pub trial: Trial,
}

/// Asks the running server.
pub fn ask(place: &Place, id: &str) -> Result<Context, Problem> {
    let (mut detail, mut status): (Option<Detail>, Option<Status>) = (None, None);
    place.ask(&Request::QueueShow { id: id.to_owned() }, |response| {
        if let Response::Detail(own) = response {
            detail = Some(*own);
        }
    })?;
    place.ask(&Request::Status, |response| {
        if let Response::Status(own) = response {
            status = Some(*own);
        }
    })?;
    let mut answers: Vec<Why> = Vec::new();
    place.ask(&Request::Why { subject: id.to_owned() }, |response| {
        if let Response::Explanation { why } = response {
            answers.push(*why);
        }
    })?;
    let (Some(detail), Some(status)) = (detail, status) else {
        return Err(Problem::new(format!("the server did not tell of `{id}`")));
    };
    let steps = answers.iter().flat_map(|why| &why.stories).flat_map(|story| &story.steps);
    let attempts: Vec<&AttemptStep> = steps
        .filter_map(|step| match step {
            Step::Attempt(attempt) if attempt.job == detail.entry.id => Some(attempt),
            _ => None,
        })
        .collect();
    context(&detail, attempts.into_iter().max_by_key(|attempt| attempt.at), &status.hostname)
}

/// Puts it together.
fn context(
    detail: &Detail,
    last: Option<&AttemptStep>,
    hostname: &str,
) -> Result<Context, Problem> {
    let entry = &detail.entry;
    let address = last.and_then(|last| last.address.as_deref()?.parse::<SocketAddr>().ok());
    let is_given =
        |line: &String| line.starts_with("configured next hop") || line.starts_with("next hop ");
    let subject = match (detail.route.first().is_some_and(is_given), last) {
        (false, _) => Subject::Domain(entry.domain.clone()),
        (true, Some(last)) => Subject::Host(last.next_hop.clone()),
        (true, None) => {
            let problem = Problem::new(format!(
                "`{}` goes to a configured next hop, and was not tried yet",
                entry.id
            ));
            return Err(problem.help("name it: `mailwright probe HOST:PORT --from .. --to ..`"));
        }
    };
    let path = |text: &str| {
        text.parse::<Address>().map_err(|error| Problem::new(format!("`{text}`: {error}")))
    };
    let reverse_path = match entry.reverse_path.as_str() {
        "" => None,
        text => Some(path(text)?),
    };
    let recipients = entry.recipients.iter().map(|text| path(text)).collect::<Result<_, _>>()?;
    let said = |by: char, start: &str| {
        let mut lines = last.into_iter().flat_map(|last| &last.dialogue);
        lines.find_map(|line| line.text.strip_prefix(start).filter(|_| line.by == by))
    };
    let source = said('-', "connected to ").and_then(|rest| rest.rsplit_once(" from "));
    Ok(Context {
        subject,
        port: address.map(|address| address.port()),
        ehlo: said('C', "EHLO ").unwrap_or(hostname).to_owned(),
        source: source.and_then(|(_, from)| Some(from.parse::<SocketAddr>().ok()?.ip())),
        trial: Trial { reverse_path, recipients, size: Some(entry.size) },
    })
}

#[cfg(test)]
mod tests {
    use mta::{
        handle::{Entry, EntryState},
        why::DialogueLine,
    };
    use smtp::Timestamp;

    use super::*;

    fn detail(route: &str) -> Detail {
        Detail {
            entry: Entry {
                id: "00A7KQ".to_owned(),
                state: EntryState::Waiting,
                domain: "b.test".to_owned(),
                reverse_path: String::new(),
                recipients: vec!["bob@b.test".to_owned()],
                size: 4_000,
                at: Timestamp(0),
                due: Timestamp(0),
                attempts: 1,
                last: None,
            },
            message_id: None,
            envid: None,
            gives_up: Timestamp(0),
            route: vec![route.to_owned()],
            recipients: Vec::new(),
        }
    }

    fn attempt() -> AttemptStep {
        let line = |by, text: &str| DialogueLine {
            at: 0,
            by,
            text: text.to_owned(),
            decisive: false,
            command: false,
        };
        AttemptStep {
            job: "00A7KQ".to_owned(),
            at: Timestamp(1),
            number: 1,
            took: 1,
            next_hop: "relay.test".to_owned(),
            address: Some("192.0.2.7:2525".to_owned()),
            route: Vec::new(),
            tls: None,
            outcomes: Vec::new(),
            summary: String::new(),
            dialogue: vec![
                line('-', "connected to relay.test [192.0.2.7]:2525 from 192.0.2.1:4000"),
                line('C', "EHLO out.a.test"),
            ],
        }
    }

    #[test]
    fn as_the_newest_attempt_went() {
        let found = context(&detail("MX of `b.test`"), Some(&attempt()), "a.test").unwrap();
        assert_eq!(found.subject, Subject::Domain("b.test".to_owned()));
        assert_eq!((found.port, found.ehlo.as_str()), (Some(2525), "out.a.test"));
        assert_eq!(found.source, Some([192, 0, 2, 1].into()));
        assert_eq!((found.trial.reverse_path, found.trial.size), (None, Some(4_000)));
    }

    #[test]
    fn a_configured_next_hop() {
        let route = "configured next hop for `b.test`: relay.test:2525";
        let found = context(&detail(route), Some(&attempt()), "a.test").unwrap();
        assert_eq!(found.subject, Subject::Host("relay.test".to_owned()));
        let problem = context(&detail(route), None, "a.test").unwrap_err();
        assert!(problem.in_short().contains("was not tried yet"));
        let found = context(&detail("MX of `b.test`"), None, "a.test").unwrap();
        assert_eq!((found.ehlo.as_str(), found.source), ("a.test", None));
    }
}
