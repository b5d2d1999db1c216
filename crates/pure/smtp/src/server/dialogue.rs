//! What the machine and its driver say to each other.

use std::fmt;

use sasl::{Mechanism, Secret, server::Why};

use super::Peer;
use crate::{
    address::ForwardPath,
    envelope::Recipient,
    extension::{etrn::Node, xclient::Claim},
    reply::Reply,
};

/// What the driver has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Find an answer; the machine takes no input until it has it.
    Ask(Question),
    /// Send the replies, then do the TLS handshake as its server, then tell how it went.
    StartTls,
    /// ATRN was granted (RFC 2645): send the replies, throw away what came behind the command, and go on
    /// as the client of this connection. The machine has ended; no `Close` follows.
    Reverse(Vec<Box<str>>),
    /// Something for the log.
    Event(Event),
    /// Send the replies, then close the connection. Nothing follows.
    Close,
}

/// What only policy or storage can tell. Each is answered by the [`Answer`] that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// AUTH: what does the mechanism say to this? -> [`Answer::Sasl`]
    Sasl(Sasl),
    /// May this reverse-path start a transaction? It is in
    /// [`Server::envelope`](super::Server::envelope). -> [`Answer::Go`]
    ReversePath,
    /// May this recipient be added to the envelope? -> [`Answer::Go`]
    Recipient(Recipient),
    /// VRFY's argument (RFC 5321 section 3.5.3); [`Reply::not_verified`] discloses nothing.
    /// -> [`Answer::Verified`]
    Verify(String),
    /// EXPN's argument. -> [`Answer::Verified`]
    Expand(String),
    /// ETRN: start the queue for this (RFC 1985). -> [`Answer::Verified`]
    StartQueue(Node),
    /// ATRN: may the authenticated user have the mail of these domains, lower case? With none: of all
    /// that it may have. -> [`Answer::Reverse`]
    Reverse(Vec<Box<str>>),
    /// XCLIENT: a trusted proxy says whom it speaks for. What that client is granted is to be judged
    /// anew. -> [`Answer::Client`]
    Client(Box<Claim>),
    /// DATA or the first BDAT came with at least one recipient: is there room? -> [`Answer::Go`]
    Begin,
    /// The content is complete: take what is left of it and keep it. -> [`Answer::Kept`]
    Keep,
}

/// An answer to the open [`Question`].
#[derive(Debug)]
pub enum Answer<P> {
    /// To [`Question::Sasl`].
    Sasl(SaslAnswer),
    /// To [`Question::ReversePath`], [`Question::Recipient`] and [`Question::Begin`].
    Go(Result<(), Reply>),
    /// To [`Question::Verify`], [`Question::Expand`] and [`Question::StartQueue`].
    Verified(Reply),
    /// To [`Question::Reverse`]: the domains whose mail there is.
    Reverse(Result<Vec<Box<str>>, Reply>),
    /// To [`Question::Client`].
    Client {
        /// Who the client is now.
        peer: Box<Peer>,
        /// What it hears instead of a greeting, if it is not let in.
        refused: Option<Reply>,
    },
    /// To [`Question::Keep`]: the proof, without which there is no `250`.
    Kept(Result<P, Reply>),
}

/// What the client said inside AUTH, without base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sasl {
    /// A new exchange: whatever was left of another is to be dropped.
    Begin {
        /// One that the client is offered now.
        mechanism: Mechanism,
        /// Its first response, where it came with AUTH.
        initial: Option<Secret>,
    },
    /// The response to the last challenge.
    Response(Secret),
}

/// What comes of that. After all but a challenge the exchange is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaslAnswer {
    /// Send this and wait for the client's response: a [`Sasl::Response`], or
    /// [`Event::AuthenticationAborted`].
    Challenge(Vec<u8>),
    /// It is this user.
    Done {
        /// The identity that the session has from now on.
        user: String,
        /// What the mechanism says along with success.
        additional: Option<Vec<u8>>,
    },
    /// No response of this mechanism; no login was tried.
    Malformed,
    /// It is not, or nobody could tell.
    Refused {
        /// Who it said it is, as far as it came to that.
        user: Option<String>,
        /// What the client hears.
        reply: Reply,
    },
}

