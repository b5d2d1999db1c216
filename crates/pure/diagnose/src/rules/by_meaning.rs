//! What no rule of its own explains: the class of its words, else the table of meanings at the step where it
//! happened.

use smtp::{Reply, Stage, Trouble};

use crate::{
    class::{Class, Retry},
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
    meanings::{self, Key, Meaning},
};

pub(crate) fn explain(evidence: &Evidence<'_>) -> Finding {
    match &*evidence.trouble {
        Trouble::Reply(reply) => {
            if let Some(finding) = by_class(evidence, reply) {
                return finding;
            }
            let (meaning, confidence) = meaning(evidence, reply);
            let who = match reply.status.map(|status| status.subject) {
                Some(7) => Party::Policy,
                Some(3) => Party::Server,
                _ => Party::Unknown,
            };
            evidence.finding("meaning", who, confidence, meaning.means, meaning.check)
        }
        Trouble::Local(status, _) => {
            let meaning = meanings::of_status(*status);
            let who = if status.subject == 6 { Party::Client } else { evidence.sender() };
            evidence.finding("ours", who, Confidence::Certain, meaning.means, meaning.check)
        }
        Trouble::Malformed(_) => evidence.finding(
            "no-smtp",
            Party::Unknown,
            Confidence::Likely,
            "What answered there does not speak SMTP: another service on that port, a proxy, or a box in \
             between that garbled the answer.",
            "Who runs the sending server can look at the dialogue and check host name and port of the \
             next hop.",
        ),
        _ if evidence.is_at(Stage::Mailbox) => evidence.finding(
            "mailbox",
            evidence.sender(),
            Confidence::Likely,
            "Writing into the local mailbox failed.",
            "Who runs this server has to look at the mailbox's disk and permissions.",
        ),
        _ => evidence.finding(
            "unknown",
            Party::Unknown,
            Confidence::Possible,
            "The evidence does not tell more than what happened.",
            "Look at the dialogue, and at the attempts before it.",
        ),
    }
}

/// What known words say, by the class that they belong to. A class that has a rule of its own is not
/// called by its name here: that rule had its reasons to pass.
fn by_class(evidence: &Evidence<'_>, reply: &Reply) -> Option<Finding> {
    let class = evidence.class.filter(|class| reply.code >= 400 && !has_rule(*class))?;
    let profile = class.profile();
    let mut finding = evidence.finding(
        profile.name,
        profile.who,
        Confidence::Likely,
        profile.means,
        sentences(profile.remedies),
    );
    finding.retry_helps = match profile.retry {
        Retry::Helps => true,
        Retry::AfterChange => false,
        Retry::ByCode => !evidence.permanent,
    };
    Some(finding)
}

fn has_rule(class: Class) -> bool {
    matches!(
        class,
        Class::NoSuchUser
            | Class::MailboxFull
            | Class::RelayDenied
            | Class::Blocklisted
            | Class::RateLimit
            | Class::Greylisted
            | Class::Spam
            | Class::Virus
            | Class::Content
            | Class::Authentication
            | Class::ReverseName
            | Class::Login
            | Class::Unknown
    )
}

/// Each piece of advice as a sentence.
fn sentences(advice: &[&str]) -> String {
    let mut text = String::new();
    for piece in advice {
        let mut letters = piece.chars();
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        text.push_str(letters.as_str().trim_end_matches('.'));
        text.push('.');
    }
    text
}

/// The row for a reply. Of a code without a stage, what it says at RCPT if it says nothing in general:
/// that is where most refusals come, but no more than a guess.
fn meaning(evidence: &Evidence<'_>, reply: &Reply) -> (&'static Meaning, Confidence) {
    let found = meanings::of_reply(reply, evidence.stage.unwrap_or(Stage::Other));
    if evidence.stage.is_none() && matches!(found.key, Key::Class(_)) {
        let at_rcpt = meanings::of_reply(reply, Stage::Rcpt);
        if !matches!(at_rcpt.key, Key::Class(_)) {
            return (at_rcpt, Confidence::Possible);
        }
    }
    (found, Confidence::Likely)
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::found_at_rcpt;

    #[test]
    fn by_code_and_status() {
        for (reply, name) in [
            ("599", "repeating the same would not help"), // unknown code: its first digit counts
            ("451 4.3.0 internal trouble", "a problem of its own"),
            ("550 5.2.1 closed", "takes no mail"),
        ] {
            let finding = found_at_rcpt(reply);
            assert!(finding.why.contains(name), "{reply}: {finding:?}");
            assert_eq!((finding.line, finding.command), (Some(6), Some(5)));
            assert_eq!(finding.retry_helps, reply.starts_with('4'));
        }
    }
}
