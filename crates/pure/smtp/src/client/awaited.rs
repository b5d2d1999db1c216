//! The replies that the peer owes us: for each, at which stage that is and how long it may take.

use std::time::Duration;

use super::Timeouts;
use crate::outcome::Stage;

/// A reply that the peer owes us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Auth(Turn),
    Reset,
    Mail,
    /// For the recipient of that number.
    Rcpt(usize),
    /// To XEXCH50: whether its octets may come.
    Properties,
    /// To the octets of XEXCH50.
    PropertiesSent,
    Data,
    /// After the content, for all recipients that were accepted.
    EndOfData,
    /// After the content over LMTP, for the recipient of that number.
    EndOfDataFor(usize),
    Command,
    Quit,
}

/// What of AUTH the peer replies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The command.
    Begun,
    /// The answer to a challenge.
    Answered,
    /// `*`
    Cancelled,
}

impl Awaited {
    pub(super) fn timeout(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::Greeting => timeouts.greeting,
            Self::Ehlo | Self::Helo | Self::StartTls | Self::Auth(_) => timeouts.ehlo,
            Self::Reset | Self::Mail | Self::Command => timeouts.mail,
            Self::Rcpt(_) => timeouts.rcpt,
            Self::Properties | Self::PropertiesSent | Self::Data => timeouts.data,
            Self::EndOfData | Self::EndOfDataFor(_) => timeouts.end_of_data,
            Self::Quit => timeouts.quit,
        }
    }

    pub(super) fn stage(self) -> Stage {
        match self {
            Self::Greeting => Stage::Greeting,
            Self::Ehlo | Self::Helo => Stage::Ehlo,
            Self::StartTls => Stage::StartTls,
            Self::Auth(_) => Stage::Auth,
            Self::Mail => Stage::Mail,
            Self::Rcpt(_) => Stage::Rcpt,
            Self::Data => Stage::Data,
            Self::EndOfData | Self::EndOfDataFor(_) => Stage::EndOfData,
            Self::Properties | Self::PropertiesSent => Stage::Other,
            Self::Reset | Self::Command | Self::Quit => Stage::Other,
        }
    }
}
