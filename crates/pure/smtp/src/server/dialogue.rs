//! What the machine and its driver say to each other.

use std::fmt;

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
    /// Is it he? -> [`Answer::Authenticated`]
    Authenticate {
        /// The SASL mechanism.
        mechanism: Mechanism,
        /// The authentication identity; never empty.
        user: String,
        /// Never empty.
        password: Secret,
    },
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
    /// To [`Question::Authenticate`].
    Authenticated(Result<(), Reply>),
    /// To [`Question::ReversePath`], [`Question::Recipient`] and [`Question::Begin`].
    Go(Result<(), Reply>),
    /// To [`Question::Verify`], [`Question::Expand`] and [`Question::StartQueue`].
    Verified(Reply),
    /// To [`Question::Reverse`]: the domains whose mail there is.
    Reverse(Result<Vec<Box<str>>, Reply>),
    /// To [`Question::Client`]: who the client is now.
    Client(Result<Box<Peer>, Reply>),
    /// To [`Question::Keep`]: the proof, without which there is no `250`.
    Kept(Result<P, Reply>),
}

/// The SASL mechanisms that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login: user and password, each asked for.
    Login,
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
    /// The client speaks something else: `TLS` or `HTTP`.
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

/// A password. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Shows it: for the comparison with a hash, not for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        })
    }
}

impl fmt::Display for BareLineEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cr => "CR",
            Self::Lf => "LF",
        })
    }
}
