//! Servers that take their time: tarpits, overload, long checks after the content; and ends that have no room.

use std::time::Duration;

use smtp::Stage;

use super::{About, Observed};
use crate::{
    dialogue::Exchange,
    finding::{Confidence, Finding, Party, Weight},
    session::{Event, Kind},
};

/// Exchange waits 5 s before each refusal, and postscreen 6 s before it greets: neither is worth a word.
const SLOW_MIN: Duration = Duration::from_secs(10);
/// After the content servers check it, and Exchange may delay the reply by 30 s until the message is safe.
const SLOW_CONTENT_MIN: Duration = Duration::from_secs(45);
/// So many slow answers are no accident.
const TARPIT_MIN: usize = 3;
/// Longer than any program needs to empty its buffer.
const NO_ROOM_MIN: Duration = Duration::from_secs(10);

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    slow_answers(observed, found);
    no_room(observed, found);
}

fn slow_answers(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    let slow: Vec<(Duration, &Exchange)> = dialogue
        .exchanges
        .iter()
        .enumerate()
        .filter(|(_, exchange)| exchange.is_sure)
        .filter_map(|(index, exchange)| Some((waited(observed, index, exchange)?, exchange)))
        .filter(|(wait, exchange)| *wait >= limit(exchange.stage))
        .collect();
    let Some((wait, longest)) = slow.iter().max_by_key(|(wait, _)| *wait) else { return };
    let (rule, why) = if slow.len() >= TARPIT_MIN {
        (
            "tarpit",
            "So many slow answers look like intent: a tarpit, which costs spam programs time and mail servers only \
             patience. An overloaded server, or slow look-ups of its own, look the same.",
        )
    } else if longest.stage == Stage::EndOfData {
        (
            "slow",
            "The server checks the content before it answers, or waits for its disk or the next server. Clients that do \
             not wait long enough send the message again, and it arrives twice.",
        )
    } else {
        (
            "slow",
            "The server was busy, looked something up (the client's name, a blocklist), or makes strangers wait on \
             purpose.",
        )
    };
    let mut finding = observed.finding(rule, Some(longest.reply), About {
        what: format!(
            "{} took {}s to answer at {}{}",
            observed.peer,
            wait.as_secs(),
            longest.stage,
            if slow.len() > 1 { format!(", and was slow {} times", slow.len()) } else { String::new() }
        ),
        command: longest.command,
        who: Party::Server,
        confidence: Confidence::Possible,
        why: why.to_owned(),
        remedy: "Nothing to do as long as the client waits: RFC 5321 asks for 5 minutes for most replies and 10 after the \
                 content."
            .to_owned(),
        retry_helps: true,
        weight: Weight::Remark,
        next_test: None,
    });
    finding.consequences = slow
        .iter()
        .map(|(_, exchange)| exchange.reply)
        .filter(|line| *line != longest.reply)
        .take(20)
        .collect();
    // A remark about a reply must not stand for the reply's own explanation.
    finding.command = None;
    found.push(finding);
}

fn limit(stage: Stage) -> Duration {
    if stage == Stage::EndOfData { SLOW_CONTENT_MIN } else { SLOW_MIN }
}

/// From the command, or from the reply before where commands went together, to the reply.
fn waited(observed: &Observed<'_>, index: usize, exchange: &Exchange) -> Option<Duration> {
    let dialogue = observed.dialogue;
    let at = |line: usize| dialogue.line(line).map(|line| line.at);
    let asked = match exchange.command {
        Some(line) => at(line)?,
        None if exchange.stage == Stage::Greeting => {
            let is_connected =
                |line: &&crate::session::Line| matches!(line.kind, Kind::Event(Event::Connected));
            dialogue.session.lines.iter().find(is_connected)?.at
        }
        None => return None,
    };
    let before = index.checked_sub(1).and_then(|before| at(dialogue.exchanges.get(before)?.reply));
    let since = before.map_or(asked, |before| before.max(asked));
    // 221 and 421 come when they come.
    (!matches!(exchange.code, 221 | 421))
        .then(|| at(exchange.reply).unwrap_or(since).saturating_sub(since))
}

fn no_room(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let Some(wire) = observed.wire() else { return };
    for (side, name, who) in
        [(&wire.server, "the server", Party::Server), (&wire.client, "the client", Party::Client)]
    {
        if side.zero_windows == 0 || side.zero_window_max < NO_ROOM_MIN {
            continue;
        }
        let is_cut = observed.cut.is_some();
        found.push(observed.finding("no-room", None, About {
            what: format!("{name} had no room for more octets for {}s", side.zero_window_max.as_secs()),
            who,
            confidence: Confidence::Possible,
            why: format!(
                "{name} told in its packets that its buffer is full (window 0): its program does not read. It is \
                 overloaded or hangs, or a scanner in front of it has stopped to think."
            ),
            remedy: format!("Who runs {name} should look at its load, and at its content filter, at that time."),
            retry_helps: true,
            weight: if is_cut { Weight::Fault } else { Weight::Remark },
            ..About::default()
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{START, none, one};

    #[test]
    fn slow_and_tarpit() {
        let text = format!("{START}C: RCPT TO:<b@b>\n-- +14s\nS: 250 ok\nC: QUIT\nS: 221 b");
        assert_eq!(one(&text, "slow").weight, Weight::Remark);
        let one_more = "C: RCPT TO:<b@b>\n-- +14s\nS: 250 ok\n".repeat(4);
        assert_eq!(
            one(&format!("{START}{one_more}C: QUIT\nS: 221 b"), "tarpit").consequences.len(),
            3
        );
        let text = format!(
            "-- wire: server.zero_windows=3 server.zero_window_seconds=40\n{START}C: QUIT\nS: 221 b"
        );
        assert_eq!(one(&text, "no-room").weight, Weight::Remark);
    }

    #[test]
    fn look_alikes() {
        for text in [
            "C: RCPT TO:<b@b>\n-- +5s\nS: 550 5.1.1 no\nC: QUIT\nS: 221 b", // Exchange's tarpit
            "C: DATA\nS: 354 go\nC: <content 9>\n-- +30s\nS: 250 ok\nC: QUIT\nS: 221 b", // its delayed reply
            "-- +600s\nS: 421 idle", // the client is slow
        ] {
            none(&format!("{START}{text}"), "slow");
        }
    }
}
