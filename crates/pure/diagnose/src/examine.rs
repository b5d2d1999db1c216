//! One recipient's failure: which line decided, and what of it.

use smtp::{Attempt, Cause, ForwardPath, Outcome, Reply, Stage};

use crate::{
    cascade,
    dialogue::Dialogue,
    evidence::Evidence,
    finding::{Confidence, Finding, Party, Weight},
    rules::{self, session::Observed},
    session::Session,
    testimony::Testimony,
};

/// Explains what became of `path` in `attempt`.
///
/// What the dialogue itself proves comes before what the server says of it.
pub fn examine(attempt: &Attempt, path: &ForwardPath) -> Finding {
    let outcome =
        attempt.outcomes.iter().find(|(tried, _)| tried == path).map(|(_, outcome)| outcome);
    let session = Session::from(attempt);
    let dialogue = Dialogue::read(&session);
    match outcome {
        Some(Outcome::Deferred(cause)) => failure(&dialogue, path, cause, false),
        Some(Outcome::Failed(cause)) => failure(&dialogue, path, cause, true),
        Some(Outcome::Relayed(reply)) => Finding {
            line: dialogue.exchanges.iter().rev().find(|e| e.code == reply.code).map(|e| e.reply),
            ..remark(
                "relayed",
                format!("{} took the message over: {reply}", attempt.next_hop),
                "The next hop accepted the message; from there on it is its business.",
                "Nothing to do here. If the mail does not show up, ask who runs the next hop.",
            )
        },
        None => Finding {
            retry_helps: true,
            ..remark(
                "not-tried",
                format!("this attempt at {} was not for {path}", attempt.next_hop),
                "The attempt has no outcome for this recipient.",
                "Look at the attempts that name the recipient.",
            )
        },
    }
}

/// Explains what somebody else says became of a recipient: the same rules, with less to go by.
pub fn examine_testimony(testimony: &Testimony) -> Finding {
    rules::explain(&Evidence::of_testimony(testimony))
}

/// Explains a reply of which nothing else is known, but perhaps the step at which it came.
pub fn examine_reply(reply: &Reply, stage: Option<Stage>) -> Finding {
    rules::explain(&Evidence::of_reply(reply, stage))
}

fn failure(dialogue: &Dialogue<'_>, path: &ForwardPath, cause: &Cause, permanent: bool) -> Finding {
    let evidence = Evidence::of_attempt(dialogue, path, cause, permanent);
    let observed = Observed::new(dialogue, Some(cause));
    let by_dialogue = rules::session::find(&observed)
        .into_iter()
        .find(|finding| finding.weight == Weight::Failure && decides(finding, &evidence));
    by_dialogue.or_else(|| earlier_cause(&evidence)).unwrap_or_else(|| rules::explain(&evidence))
}

/// The refusal that this one only follows from, explained in its place.
fn earlier_cause(evidence: &Evidence<'_>) -> Option<Finding> {
    let (dialogue, exchange) = (evidence.dialogue?, evidence.exchange?);
    let index = dialogue.exchanges.iter().position(|other| other.reply == exchange.reply)?;
    let root = cascade::roots(dialogue)[index]?;
    let mut finding =
        rules::explain(&Evidence::of_exchange(dialogue, *dialogue.exchanges.get(root)?));
    finding.consequences.push(exchange.reply);
    Some(finding)
}

/// Whether a session rule's finding is about what decided this recipient's fate: its reply, or the end
/// of the session if there was none.
fn decides(finding: &Finding, evidence: &Evidence<'_>) -> bool {
    match evidence.exchange {
        Some(exchange) => {
            finding.line == Some(exchange.reply)
                || finding.command.is_some() && finding.command == exchange.command
                || finding.consequences.contains(&exchange.reply)
        }
        None => evidence.reply().is_none(),
    }
}

fn remark(rule: &str, what: String, why: &str, remedy: &str) -> Finding {
    Finding {
        rule: rule.to_owned(),
        what,
        line: None,
        command: None,
        who: Party::Unknown,
        confidence: Confidence::Certain,
        why: why.to_owned(),
        remedy: remedy.to_owned(),
        retry_helps: false,
        weight: Weight::Remark,
        consequences: Vec::new(),
        next_test: None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smtp::{Stage, Trouble};

    use crate::rules::testing::{found, reply};

    const READY: &str = "-: connected to mx1.b.test\nS: 220 r ESMTP\nC: EHLO a\nS: 250-r\nS: 250-PIPELINING\nS: 250 CHUNKING\n";

    /// What a session shows has the same name, whether it was ours or a capture has it.
    #[test]
    fn what_the_dialogue_proves_comes_first() {
        let silence = || Trouble::Silence(Duration::from_secs(300));
        let closed = || Trouble::Closed;
        for (dialogue, stage, trouble, rule) in [
            (
                "C: MAIL FROM:<a@a.test>\nC: RCPT TO:<bob@b.test>\nC: DATA\nS: 250 ok\n-: no reply in 300s",
                Stage::Rcpt,
                silence(),
                "pipelining-broken",
            ),
            (
                "C: MAIL FROM:<a@a.test>\nS: 250 ok\nC: RCPT TO:<bob@b.test>\nS: 250 ok\nC: BDAT 9 LAST\n\
                 -: content: 9 octets\n-: the connection was closed by the peer",
                Stage::EndOfData,
                closed(),
                "bdat-blocked",
            ),
            (
                "C: MAIL FROM:<a@a.test>\nS: 250 ok\nC: RCPT TO:<bob@b.test>\nS: 500 unrecognized: \"XXXX TO:<bob@b.test>\"",
                Stage::Rcpt,
                Trouble::Reply(reply("500 unrecognized: \"XXXX TO:<bob@b.test>\"")),
                "command-altered",
            ),
            // nothing special: the step tells
            (
                "C: MAIL FROM:<a@a.test>\nS: 250 ok\nC: RCPT TO:<bob@b.test>\n-: no reply in 300s",
                Stage::Rcpt,
                silence(),
                "silence",
            ),
        ] {
            assert_eq!(
                found(&format!("{READY}{dialogue}"), stage, trouble).rule,
                rule,
                "{dialogue}"
            );
        }
    }

    /// Bob was refused for himself; that another command was altered is not his reason.
    #[test]
    fn another_recipients_trouble_is_not_bobs() {
        let dialogue = format!(
            "{READY}C: MAIL FROM:<a@a.test>\nS: 250 ok\nC: RCPT TO:<eve@b.test>\nS: 500 unrecognized: \"XXXX\"\n\
             C: RCPT TO:<bob@b.test>\nS: 550 5.1.1 no such user"
        );
        let finding =
            found(&dialogue, Stage::Rcpt, Trouble::Reply(reply("550 5.1.1 no such user")));
        assert_eq!(finding.rule, "no-such-mailbox");
    }
}
