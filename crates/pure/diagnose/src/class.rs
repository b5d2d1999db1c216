//! Bounce classes: what kind of refusal it is, in one word, for machines and people alike.
//!
//! What decides, in this order, and why:
//!
//! 1. a provider's own code (`words/codes`): made to name one condition, and explained on its pages;
//! 2. a precise phrase (`words`): the server's own words for one condition;
//! 3. a word that names a subject (`gist::strong`): `quota`, `DMARC`;
//! 4. a general phrase (`words`): `access denied`, said of many conditions;
//! 5. a precise enhanced status: below words, as many servers set one for all they refuse;
//! 6. a word that leaves something likely (`gist::weak`);
//! 7. a status that only names a subject, then the code with the stage.
//!
//! Where stage or status contradict what words mean in general, `by_code::corrected` says so: `unknown` at
//! MAIL is the sender's. Whoever holds only a reply line and whoever holds a whole
//! report get the same class by the same road. [`Class::profile`] says what a class means, why it
//! comes, and who can do what about it.

mod by_code;
mod gist;
mod profiles;
pub(crate) mod words;

use std::fmt;

use serde::{Deserialize, Serialize};
use smtp::{EnhancedStatus, Reply, Stage};

use crate::{
    finding::Party,
    testimony::{Fate, Testimony},
};

pub(crate) use words::matches;
pub use words::plain;

/// The kind of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The domain is right, it has no such mailbox.
    NoSuchUser,
    /// There is no such domain or host.
    NoSuchHost,
    /// The domain or host takes no mail at all (null MX, `521`).
    TakesNoMail,
    /// The mailbox has another address now.
    Moved,
    /// The mailbox is there, but closed, disabled or locked.
    Suspended,
    /// The mailbox has no room.
    MailboxFull,
    /// The recipient's own filter or settings said no.
    RecipientRefuses,
    /// The reverse-path or author is not accepted.
    SenderRefused,
    /// This client or sender may not do that here.
    NotAuthorized,
    /// The server asks for a login, or refused the one that was tried.
    Login,
    /// The server does not relay for this client.
    RelayDenied,
    /// The client's address is on a blocklist or locked out.
    Blocklisted,
    /// The client's address or domain has a bad reputation there.
    BadReputation,
    /// Too many messages in a time.
    RateLimit,
    /// Too many connections or recipients at once.
    TooManyConnections,
    /// Come again later: a test of patience.
    Greylisted,
    /// Taken for spam.
    Spam,
    /// Taken for malware.
    Virus,
    /// Something in the content is not accepted: an attachment, a link, a word.
    Content,
    /// A local rule that is not told more precisely.
    Policy,
    /// SPF, DKIM, DMARC or ARC did not pass.
    Authentication,
    /// The client's address has no proper name in the DNS.
    ReverseName,
    /// The message is larger than the server or the recipient takes.
    TooLarge,
    /// The message breaks RFC 5322, or a server's idea of it.
    NotCompliant,
    /// A command was not understood, not allowed there, or out of order.
    Syntax,
    /// TLS is demanded, or failed.
    Tls,
    /// Name resolution failed.
    Dns,
    /// No connection, or it broke.
    Network,
    /// The message goes round in a circle between servers.
    MailLoop,
    /// It was tried until the time was over.
    Expired,
    /// The server's disk is full.
    SystemFull,
    /// The server has trouble of its own.
    System,
    /// A program that delivers locally failed.
    Mailer,
    /// The evidence does not tell.
    Unknown,
}

/// All that can be said of a class without knowing the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Whose row it is.
    pub class: Class,
    /// The constant word for machines: `mailbox-full`.
    pub name: &'static str,
    /// The same in a few words for people.
    pub title: &'static str,
    /// One or two sentences.
    pub means: &'static str,
    /// Likely causes, the likeliest first.
    pub causes: &'static [&'static str],
    /// What to do, in the order in which to do it.
    pub remedies: &'static [&'static str],
    /// Whether the same message, sent again unchanged, may pass.
    pub retry: Retry,
    /// Who has to act.
    pub who: Party,
}

/// What a retry is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// It may pass by itself later.
    Helps,
    /// Only after somebody changed something.
    AfterChange,
    /// What the code says decides: a 4yz is worth it, a 5yz is not.
    ByCode,
}

/// What decided the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Known words.
    Words,
    /// No known phrase, but a word that names the subject.
    Gist,
    /// No known phrase, but a word that leaves it likely.
    Hint,
    /// The enhanced status.
    Status,
    /// The reply code and the stage.
    Code,
    /// Nothing: the class is [`Class::Unknown`].
    Nothing,
}

/// What a class is found from. Every part may be missing.
#[derive(Clone, Debug, Default)]
pub struct Refusal<'a> {
    /// The reply's text, or the words of whoever wrote the report where there is no reply.
    pub words: &'a str,
    /// The reply code.
    pub code: Option<u16>,
    /// The status that stands in the reply, else the one that the report has.
    pub status: Option<EnhancedStatus>,
    /// The stage, where it is told.
    pub stage: Option<Stage>,
}

/// The class of a reply; the stage where it is known.
pub fn class_of(reply: &Reply, stage: Option<Stage>) -> Class {
    let refusal =
        Refusal { words: &reply.text, code: Some(reply.code), status: reply.status, stage };
    classify(&refusal).0
}

/// The class of what a report or a log line tells.
pub fn class_of_testimony(testimony: &Testimony) -> Class {
    classify_testimony(testimony).0
}

/// The same, with what decided.
pub fn classify_testimony(testimony: &Testimony) -> (Class, Basis) {
    classify_testimony_without(testimony, &[])
}

