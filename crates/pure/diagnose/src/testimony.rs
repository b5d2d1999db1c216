//! What somebody else says became of one recipient: a non-delivery report, a line of a delivery log.
//!
//! Three parties are kept apart: who *wrote* the report, whose reply it quotes (the *speaker*), and,
//! only in the finding, who is the *cause*.

use serde::{Deserialize, Serialize};
use smtp::{Reply, Stage};

use crate::session::{Endpoint, Place};

/// One recipient's fate, in somebody else's words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Testimony {
    /// The program or service whose format it is: `postfix`, `exchange-2007`, `exim`.
    pub dialect: String,
    /// Who wrote it: a host name where there is one (`Reporting-MTA`, `Generating server`).
    pub writer: Option<String>,
    /// Whose words it quotes.
    pub speaker: Speaker,
    /// The other end of the connection on which it happened, where the evidence names it: the next hop of
    /// an attempt, the client of a rejected one.
    pub peer: Endpoint,
    /// What became of the recipient.
    pub fate: Fate,
    /// The recipient, as the writer has it; none where a client was rejected before it named one.
    pub recipient: Option<String>,
    /// The reverse-path, where it is told.
    pub reverse_path: Option<String>,
    /// The writer's name for the message: queue id, Message-ID.
    pub message: Option<String>,
    /// When, in microseconds since 1970 (UTC).
    pub at: Option<i64>,
    /// The step of the session, where the evidence says so or its words leave no other.
    pub stage: Option<Stage>,
    /// Whether the stage stands in the evidence; else it follows from code and words.
    pub stage_is_told: bool,
    /// The reply that decided, as the speaker gave it.
    pub reply: Option<Reply>,
    /// The status that the writer gave (`Status:`, `dsn=`), which may differ from the reply's own.
    pub status: Option<smtp::EnhancedStatus>,
    /// All the words that tell why, as they stand, line ends as single blanks.
    pub words: String,
    /// Where it stands in the evidence, as line numbers.
    pub place: Place,
}

/// Whose words are quoted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Speaker {
    /// Another server, by name or address.
    Remote(String),
    /// The writer itself, or one of its parts (`postfix/postscreen`).
    Writer,
    /// A server whose name the evidence does not have.
    RemoteUnnamed,
    /// It can't be told.
    #[default]
    Unknown,
}

/// What became of the recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fate {
    /// Final: not delivered.
    #[default]
    Failed,
    /// Not yet; it will be tried again.
    Deferred,
    /// Refused while the client was still connected: the client keeps it.
    Rejected,
    /// Handed over or delivered.
    Delivered,
}
