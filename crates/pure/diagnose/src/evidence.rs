//! What a reply rule looks at: one failure, whatever told us of it.
//!
//! Our own attempt, a refused command of somebody's session, a report's testimony, or a reply of which
//! nothing else is known: each becomes the same value, with less in it. A rule that needs the stage asks
//! whether it [may be](Evidence::may_be_at) there, as it is not known of a bare reply.

use std::borrow::Cow;

use smtp::{Cause, ForwardPath, Party as By, Reply, Stage, Trouble};

use crate::{
    class::{self, Class},
    dialogue::{Dialogue, Exchange},
    finding::{Confidence, Finding, Party, Weight},
    quote::clean,
    session::{Kind, Line, Session, Source},
};

mod told;

/// One failure and what is known of it.
pub(crate) struct Evidence<'a> {
    pub trouble: Cow<'a, Trouble>,
    /// Where in the dialogue; `None` if the evidence does not tell.
    pub stage: Option<Stage>,
    /// The outcome was final.
    pub permanent: bool,
    /// It happened to us.
    pub is_ours: bool,
    /// Whose words they are, as far as that is known.
    pub peer: String,
    /// The recipient that it is about.
    pub recipient: Option<String>,
    /// The session, where one was observed.
    pub dialogue: Option<&'a Dialogue<'a>>,
    /// The reply that decided, and its command.
    pub exchange: Option<Exchange>,
    /// The code was spoken; else it stands in for a status or words alone.
    pub has_code: bool,
    /// The deciding words in lower case, blanks and line ends as single blanks.
    pub words: String,
    /// The class that the words belong to, where they are known words.
    pub class: Option<Class>,
}

impl<'a> Evidence<'a> {
    /// One recipient's failure in our own attempt, of which `dialogue` is the reading.
    pub fn of_attempt(
        dialogue: &'a Dialogue<'a>,
        path: &ForwardPath,
        cause: &'a Cause,
        permanent: bool,
    ) -> Self {
        let words = match &cause.trouble {
            Trouble::Reply(reply) => plain(&reply.text),
            _ => String::new(),
        };
        let mut evidence = Self {
            trouble: Cow::Borrowed(&cause.trouble),
            stage: Some(cause.stage),
            permanent,
            is_ours: true,
            peer: peer_of(dialogue.session),
            recipient: Some(path.to_string()),
            dialogue: Some(dialogue),
            exchange: None,
            has_code: true,
            class: class_of_words(&words),
            words,
        };
        evidence.exchange = evidence.deciding();
        evidence
    }

    /// A refused command of an observed session.
    pub fn of_exchange(dialogue: &'a Dialogue<'a>, exchange: Exchange) -> Self {
        let reply = dialogue.reply(&exchange);
        let words = plain(&reply.text);
        let recipient = exchange.command.filter(|_| exchange.stage == Stage::Rcpt);
        let recipient = recipient.and_then(|line| path_in(&dialogue.text(line)));
        Self {
            permanent: reply.is_permanent(),
            trouble: Cow::Owned(Trouble::Reply(reply)),
            stage: Some(exchange.stage),
            is_ours: dialogue.session.source == Source::Own,
            peer: peer_of(dialogue.session),
            recipient,
            dialogue: Some(dialogue),
            exchange: Some(exchange),
            has_code: true,
            class: class_of_words(&words),
            words,
        }
    }

    /// What happened in an observed session instead of a reply.
    pub fn of_trouble(dialogue: &'a Dialogue<'a>, stage: Stage, trouble: Trouble) -> Self {
        Self {
            trouble: Cow::Owned(trouble),
            stage: Some(stage),
            permanent: false,
            is_ours: dialogue.session.source == Source::Own,
            peer: peer_of(dialogue.session),
            recipient: None,
            dialogue: Some(dialogue),
            exchange: None,
            has_code: true,
            class: None,
            words: String::new(),
        }
    }

    /// A reply of which nothing else is known, but perhaps its stage.
    pub fn of_reply(reply: &'a Reply, stage: Option<Stage>) -> Self {
        Self {
            trouble: Cow::Owned(Trouble::Reply(reply.clone())),
            stage,
            permanent: reply.is_permanent(),
            is_ours: false,
            peer: "the server".to_owned(),
            recipient: None,
            dialogue: None,
            exchange: None,
            has_code: true,
            class: class_of_words(&plain(&reply.text)),
            words: plain(&reply.text),
        }
    }

    /// The reply, where the trouble is one.
    pub fn reply(&self) -> Option<&Reply> {
        match &*self.trouble {
            Trouble::Reply(reply) => Some(reply),
            _ => None,
        }
    }

    /// The reply's enhanced status, as subject and detail.
    pub fn status(&self) -> Option<(u16, u16)> {
        self.reply()?.status.map(|status| (status.subject, status.detail))
    }