/// The phrases of the tables that stand in a testimony's words: what its class may rest on.
pub fn phrases_in(testimony: &Testimony) -> Vec<&'static str> {
    let own = testimony.reply.as_ref().map_or("", |reply| &reply.text);
    let mut phrases = words::rows_in(own);
    phrases.extend(words::rows_in(&testimony.words));
    phrases.sort_unstable();
    phrases.dedup();
    phrases
}

/// The same as if the phrases of `unknown` were in no table: to measure what is left for refusals whose
/// words nobody has written down.
pub fn classify_testimony_without(testimony: &Testimony, unknown: &[&str]) -> (Class, Basis) {
    let words = plain(&testimony.words);
    let (class, basis) = by_parts(testimony, &words, unknown);
    // A try that timed out is repeated; where a report says it failed, the time was over.
    let timed_out = ["timed out", "did not accept our requests to connect", "not delivered within"]
        .iter()
        .any(|over| words.contains(over));
    match class {
        Class::Network if timed_out && testimony.fate == Fate::Failed => (Class::Expired, basis),
        // A report that mail is late, and no more: not delivered in time, whatever the reason.
        Class::Unknown if testimony.fate == Fate::Deferred && testimony.reply.is_none() => {
            (Class::Expired, Basis::Hint)
        }
        Class::NoSuchUser if may_be_a_filter(testimony, &words) => (Class::RecipientRefuses, basis),
        _ => (class, basis),
    }
}

/// `words` are the testimony's as they are compared.
fn by_parts(testimony: &Testimony, words: &str, unknown: &[&str]) -> (Class, Basis) {
    let stage = testimony.stage.filter(|_| testimony.stage_is_told);
    let of = |code, status| Refusal { words: &testimony.words, code, status, stage };
    let Some(reply) = &testimony.reply else {
        return classify_plain(&of(None, testimony.status), words, unknown);
    };
    // The reply's own words and a precise status of its own come before what the writer made of them.
    let is_precise =
        |status: &EnhancedStatus| matches!((status.subject, status.detail), (1, 1) | (5, 0));
    let status = reply.status.or(testimony.status.filter(is_precise));
    let own = Refusal { words: &reply.text, ..of(Some(reply.code), status) };
    let own = classify_plain(&own, &plain(&reply.text), unknown);
    if matches!(own.1, Basis::Words | Basis::Status | Basis::Gist) {
        return own;
    }
    let whole = of(Some(reply.code), testimony.status.or(reply.status));
    let whole = classify_plain(&whole, words, unknown);
    match (own.1, whole.1) {
        (_, Basis::Words | Basis::Status | Basis::Gist) => whole,
        // A single word of the writer's, `after initial connection`, tells less than the server's code.
        (Basis::Hint, _) | (Basis::Code, Basis::Hint) => own,
        _ => whole,
    }
}

/// The Japanese mobile carriers say `User unknown` of a mailbox whose filters refuse, too: au with an empty
/// address in front, docomo with the very words of an unknown one. Only RCPT tells the two apart.
fn may_be_a_filter(testimony: &Testimony, words: &str) -> bool {
    let is_at_rcpt = testimony.stage_is_told && testimony.stage == Some(Stage::Rcpt);
    let recipient = testimony.recipient.as_deref().unwrap_or_default().to_ascii_lowercase();
    let is_docomo = recipient.ends_with("@docomo.ne.jp") || words.contains("@docomo.ne.jp");
    !is_at_rcpt && (is_docomo || words.contains("550 : user unknown"))
}

/// The class, and what decided. What is no refusal has none.
pub fn classify(refusal: &Refusal<'_>) -> (Class, Basis) {
    classify_plain(refusal, &plain(refusal.words), &[])
}

/// `words` are the refusal's as they are compared.
fn classify_plain(refusal: &Refusal<'_>, words: &str, unknown: &[&str]) -> (Class, Basis) {
    let is_good = |status: EnhancedStatus| status.class == 2;
    if refusal.code.map_or_else(|| refusal.status.is_some_and(is_good), |code| code < 400) {
        return (Class::Unknown, Basis::Nothing);
    }
    let corrected = |class| by_code::corrected(class, refusal, words);
    if let Some(class) = words::precise(words, unknown) {
        return (corrected(class), Basis::Words);
    }
    if let Some(class) = gist::strong(refusal.code, words) {
        return (corrected(class), Basis::Gist);
    }
    if let Some(class) = words::general(words, unknown) {
        return (corrected(class), Basis::Words);
    }
    if let Some(class) = refusal.status.and_then(|status| by_code::of_status(status, refusal.stage))
    {
        return (class, Basis::Status);
    }
    if let Some(class) = gist::weak(refusal, words) {
        return (corrected(class), Basis::Hint);
    }
    // Of what is only late so far, a general status without a reply tells nothing.
    let may_tell =
        |status: &EnhancedStatus| status.class == 5 || status.detail > 0 || refusal.code.is_some();
    if let Some(class) = refusal.status.filter(may_tell).and_then(by_code::of_general_status) {
        return (class, Basis::Status);
    }
    match refusal.code.and_then(|code| by_code::of_code(code, refusal.stage)) {
        Some(class) => (class, Basis::Code),
        None => (Class::Unknown, Basis::Nothing),
    }
}

impl Class {
    /// The constant word for machines: `mailbox-full`.
    pub fn name(self) -> &'static str {
        self.profile().name
    }

    /// What it means, why it comes, who can do what.
    pub fn profile(self) -> &'static Profile {
        profiles::of(self)
    }

    /// Every class, in the order of this type.
    pub fn all() -> impl Iterator<Item = Self> {
        profiles::PROFILES.iter().map(|profile| profile.class)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
