//! One attempt of ours, one recipient: which line decided, and what of it.

use smtp::{Attempt, ForwardPath, Outcome};

use crate::{
    dialogue::Dialogue,
    finding::{Confidence, Finding, Party, Weight},
    rules::{self, Evidence},
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

fn explain(evidence: &Evidence<'_>) -> Finding {
    rules::RULES
        .iter()
        .find_map(|rule| rule(evidence))
        .unwrap_or_else(|| rules::by_meaning::explain(evidence))
}
