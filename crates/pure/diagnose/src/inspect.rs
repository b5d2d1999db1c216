//! One observed session: all that is wrong in it, each cause once.

use std::collections::{BTreeMap, BTreeSet};

use smtp::{Party as By, Stage};

use crate::{
    cascade,
    dialogue::{Dialogue, Exchange, Verb},
    evidence::Evidence,
    finding::{Confidence, Finding, Party, Weight},
    rules::{
        self,
        session::{About, Observed},
    },
    session::{Event, Kind, Line, Session},
};

/// So many refused commands of one session are told one by one; a hostile or endless session shall not
/// fill the memory with sentences.
const REFUSALS_MAX: usize = 200;

/// All findings about a session, in the order of the lines they concern. A refused command is told
/// once, as the cause; what only follows from it stands in its [`Finding::consequences`].
pub fn inspect(session: &Session) -> Vec<Finding> {
    let dialogue = Dialogue::read(session);
    let observed = Observed::new(&dialogue, None);
    let mut findings = rules::session::find(&observed);
    let roots = cascade::roots(&dialogue);
    refusals(&observed, &roots, &mut findings);
    attach(&dialogue, &roots, &mut findings);
    // What concerns no line is about the session as a whole and comes first.
    findings.sort_by_key(|finding| finding.line.map_or(0, |line| line + 1));
    findings
}

/// Explains the refusals that no session rule has explained.
fn refusals(observed: &Observed<'_>, roots: &[Option<usize>], findings: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    let claimed: BTreeSet<(usize, Option<usize>)> = findings
        .iter()
        .flat_map(|finding| finding.line.map(|line| (line, finding.command)))
        .collect();
    let following: BTreeSet<usize> =
        findings.iter().flat_map(|finding| finding.consequences.iter().copied()).collect();
    let is_open = |(index, exchange): &(usize, &Exchange)| {
        exchange.is_refusal()
            && roots[*index].is_none()
            && !claimed.contains(&(exchange.reply, exchange.command))
            && !following.contains(&exchange.reply)
            && !is_idle_end(dialogue, exchange)
            && !is_epilogue(dialogue, exchange)
            && !is_another_way(dialogue, exchange)
    };
    let mut left_out = 0;
    let mut told = 0;
    for (_, exchange) in dialogue.exchanges.iter().enumerate().filter(is_open) {
        if told == REFUSALS_MAX {
            left_out += 1;
            continue;
        }
        told += 1;
        findings.push(refusal(dialogue, exchange));
    }
    if left_out > 0 {
        findings.push(more(observed, left_out));
    }
}

/// `421` that nothing asked for, after work was done: the server tired of waiting for more.
fn is_idle_end(dialogue: &Dialogue<'_>, exchange: &Exchange) -> bool {
    exchange.code == 421
        && exchange.command.is_none()
        && exchange.transaction.is_none()
        && dialogue.at(Stage::EndOfData).any(Exchange::is_positive)
}

/// `421` to a client that has closed already: Exim says `lost input connection` to whom it lost.
fn is_epilogue(dialogue: &Dialogue<'_>, exchange: &Exchange) -> bool {
    let by_client = |line: &Line| {
        let gone = matches!(line.kind, Kind::Event(Event::Closed | Event::Reset));
        gone && line.by == By::Client
    };
    let before = dialogue.session.lines.get(..exchange.first).unwrap_or_default();
    exchange.code == 421 && exchange.command.is_none() && before.iter().rev().any(by_client)
}

/// A mechanism that the client began, broke off by itself (`*`, RFC 4954 section 4), and left for another one,
/// by which it got in: a choice, no refusal.
fn is_another_way(dialogue: &Dialogue<'_>, exchange: &Exchange) -> bool {
    let command = exchange.command.and_then(|line| dialogue.line(line));
    let is_cancel =
        command.is_some_and(|line| line.kind == Kind::SaslResponse && line.text == b"*");
    is_cancel && is_login_later(dialogue, exchange)
}

