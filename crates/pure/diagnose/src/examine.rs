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
