//! What a diagnosis comes to.

use std::fmt;

use message::dsn::Explanation;
use serde::{Deserialize, Serialize};

/// One explained failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that made it, a constant word: `blocklist`, `no-such-mailbox`.
    pub rule: String,
    /// What happened, in one sentence, with the stage and whose words they are.
    pub what: String,
    /// Index into the attempt's transcript: the line that decided.
    pub line: Option<usize>,
    /// Index of the command that this line answers.
    pub command: Option<usize>,
    /// Who has to act.
    pub who: Party,
    /// How sure that is.
    pub confidence: Confidence,
    /// Why it happened, as far as the evidence carries.
    pub why: String,
    /// What to do; for the originator where the originator can do something.
    pub remedy: String,
    /// Whether the same attempt, repeated later, may go through.
    pub retry_helps: bool,
    /// What it did to the mail.
    #[serde(default)]
    pub weight: Weight,
    /// Lines that only follow from this one: refusals that a refused command before them brought.
    #[serde(default)]
    pub consequences: Vec<usize>,
    /// The test that would tell this explanation from the others, where the evidence cannot.
    #[serde(default)]
    pub next_test: Option<String>,
}

/// What a finding means for the mail.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Weight {
    /// Odd, but harmless: no accusation.
    Remark,
    /// Mail passed, or may pass, but with something lost: TLS, speed, a feature.
    Fault,
    /// It kept mail, a recipient or a session from going through.
    #[default]
    Failure,
}

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Party {
    /// The sending side: its message, its addresses, its software.
    Client,
    /// The server that answered, or who runs it.
    Server,
    /// Something on the way: firewall, scanner, network.
    Between,
    /// Who runs the name servers of the domain.
    Dns,
    /// Nobody is broken: a rule of the receiving side says no.
    Policy,
    /// This transfer agent, or who configured it.
    Us,
    /// The evidence does not tell.
    Unknown,
}

/// How far the evidence carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Confidence {
    /// One explanation among others.
    Possible,
    /// The evidence fits, another explanation would surprise.
    Likely,
    /// It is said or shown in the evidence itself.
    Certain,
}

impl Finding {
    /// The same for the first part of a DSN.
    pub fn explanation(&self) -> Explanation {
        Explanation {
            meaning: self.why.clone(),
            remedy: self.remedy.clone(),
            line: self.line,
            command: self.command,
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "the sending side",
            Self::Server => "the server that answered",
            Self::Between => "something between the two servers",
            Self::Dns => "the domain's name service",
            Self::Policy => "a rule of the receiving side",
            Self::Us => "this server",
            Self::Unknown => "not known",
        })
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        })
    }
}
