//! Non-delivery reports: from the octets of a message, or only its text, to what it says of each recipient.
//!
//! Three layers. `parts` takes the message apart (MIME, charsets, HTML) and bounds it. The vendors, one a
//! file, know how each mailer tells a story; what they have in common is in `told` (whose reply it is,
//! at which stage) and `delivery_status` (the machine-readable part of RFC 3464). Nothing here trusts its
//! input: at most [`OCTETS_MAX`] are looked at, at most [`RECIPIENTS_MAX`] recipients are told.

mod blocks;
mod delivery_status;
mod kind;
mod notification;
mod parts;
mod read;
mod text;
mod told;
mod transcript;
mod vendors;

use serde::{Deserialize, Serialize};

use crate::testimony::Testimony;

pub use read::{read, read_words};

/// Of a longer message only so much is looked at.
pub const OCTETS_MAX: usize = 4 * 1024 * 1024;
/// A report about more recipients is cut off here.
pub const RECIPIENTS_MAX: usize = 1_000;

/// What a report's dialect is called where no vendor's was found.
const UNKNOWN_DIALECT: &str = "rfc3464";

/// A report, read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ndr {
    /// The program or service whose format it is: `postfix`, `exchange-2007`; `rfc3464` where only the
    /// machine-readable part was understood, `plain` where only the text was.
    pub dialect: String,
    /// What kind of message it is.
    pub kind: Kind,
    /// Who wrote the report: a host name where there is one.
    pub writer: Option<String>,
    /// What it says of each recipient; empty if it names none.
    pub reports: Vec<Testimony>,
    /// The message that it is about, as far as the report has it.
    pub original: Original,
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Mail was not delivered.
    Failure,
    /// Mail was not delivered yet.
    Delay,
    /// Mail was delivered, relayed or expanded.
    Success,
    /// Somebody complains about mail that was delivered (ARF, RFC 5965).
    Feedback,
    /// An automatic answer: out of office, a ticket, a challenge (RFC 3834).
    AutoReply,
    /// A receipt of the reader's program (MDN, RFC 8098).
    Receipt,
    /// No report at all.
    #[default]
    Other,
}

/// The message that a report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// `Message-ID`, without angle brackets.
    pub message_id: Option<String>,
    /// `Subject`, decoded.
    pub subject: Option<String>,
    /// `From`, the address.
    pub author: Option<String>,
    /// `To`, the addresses.
    pub recipients: Vec<String>,
}
