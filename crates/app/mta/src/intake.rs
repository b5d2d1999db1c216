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
        copy.orcpt.get_or_insert_with(|| original(&recipient.forward_path));
        // When the alias got its owner says nothing of the other mailbox (RFC 7293 section 5).
        copy.valid_since = None;
        copy.forward_path = target.clone();
        add(copy);
    }
}

/// An address as ORCPT (RFC 3461 section 4.2); one that is not ASCII has a type of its own (RFC 6533
/// section 3).
fn original(address: &Address) -> Box<str> {
    let text = address.as_str();
    match address.needs_smtputf8() {
        true => format!("utf-8;{}", smtp::xtext::encode_utf8(text)).into(),
        false => format!("rfc822;{}", smtp::xtext::encode(text.as_bytes())).into(),
    }
}

/// The recipients' domain, lower case.
fn lane(address: &Address) -> Box<str> {
    match address.domain() {
        domain if domain.is_ascii() => domain.to_ascii_lowercase().into(),
        domain => domain.to_lowercase().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_alias_keeps_of_its_name() {
        for (address, orcpt) in [
            ("info+a@b.test", "rfc822;info+2Ba@b.test"),
            ("b\u{fc}ro@b.test", "utf-8;b\\x{FC}ro@b.test"),
        ] {
            assert_eq!(&*original(&address.parse().unwrap()), orcpt);
        }
    }
}
