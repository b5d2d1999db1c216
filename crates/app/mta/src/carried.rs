//! The envelope of a queued job, as the spool keeps it: one octet of version, then postcard.
//!
//! It holds the recipients that are left, and what of their past the next attempt, `queue` and DSNs
//! must know. The spool takes it as octets; only this file knows what they mean.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use smtp::{Cause, Envelope, Recipient, Timestamp};

/// What a job carries besides its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// As it came, but with those recipients only that are neither relayed nor failed.
    pub envelope: Arc<Envelope>,
    /// The Message-ID field, for evidence and `why`.
    pub message_id: Option<Box<str>>,
    /// A DSN about the delay has been sent.
    pub delay_told: bool,
    /// Where an operator sent it, against the configured route: `host:port`.
    pub reroute: Option<Box<str>>,
    /// Why the last attempt did not relay it.
    pub last: Option<LastTrouble>,
}

/// The newest reason why a job is still queued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastTrouble {
    /// When.
    pub at: Timestamp,
    /// At which host; empty where it came to none.
    pub next_hop: Box<str>,
    /// Why.
    pub cause: Cause,
}

const VERSION: u8 = 1;

/// The octets were not written by this version of Mailwright, or are damaged.
#[derive(Debug, thiserror::Error)]
pub enum NotCarried {
    /// A newer format.
    #[error(
        "the job was written by a newer Mailwright (envelope version {0}, this one reads up to {VERSION})"
    )]
    Version(u8),
    /// No format at all.
    #[error("the job's envelope can't be read: {0}")]
    Damaged(#[from] postcard::Error),
}

impl Carried {
    /// What a transaction's envelope makes of a message to `recipients` of one lane.
    pub fn new(
        envelope: &Envelope,
        recipients: Vec<Recipient>,
        message_id: Option<Box<str>>,
    ) -> Self {
        Self {
            envelope: Arc::new(with_recipients(envelope, recipients)),
            message_id,
            delay_told: false,
            reroute: None,
            last: None,
        }
    }

    /// The same for fewer recipients.
    pub fn left_with(&self, recipients: Vec<Recipient>) -> Self {
        let envelope = Arc::new(with_recipients(&self.envelope, recipients));
        Self { envelope, ..self.clone() }
    }

    /// As the spool keeps it.
    pub fn to_octets(&self) -> Bytes {
        let mut octets = Vec::with_capacity(160);
        octets.push(VERSION);
        // Writing to memory fails only for types postcard has no form for; these have one, as the
        // round-trip test shows.
        postcard::to_extend(self, octets).map(Bytes::from).unwrap_or_default()
    }

    /// Reads what [`Carried::to_octets`] wrote.
    pub fn from_octets(octets: &[u8]) -> Result<Self, NotCarried> {
        match octets.split_first() {
            Some((&VERSION, rest)) => Ok(postcard::from_bytes(rest)?),
            Some((&version, _)) => Err(NotCarried::Version(version)),
            None => Err(NotCarried::Damaged(postcard::Error::DeserializeUnexpectedEnd)),
        }
    }
}

/// A job's [`Carried`] between its attempts: what is new is open, what waits is packed, in a fifth of the
/// memory.
#[derive(Clone, Debug)]
pub enum Parcel {
    /// Ready for use.
    Open(Arc<Carried>),
    /// As the spool keeps it; only octets that could be read once.
    Packed(Arc<[u8]>),
}

impl Parcel {
    /// Takes what the spool kept, after a look whether it can be read.
    pub fn packed(octets: &[u8]) -> Result<Self, NotCarried> {
        Carried::from_octets(octets)?;
        Ok(Self::Packed(octets.into()))
    }

    /// What is in it.
    pub fn open(&self) -> Arc<Carried> {
        match self {
            Self::Open(carried) => carried.clone(),
            Self::Packed(octets) => {
                let carried = Carried::from_octets(octets);
                Arc::new(carried.expect("octets that were read when they were packed"))
            }
        }
    }
}

/// A copy without the recipients that are not meant: there may be thousands.
fn with_recipients(envelope: &Envelope, recipients: Vec<Recipient>) -> Envelope {
    Envelope {
        reverse_path: envelope.reverse_path.clone(),
        body: envelope.body,
        smtputf8: envelope.smtputf8,
        size: envelope.size,
        ret: envelope.ret,
        envid: envelope.envid.clone(),
        auth: envelope.auth.clone(),
        recipients,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried() -> Carried {
        let mut envelope = Envelope::new(Some("a@a.test".parse().unwrap()));
        envelope.ret = Some(smtp::Ret::Headers);
        let recipients = vec![Recipient::new("b@b.test".parse().unwrap())];
        Carried::new(&envelope, recipients, Some("<1@a.test>".into()))
    }

    #[test]
    fn comes_back_as_it_was_written() {
        let carried = carried();
        assert_eq!(Carried::from_octets(&carried.to_octets()).unwrap(), carried);
    }

    #[test]
    fn a_parcel_gives_out_what_was_packed_and_takes_nothing_else() {
        let carried = carried();
        assert_eq!(*Parcel::packed(&carried.to_octets()).unwrap().open(), carried);
        assert!(Parcel::packed(&[1, 2]).is_err());
    }

    #[test]
    fn a_newer_format_is_named() {
        let error = Carried::from_octets(&[9, 1, 2]).unwrap_err().to_string();
        assert!(error.contains("version 9"), "{error}");
        assert!(Carried::from_octets(&[]).is_err());
    }
}
