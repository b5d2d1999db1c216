//! The envelope: what MAIL and RCPT say of a message.

use serde::{Deserialize, Serialize};

use crate::{
    address::{ForwardPath, ReversePath},
    time::Timestamp,
};

/// What one mail transaction says before its content.
///
/// Serialized, it is what the formats on disk have had from the first version on: the fields that are
/// skipped are written beside it by who must know them later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Whom DSNs go to; `None` is the null reverse-path.
    pub reverse_path: ReversePath,
    /// BODY= (RFC 6152, RFC 3030).
    pub body: BodyType,
    /// The SMTPUTF8 parameter was given (RFC 6531).
    pub smtputf8: bool,
    /// SIZE= in octets, as the client declared it (RFC 1870).
    pub size: Option<u64>,
    /// RET= (RFC 3461 section 4.3).
    pub ret: Option<Ret>,
    /// ENVID= as sent, still in xtext (RFC 3461 section 4.4).
    pub envid: Option<Box<str>>,
    /// AUTH= as sent, still in xtext (RFC 4954 section 5).
    pub auth: Option<Box<str>>,
    /// REQUIRETLS: to no next hop that does not promise the same, inside verified TLS (RFC 8689).
    #[serde(skip)]
    pub require_tls: bool,
    /// The content says `TLS-Required: No` (RFC 8689 section 5): what next hops publish about TLS does not
    /// stop it.
    #[serde(skip)]
    pub tls_optional: bool,
    /// BY= (RFC 2852).
    #[serde(skip)]
    pub deliver_by: Option<DeliverBy>,
    /// HOLDFOR= or HOLDUNTIL= (RFC 4865): not to be sent on before that.
    #[serde(skip)]
    pub hold: Option<Hold>,
    /// MT-PRIORITY= (RFC 6710), -9 to 9.
    #[serde(skip)]
    pub priority: Option<i8>,
    /// SOLICIT= as sent: keywords of solicitation classes, parted by commas (RFC 3865).
    #[serde(skip)]
    pub solicit: Option<Box<str>>,
    /// In the order of the RCPT commands; those that were accepted.
    pub recipients: Vec<Recipient>,
}

/// BY= (RFC 2852 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverBy {
    /// So long after its arrival the message shall be delivered; with `Notify` it may be over.
    pub seconds: i64,
    /// What happens then.
    pub mode: ByMode,
    /// Each relay on the way shall send a DSN.
    pub trace: bool,
}

/// What happens when the time of BY= is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ByMode {
    /// N: the originator hears of the delay; the message goes on.
    Notify,
    /// R: the message is returned.
    Return,
}

/// How long a message is held back (RFC 4865 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// HOLDFOR: so many seconds from its arrival.
    For(u64),
    /// HOLDUNTIL.
    Until(Timestamp),
}

/// RRVS= (RFC 7293): the mailbox must have had the same owner since then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidSince {
    /// Since when.
    pub at: Timestamp,
    /// `;R`: a next hop that does not know RRVS shall not have the message. `;C`: it may.
    pub strict: bool,
}

/// One accepted RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Where to.
    pub forward_path: ForwardPath,
    /// NOTIFY= (RFC 3461 section 4.1).
    pub notify: Notify,
    /// ORCPT= as sent: `addr-type;xtext` (RFC 3461 section 4.2).
    pub orcpt: Option<Box<str>>,
    /// RRVS= (RFC 7293).
    #[serde(skip)]
    pub valid_since: Option<ValidSince>,
}

/// What the content may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyType {
    /// 7BIT: ASCII lines.
    #[default]
    SevenBit,
    /// 8BITMIME: lines of any octets (RFC 6152).
    EightBitMime,
    /// BINARYMIME: any octets, lines or not (RFC 3030).
    BinaryMime,
}

/// How much of the message a DSN shall return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ret {
    /// The whole message.
    Full,
    /// The header section only.
    Headers,
}

/// When a recipient's originator wants a DSN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// NOTIFY= was given at all; if not, the rest is the default of RFC 3461 section 5.2.1.
    pub given: bool,
    /// On success.
    pub success: bool,
    /// On failure.
    pub failure: bool,
    /// On delay.
    pub delay: bool,
}

impl Notify {
    /// NOTIFY=NEVER.
    pub const NEVER: Self = Self { given: true, success: false, failure: false, delay: false };
}

/// No NOTIFY parameter: failures, and delays as the transfer agent sees fit.
impl Default for Notify {
    fn default() -> Self {
        Self { given: false, success: false, failure: true, delay: true }
    }
}

impl Envelope {
    /// An envelope without parameters and recipients.
    pub fn new(reverse_path: ReversePath) -> Self {
        Self {
            reverse_path,
            body: BodyType::default(),
            smtputf8: false,
            size: None,
            ret: None,
            envid: None,
            auth: None,
            require_tls: false,
            tls_optional: false,
            deliver_by: None,
            hold: None,
            priority: None,
            solicit: None,
            recipients: Vec::new(),
        }
    }
}

impl Envelope {
    /// Whether it had rather come back than go where REQUIRETLS is not kept. A report, which has a null
    /// reverse-path, asks for it where it is offered, and goes all the same: nobody would hear of the failure
    /// else (RFC 8689 section 5).
    pub fn insists_on_tls(&self) -> bool {
        self.require_tls && self.reverse_path.is_some()
    }
}

impl Recipient {
    /// A recipient without parameters.
    pub fn new(forward_path: ForwardPath) -> Self {
        Self { forward_path, notify: Notify::default(), orcpt: None, valid_since: None }
    }
}
