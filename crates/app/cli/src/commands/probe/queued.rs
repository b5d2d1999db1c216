//! What a queued message meets: the running server tells its envelope, size, way and how a session for it is opened,
//! the evidence of its newest attempt from which address we came.

use std::net::{IpAddr, SocketAddr};

use mta::{
    handle::{Detail, Request, Response, Sending},
    why::{AttemptStep, Step, Why},
};
use smtp::Address;
use transport::probe::{Subject, Trial};

use crate::{problem::Problem, server::Place};

/// The context of a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Context {
    /// The domain whose MX takes it; or the next hop where that is configured.
    pub subject: Subject,
    /// The port there.
    pub port: u16,
    /// Where connections come from: as configured, else as the newest attempt did.
    pub source: Vec<IpAddr>,
    /// How a session is opened.
    pub sending: Sending,
    /// Envelope and size.
    pub trial: Trial,
}

/// Asks the running server.
pub fn ask(place: &Place, id: &str) -> Result<Context, Problem> {
    let mut detail: Option<Detail> = None;
    place.ask(&Request::QueueShow { id: id.to_owned() }, |response| {
        if let Response::Detail(own) = response {
            detail = Some(*own);
        }
    })?;
    let mut answers: Vec<Why> = Vec::new();
    place.ask(&Request::Why { subject: id.to_owned() }, |response| {
        if let Response::Explanation { why } = response {
            answers.push(*why);
        }
    })?;
    let Some(detail) = detail else {
        return Err(Problem::new(format!("the server did not tell of `{id}`")));
    };
    let steps = answers.iter().flat_map(|why| &why.stories).flat_map(|story| &story.steps);
    let attempts: Vec<&AttemptStep> = steps
        .filter_map(|step| match step {
            Step::Attempt(attempt) if attempt.job == detail.entry.id => Some(attempt),
            _ => None,
        })
        .collect();
    context(detail, attempts.into_iter().max_by_key(|attempt| attempt.at))
}

/// Puts it together.
fn context(detail: Detail, last: Option<&AttemptStep>) -> Result<Context, Problem> {
    let entry = &detail.entry;
    let Some(sending) = detail.sending else {
        let problem =
            Problem::new(format!("no server takes `{}`: there is nobody to probe", entry.id));
        let way = detail.route.first().map_or("", String::as_str);
        return Err(problem.help(format!("where it goes: {way}")));
    };
    let (subject, port) = place(&entry.id, &sending, last)?;
    let path = |text: &str| {
        text.parse::<Address>().map_err(|error| Problem::new(format!("`{text}`: {error}")))
    };
    let reverse_path = match entry.reverse_path.as_str() {
        "" => None,
        text => Some(path(text)?),
    };
    let recipients = entry.recipients.iter().map(|text| path(text)).collect::<Result<_, _>>()?;
    let source = match sending.source.is_empty() {
        false => sending.source.clone(),
        true => last.and_then(came_from).into_iter().collect(),
    };
    let trial = Trial { reverse_path, recipients, size: Some(entry.size) };
    Ok(Context { subject, port, source, sending, trial })
}

/// Where it goes: of several configured hosts, the one that was tried last.
fn place(
    id: &str,
    sending: &Sending,
    last: Option<&AttemptStep>,
) -> Result<(Subject, u16), Problem> {
    if let Some(domain) = &sending.mx_of {
        return Ok((Subject::Domain(domain.clone()), sending.port));
    }
    let parsed = |host: &String| match Subject::parse(host) {
        Ok((subject, Some(port))) => Some((subject, port)),
        _ => None,
    };
    let hosts: Vec<(Subject, u16)> = sending.hosts.iter().filter_map(parsed).collect();
    let tried = |(subject, _): &&(Subject, u16)| last.is_some_and(|l| l.next_hop == subject.name());
    let found = hosts.iter().find(tried).or(hosts.first()).cloned();
    found.ok_or_else(|| {
        let hosts = sending.hosts.join(", ");
        Problem::new(format!("`{id}` goes to {hosts}, which can't be probed"))
    })
}

/// The address that an attempt came from.
fn came_from(last: &AttemptStep) -> Option<IpAddr> {
    let mut lines = last.dialogue.iter().filter(|line| line.by == '-');
    let rest = lines.find_map(|line| line.text.strip_prefix("connected to "))?;
    let (_, from) = rest.rsplit_once(" from ")?;
    Some(from.parse::<SocketAddr>().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use mta::{
        handle::{Entry, EntryState},
        why::DialogueLine,
    };
    use smtp::Timestamp;

    use super::*;

    fn detail(sending: Option<Sending>) -> Detail {
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
            route: vec!["`b.test` is local".to_owned()],
            recipients: Vec::new(),
            sending,
        }
    }

    fn by_mx() -> Sending {
        Sending { mx_of: Some("b.test".to_owned()), port: 2525, ..Sending::default() }
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
    fn as_its_route_says_and_its_newest_attempt_went() {
        let found = context(detail(Some(by_mx())), Some(&attempt())).unwrap();
        assert_eq!(found.subject, Subject::Domain("b.test".to_owned()));
        assert_eq!(found.port, 2525);
        assert_eq!(found.source, [IpAddr::from([192, 0, 2, 1])]);
        assert_eq!((found.trial.reverse_path, found.trial.size), (None, Some(4_000)));
        let own = IpAddr::from([192, 0, 2, 99]);
        let configured = Sending { source: vec![own], ..by_mx() };
        let found = context(detail(Some(configured)), Some(&attempt())).unwrap();
        assert_eq!(found.source, [own], "the route's own goes first");
        let found = context(detail(Some(by_mx())), None).unwrap();
        assert!(found.source.is_empty());
    }

    #[test]
    fn a_configured_next_hop() {
        let hosts = |hosts: &[&str]| {
            let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
            Some(Sending { hosts, ..Sending::default() })
        };
        let two = ["first.test:26", "relay.test:2525"];
        let found = context(detail(hosts(&two)), Some(&attempt())).unwrap();
        assert_eq!((found.subject.name(), found.port), ("relay.test", 2525), "as it was tried");
        let found = context(detail(hosts(&two)), None).unwrap();
        assert_eq!((found.subject.name(), found.port), ("first.test", 26));
        let problem = context(detail(hosts(&["/run/lmtp"])), None).unwrap_err();
        assert!(problem.in_short().contains("/run/lmtp"), "{}", problem.in_short());
        let problem = context(detail(None), None).unwrap_err();
        assert!(problem.in_short().contains("nobody to probe"), "{}", problem.in_short());
    }
}