    /// Whether the server's words hold one of these phrases (in lower case).
    pub fn says(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.words.contains(phrase))
    }

    /// Whether the words are known to say that.
    pub fn is_class(&self, class: Class) -> bool {
        self.class == Some(class)
    }

    /// Whether it happened at that stage, as far as is known.
    pub fn is_at(&self, stage: Stage) -> bool {
        self.stage == Some(stage)
    }

    /// Whether it happened at one of these stages, or may have.
    pub fn may_be_at(&self, stages: &[Stage]) -> bool {
        self.stage.is_none_or(|stage| stages.contains(&stage))
    }

    /// The server's name, for a sentence.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The recipient's domain, for a sentence.
    pub fn domain(&self) -> &str {
        let recipient = self.recipient.as_deref().unwrap_or_default();
        match recipient.rsplit_once('@') {
            Some((_, domain)) if !domain.is_empty() => domain,
            _ => "the recipient's domain",
        }
    }

    /// Who has to act where the sending side has: ourselves, if that is us.
    pub fn sender(&self) -> Party {
        if self.is_ours { Party::Us } else { Party::Client }
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
        let is_failure = self.reply().is_none_or(|reply| reply.code >= 400);
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
            weight: if is_failure { Weight::Failure } else { Weight::Remark },
            consequences: Vec::new(),
            next_test: None,
        }
    }

    fn what(&self) -> String {
        let peer = self.peer();
        let at = self.stage.map(|stage| format!(" at {stage}")).unwrap_or_default();
        match &*self.trouble {
            Trouble::Reply(_) if !self.has_code => {
                format!("{peer} says{at}: {}", clean(&self.words))
            }
            Trouble::Reply(reply) => format!("{peer} answered{at}: {}", clean(&reply.to_string())),
            Trouble::Silence(wait) if wait.is_zero() => format!("{peer} gave no answer{at}"),
            Trouble::Silence(wait) => format!("{peer} gave no answer{at} in {}s", wait.as_secs()),
            Trouble::Closed => format!("{peer} closed the connection{at}"),
            Trouble::Network(text) => {
                format!("the connection to {peer} failed{at}: {}", clean(text))
            }
            Trouble::Malformed(text) => format!("{peer} answered no SMTP{at}: {}", clean(text)),
            Trouble::Tls(text) => format!("TLS with {peer} failed: {}", clean(text)),
            Trouble::Dns(_, text) => {
                format!("name resolution for {} failed: {}", self.domain(), clean(text))
            }
            Trouble::Local(_, text) => {
                format!("the sending server could not do it{at}: {}", clean(text))
            }
        }
    }

    /// The deciding line and the command it answers.
    fn lines(&self) -> (Option<usize>, Option<usize>) {
        if let Some(exchange) = self.exchange {
            return (Some(exchange.reply), exchange.command);
        }
        let Some(dialogue) = self.dialogue else { return (None, None) };
        // No reply: the first command without one, else the last line.
        let unanswered = dialogue.unanswered.first().copied();
        (unanswered.or(dialogue.session.lines.len().checked_sub(1)), unanswered)
    }

    /// The reply that decided: at RCPT the one to this recipient's command, else the last of its code
    /// at that stage, else the last of its code anywhere.
    fn deciding(&self) -> Option<Exchange> {
        let (code, dialogue) = (self.reply()?.code, self.dialogue?);
        let bracketed = format!("<{}>", self.recipient.as_deref().unwrap_or_default()).into_bytes();
        let is_ours = |exchange: &&Exchange| {
            let line = exchange.command.and_then(|index| dialogue.line(index));
            !self.is_at(Stage::Rcpt)
                || line
                    .is_some_and(|line| line.text.windows(bracketed.len()).any(|w| w == bracketed))
        };
        let of_code = |exchange: &&Exchange| exchange.code == code;
        let stage = self.stage?;
        let at_stage: Vec<&Exchange> = dialogue.at(stage).filter(of_code).collect();
        let found = at_stage.iter().rev().copied().find(is_ours).or(at_stage.last().copied());
        found.or_else(|| dialogue.exchanges.iter().rev().find(of_code)).copied()
    }
}

/// The class of known words; what has none, or is no refusal, has no class.
fn class_of_words(words: &str) -> Option<Class> {
    let refusal = class::Refusal { words, ..class::Refusal::default() };
    match class::classify(&refusal) {
        (class, class::Basis::Words) => Some(class),
        _ => None,
    }
}

/// What to call the server of a session: its name, what it calls itself, its address.
pub(crate) fn peer_of(session: &Session) -> String {
    if let Some(name) = session.server.name.as_deref().filter(|name| !name.is_empty()) {
        return clean(name);
    }
    // Under implicit TLS the server's first line is its part of the handshake.
    let is_greeting = |line: &&Line| line.by == By::Server && matches!(line.kind, Kind::Reply(_));
    let greeting = session.lines.iter().find(is_greeting);
    let name = greeting.and_then(|line| {
        let words = str::from_utf8(line.text.strip_prefix(b"220")?.get(1..)?).ok()?;
        let word = words.split_whitespace().next()?;
        let is_name = word.contains('.')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
        is_name.then(|| word.to_owned())
    });
    name.or_else(|| session.server.address.map(|address| address.ip().to_string()))
        .unwrap_or_else(|| "the server".to_owned())
}

/// The path of a MAIL or RCPT line, without its brackets.
pub(crate) fn path_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(':')?;
    let path = match rest.split_once('<') {
        Some((_, inner)) => inner.split_once('>').map_or(inner, |(path, _)| path),
        None => rest.split_whitespace().next()?,
    };
    (!path.is_empty()).then(|| clean(path))
}

/// In lower case, every run of blanks and line ends as one blank.
pub(crate) fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