fn is_login_later(dialogue: &Dialogue<'_>, exchange: &Exchange) -> bool {
    let after = dialogue.exchanges.partition_point(|other| other.reply <= exchange.reply);
    dialogue.exchanges[after..].iter().any(|other| other.code == 235)
}

fn refusal(dialogue: &Dialogue<'_>, exchange: &Exchange) -> Finding {
    let mut finding = rules::explain(&Evidence::of_exchange(dialogue, *exchange));
    finding.weight = weight(dialogue, exchange);
    if !exchange.is_sure {
        finding.confidence = finding.confidence.min(Confidence::Likely);
    }
    finding
}

/// What the refusal of that command does to the mail.
fn weight(dialogue: &Dialogue<'_>, exchange: &Exchange) -> Weight {
    let later = |is_it: &dyn Fn(&Exchange) -> bool| {
        let after = dialogue.exchanges.partition_point(|other| other.reply <= exchange.reply);
        dialogue.exchanges[after..].iter().any(is_it)
    };
    match exchange.stage {
        Stage::Ehlo if later(&|other| other.stage == Stage::Ehlo && other.is_positive()) => {
            Weight::Remark
        }
        // Another mechanism, or the same once more, and the login was there.
        Stage::Auth if is_login_later(dialogue, exchange) => Weight::Remark,
        Stage::StartTls if later(&|other| other.stage == Stage::Mail && other.is_positive()) => {
            Weight::Fault
        }
        Stage::Other if exchange.verb.is_optional() || exchange.verb == Verb::Quit => {
            Weight::Remark
        }
        // A server that says 421 after a while of idleness, with all work done.
        Stage::Other if exchange.command.is_none() && exchange.transaction.is_none() => {
            Weight::Remark
        }
        Stage::Other => Weight::Fault,
        _ => Weight::Failure,
    }
}

fn more(observed: &Observed<'_>, count: usize) -> Finding {
    observed.finding(
        "more-refusals",
        None,
        About {
            what: format!("{} refused {count} more commands in this session", observed.peer),
            who: Party::Unknown,
            confidence: Confidence::Certain,
            why: format!("After {REFUSALS_MAX} refusals in one session they are only counted."),
            remedy: "Look at the first ones.".to_owned(),
            weight: Weight::Remark,
            ..About::default()
        },
    )
}

/// Gives each cause the lines of what follows from it.
fn attach(dialogue: &Dialogue<'_>, roots: &[Option<usize>], findings: &mut [Finding]) {
    let mut by_line: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        if let Some(line) = finding.line {
            let entry = by_line.entry(line).or_insert(index);
            if findings[*entry].weight < finding.weight {
                *entry = index;
            }
        }
    }
    for (index, root) in roots.iter().enumerate() {
        let Some(root) = root else { continue };
        let line = dialogue.exchanges[*root].reply;
        if let Some(cause) = by_line.get(&line) {
            findings[*cause].consequences.push(dialogue.exchanges[index].reply);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::session::testing::{START, found, none, one};

    /// Exim answers a client that is gone.
    #[test]
    fn what_is_said_to_whom_has_gone_is_no_refusal() {
        let gone =
            format!("{START}-- C closed\nS: 421 mx.b.test lost input connection\n-- S closed");
        assert!(found(&gone).is_empty(), "{:?}", found(&gone));
        let reset = gone.replace("C closed", "C reset");
        none(&reset, "meaning");
        // It was still there.
        let here = format!("{START}S: 421 4.3.2 shutting down\n-- S closed\n-- C closed");
        assert!(!found(&here).is_empty());
    }

    /// The server's name is what it greets with, also behind a handshake.
    #[test]
    fn names_under_tls() {
        let text = "-- connected\n-- C tls hello\n-- S tls hello\n-- tls established\nS: 220 mx.b.test ESMTP\n\
                    C: EHLO a\nS: 250 ok\nC: MAIL FROM:<a@a.test>\nS: 550 5.7.1 no";
        assert!(one(text, "meaning").what.starts_with("mx.b.test "), "{:?}", found(text));
    }
}
