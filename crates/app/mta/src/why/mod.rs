//! `why`: where a message is, what happened to it, who has to act, and when and where it goes next.
//!
//! Three steps, so that the command line and the console share them: [`ask`] looks up the evidence;
//! [`story`] makes a [`Why`] of it, a plain value (for `--json`); [`Why::render`] writes it for an
//! administrator who was woken by it. The last two are pure: the time and the time zone are arguments.
//!
//! Nothing is said that the evidence does not carry: what has been dropped from the log is called so.

mod ask;
mod clauses;
mod dialogue;
mod moments;
mod render;
mod story;
mod subject;

use serde::{Deserialize, Serialize};
use smtp::Timestamp;
use spool::JobId;

pub use ask::ask;
pub use moments::span;
pub use render::Look;
pub use story::{refusal, story};
pub use subject::{Subject, UnclearSubject};

/// A job as the live queue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedView {
    /// Which.
    pub id: JobId,
    /// The recipients' domain.
    pub lane: String,
    /// Null reverse-path: empty.
    pub reverse_path: String,
    /// Those that are left.
    pub recipients: Vec<String>,
    /// When the message came.
    pub came: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub due: Timestamp,
    /// When it is given up, if the schedule says so.
    pub gives_up: Option<Timestamp>,
    /// Not tried until released.
    pub held: bool,
    /// Being tried at this moment.
    pub active: bool,
    /// What the last attempt met, in one clause.
    pub last: Option<String>,
    /// Where it goes next, as far as that is known without asking the DNS.
    pub next_hop: Option<String>,
}

/// The answer. Times are milliseconds since 1970 UTC; queue ids as they are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// What was asked.
    pub subject: String,
    /// When.
    pub asked: Timestamp,
    /// Where an answer covers several messages: one row each, the latest first.
    pub rows: Vec<Row>,
    /// There are more messages than rows.
    pub more: bool,
    /// The messages in detail: the one that was asked for, or the newest one in trouble.
    pub stories: Vec<Story>,
}

/// A message on one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Queue id; none for mail that was refused.
    pub id: Option<String>,
    /// When it came.
    pub came: Timestamp,
    /// Empty for the null reverse-path; none if the evidence of its coming is gone.
    pub reverse_path: Option<String>,
    /// All of them.
    pub recipients: Vec<String>,
    /// How it stands.
    pub state: State,
    /// The decisive words.
    pub said: String,
}

/// How a message, or a recipient, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// We did not take it.
    Refused,
    /// Given up.
    Failed,
    /// In the queue, stopped by an operator.
    Held,
    /// In the queue, after attempts that did not go through.
    Deferred,
    /// In the queue, not tried yet.
    Waiting,
    /// Being tried at this moment.
    Active,
    /// Not in the queue any more, and the evidence of its end is gone.
    Unknown,
    /// Thrown away by an operator.
    Removed,
    /// The next hop, or the mailbox, has it.
    Relayed,
}

impl State {
    /// Whether somebody may have to act.
    pub fn is_trouble(self) -> bool {
        matches!(self, Self::Refused | Self::Failed | Self::Held | Self::Deferred)
    }
}

/// One message, from its coming to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// Queue id; none for mail that was refused.
    pub id: Option<String>,
    /// The worst of its recipients' states.
    pub state: State,
    /// Empty for the null reverse-path; none if the evidence of its coming is gone.
    pub reverse_path: Option<String>,
    /// How each recipient stands, in the order of the envelope.
    pub recipients: Vec<RecipientState>,
    /// How it came in; none if that evidence is gone.
    pub came: Option<Coming>,
    /// What is wrong, by recipient where they differ; empty if nothing is.
    pub findings: Vec<Verdict>,
    /// Attempts and decisions, oldest first.
    pub steps: Vec<Step>,
    /// Reports (DSNs) on it that went to its originator.
    pub reports: Vec<Report>,
    /// When it is tried next, if it is in the queue and not held.
    pub due: Option<Timestamp>,
    /// When it is given up, if that is known.
    pub gives_up: Option<Timestamp>,
    /// Where it goes next, as far as that is known without asking the DNS.
    pub next_hop: Option<String>,
}

/// How a recipient stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecipientState {
    /// Forward-path.
    pub address: String,
    /// Now.
    pub state: State,
    /// When that was decided.
    pub at: Option<Timestamp>,
    /// The next hop, if it was its reply that decided.
    pub next_hop: Option<String>,
    /// What decided, in one clause: its reply, mostly.
    pub said: Option<String>,
}

/// How a message came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coming {
    /// When.
    pub at: Timestamp,
    /// Who sent it, in a sentence: address, name, TLS, user, listener.
    pub from: String,
    /// Octets of content; none if it never got that far.
    pub size: Option<u64>,
    /// The Message-ID field.
    pub message_id: Option<String>,
}

/// A DSN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When it was put into the queue.
    pub at: Timestamp,
    /// Its own queue id.
    pub id: String,
    /// To whom.
    pub to: String,
    /// `failure`, `delay` or `success`.
    pub kind: String,
}

/// A finding, and whom it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The recipients concerned.
    pub recipients: Vec<String>,
    /// What is known.
    #[serde(flatten)]
    pub finding: diagnose::Finding,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "lowercase")]
pub enum Step {
    /// A next hop was tried.
    Attempt(AttemptStep),
    /// We told a client no.
    Refusal {
        /// When.
        at: Timestamp,
        /// At which command.
        stage: String,
        /// What we said.
        reply: String,
        /// Which rule or setting made us.
        rule: String,
        /// The dialogue.
        dialogue: Vec<DialogueLine>,
    },
    /// Something was decided, or learned.
    Note {
        /// When.
        at: Timestamp,
        /// What, as a sentence.
        text: String,
    },
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptStep {
    /// The job: the message's id, with `.2` and so on where it has several.
    pub job: String,
    /// When it was over.
    pub at: Timestamp,
    /// 1 for the first.
    pub number: u32,
    /// In milliseconds.
    pub took: u64,
    /// Name.
    pub next_hop: String,
    /// `ip:port`; none when it came to no connection.
    pub address: Option<String>,
    /// Why there, a line each.
    pub route: Vec<String>,
    /// In a line; none for clear text.
    pub tls: Option<String>,
    /// What became of whom.
    pub outcomes: Vec<RecipientState>,
    /// In a clause, for comparing attempts and for lists.
    pub summary: String,
    /// The dialogue.
    pub dialogue: Vec<DialogueLine>,
}

/// A line of a dialogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DialogueLine {
    /// Milliseconds since the connection's start.
    pub at: u64,
    /// `C`, `S`, or `-` for a remark.
    pub by: char,
    /// What was said; octets that are no text shown as such.
    pub text: String,
    /// It decided.
    pub decisive: bool,
    /// The command that it answered.
    pub command: bool,
}

impl Step {
    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Attempt(attempt) => attempt.at,
            Self::Refusal { at, .. } | Self::Note { at, .. } => *at,
        }
    }
}

#[cfg(test)]
mod tests;
