//! `503` to a command: the one that has to come before it is missing, or it was there and somebody took
//! it away.
//!
//! What a missing line proves depends on where the evidence was gathered (the *no-gap rule*): a command
//! that the client's own log has and the wire has not was taken away on the client's host; one that only a
//! capture with gaps has not, may have been lost by the capture.

use smtp::Stage;

use super::{About, FOUND_MAX, Observed};
use crate::{
    dialogue::{Command, Exchange, Verb},
    finding::{Confidence, Finding, Party},
    session::{Source, Vantage},
};

/// What has to come before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// It came and was accepted.
    Accepted,
    /// It is not in the evidence.
    Absent,
    /// It is there, and too much: the transaction before has not ended.
    Nested,
}

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    let mut walk = Walk::default();
    // What is missing since which finding: later commands that lack the same only follow from that.
    let mut lacking: Option<(&str, usize)> = None;
    for command in &dialogue.commands {
        if matches!(command.verb, Verb::Mail | Verb::Ehlo | Verb::Helo | Verb::Lhlo | Verb::Rset) {
            lacking = None;
        }
        if let Some(exchange) = dialogue.answer(command)
            && is_about_order(observed, exchange)
            && let Some((missing, before)) = walk.missing(command)
        {
            match (before, lacking) {
                (Before::Absent, Some((same, first))) if same == missing => {
                    found[first].consequences.push(exchange.reply);
                }
                (Before::Absent, _) => {
                    lacking = Some((missing, found.len()));
                    found.push(absent(observed, exchange, missing));
                }
                (Before::Accepted, _) => found.push(taken_away(observed, exchange, missing)),
                (Before::Nested, _) => found.push(nested(observed, exchange)),
            }
        }
        if found.len() >= FOUND_MAX {
            return;
        }
        walk.pass(command, dialogue.answer(command));
    }
}

/// `503`, or another refusal with the status for it, that does not speak of a login. With codes for a command
/// that is not known or written wrong the status means just that.
fn is_about_order(observed: &Observed<'_>, exchange: &Exchange) -> bool {
    let is_it = exchange.code == 503
        || exchange.is_refusal()
            && !matches!(exchange.code, 500..=502 | 504 | 555)
            && exchange.status.is_some_and(|status| (status.subject, status.detail) == (5, 1));
    if !is_it || !exchange.is_sure {
        return false;
    }
    let words = observed.dialogue.reply(exchange).text.to_lowercase();
    !["auth", "login", "log in", "tls"].iter().any(|word| words.contains(word))
}

/// What was accepted so far, as the server's state has to be.
#[derive(Default)]
struct Walk {
    hello: bool,
    /// The transaction under way: whether its MAIL was accepted, or still waits for its reply.
    transaction: Option<(u32, Option<bool>)>,
    /// The same of its recipients: any sent, any accepted.
    recipients: (bool, bool),
}

impl Walk {
    fn pass(&mut self, command: &Command, answer: Option<&Exchange>) {
        let accepted = answer.map(Exchange::is_positive);
        match command.verb {
            Verb::Ehlo | Verb::Helo | Verb::Lhlo => {
                self.hello |= accepted != Some(false);
                self.transaction = None;
            }
            // RFC 3207 section 4.2: the dialogue starts over.
            Verb::StartTls if accepted == Some(true) => *self = Self::default(),
            Verb::Mail => {
                self.transaction = command.transaction.map(|number| (number, accepted));
                self.recipients = (false, false);
            }
            Verb::Rcpt => {
                self.recipients.0 = true;
                self.recipients.1 |= accepted != Some(false);
            }
            Verb::Rset => self.transaction = None,
            // Refused, it leaves the transaction open (RFC 5321 section 4.1.4); taken, it is where content ends.
            Verb::Data if answer.is_some_and(|exchange| exchange.code == 354) => {
                self.transaction = None;
            }
            Verb::Bdat if command.stage == Stage::EndOfData => self.transaction = None,
            _ => {}
        }
    }

    /// Whether a MAIL was accepted and its transaction has not ended.
    fn is_open(&self) -> bool {
        matches!(self.transaction, Some((_, Some(true))))
    }

