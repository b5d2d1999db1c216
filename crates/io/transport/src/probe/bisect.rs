//! Which feature breaks on the way to a host: the same message again and again, with one thing switched off
//! each time, until it passes.
//!
//! | try                               | what it shows if the whole did not pass and this does           |
//! |-----------------------------------|----------------------------------------------------------------|
//! | everything, large content         | (the whole)                                                    |
//! | everything, small content         | large content hurts: path MTU, a box that counts octets        |
//! | one feature off, for each         | that feature hurts                                             |
//! | all of them off                   | several hurt at once: then each is switched on again that may be |
//!
//! Unless told to send, the message breaks off before its last octet and the connection is closed: no server may
//! deliver that (RFC 5321 section 4.1.1.4, RFC 3030 section 3). What was broken off like this has passed,
//! as far as can be seen; what a server says at the end of data is then not seen.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use diagnose::{Finding, Weight};
use serde::Serialize;
use smtp::{
    BodyType, Envelope, Notify, Outcome, Party, Recipient, Stage, Transcript, Trouble, Unconfirmed,
};

use super::{
    Notice, Trial,
    visit::{Going, Visit, step},
};
use crate::{
    content::Content,
    open::open,
    plan::{Features, Plan, Target},
    session::{Mail, Session},
};

/// Many full-size segments: a path that loses them does not let it through.
const LARGE: usize = 128 * 1024;
/// Fits into one segment with its commands.
const SMALL: usize = 400;
/// What is switched off, the likeliest first; EHLO takes all others with it.
const SUSPECTS: [Features; 8] = [
    Features::XEXCH50,
    Features::PIPELINING,
    Features::CHUNKING,
    Features::SIZE,
    Features::EIGHTBITMIME,
    Features::DSN,
    Features::STARTTLS,
    Features::EHLO,
];
/// Rules that found EHLO refused by somebody who ought to know it.
const NO_EHLO: [&str; 2] = ["pix-fixup", "ehlo-refused"];
/// How long an answer that comes too early is waited for; and for what was sent to be acknowledged.
const PAUSE: Duration = Duration::from_secs(3);
/// Once may be chance.
const REPEATS_MIN: u32 = 2;
/// The reason that our own content gives for its end.
const BROKEN_OFF: &str = "broken off on purpose";

/// What the tries came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bisection {
    /// In order.
    pub tries: Vec<Try>,
    /// What hurts; none if everything passes, or nothing does.
    pub culprit: Option<String>,
    #[serde(skip)]
    pub(super) notices: Vec<Notice>,
}

/// One try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Try {
    /// What was switched off; empty at first.
    pub without: Vec<String>,
    /// Octets of content.
    pub octets: usize,
    /// Whether it went as far as it was meant to.
    pub passed: bool,
    /// Where and why it ended, or the last reply.
    pub end: String,
}

/// A test message. Unless it is `whole`, reading its last octet fails.
struct TestMessage {
    octets: Bytes,
    whole: bool,
}

#[async_trait]
impl Content for TestMessage {
    fn len(&self) -> u64 {
        self.octets.len() as u64
    }

    fn in_memory(&self) -> Option<[Bytes; 2]> {
        self.whole.then(|| [self.octets.clone(), Bytes::new()])
    }

    async fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = if self.whole { self.octets.len() } else { self.octets.len() - 1 };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(end);
        if self.whole {
            return Ok(self.octets.slice(start..start.saturating_add(length).min(end)));
        }
        match end - start {
            0 => Err(io::Error::other(BROKEN_OFF)),
            1 => {
                // A refusal of what went out so far is heard before it is broken off.
                tokio::time::sleep(PAUSE).await;
                Ok(self.octets.slice(start..end))
            }
            _ => Ok(self.octets.slice(start..start.saturating_add(length).min(end - 1))),
        }
    }
}

struct Bisecting<'a> {
    going: Going<'a>,
    target: &'a Target,
    trial: &'a Trial,
    send: bool,
    suspects: Vec<Features>,
    tries: Vec<Try>,
}

