//! One attempt of ours, one recipient: which line decided, and what of it.

use smtp::{Attempt, ForwardPath, Outcome, Reply, Stage};

use crate::{
    dialogue::Dialogue,
    finding::{Confidence, Finding, Party, Weight},
    meanings,
    rules::{self, Evidence},
    testimony::Testimony,
};

/// Explains what became of `path` in `attempt`.
///
/// The rules are asked in their order (the table is in `rules.rs`); the last one always has an answer.
pub fn examine(attempt: &Attempt, path: &ForwardPath) -> Finding {
    let outcome =
        attempt.outcomes.iter().find(|(tried, _)| tried == path).map(|(_, outcome)| outcome);
    let dialogue = Dialogue::read(&attempt.transcript);
    match outcome {
        Some(Outcome::Deferred(cause)) => {
            explain(&Evidence::new(attempt, path, cause, false, dialogue))
        }
        Some(Outcome::Failed(cause)) => {
            explain(&Evidence::new(attempt, path, cause, true, dialogue))
        }
        Some(Outcome::Relayed(reply)) => Finding {
            rule: "relayed".to_owned(),
            what: format!("{} took the message over: {reply}", attempt.next_hop),
            line: dialogue.exchanges.iter().rev().find(|e| e.code == reply.code).map(|e| e.reply),
            command: None,
            who: Party::Unknown,
            confidence: Confidence::Certain,
            why: "The next hop accepted the message; from there on it is its business.".to_owned(),
            remedy: "Nothing to do here. If the mail does not show up, ask who runs the next hop."
                .to_owned(),
            retry_helps: false,
            weight: Weight::Remark,
            consequences: Vec::new(),
            next_test: None,
        },
        None => Finding {
            rule: "not-tried".to_owned(),
            what: format!("this attempt at {} was not for {path}", attempt.next_hop),
            line: None,
            command: None,
            who: Party::Unknown,
            confidence: Confidence::Certain,
            why: "The attempt has no outcome for this recipient.".to_owned(),
            remedy: "Look at the attempts that name the recipient.".to_owned(),
            retry_helps: true,
            weight: Weight::Remark,
            consequences: Vec::new(),
            next_test: None,
        },
    }
}

/// Explains what somebody else says became of a recipient: the same rules, with less to go by.
pub fn examine_testimony(testimony: &Testimony) -> Finding {
    let reply = testimony.reply.clone().unwrap_or_else(|| {
        let class = testimony.status.map_or(5, |status| status.class);
        Reply {
            code: u16::from(class) * 100,
            status: testimony.status,
            text: testimony.words.clone().into(),
        }
    });
    examine_reply(&reply, testimony.stage)
}

/// Explains a reply of which nothing else is known, but perhaps the step at which it came.
pub fn examine_reply(reply: &Reply, stage: Option<Stage>) -> Finding {
    let meaning = meanings::of_reply(reply, stage.unwrap_or(Stage::Other));
    Finding {
        rule: "meaning".to_owned(),
        what: format!("the server answered: {reply}"),
        line: None,
        command: None,
        who: Party::Unknown,
        confidence: Confidence::Likely,
        why: meaning.means.to_owned(),
        remedy: meaning.check.to_owned(),
        retry_helps: !reply.is_permanent(),
        weight: if reply.code < 400 { Weight::Remark } else { Weight::Failure },
        consequences: Vec::new(),
        next_test: None,
    }
}

fn explain(evidence: &Evidence<'_>) -> Finding {
    rules::RULES
        .iter()
        .find_map(|rule| rule(evidence))
        .unwrap_or_else(|| rules::by_meaning::explain(evidence))
}
