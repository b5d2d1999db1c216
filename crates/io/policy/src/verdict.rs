//! What a check finds, and what all of them come to.

use serde::{Deserialize, Serialize};
use smtp::Reply;

/// What was decided of a connection, a sender or a recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What to say: none lets it pass.
    pub refusal: Option<Refusal>,
    /// Sum of the weights of the lists that the client and its domains are on; negative is good.
    pub score: i32,
    /// What the checks found, in the order they ran.
    pub details: Vec<Detail>,
}

/// A no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule's name: a row of [`CHECKS`](crate::CHECKS). It stays the same for ever.
    pub rule: &'static str,
    /// What the client hears, 4yz or 5yz.
    pub reply: Reply,
    /// Why, for the operator: what was found, where.
    pub why: String,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The rule's name.
    pub rule: String,
    /// How it ended.
    pub ended: Ended,
    /// What was found, as the rest of a sentence.
    pub why: String,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// Nothing is against it.
    Passed,
    /// It was not asked: switched off, or without its subject.
    Skipped,
    /// Something was found that decides nothing as configured.
    Noted,
    /// It goes through, and no further check is asked.
    Allowed,
    /// 4yz.
    Deferred,
    /// 5yz.
    Rejected,
}

/// What a check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// See [`Ended::Passed`].
    Passed(String),
    /// See [`Ended::Skipped`].
    Skipped(&'static str),
    /// See [`Ended::Noted`].
    Noted(String),
    /// See [`Ended::Allowed`].
    Allowed(String),
    /// The reply tells [`Ended::Deferred`] from [`Ended::Rejected`].
    Refused(Reply, String),
}

impl Outcome {
    /// Without its words.
    pub fn ended(&self) -> Ended {
        match self {
            Self::Passed(_) => Ended::Passed,
            Self::Skipped(_) => Ended::Skipped,
            Self::Noted(_) => Ended::Noted,
            Self::Allowed(_) => Ended::Allowed,
            Self::Refused(reply, _) if reply.is_transient() => Ended::Deferred,
            Self::Refused(..) => Ended::Rejected,
        }
    }

    /// For the list of all checks.
    pub fn detail(&self, rule: &str) -> Detail {
        let why = match self {
            Self::Passed(why) | Self::Noted(why) | Self::Allowed(why) | Self::Refused(_, why) => {
                why.clone()
            }
            Self::Skipped(why) => (*why).to_owned(),
        };
        Detail { rule: rule.to_owned(), ended: self.ended(), why }
    }
}

impl Verdict {
    /// Whether nothing was said against it.
    pub fn passes(&self) -> bool {
        self.refusal.is_none()
    }
}
