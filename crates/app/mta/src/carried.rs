//! The envelope of a queued job, as the spool keeps it: one octet of version, then postcard.
//!
//! | version | is                                                                        |
//! | 1       | [`Carried`]                                                               |
//! | 2       | the same, then what the message was promised; written only where it is    |
//! | 3       | the same, then whether it does without TLS; written only where it does so |
//!
//! It holds the recipients that are left, and what of their past the next attempt, `queue` and DSNs
//! must know. The spool takes it as octets; only this file knows what they mean.

mod promises;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

use self::promises::Promises;
use smtp::{ByMode, Cause, DeliverBy, Envelope, Hold, Recipient, Timestamp};

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

/// Without promises, with them, and without what next hops publish about TLS.
const PLAIN: u8 = 1;
const PROMISED: u8 = 2;
const VERSION: u8 = 3;

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

    /// From when on the message may be sent: its arrival, or the end of the time that it is held back
    /// (RFC 4865). Its age counts from here.
    pub fn released(&self, arrived: Timestamp) -> Timestamp {
        match self.envelope.hold {
            Some(Hold::Until(at)) => at.max(arrived),
            Some(Hold::For(seconds)) => arrived.after(Duration::from_secs(seconds)),
            None => arrived,
        }
    }

    /// When BY= is over, and what then.
    pub fn deliver_by(&self, arrived: Timestamp) -> Option<(Timestamp, ByMode)> {
        let by = self.envelope.deliver_by?;
        let seconds = u64::try_from(by.seconds).unwrap_or(0);
        let from = self.released(arrived);
        Some((from.after(Duration::from_secs(seconds)), by.mode))
    }

    /// When the originator is to hear that it is late, if anybody wants to and nobody has told: at the end of
    /// BY= with N, which is his own word on it (RFC 2852 section 4.1.3); else after `notice`.
    pub fn notice_due(&self, arrived: Timestamp, notice: Duration) -> Option<Timestamp> {
        let wanted = self.envelope.recipients.iter().any(|recipient| recipient.notify.delay);
        if self.delay_told || self.envelope.reverse_path.is_none() || !wanted {
            return None;
        }
        match self.deliver_by(arrived) {
            Some((at, ByMode::Notify)) => Some(at),
            _ => (!notice.is_zero()).then(|| self.released(arrived).after(notice)),
        }
    }

    /// The next moment at which there is something to be told or done for it, wherever it waits: the end of
    /// BY=, or the notice of a delay.
    pub fn speaks_at(&self, arrived: Timestamp, notice: Duration) -> Option<Timestamp> {
        let returned = self.deliver_by(arrived).filter(|(_, mode)| *mode == ByMode::Return);
        let told = self.notice_due(arrived, notice);
        returned.map(|(at, _)| at).into_iter().chain(told).min()
    }

    /// The envelope as the next hop is to see it now: BY= with what is left of its time (RFC 2852
    /// section 4.1.4).
    pub fn envelope_at(&self, now: Timestamp, arrived: Timestamp) -> Arc<Envelope> {
        let Some(by) = self.envelope.deliver_by else { return self.envelope.clone() };
        let passed = now.since(self.released(arrived)).as_secs();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let seconds = by.seconds.saturating_sub(passed).max(-999_999_999);
        let mut envelope = self.envelope.as_ref().clone();
        envelope.deliver_by = Some(DeliverBy { seconds, ..by });
        Arc::new(envelope)
    }

    /// What the queue orders by (RFC 6710).
    pub fn priority(&self) -> i8 {
        self.envelope.priority.unwrap_or(0)
    }

    /// As the spool keeps it.
    pub fn to_octets(&self) -> Bytes {
        let mut octets = Vec::with_capacity(160);
        let promises = Promises::of(&self.envelope);
        let version = match (self.envelope.tls_optional, promises.is_none()) {
            (true, _) => VERSION,
            (false, false) => PROMISED,
            (false, true) => PLAIN,
        };
        octets.push(version);
        // Writing to memory fails only for types postcard has no form for; these have one, as the
        // round-trip test shows.
        let written = postcard::to_extend(self, octets).and_then(|octets| match version {
            PLAIN => Ok(octets),
            PROMISED => postcard::to_extend(&promises, octets),
            _ => postcard::to_extend(&(&promises, self.envelope.tls_optional), octets),
        });
        written.map(Bytes::from).unwrap_or_default()
    }

    /// Reads what [`Carried::to_octets`] wrote.
    pub fn from_octets(octets: &[u8]) -> Result<Self, NotCarried> {
        match octets.split_first() {
            Some((&PLAIN, rest)) => Ok(postcard::from_bytes(rest)?),
            Some((&version @ (PROMISED | VERSION), rest)) => {
                let (mut carried, rest) = postcard::take_from_bytes::<Self>(rest)?;
                let (promises, tls_optional) = match version {
                    PROMISED => (postcard::from_bytes::<Promises>(rest)?, false),
                    _ => postcard::from_bytes(rest)?,
                };
                let envelope = Arc::make_mut(&mut carried.envelope);
                promises.put_into(envelope);
                envelope.tls_optional = tls_optional;
                Ok(carried)
            }
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
        require_tls: envelope.require_tls,
        tls_optional: envelope.tls_optional,
        deliver_by: envelope.deliver_by,
        hold: envelope.hold,
        priority: envelope.priority,
        solicit: envelope.solicit.clone(),
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
    fn what_was_promised_survives_and_the_first_version_is_still_read() {
        let plain = carried();
        assert_eq!(plain.to_octets()[0], 1, "as it was written before there were promises");
        let mut promised = plain.clone();
        let envelope = Arc::make_mut(&mut promised.envelope);
        envelope.require_tls = true;
        envelope.deliver_by = Some(DeliverBy { seconds: -5, mode: ByMode::Notify, trace: true });
        envelope.hold = Some(Hold::Until(Timestamp(1_000_000)));
        envelope.priority = Some(-9);
        envelope.solicit = Some("net.example:ADV".into());
        let since = smtp::ValidSince { at: Timestamp(7_000), strict: true };
        envelope.recipients[0].valid_since = Some(since);
        assert_eq!(promised.to_octets()[0], 2);
        assert_eq!(Carried::from_octets(&promised.to_octets()).unwrap(), promised);
        let mut optional = plain.clone();
        Arc::make_mut(&mut optional.envelope).tls_optional = true;
        assert_eq!(optional.to_octets()[0], 3);
        assert_eq!(Carried::from_octets(&optional.to_octets()).unwrap(), optional);
        let octets = promised.to_octets();
        assert!(Carried::from_octets(&octets[..octets.len() - 1]).is_err());
    }

    #[test]
    fn what_is_left_of_a_time_counts_from_the_release() {
        let mut carried = carried();
        let envelope = Arc::make_mut(&mut carried.envelope);
        envelope.hold = Some(Hold::For(100));
        envelope.deliver_by = Some(DeliverBy { seconds: 60, mode: ByMode::Return, trace: false });
        let arrived = Timestamp(1_000_000);
        assert_eq!(carried.released(arrived), Timestamp(1_100_000));
        assert_eq!(carried.deliver_by(arrived), Some((Timestamp(1_160_000), ByMode::Return)));
        let seen = carried.envelope_at(Timestamp(1_120_500), arrived);
        assert_eq!(seen.deliver_by.map(|by| by.seconds), Some(40));
    }

    #[test]
    fn a_delay_is_told_once_and_by_the_originators_own_time() {
        let mut carried = carried();
        let (arrived, notice) = (Timestamp(1_000_000), Duration::from_secs(600));
        let told = |carried: &Carried, notice| {
            let at = carried.notice_due(arrived, notice);
            let speaks = carried.speaks_at(arrived, notice);
            (at.map(|at| at.0), speaks.map(|at| at.0))
        };
        assert_eq!(told(&carried, notice), (Some(1_600_000), Some(1_600_000)));
        assert_eq!(told(&carried, Duration::ZERO), (None, None));
        let by = |carried: &mut Carried, seconds, mode| {
            let by = DeliverBy { seconds, mode, trace: false };
            Arc::make_mut(&mut carried.envelope).deliver_by = Some(by);
        };
        by(&mut carried, 3_600, ByMode::Notify);
        assert_eq!(told(&carried, notice), (Some(4_600_000), Some(4_600_000)), "not before");
        by(&mut carried, -5, ByMode::Notify);
        assert_eq!(told(&carried, Duration::ZERO), (Some(1_000_000), Some(1_000_000)));
        by(&mut carried, 60, ByMode::Return);
        assert_eq!(told(&carried, notice), (Some(1_600_000), Some(1_060_000)));
        carried.delay_told = true;
        assert_eq!(told(&carried, notice), (None, Some(1_060_000)));
        by(&mut carried, 60, ByMode::Notify);
        carried.delay_told = false;
        Arc::make_mut(&mut carried.envelope).recipients[0].notify = smtp::Notify::NEVER;
        assert_eq!(told(&carried, notice), (None, None));
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