impl Going<'_> {
    /// Tries until it knows. With `send`, every try that passes is a real message.
    pub(super) async fn bisect(self, visit: &Visit, trial: &Trial, send: bool) -> Bisection {
        let target = &visit.target;
        let suspects = suspects(visit, &self.order.plan);
        let mut own = Bisecting { going: self, target, trial, send, suspects, tries: Vec::new() };
        let culprit = own.search().await;
        let refused =
            visit.findings.iter().find(|finding| NO_EHLO.contains(&finding.rule.as_str()));
        if let Some(finding) = refused.filter(|_| culprit.is_none() && own.passed_at_once()) {
            let notices = vec![ehlo_is_refused(finding)];
            return Bisection { tries: own.tries, culprit: Some(named(Features::EHLO)), notices };
        }
        let notices = vec![own.notice(culprit.as_deref())];
        Bisection { tries: own.tries, culprit, notices }
    }
}

impl Bisecting<'_> {
    async fn search(&mut self) -> Option<String> {
        if self.passes(Features::NONE, LARGE).await {
            return None;
        }
        let is_large = self.passes(Features::NONE, SMALL).await;
        let octets = if is_large { LARGE } else { SMALL };
        for suspect in self.suspects.clone() {
            if self.passes(suspect, octets).await {
                return Some(named(suspect));
            }
        }
        if is_large {
            return Some("large content".to_owned());
        }
        let all = self.suspects.iter().copied().fold(Features::NONE, Features::with);
        if !self.passes(all, octets).await {
            return None;
        }
        let mut off = all;
        for suspect in self.suspects.clone() {
            if self.passes(off.without(suspect), octets).await {
                off = off.without(suspect);
            }
        }
        Some(named(off))
    }

    async fn passes(&mut self, avoid: Features, octets: usize) -> bool {
        let tried = self.once(avoid, octets).await;
        let passed = tried.passed;
        self.tries.push(tried);
        passed
    }

    async fn once(&self, avoid: Features, octets: usize) -> Try {
        let mut plan = self.going.order.plan.clone();
        plan.avoid = plan.avoid.with(avoid);
        let without = avoid.names().map(str::to_owned).collect();
        let told = |passed, end: String| Try { without, octets, passed, end };
        let mut session = match open(self.going.world, self.going.tls, self.target, &plan).await {
            Ok(session) => session,
            Err(failure) => {
                let cause = failure.cause;
                return told(false, format!("{}: {}", cause.stage, cause.trouble));
            }
        };
        if !self.send
            && session.extensions().has("CHUNKING")
            && !plan.avoid.has(Features::CHUNKING)
            && let Some(end) = empty_chunk(&mut session, self.trial).await
        {
            session.quit().await;
            return told(false, end);
        }
        let eight_bit = !plan.avoid.has(Features::EIGHTBITMIME)
            && !plan.avoid.has(Features::EHLO)
            && session.extensions().has("8BITMIME");
        let content = TestMessage { octets: message(octets, eight_bit), whole: self.send };
        let envelope = Arc::new(self.envelope(eight_bit));
        let relayed = session.relay(&Mail { envelope, content: &content }).await;
        let learned = !session.learned().reasons.is_empty();
        session.quit().await;
        let Some(outcome) = relayed.outcomes.first() else {
            return told(false, "there is no recipient".to_owned());
        };
        match outcome {
            // STARTTLS that broke, and was left away: that is no pass of the whole.
            _ if learned => told(false, "STARTTLS breaks, and mail goes in clear".to_owned()),
            Outcome::Relayed(reply) => told(true, reply.to_string()),
            Outcome::Deferred(cause) | Outcome::Failed(cause) => {
                let own = cause.stage == Stage::Content
                    && matches!(&cause.trouble, Trouble::Local(_, text) if text.ends_with(BROKEN_OFF));
                let lost = unconfirmed(&relayed.transcript).filter(|_| own);
                let end = match (own, lost) {
                    (_, Some(lost)) => lost.to_string(),
                    (true, None) => BROKEN_OFF.to_owned(),
                    (false, None) => cause.trouble.to_string(),
                };
                told(own && lost.is_none(), format!("{}: {end}", cause.stage))
            }
        }
    }

    fn envelope(&self, eight_bit: bool) -> Envelope {
        let mut envelope = Envelope::new(self.trial.reverse_path.clone());
        envelope.body = if eight_bit { BodyType::EightBitMime } else { BodyType::SevenBit };
        envelope.recipients.extend(self.trial.recipients.iter().map(|path| {
            let mut recipient = Recipient::new(path.clone());
            // So that DSN is used where it is offered; nobody wants a report about a test.
            recipient.notify = Notify::NEVER;
            recipient
        }));
        envelope
    }

    fn passed_at_once(&self) -> bool {
        self.tries.first().is_some_and(|first| first.passed)
    }

    fn notice(&self, culprit: Option<&str>) -> Notice {
        let first = self.tries.first();
        match (culprit, self.passed_at_once()) {
            (None, true) => {
                let how =
                    if self.send { "the message was accepted" } else { "up to the end of content" };
                let what = format!("everything passes with all features in use: {how}");
                Notice::new(Weight::Remark, what, "")
            }
            (Some(culprit), _) => {
                let why = first.map_or("", |first| first.end.as_str());
                let what = format!("without {culprit} the dialogue passes; with it: {why}");
                let remedy = format!(
                    "that one hurts, most likely by a box in between or the server itself; until it is \
                     mended, `avoid` {culprit} for this host"
                );
                Notice::new(Weight::Failure, what, remedy)
            }
            (None, false) => {
                let why = first.map_or("", |first| first.end.as_str());
                let what = format!(
                    "it never passes, whatever is switched off, so no feature is to blame: {why}"
                );
                Notice::new(Weight::Failure, what, "see what the host says above")
            }
        }
    }
}

