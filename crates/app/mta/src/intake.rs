//! From an envelope to jobs: aliases resolved, recipients sorted into lanes.
//!
//! Mail from clients and our own DSNs take the same way.

use std::sync::Arc;

use smtp::{Address, Envelope, Recipient, Timestamp};
use spool::NewJob;

use crate::{
    carried::Carried,
    config::{Compiled, Disposition},
};

/// The jobs of one message, as the spool wants them and as the queue does.
#[derive(Default)]
pub struct Intake {
    /// For [`spool::Arrival`].
    pub jobs: Vec<NewJob>,
    /// For [`crate::queue::Queue::admit`]: one for each job, in the same order.
    pub carried: Vec<Arc<Carried>>,
}

/// One job for each domain among the envelope's recipients.
pub fn sort(
    config: &Compiled,
    envelope: &Envelope,
    message_id: Option<Box<str>>,
    now: Timestamp,
) -> Intake {
    let mut lanes: Vec<(Box<str>, Vec<Recipient>)> = Vec::with_capacity(1);
    for recipient in &envelope.recipients {
        expand(config, recipient, &mut |recipient| {
            let lane = lane(&recipient.forward_path);
            match lanes.iter_mut().find(|(known, _)| *known == lane) {
                Some((_, recipients)) => {
                    if !recipients.iter().any(|known| known.forward_path == recipient.forward_path)
                    {
                        recipients.push(recipient);
                    }
                }
                None => lanes.push((lane, vec![recipient])),
            }
        });
    }
    let mut intake = Intake::default();
    for (lane, recipients) in lanes {
        let carried = Carried::new(envelope, recipients, message_id.clone());
        let due = carried.released(now);
        intake.jobs.push(NewJob { lane, due, held: false, envelope: carried.to_octets() });
        intake.carried.push(Arc::new(carried));
    }
    intake
}

/// Aliases of aliases are followed by the configuration already.
fn expand(config: &Compiled, recipient: &Recipient, add: &mut dyn FnMut(Recipient)) {
    let Disposition::Alias(targets) = config.recipient(&recipient.forward_path) else {
        return add(recipient.clone());
    };
    for target in targets {
        let mut copy = recipient.clone();
        // RFC 3461 section 5.2.7.1: the original recipient stays known.
        copy.orcpt.get_or_insert_with(|| {
            format!("rfc822;{}", smtp::xtext::encode(recipient.forward_path.as_str().as_bytes()))
                .into()
        });
        copy.forward_path = target.clone();
        add(copy);
    }
}

/// The recipients' domain, lower case.
fn lane(address: &Address) -> Box<str> {
    match address.domain() {
        domain if domain.is_ascii() => domain.to_ascii_lowercase().into(),
        domain => domain.to_lowercase().into(),
    }
}
