//! Where a session is, and the facts that live and die with that.

use sasl::Mechanism;

use super::content::Scanner;
use crate::{
    envelope::{Envelope, Recipient},
    reply::Reply,
};

/// See the table in the module above.
#[derive(Debug)]
pub(super) enum State {
    /// No transaction.
    Ready,
    /// Inside AUTH: the next line is the client's part of it.
    Authenticating(Exchange),
    /// MAIL was accepted, or is being asked about.
    Mail(Transaction),
    /// After `354`.
    Data(Transaction, Scanner),
    /// After the first BDAT: within a chunk while `chunk` is some.
    Chunks(Transaction, Chunks),
    /// The content is complete and somebody else's to keep.
    Keeping(Transaction, u64),
    /// `220` to STARTTLS was said.
    Handshake,
    /// A `554` was said instead of the greeting: QUIT is waited for.
    TurnedAway,
    /// The end was said, or found.
    Closed,
}

/// One mail transaction. To end it, drop it.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) envelope: Envelope,
    /// Recipients that were refused.
    pub(super) refused: u32,
    /// The priority that it has instead of the one that was asked for (RFC 6710 section 4.1).
    pub(super) lowered: Option<i8>,
}

/// A chunk of octets that are on their way and nobody wants.
#[derive(Debug)]
pub(super) struct Swallow {
    /// So many are to come.
    pub(super) left: u64,
    /// The command that announced them.
    pub(super) verb: crate::command::Verb,
    /// What is said then.
    pub(super) reply: Reply,
}

/// Content by BDAT.
#[derive(Debug)]
pub(super) struct Chunks {
    pub(super) scanner: Scanner,
    pub(super) chunk: Option<Chunk>,
    /// The first BDAT was refused with this: so is each that follows.
    pub(super) refused: Option<Reply>,
}

/// One chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) size: u64,
    /// Octets still to come.
    pub(super) left: u64,
    pub(super) last: bool,
}

/// An exchange of SASL that waits for the client.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) mechanism: Mechanism,
    pub(super) turn: Turn,
}

/// What the client's next response is.
#[derive(Debug)]
pub(super) enum Turn {
    /// Its first, and the driver has heard nothing yet.
    First,
    /// One among others.
    Next,
    /// Empty, and then it is this user.
    Last { user: String },
}

/// The question that is open, and what the answer is for.
#[derive(Debug)]
pub(super) enum Asked {
    Sasl(Mechanism),
    ReversePath,
    Recipient(Recipient),
    /// VRFY or another question about names; whether the answer may be UTF-8.
    Verify {
        utf8: bool,
    },
    Reverse,
    Client(Box<crate::extension::xclient::Claim>),
    BeginData,
    BeginChunks(Chunk),
    Keep,
}

/// What lives as long as the connection, or until TLS starts.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) helo: Option<Helo>,
    pub(super) user: Option<Box<str>>,
    /// Where the next message came from, as a trusted filter's client says (XFORWARD).
    pub(super) origin: Option<Box<crate::extension::xforward::Origin>>,
    /// XCLIENT was the last command, and may come again: a proxy has more to say of its client than fits
    /// into a line.
    pub(super) introducing: bool,
    /// Transactions so far.
    pub(super) transactions: u32,
}

/// How the client introduced itself.
#[derive(Debug)]
pub(super) struct Helo {
    pub(super) name: Box<str>,
    /// By EHLO.
    pub(super) extended: bool,
}

/// What was refused so far. TLS does not wash it off.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) errors: u32,
    pub(super) refusals: u32,
    pub(super) auth_failures: u32,
}

impl Transaction {
    pub(super) fn new(envelope: Envelope) -> Self {
        Self { envelope, refused: 0, lowered: None }
    }
}

impl State {
    /// The transaction, in whatever state has one.
    pub(super) fn transaction(&self) -> Option<&Transaction> {
        match self {
            Self::Mail(transaction)
            | Self::Data(transaction, _)
            | Self::Chunks(transaction, _)
            | Self::Keeping(transaction, _) => Some(transaction),
            Self::Ready
            | Self::Authenticating(_)
            | Self::Handshake
            | Self::TurnedAway
            | Self::Closed => None,
        }
    }

    /// Octets of content so far.
    pub(super) fn content_length(&self) -> u64 {
        match self {
            Self::Data(_, scanner) => scanner.length(),
            Self::Chunks(_, chunks) => chunks.scanner.length(),
            Self::Keeping(_, length) => *length,
            _ => 0,
        }
    }

    /// Whether the next octets are content.
    pub(super) fn is_in_content(&self) -> bool {
        match self {
            Self::Data(..) => true,
            Self::Chunks(_, chunks) => chunks.chunk.is_some(),
            _ => false,
        }
    }
}