impl SaslAnswer {
    /// What the client hears of a refusal: nobody can tell from it which user there is.
    pub fn refused(user: Option<String>, why: &Why) -> Self {
        match why {
            Why::Malformed(_) => Self::Malformed,
            Why::Unavailable => Self::Refused { user, reply: Reply::authentication_unavailable() },
            Why::Outdated => Self::Refused { user, reply: Reply::authentication_outdated() },
            Why::Credentials | Why::Binding | Why::Downgraded | Why::Context(_) => {
                Self::Refused { user, reply: Reply::authentication_failed() }
            }
        }
    }
}

/// What the log hears of. Constant words with fields; replies and commands are in the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A command got a 4yz or 5yz. (Recipients and AUTH have their own.)
    CommandRefused {
        /// The verb, if it is one; else `other`.
        verb: &'static str,
        /// What was said.
        reply: Reply,
    },
    /// RCPT was refused, by policy or for a limit.
    RecipientRefused {
        /// Whom.
        forward_path: ForwardPath,
        /// What was said.
        reply: Reply,
    },
    /// AUTH succeeded.
    Authenticated {
        /// How.
        mechanism: Mechanism,
        /// Who.
        user: String,
    },
    /// AUTH failed.
    AuthenticationFailed {
        /// How.
        mechanism: Mechanism,
        /// As whom, if that was said.
        user: Option<String>,
        /// What was said.
        reply: Reply,
    },
    /// The client has given up its exchange with AUTH, or broken its form: what the driver has of it is to
    /// be dropped.
    AuthenticationAborted {
        /// Which it was.
        mechanism: Mechanism,
    },
    /// The content was refused by the machine itself or by [`Question::Keep`]'s answer; whatever was
    /// staged of it is to be dropped.
    ContentRefused {
        /// What was said.
        reply: Reply,
        /// Its length as far as it was read.
        length: u64,
    },
    /// A bare CR or LF in content: the first one.
    BareLineEnd {
        /// The line it is on, from 1.
        line: u64,
        /// Which of both.
        which: BareLineEnd,
    },
    /// A command line, or a line of AUTH, was too long and was thrown away.
    LineTooLong {
        /// Its octets, as far as they were counted.
        length: u64,
    },
    /// A command line had a control character in it, a bare LF for example.
    ControlCharacter {
        /// Which.
        octet: u8,
    },
    /// The client speaks something else: `TLS`, `HTTP`, or `PROXY` in front of SMTP.
    NotSmtp {
        /// What it looks like.
        protocol: &'static str,
    },
    /// Octets that came in clear behind STARTTLS were thrown away (RFC 3207 section 4.2).
    PlaintextDiscarded {
        /// How many.
        length: usize,
    },
    /// The handshake after STARTTLS failed.
    TlsFailed {
        /// Why.
        why: String,
    },
    /// A transaction ended without its message: RSET, EHLO, QUIT, the connection gone. Whatever was
    /// staged of its content is to be dropped.
    Aborted {
        /// How many recipients it had.
        recipients: usize,
        /// How many octets of content.
        length: u64,
    },
    /// A proxy has told whom it speaks for (XCLIENT).
    ClientNamed {
        /// The proxy.
        proxy: std::net::SocketAddr,
    },
    /// Octets of XEXCH50, or a line of X-LINK2STATE, were thrown away.
    ExchangeDiscarded {
        /// Which.
        verb: &'static str,
        /// How many octets.
        length: u64,
    },
    /// Too many commands, recipients or AUTHs were refused.
    TooManyErrors,
    /// The client was silent for too long.
    Idle,
    /// The client closed the connection without QUIT.
    ClosedByPeer,
}

/// A line end that is none (RFC 5321 section 2.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BareLineEnd {
    /// CR without LF.
    Cr,
    /// LF without CR.
    Lf,
}

impl fmt::Display for BareLineEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cr => "CR",
            Self::Lf => "LF",
        })
    }
}