/// Everything passes, as nothing of it was used: EHLO came to nothing, and HELO stood in.
fn ehlo_is_refused(finding: &Finding) -> Notice {
    let what = format!(
        "EHLO does not get through ({}), and the message passes with HELO only, without any extension: {}",
        finding.rule, finding.what
    );
    Notice::new(Weight::Fault, what, finding.remedy.clone())
}

/// How BDAT ends, if not well. A chunk that is broken off gets no reply, so an empty one asks before (RFC 3030
/// section 2 allows any size); it is not the last, and RSET forgets it.
async fn empty_chunk(session: &mut Session, trial: &Trial) -> Option<String> {
    let reverse = trial.reverse_path.as_ref().map_or("", |path| path.as_str());
    let mut commands = vec![format!("MAIL FROM:<{reverse}>")];
    commands.extend(trial.recipients.first().map(|path| format!("RCPT TO:<{path}>")));
    let mut is_begun = true;
    for command in commands {
        is_begun = is_begun && step(session, command).await.accepted;
    }
    let chunk = match is_begun {
        true => Some(step(session, "BDAT 0".to_owned()).await),
        // What is wrong with the envelope shows in the transaction itself.
        false => None,
    };
    if session.is_reusable() {
        step(session, "RSET".to_owned()).await;
    }
    chunk.filter(|chunk| !chunk.accepted).map(|chunk| format!("BDAT: {}", chunk.reply))
}

/// What the peer's host had not acknowledged when the message was broken off: it did not get there.
fn unconfirmed(transcript: &Transcript) -> Option<Unconfirmed> {
    let notes = transcript.lines().filter(|line| line.by == Party::Note);
    notes
        .filter_map(|line| Unconfirmed::read(line.text))
        .last()
        .filter(|lost| lost.repeats >= REPEATS_MIN)
}

/// Those that are offered and would be used: to switch off others changes nothing.
fn suspects(visit: &Visit, plan: &Plan) -> Vec<Features> {
    let offers = || visit.in_clear.iter().chain(&visit.under_tls);
    let is_offered = |suspect: &Features| {
        suspect.names().any(|name| name == "EHLO" || offers().any(|offer| offer.has(name)))
    };
    let unused = plan.avoid.with(Features::OPT_IN.without(plan.allow));
    SUSPECTS.into_iter().filter(|suspect| is_offered(suspect) && !unused.has(*suspect)).collect()
}

fn named(features: Features) -> String {
    let names: Vec<&str> = features.names().collect();
    names.join(", ")
}

/// A message of that length, in lines.
fn message(octets: usize, eight_bit: bool) -> Bytes {
    let head = "Subject: test of the way, please ignore\r\nMIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=utf-8\r\nAuto-Submitted: auto-generated\r\n";
    let encoding = if eight_bit { "8bit" } else { "7bit" };
    let mut text = format!("{head}Content-Transfer-Encoding: {encoding}\r\n\r\n");
    if eight_bit {
        text.push_str("\u{e9}\u{e8}\r\n");
    }
    while text.len() < octets {
        text.push_str("This line is one of many that test the way to this server.\r\n");
    }
    Bytes::from(text)
}
