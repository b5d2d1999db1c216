//! What a message was promised, as the spool keeps it: the end of a job's envelope of version 2.
//!
//! Version 1 had none of it; a message that was promised nothing is still written so.

use serde::{Deserialize, Serialize};
use smtp::{DeliverBy, Envelope, Hold, ValidSince};

/// Parameters of MAIL and RCPT that bind us beyond a relay. Fields are only ever added in a new version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Promises {
    require_tls: bool,
    deliver_by: Option<DeliverBy>,
    hold: Option<Hold>,
    priority: Option<i8>,
    solicit: Option<Box<str>>,
    /// By the number of the recipient.
    valid_since: Vec<(u32, ValidSince)>,
}

impl Promises {
    pub(super) fn of(envelope: &Envelope) -> Self {
        let recipients = envelope.recipients.iter().zip(0..);
        Self {
            require_tls: envelope.require_tls,
            deliver_by: envelope.deliver_by,
            hold: envelope.hold,
            priority: envelope.priority,
            solicit: envelope.solicit.clone(),
            valid_since: recipients
                .filter_map(|(recipient, number)| Some((number, recipient.valid_since?)))
                .collect(),
        }
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn put_into(self, envelope: &mut Envelope) {
        envelope.require_tls = self.require_tls;
        envelope.deliver_by = self.deliver_by;
        envelope.hold = self.hold;
        envelope.priority = self.priority;
        envelope.solicit = self.solicit;
        for (number, since) in self.valid_since {
            if let Some(recipient) = envelope.recipients.get_mut(number as usize) {
                recipient.valid_since = Some(since);
            }
        }
    }
}
