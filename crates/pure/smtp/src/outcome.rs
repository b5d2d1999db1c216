//! What became of a try to hand a message on, with its evidence.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    address::ForwardPath,
    reply::Reply,
    status::EnhancedStatus,
    transcript::{TlsFacts, Transcript},
};

/// The step of a session at which something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Finding out where to go.
    Routing,
    /// Opening the TCP connection.
    Connect,
    /// Waiting for `220`.
    Greeting,
    /// EHLO, HELO or LHLO.
    Ehlo,
    /// The STARTTLS command.
    StartTls,
    /// The TLS handshake.
    Tls,
    /// AUTH.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, up to `354`; or BDAT's first reply.
    Data,
    /// The content itself, while it is being sent.
    Content,
    /// The reply after the final dot or the last BDAT.
    EndOfData,
    /// Writing into a local mailbox.
    Mailbox,
    /// RSET, QUIT and what else comes between transactions.
    Other,
}

/// What became of one recipient in one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The next hop took it over; its words.
    Relayed(Reply),
    /// To be tried again.
    Deferred(Cause),
    /// Never to be tried again.
    Failed(Cause),
}

/// Why a recipient was not relayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Where in the dialogue.
    pub stage: Stage,
    /// What happened there.
    pub trouble: Trouble,
}

/// What can go wrong between us and a next hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// It said no.
    Reply(Reply),
    /// It said nothing for that long.
    Silence(Duration),
    /// It closed the connection.
    Closed,
    /// The operating system reported this of the connection.
    Network(String),
    /// What it said is no SMTP.
    Malformed(String),
    /// The TLS handshake or the certificate.
    Tls(String),
    /// Name resolution; the enhanced status says whether for good.
    Dns(EnhancedStatus, String),
    /// Something of our own: disk, configuration, a conversion that can't be done.
    Local(EnhancedStatus, String),
}

impl Cause {
    /// The status of recipients that were not named, as the next hop's LIMITS leave no room for them.
    pub const TOO_MANY_RECIPIENTS: EnhancedStatus = EnhancedStatus::new(4, 5, 3);

    /// The status for a DSN: the next hop's own, else what RFC 3463 has for the trouble.
    /// `permanent` sets the class where the trouble itself has none.
    pub fn status(&self, permanent: bool) -> EnhancedStatus {
        let class = if permanent { 5 } else { 4 };
        match &self.trouble {
            Trouble::Reply(reply) => reply.status.unwrap_or_else(|| self.status_by_stage(reply)),
            Trouble::Silence(_) | Trouble::Closed => EnhancedStatus::new(class, 4, 2),
            Trouble::Network(_) => EnhancedStatus::new(class, 4, 1),
            Trouble::Malformed(_) => EnhancedStatus::new(class, 5, 0),
            Trouble::Tls(_) => EnhancedStatus::new(class, 7, 0),
            Trouble::Dns(status, _) | Trouble::Local(status, _) => *status,
        }
    }

    /// Whether the next hop has taken as many recipients as it will in one transaction (RFC 5321 section
    /// 4.5.3.1.10), so that another transaction at once may succeed where others were accepted in
    /// this one.
    pub fn is_too_many_recipients(&self) -> bool {
        let reply = match &self.trouble {
            Trouble::Reply(reply) => reply,
            Trouble::Local(status, _) => return *status == Self::TOO_MANY_RECIPIENTS,
            _ => return false,
        };
        let about_count =
            reply.status.is_none_or(|status| (status.subject, status.detail) == (5, 3));
        self.stage == Stage::Rcpt && matches!(reply.code, 452 | 552) && about_count
    }

    fn status_by_stage(&self, reply: &Reply) -> EnhancedStatus {
        let class = if reply.is_transient() { 4 } else { 5 };
        let (subject, detail) = match (self.stage, reply.code) {
            (_, 552 | 452) => (2, 2),
            (_, 500..=504 | 555) => (5, 0),
            (Stage::Auth, _) => (7, 0),
            (Stage::Rcpt, 550 | 551 | 553) => (1, 1),
            (Stage::Mail, _) => (1, 0),
            (Stage::EndOfData | Stage::Data, _) => (6, 0),
            _ => (0, 0),
        };
        EnhancedStatus::new(class, subject, detail)
    }
}

/// What happened, in one clause, without the stage.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => write!(f, "{reply}"),
            Self::Silence(wait) => write!(f, "no reply in {}s", wait.as_secs()),
            Self::Closed => f.write_str("the connection was closed"),
            Self::Network(text)
            | Self::Malformed(text)
            | Self::Tls(text)
            | Self::Dns(_, text)
            | Self::Local(_, text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Routing => "routing",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Ehlo => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Tls => "TLS handshake",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Content => "content",
            Self::EndOfData => "end of data",
            Self::Mailbox => "mailbox",
            Self::Other => "session",
        })
    }
}

/// One try at one next hop for one or more recipients of a message, with all that can be known of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// Host name (or path of a local mailbox) that was tried; what `Remote-MTA` says.
    pub next_hop: String,
    /// The address that was connected to, as `ip:port`; none when it came to no connection.
    pub address: Option<String>,
    /// Why this next hop: the rule or the DNS answers that led to it, a line each.
    pub route: Vec<String>,
    /// The dialogue, secrets struck out.
    pub transcript: Transcript,
    /// What TLS came to, where there was any.
    pub tls: Option<TlsFacts>,
    /// Each recipient that was tried, and what became of it.
    pub outcomes: Vec<(ForwardPath, Outcome)>,
}
