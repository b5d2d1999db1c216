//! What a log tells of a connection, and of no recipient in particular.
//!
//! Together with [`Testimony`](crate::Testimony) and [`Session`](crate::Session) this is all that a
//! log comes to. A reply that refused a recipient, or mail as such, is a testimony; what happened to
//! the connection around it, and what became of a message as a whole, is a happening.

use serde::{Deserialize, Serialize};
use smtp::{Reply, Stage};

use crate::session::{Endpoint, Place, Vantage};

/// Something that happened to a connection or to a whole message, as one side's log has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// The program whose format it is: `postfix`, `exim`.
    pub dialect: String,
    /// The host that wrote the log, where its lines say so.
    pub writer: Option<String>,
    /// The part of the program that wrote: `postfix/postscreen`, `exim`.
    pub daemon: String,
    /// What the writer was on this connection: the client or the server of it; `Wire` if neither.
    pub side: Vantage,
    /// The other end.
    pub peer: Endpoint,
    /// The writer's name for the message, or for the session where it has one.
    pub message: Option<String>,
    /// When, in microseconds since 1970 (UTC).
    pub at: Option<i64>,
    /// What it was.
    pub what: What,
    /// How far the session had come.
    pub stage: Option<Stage>,
    /// The reply that went with it, whoever gave it.
    pub reply: Option<Reply>,
    /// All the words, without what the header of the line says.
    pub words: String,
    /// Where it stands in the evidence, as line numbers.
    pub place: Place,
}

/// What can happen to a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum What {
    /// The connection was made.
    Connected,
    /// It ended in order; the words may count the commands.
    Disconnected,
    /// It could not be made.
    NotConnected,
    /// It ended without a QUIT, by the other end or by the network.
    Broken,
    /// One side waited in vain.
    TimedOut,
    /// TLS is up; the words have version and cipher.
    TlsEstablished,
    /// A TLS handshake or a certificate failed.
    TlsFailed,
    /// Somebody failed to log in.
    AuthenticationFailed,
    /// One side refused the session, the message or a recipient by a reply or by closing, while other
    /// hosts or later attempts are still to come.
    Refused,
    /// One side did what the protocol does not allow: no SMTP, out of turn, overlong.
    Violation,
    /// A message came in and was taken over.
    Received,
    /// A message is held, discarded, redirected or otherwise kept from its way by a rule.
    Diverted,
    /// A message left the queue.
    Removed,
    /// A report about a message was made; the words name it.
    Reported,
    /// Something that the program warns of.
    #[default]
    Warning,
}
