//! Sessions of a live view that go on: what is found in them is told at once, and once.

use std::{collections::BTreeMap, fmt::Write, net::SocketAddr};

use diagnose::{
    Finding, Session,
    session::{Ending, Kind},
};
use serde::Serialize;

use super::{dialogue, ledger};

/// Sessions whose findings are remembered; beyond it those of the oldest are told again.
const REMEMBERED_MAX: usize = 10_000;

/// Which findings of which sessions were told.
#[derive(Default)]
pub struct Current(BTreeMap<Name, Vec<Key>>);

/// What a session is known by while it goes on: when it began, and both ends.
type Name = (Option<i64>, Option<SocketAddr>, Option<SocketAddr>);
/// What a finding is known by: its rule and its line.
type Key = (String, Option<usize>);

/// A finding of a session that goes on, for programs.
#[derive(Serialize)]
pub struct Early<'a> {
    goes_on: &'a Session,
    findings: Vec<Finding>,
}

impl Current {
    /// What is found in it and was not told yet.
    pub fn news(&mut self, session: &Session, findings: Vec<Finding>) -> Vec<Finding> {
        let name = name(session);
        let told = self.0.entry(name).or_default();
        let mut news = findings;
        news.retain(|finding| {
            let key = (finding.rule.clone(), finding.line);
            let is_new = !is_half(session, finding) && !told.contains(&key);
            if is_new {
                told.push(key);
            }
            is_new
        });
        if self.0.get(&name).is_some_and(Vec::is_empty) {
            self.0.remove(&name);
        }
        while self.0.len() > REMEMBERED_MAX {
            self.0.pop_first();
        }
        news
    }

    /// It ended.
    pub fn ended(&mut self, session: &Session) {
        self.0.remove(&name(session));
    }
}

/// The news as a value.
pub fn early(session: &Session, findings: Vec<Finding>) -> Early<'_> {
    Early { goes_on: session, findings }
}

/// The news as text: each finding under its line.
pub fn text(session: &Session, news: &[Finding], colour: bool) -> String {
    let mut page = format!("\n{} (it goes on)\n", ledger::ends(session));
    for finding in news {
        let lines = [finding.command, finding.line];
        let lines =
            lines.iter().enumerate().filter(|(place, line)| *place == 0 || **line != lines[0]);
        for line in lines.filter_map(|(_, line)| session.lines.get((*line)?)) {
            let at = ledger::seconds(line.at);
            // Writing into a String does not fail.
            let _ = writeln!(page, "  {at:>9}  {} {}", dialogue::by(line), ledger::words(line));
        }
        dialogue::told(&mut page, finding, 15, colour);
    }
    page
}

fn name(session: &Session) -> Name {
    (session.started, session.client.address, session.server.address)
}

/// About a line whose rest may be on its way: what is told of it may not be true in a moment.
fn is_half(session: &Session, finding: &Finding) -> bool {
    let half = |index: usize| {
        session.lines.get(index).is_some_and(|line| {
            matches!(line.kind, Kind::Command(Ending::Missing) | Kind::Reply(Ending::Missing))
        })
    };
    finding.line.is_some_and(half) || finding.command.is_some_and(half)
}

#[cfg(test)]
mod tests {
    use diagnose::{dialects::transcript, inspect};

    use super::*;

    #[test]
    fn each_finding_once_while_it_goes_on() {
        let text = "S: 220 mx.b.test\nC: EHLO a.test\nS: 250 mx.b.test\nC: RCPT TO:<b@b.test>\nS: 503 MAIL first\n";
        let session = transcript::read(text.as_bytes()).unwrap().remove(0);
        let found = inspect(&session);
        assert!(!found.is_empty());
        let mut current = Current::default();
        let news = current.news(&session, found.clone());
        assert_eq!(news.len(), found.len());
        let shown = super::text(&session, &news, false);
        assert!(shown.contains("C: RCPT TO:<b@b.test>\n") && shown.contains("S: 503"), "{shown}");
        assert!(current.news(&session, found.clone()).is_empty());
        current.ended(&session);
        assert_eq!(current.news(&session, found.clone()).len(), found.len());
    }

    #[test]
    fn half_a_line_is_waited_for() {
        let text = "S: 220 mx.b.test\nC: EHLO a.test\nS: 250 mx.b.test\nC: RCPT TO:<b@b.test>\nS: 503 MAIL first\n";
        let mut session = transcript::read(text.as_bytes()).unwrap().remove(0);
        let found = inspect(&session);
        for line in &mut session.lines {
            if let Kind::Reply(ending) = &mut line.kind {
                *ending = Ending::Missing;
            }
        }
        let news = Current::default().news(&session, found);
        assert!(news.iter().all(|finding| finding.line.is_none()), "{news:?}");
    }
}
