//! The rules of diagnosis.
//!
//! *Session rules* ([`session`]) look at a whole dialogue and find what it proves by itself; *reply
//! rules* look at one failure, from whatever evidence ([`Evidence`]), and explain it, or pass. One rule a
//! file. The order matters: what the dialogue proves comes before what the server says of it, a precise
//! condition before a general one. [`by_meaning`] takes what is left.

mod authentication;
mod blocklist;
mod broken_off;
pub(crate) mod by_meaning;
mod connect;
mod content;
mod dns;
mod exchange_login;
mod greylisting;
mod mailbox_full;
mod no_such_mailbox;
mod out_of_order;
mod rate;
mod relay_denied;
mod reverse_name;
mod sender_authentication;
pub(crate) mod session;
mod silence_after_content;
pub mod table;
mod tls;

use crate::{evidence::Evidence, finding::Finding};

/// A reply rule: an explanation, or `None` when it is not its case.
pub(crate) type Rule = fn(&Evidence<'_>) -> Option<Finding>;

/// In the order in which they are asked.
pub(crate) const RULES: [Rule; 17] = [
    dns::explain,
    connect::explain,
    tls::explain,
    silence_after_content::explain,
    broken_off::explain,
    exchange_login::explain,
    authentication::explain,
    out_of_order::explain,
    blocklist::explain,
    sender_authentication::explain,
    reverse_name::explain,
    greylisting::explain,
    mailbox_full::explain,
    relay_denied::explain,
    rate::explain,
    no_such_mailbox::explain,
    content::explain,
];

/// What the reply rules make of a failure; the last of them always has an answer.
pub(crate) fn explain(evidence: &Evidence<'_>) -> Finding {
    let finding = RULES
        .iter()
        .find_map(|rule| rule(evidence))
        .unwrap_or_else(|| by_meaning::explain(evidence));
    debug_assert!(table::is_rule(&finding.rule), "`{}` is not in the table of rules", finding.rule);
    finding
}

#[cfg(test)]
pub(crate) mod testing {
    //! Attempts from a few lines of text.

    use std::time::Duration;

    use smtp::{Attempt, Cause, ForwardPath, Outcome, Party, Reply, Stage, Transcript, Trouble};

    use crate::finding::Finding;

    pub fn transcript(lines: &str) -> Transcript {
        let mut transcript = Transcript::default();
        for (index, line) in
            lines.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate()
        {
            let (by, text) = line.split_once(": ").unwrap_or(("-", line));
            let by = match by {
                "C" => Party::Client,
                "S" => Party::Server,
                _ => Party::Note,
            };
            transcript.record(Duration::from_millis(index as u64 * 10), by, text);
        }
        transcript
    }

    pub fn bob() -> ForwardPath {
        "bob@b.test".parse().unwrap()
    }

    /// What is found when `mx1.b.test` and we had that dialogue, and it ended so for bob.
    pub fn found(lines: &str, stage: Stage, trouble: Trouble) -> Finding {
        let cause = Cause { stage, trouble };
        let permanent = match &cause.trouble {
            Trouble::Reply(reply) => reply.is_permanent(),
            Trouble::Dns(status, _) | Trouble::Local(status, _) => status.class == 5,
            _ => false,
        };
        let outcome = if permanent { Outcome::Failed(cause) } else { Outcome::Deferred(cause) };
        let attempt = Attempt {
            next_hop: "mx1.b.test".into(),
            address: Some("192.0.2.25:25".into()),
            route: Vec::new(),
            transcript: transcript(lines),
            tls: None,
            outcomes: vec![(bob(), outcome)],
        };
        crate::examine(&attempt, &bob())
    }

    /// What is found when bob's RCPT got this reply.
    pub fn found_at_rcpt(line: &str) -> Finding {
        let dialogue = format!(
            "S: 220 mx1.b.test\nC: EHLO a.test\nS: 250 mx1.b.test\nC: MAIL FROM:<alice@a.test>\nS: 250 ok\n\
             C: RCPT TO:<bob@b.test>\nS: {line}"
        );
        found(&dialogue, Stage::Rcpt, Trouble::Reply(reply(line)))
    }

    pub fn reply(line: &str) -> Reply {
        let (code, text) = line.split_at(3);
        let text = text.trim_start();
        match smtp::EnhancedStatus::split_from(text) {
            Some((status, text)) => Reply {
                code: code.parse().unwrap(),
                status: Some(status),
                text: text.to_owned().into(),
            },
            None => Reply::bare(code.parse().unwrap(), text.to_owned()),
        }
    }
}