    /// What a command that is called out of order lacks; `None` if that is the consequence of a refusal.
    fn missing(&self, command: &Command) -> Option<(&'static str, Before)> {
        let ours = self.transaction.filter(|(number, _)| command.transaction == Some(*number));
        match command.verb {
            Verb::Mail if self.is_open() => Some(("RSET", Before::Nested)),
            Verb::Mail if self.hello => Some(("EHLO", Before::Accepted)),
            Verb::Mail => Some(("EHLO", Before::Absent)),
            Verb::Rcpt => match ours {
                Some((_, Some(true))) => Some(("MAIL", Before::Accepted)),
                Some(_) => None,
                None => Some(("MAIL", Before::Absent)),
            },
            Verb::Data | Verb::Bdat => match (ours, self.recipients) {
                (None, _) => Some(("MAIL", Before::Absent)),
                (Some((_, Some(true))), (_, true)) => Some(("RCPT", Before::Accepted)),
                (Some((_, Some(true))), (false, _)) => Some(("RCPT", Before::Absent)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// One end did not get what the other sent, though somebody accepted it.
fn taken_away(observed: &Observed<'_>, exchange: &Exchange, missing: &str) -> Finding {
    let (peer, stage) = (&observed.peer, exchange.stage);
    let said = observed.dialogue.reply(exchange);
    let sent = if observed.is_ours() {
        format!("We sent {missing} and got a good answer to it")
    } else {
        format!("{missing} was sent and got a good answer")
    };
    let (who, confidence, why) = if observed.vantage() == Vantage::Server {
        (
            Party::Server,
            Confidence::Likely,
            format!(
                "By the server's own record {missing} came and was accepted, and yet it says at {stage} that \
                 it never came. The fault is in the server, or in a part of it (a filter, a proxy in front)."
            ),
        )
    } else {
        (
            Party::Between,
            Confidence::Likely,
            format!(
                "{sent}, yet {peer} says at {stage} that it never came. The recipient's address is not the reason: \
                 the dialogue itself was broken. Something between the two servers took {missing} away: a virus \
                 scanner or firewall that reads mail on the sending host or on the way, or {peer} is itself such a \
                 box in front of the real server."
            ),
        )
    };
    observed.finding(
        "command-taken-away",
        Some(exchange.reply),
        About {
            what: format!("{peer} answered at {stage}: {}", crate::quote::clean(&said.to_string())),
            command: exchange.command,
            who,
            confidence,
            why,
            remedy: format!(
                "Nothing is wrong with the message or the address. For who runs the sending server: capture \
                 the traffic on its network side and, if possible, at {peer}. If {missing} is in the first \
                 capture and not in the second, a box on the way takes it; if it is not even in the first, \
                 software on the sending host does: switch off its mail scanner and try again."
            ),
            // Mended by removing the box, not by waiting; but then the same message goes through.
            retry_helps: true,
            next_test: Some(format!(
                "a capture on the server's side of every box: if {missing} is not in it, and its good answer \
                 was never sent there, a box on the way took it away"
            )),
            ..About::default()
        },
    )
}

/// A second MAIL within a transaction (RFC 5321 section 4.1.4).
fn nested(observed: &Observed<'_>, exchange: &Exchange) -> Finding {
    let said = crate::quote::clean(&observed.dialogue.reply(exchange).to_string());
    observed.finding("command-nested", Some(exchange.reply), About {
        what: format!("MAIL came within a transaction, and {} answered: {said}", observed.peer),
        command: exchange.command,
        who: observed.sender(),
        confidence: Confidence::Likely,
        why: "A MAIL was accepted before and its transaction has neither been completed nor given up, so the server's \
              answer is right."
            .to_owned(),
        remedy: "Who runs the sending program has to let it send RSET, or finish the message, before the next MAIL."
            .to_owned(),
        ..About::default()
    })
}

/// The command before is not in the evidence, and the server says so.
fn absent(observed: &Observed<'_>, exchange: &Exchange, missing: &str) -> Finding {
    let (peer, stage) = (&observed.peer, exchange.stage);
    let said = crate::quote::clean(&observed.dialogue.reply(exchange).to_string());
    let lost = observed.may_lack_lines() || !observed.dialogue.has_start;
    let case = if lost { Absent::of_gap() } else { Absent::of_vantage(observed, missing) };
    observed.finding(
        "command-missing",
        Some(exchange.reply),
        About {
            what: format!("{stage} came without {missing} before it, and {peer} answered: {said}"),
            command: exchange.command,
            who: case.who,
            confidence: case.confidence,
            why: format!("There is no {missing} in the evidence before {stage}. {}", case.why),
            remedy: case.remedy.to_owned(),
            // Once the order is right, the same message goes through.
            retry_helps: true,
            next_test: case.next_test.map(|test| test.replace("{missing}", missing)),
            ..About::default()
        },
    )
}

/// What holds wherever the evidence is whole.
const RIGHT: &str = "So the server's answer is right: the dialogue is the cause, neither the recipient nor the server.";

/// What the absence of a command proves.
struct Absent {
    who: Party,
    confidence: Confidence,
    why: String,
    remedy: &'static str,
    next_test: Option<&'static str>,
}

impl Absent {
    fn of_gap() -> Self {
        Self {
            who: Party::Unknown,
            confidence: Confidence::Possible,
            why:
                "But the evidence has gaps or starts in mid-session: the capture may have lost it, and \
                  then something behind the point of capture took it away; or it was never sent. It can't be \
                  told from this."
                .to_owned(),
            remedy: "Capture again without loss (a bigger buffer, a filter on the port), then look again.",
            next_test: Some(
                "a capture of the same without gaps, from the beginning of the session",
            ),
        }
    }

    fn of_vantage(observed: &Observed<'_>, missing: &str) -> Self {
        match (&observed.dialogue.session.source, observed.vantage()) {
            // Who wrote it down, and where, a pasted text does not tell.
            (Source::Pasted, Vantage::Wire | Vantage::Client) => Self {
                who: Party::Client,
                confidence: Confidence::Likely,
                why: format!(
                    "{RIGHT} If this is what the client itself sent, it left {missing} out; if it was taken down \
                     elsewhere, something on the way may have swallowed it."
                ),
                remedy: "Send the commands in their order: EHLO, MAIL FROM, RCPT TO, DATA. If a program did, mend it or \
                         its configuration.",
                next_test: Some(
                    "the client's own protocol log: if {missing} is in it with a good answer, something took it away",
                ),
            },
            (_, Vantage::Client) => Self {
                who: observed.sender(),
                // A log may have lost lines as well; our own record has not.
                confidence: if observed.is_ours() {
                    Confidence::Certain
                } else {
                    Confidence::Likely
                },
                why: format!("{RIGHT} This is the client's own record: it did not send it.")
                    .to_owned(),
                remedy: "Who runs the sending program has to mend it or its configuration.",
                next_test: None,
            },
            (_, Vantage::Server) => Self {
                who: Party::Unknown,
                confidence: Confidence::Possible,
                why: format!(
                    "{RIGHT} This is the server's record, so it can't be told whether the client left {missing} out, or \
                     something on its host or on the way took it away."
                ),
                remedy: "Look at the sending server's own protocol log, and capture on its network side.",
                next_test: Some(
                    "a capture at the client's side: if {missing} is in it, something on the way took it away; if \
                     not, the client's program or software on its host did",
                ),
            },
            (_, Vantage::Wire) => Self {
                who: Party::Client,
                confidence: Confidence::Likely,
                why: format!(
                    "{RIGHT} The packets have no gap, so the capture did not lose it: {missing} never came this far. \
                     Either the client's program did not send it, or software on the client's host, or a box \
                     between that host and the point of capture, swallowed it: virus scanners and firewalls that \
                     read mail do that."
                ),
                remedy: "On the sending host: look whether the program's own protocol log has the command. If it \
                         has, switch off the mail scanner there (or exclude the mail server's process and port 25) \
                         and try again.",
                next_test: Some(
                    "the sending program's own protocol log: if {missing} is in it with a good answer, something on \
                     that host, or between it and the point of capture, took it away; else the program itself \
                     left it out",
                ),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use smtp::Trouble;

    use super::*;
    use crate::rules::{
        session::testing::{none, one},
        testing::{found, reply},
    };

    const LOGIN: &str = "S: 220 r ESMTP\nC: EHLO a\nS: 250-r\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 x\nC: ****\n\
                         S: 334 y\nC: ****\nS: 235 2.7.0 Authentication successful\n";

    /// Field case 1, as each kind of evidence has it.
    #[test]
    fn rcpt_without_mail() {
        let text = format!("{LOGIN}C: RCPT TO:<bob@b.test>\nS: 503 5.5.1 Error: Bad sequence");
        for (head, who, confidence, says) in [
            ("-- source: capture", Party::Client, Confidence::Likely, "swallowed"),
            (
                "-- source: log exchange\n-- vantage: client",
                Party::Client,
                Confidence::Likely,
                "did not send",
            ),
            (
                "-- source: log postfix\n-- vantage: server",
                Party::Unknown,
                Confidence::Possible,
                "can't be told",
            ),
            (
                "-- source: capture\n-- wire: handshake_seen=no",
                Party::Unknown,
                Confidence::Possible,
                "may have lost it",
            ),
        ] {
            let finding = one(&format!("{head}\n{text}"), "command-missing");
            assert_eq!((finding.who, finding.confidence), (who, confidence), "{head}");
            assert!(finding.why.contains(says), "{head}: {}", finding.why);
            assert_eq!((finding.line, finding.command), (Some(11), Some(10)));
        }
    }

    #[test]
    fn a_gap_is_the_captures_loss() {
        let text = format!(
            "{LOGIN}C: <gap 30>\nC: RCPT TO:<bob@b.test>\nS: 503 5.5.1 Error: Bad sequence"
        );
        none(&text, "command-taken-away");
        let finding = crate::inspect(&crate::notation::session(&text));
        assert!(
            finding.iter().all(|finding| finding.confidence < Confidence::Certain),
            "{finding:?}"
        );
    }

    #[test]
    fn taken_away() {
        let text = format!(
            "{LOGIN}C: MAIL FROM:<a@a.test>\nS: 250 ok\nC: RCPT TO:<bob@b.test>\nS: 503 5.5.1 need MAIL"
        );
        let finding = one(&text, "command-taken-away");
        assert_eq!((finding.who, finding.confidence), (Party::Between, Confidence::Likely));
        assert!(finding.next_test.is_some());
        let finding = one(&format!("-- vantage: server\n{text}"), "command-taken-away");
        assert_eq!(finding.who, Party::Server);
    }

    #[test]
    fn not_when_it_only_follows_or_means_another_thing() {
        let start = "S: 220 r\nC: EHLO a\nS: 250 r\n";
        for text in [
            "C: MAIL FROM:<a@a>\nS: 550 no\nC: RCPT TO:<b@b>\nS: 503 bad sequence",
            "C: MAIL FROM:<a@a>\nS: 503 5.5.1 authentication required",
            "C: mail fro:<a@a>\nS: 500 5.5.1 Command unrecognized: \"mail fro:<a@a>\"",
            "C: MAIL FROM:<a@a>\nS: 250 ok\nC: RCPT TO:<b@b>\nS: 550 5.1.1 no\nC: DATA\nS: 503 no recipients",
        ] {
            none(&format!("{start}{text}"), "command-taken-away");
            none(&format!("{start}{text}"), "command-missing");
        }
    }

    /// DATA without RCPT without MAIL: one thing is missing.
    #[test]
    fn one_missing_command_is_told_once() {
        let text = format!(
            "{LOGIN}C: RCPT TO:<bob@b.test>\nS: 503 5.5.1 need MAIL\nC: DATA\nS: 503 5.5.1 need RCPT"
        );
        let all = crate::rules::session::testing::found(&text);
        let missing: Vec<_> = all.iter().filter(|found| found.rule == "command-missing").collect();
        assert_eq!((missing.len(), missing[0].consequences.len()), (1, 1), "{all:?}");
    }

    #[test]
    fn nested() {
        let start = "S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM:<a@a>\nS: 250 ok\n";
        let text = format!("{start}C: MAIL FROM:<b@a>\nS: 503 5.5.1 Error: nested MAIL command");
        assert_eq!(one(&text, "command-nested").who, Party::Client);
        none(&text, "command-taken-away");
        let text =
            format!("{start}C: RSET\nS: 250 ok\nC: MAIL FROM:<b@a>\nS: 503 5.5.1 say EHLO first");
        none(&text, "command-nested");
    }

    #[test]
    fn our_own_attempt() {
        for (dialogue, stage, rule, line) in [
            (
                "S: 220 r\nC: EHLO a\nS: 250 r\nC: AUTH LOGIN ****\nS: 235 yes\nC: MAIL FROM:<a@a.test>\n\
                 S: 250 ok\nC: RCPT TO:<bob@b.test>\nS: 503 5.5.1 Error: Bad sequence",
                smtp::Stage::Rcpt,
                "command-taken-away",
                8,
            ),
            // pipelined: MAIL was refused, so the 503 only follows, and the refusal of MAIL is told
            (
                "S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM:<a@a.test>\nC: RCPT TO:<bob@b.test>\n\
                 S: 550 5.1.8 no\nS: 503 5.5.1 Error: Bad sequence",
                smtp::Stage::Rcpt,
                "meaning",
                5,
            ),
            (
                "S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM:<a@a.test>\nS: 503 5.5.1 authentication required",
                smtp::Stage::Mail,
                "login-wanted",
                4,
            ),
        ] {
            let text = dialogue.rsplit("S: ").next().unwrap();
            let finding = found(dialogue, stage, Trouble::Reply(reply(text)));
            assert_eq!((finding.rule.as_str(), finding.line), (rule, Some(line)), "{finding:?}");
        }
    }
}
