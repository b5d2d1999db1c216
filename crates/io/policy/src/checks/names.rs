//! Senders and recipients: the allow and deny lists, and whether the sender's domain can be answered to.

use smtp::Reply;

use super::Ground;
use crate::{
    Outcome,
    facts::{Facts, Presence},
    settings::Action,
};

pub(super) fn recipient_denied(ground: &Ground<'_>) -> Outcome {
    let Some(recipient) = ground.case.recipient else { return Outcome::Skipped("no recipient") };
    match ground.set.deny.recipient(recipient) {
        true => Outcome::Refused(Reply::recipient_denied(), format!("{recipient} is on the list")),
        false => Outcome::Passed("not on the deny list".to_owned()),
    }
}

pub(super) fn sender_denied(ground: &Ground<'_>) -> Outcome {
    let Some(sender) = ground.case.sender else { return Outcome::Skipped("no sender") };
    let shown = sender.map_or("<>", |path| path.as_str());
    match ground.set.deny.sender(sender) {
        true => Outcome::Refused(Reply::reverse_path_denied(), format!("{shown} is on the list")),
        false => Outcome::Passed("not on the deny list".to_owned()),
    }
}

pub(super) fn allowed(ground: &Ground<'_>) -> Outcome {
    let (allow, case) = (&ground.set.allow, ground.case);
    if let Some(network) = allow.client(case.client) {
        return Outcome::Allowed(format!("{} is in {network}", case.client));
    }
    if let Some(recipient) = case.recipient.filter(|path| allow.recipient(path)) {
        return Outcome::Allowed(format!("mail to {recipient} is never checked"));
    }
    match case.sender {
        Some(sender) if allow.sender(sender) => Outcome::Allowed(format!(
            "mail from {} is never checked",
            sender.map_or("<>", |p| p.as_str())
        )),
        _ => Outcome::Passed("not on the allow list".to_owned()),
    }
}

pub(super) fn sender_domain(ground: &Ground<'_>, facts: &Facts) -> Outcome {
    let action = ground.set.settings.sender_domain;
    match &facts.sender {
        _ if action == Action::Off => Outcome::Skipped("switched off"),
        None => Outcome::Skipped("no domain to look for"),
        Some(Presence::There | Presence::NullMx) => Outcome::Passed("it is in the DNS".to_owned()),
        Some(Presence::Missing(why)) => {
            ground.act(action, why.clone(), Reply::sender_domain_refused)
        }
        Some(Presence::Unanswered(why)) => {
            ground.unanswered(action, why.clone(), || Reply::sender_domain_refused(false))
        }
    }
}

pub(super) fn null_mx(ground: &Ground<'_>, facts: &Facts) -> Outcome {
    let action = ground.set.settings.sender_domain;
    match &facts.sender {
        _ if action == Action::Off => Outcome::Skipped("switched off"),
        Some(Presence::NullMx) => {
            let why = "its domain says that it takes no mail, so nobody could answer".to_owned();
            // RFC 7505 section 4.2: it is for good.
            ground.act(action, why, |_| Reply::null_mx())
        }
        _ => Outcome::Passed("none".to_owned()),
    }
}
