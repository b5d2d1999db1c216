//! The rules of diagnosis: each looks at the evidence of one failure and explains it, or passes.
//!
//! One rule a file. The order matters: what the dialogue itself proves comes before what the server
//! says of it, a precise condition before a general one. [`by_meaning`] takes what is left.

mod authentication;
mod blocklist;
mod broken_off;
pub(crate) mod by_meaning;
mod connect;
mod content;
mod dns;
mod greylisting;
mod mailbox_full;
mod missing_mail;
mod no_such_mailbox;
mod rate;
mod relay_denied;
mod reverse_name;
mod sender_authentication;
mod silence_after_content;
mod tls;
mod xexch50;

use smtp::{Attempt, Cause, EnhancedStatus, ForwardPath, Reply, Stage, Trouble};

use crate::{
    dialogue::{Dialogue, Exchange},
    finding::{Confidence, Finding, Party, Weight},
};

/// A rule: an explanation, or `None` when it is not its case.
pub(crate) type Rule = fn(&Evidence<'_>) -> Option<Finding>;

/// In the order in which they are asked.
pub(crate) const RULES: [Rule; 17] = [
    dns::explain,
    connect::explain,
    tls::explain,
    xexch50::explain,
    silence_after_content::explain,
    broken_off::explain,
    authentication::explain,
    missing_mail::explain,
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

/// What a rule looks at: one recipient's failure in one attempt.
pub(crate) struct Evidence<'a> {
    pub attempt: &'a Attempt,
    pub path: &'a ForwardPath,
    pub cause: &'a Cause,
    /// The outcome was final.
    pub permanent: bool,
    pub dialogue: Dialogue<'a>,
    /// The reply that decided, and its command.
    pub exchange: Option<Exchange>,
    /// The deciding reply's text in lower case, blanks and line ends as single blanks.
    pub words: String,
}

impl<'a> Evidence<'a> {
    pub fn new(
        attempt: &'a Attempt,
        path: &'a ForwardPath,
        cause: &'a Cause,
        permanent: bool,
        dialogue: Dialogue<'a>,
    ) -> Self {
        let words = match &cause.trouble {
            Trouble::Reply(reply) => {
                reply.text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
            }
            _ => String::new(),
        };
        let mut evidence =
            Self { attempt, path, cause, permanent, dialogue, exchange: None, words };
        evidence.exchange = evidence.deciding();
        evidence
    }

    /// The reply, where the trouble is one.
    pub fn reply(&self) -> Option<&'a Reply> {
        match &self.cause.trouble {
            Trouble::Reply(reply) => Some(reply),
            _ => None,
        }
    }

    /// The reply's enhanced status, as subject and detail.
    pub fn status(&self) -> Option<(u16, u16)> {
        let EnhancedStatus { subject, detail, .. } = self.reply()?.status?;
        Some((subject, detail))
    }

    /// Whether the server's words hold one of these phrases (in lower case).
    pub fn says(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.words.contains(phrase))
    }

    /// The server's name, as the attempt has it.
    pub fn peer(&self) -> &'a str {
        &self.attempt.next_hop
    }

    /// The address that the connection came from, where the server quotes one.
    pub fn quoted_address(&self) -> Option<std::net::IpAddr> {
        let is_part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
        let mut candidates =
            self.words.split(|c: char| !is_part(c)).map(|word| word.trim_matches(['.', ':']));
        let is_long = |word: &&str| word.len() >= 7;
        // An IPv6 address may end in `::`, which was trimmed with the sentence's colon; rare enough.
        candidates.by_ref().filter(is_long).find_map(|word| word.parse().ok())
    }

    /// A finding about the deciding line; whether a retry helps follows from the outcome.
    pub fn finding(
        &self,
        rule: &str,
        who: Party,
        confidence: Confidence,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        let (line, command) = self.lines();
        Finding {
            rule: rule.to_owned(),
            what: self.what(),
            line,
            command,
            who,
            confidence,
            why: why.into(),
            remedy: remedy.into(),
            retry_helps: !self.permanent,
            weight: Weight::Failure,
            consequences: Vec::new(),
            next_test: None,
        }
    }

    fn what(&self) -> String {
        let (peer, stage) = (self.peer(), self.cause.stage);
        match &self.cause.trouble {
            Trouble::Reply(reply) => format!("{peer} answered at {stage}: {reply}"),
            Trouble::Silence(wait) => {
                format!("{peer} gave no answer at {stage} in {}s", wait.as_secs())
            }
            Trouble::Closed => format!("{peer} closed the connection at {stage}"),
            Trouble::Network(text) => format!("the connection to {peer} failed at {stage}: {text}"),
            Trouble::Malformed(text) => format!("{peer} answered no SMTP at {stage}: {text}"),
            Trouble::Tls(text) => format!("TLS with {peer} failed: {text}"),
            Trouble::Dns(_, text) => {
                format!("name resolution for {} failed: {text}", self.path.domain())
            }
            Trouble::Local(_, text) => format!("this server could not do it at {stage}: {text}"),
        }
    }

    /// The deciding line and the command it answers.
    fn lines(&self) -> (Option<usize>, Option<usize>) {
        if let Some(exchange) = self.exchange {
            return (Some(exchange.reply), exchange.command);
        }
        // No reply: the first command without one, else the last line.
        let unanswered = self.dialogue.unanswered.first().copied();
        (unanswered.or(self.dialogue.lines.len().checked_sub(1)), unanswered)
    }

    /// The reply that decided: at RCPT the one to this recipient's command, else the last of its code
    /// at that stage, else the last of its code anywhere.
    fn deciding(&self) -> Option<Exchange> {
        let code = self.reply()?.code;
        let bracketed = format!("<{}>", self.path).into_bytes();
        let is_ours = |exchange: &&Exchange| {
            let line = exchange.command.and_then(|index| self.dialogue.lines.get(index));
            self.cause.stage != Stage::Rcpt
                || line
                    .is_some_and(|line| line.text.windows(bracketed.len()).any(|w| w == bracketed))
        };
        let of_code = |exchange: &&Exchange| exchange.code == code;
        let at_stage: Vec<&Exchange> = self.dialogue.at(self.cause.stage).filter(of_code).collect();
        let found = at_stage.iter().rev().copied().find(is_ours).or(at_stage.last().copied());
        found.or_else(|| self.dialogue.exchanges.iter().rev().find(of_code)).copied()
    }
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
