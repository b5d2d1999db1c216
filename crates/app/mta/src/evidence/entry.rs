//! What the evidence log holds: one type for writing (borrowed, nothing is cloned) and for reading
//! (`Entry<'static>`, owned), so that the two cannot drift apart.
//!
//! The encoding is postcard behind a version octet ([`Entry::VERSION`]): the order of fields and
//! variants is the format. Add variants at the end; anything else is a new version.

use std::{borrow::Cow, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};
use smtp::{
    Address, Attempt, Envelope, ForwardPath, Reply, Stage, Timestamp, TlsFacts, Transcript,
};
use spool::{JobId, MessageId, Revision};

/// One thing that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry<'a> {
    /// When it was over.
    pub at: Timestamp,
    /// What it was.
    pub kind: Kind<'a>,
}

impl Entry<'_> {
    /// First octet of every encoded entry.
    pub const VERSION: u8 = 1;
}

/// What can happen to a message. The order is part of the format.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Kind<'a> {
    /// A message was kept, and its client told so.
    Received(Received<'a>),
    /// A client was told no.
    Refused(Refused<'a>),
    /// A next hop was tried.
    Attempted(Attempted<'a>),
    /// We, or the operator, decided something.
    Decided(Decided<'a>),
    /// Something was learned of a site.
    Learned(Learned<'a>),
}

/// Who was at the other end of an incoming session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Client<'a> {
    /// Where it came from.
    pub address: SocketAddr,
    /// The name of the listener that took it.
    pub listener: Cow<'a, str>,
    /// What it called itself; none before EHLO.
    pub helo: Option<Cow<'a, str>>,
    /// What TLS came to, where there was any.
    pub tls: Option<Cow<'a, TlsFacts>>,
    /// As whom it authenticated; or tried to, if that is what was refused.
    pub user: Option<Cow<'a, str>>,
}

/// Where a message came from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)] // lives for one write or one answer
pub enum Origin<'a> {
    /// Over SMTP.
    Client(Client<'a>),
    /// We wrote it: a DSN.
    Dsn {
        /// The job that it reports on.
        about: JobId,
    },
}

/// A message that was kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Received<'a> {
    /// Its name from now on.
    pub message: MessageId,
    /// From whom.
    pub origin: Origin<'a>,
    /// Reverse-path, accepted recipients, parameters.
    pub envelope: Cow<'a, Envelope>,
    /// The Message-ID field, with its angle brackets, where there is one.
    pub message_id: Option<Cow<'a, str>>,
    /// Octets of content as received.
    pub size: u64,
    /// The dialogue of the transaction; empty for a DSN.
    pub transcript: Cow<'a, Transcript>,
}

/// A reply with which a client was refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refused<'a> {
    /// Who was refused.
    pub client: Client<'a>,
    /// At which step: `Connect` and `Greeting` before any command, `EndOfData` for the content.
    pub stage: Stage,
    /// The reverse-path as sent; empty for the null reverse-path, none before MAIL.
    pub reverse_path: Option<Cow<'a, str>>,
    /// The forward-path that was refused, or all of the transaction when it was MAIL or the content.
    pub recipients: Vec<Cow<'a, str>>,
    /// The Message-ID field, if the content was seen.
    pub message_id: Option<Cow<'a, str>>,
    /// What we said.
    pub reply: Cow<'a, Reply>,
    /// Which rule or setting of ours made us say it.
    pub rule: Cow<'a, str>,
    /// The dialogue so far.
    pub transcript: Cow<'a, Transcript>,
}

/// One try to hand a job on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempted<'a> {
    /// Which job.
    pub job: JobId,
    /// The job's revision that was tried.
    pub revision: Revision,
    /// 1 for the first.
    pub number: u32,
    /// What the job is queued by: the recipients' domain, lower case.
    pub lane: Cow<'a, str>,
    /// How long it took, from the lookup to the last reply.
    pub took: Duration,
    /// The evidence itself.
    pub attempt: Cow<'a, Attempt>,
    /// When it will be tried again; none if nothing is left to try.
    pub next: Option<Timestamp>,
}

/// A decision about a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decided<'a> {
    /// Which job.
    pub job: JobId,
    /// Which operator decided; none if it was the transfer agent.
    pub by: Option<Cow<'a, str>>,
    /// The recipients it is about.
    pub recipients: Cow<'a, [ForwardPath]>,
    /// What was decided.
    pub decision: Decision<'a>,
}

/// What can be decided. The order is part of the format.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Decision<'a> {
    /// Not to be tried until released.
    Held,
    /// To be tried again.
    Released,
    /// To be tried at once.
    RetryNow,
    /// Thrown away without a word to the originator.
    Removed,
    /// Given up, with a DSN to the originator.
    Bounced,
    /// To be handed to another next hop.
    Rerouted {
        /// Which.
        next_hop: Cow<'a, str>,
    },
    /// Given up, because it was in the queue for too long.
    Expired {
        /// How long it was there.
        after: Duration,
    },
    /// A DSN was put into the queue.
    DsnSent {
        /// The DSN's own queue id.
        dsn: MessageId,
        /// To whom.
        to: Cow<'a, Address>,
        /// What it reports.
        kind: DsnKind,
    },
    /// A DSN was due but not sent.
    DsnWithheld {
        /// Why: null reverse-path, NOTIFY=NEVER and the like.
        why: Cow<'a, str>,
    },
}

/// What a DSN reports (RFC 3464 section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DsnKind {
    /// `failed`.
    Failure,
    /// `delayed`.
    Delay,
    /// `delivered`, `relayed` or `expanded`.
    Success,
}

/// Something about a site that later attempts go by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Learned<'a> {
    /// Which site, as the queue calls it.
    pub site: Cow<'a, str>,
    /// The job whose attempt taught it.
    pub job: Option<JobId>,
    /// The domain of that job's recipients.
    pub lane: Cow<'a, str>,
    /// What is done differently from now on: `PIPELINING is not used`.
    pub change: Cow<'a, str>,
    /// What was seen.
    pub because: Cow<'a, str>,
    /// When it is forgotten.
    pub until: Timestamp,
}
