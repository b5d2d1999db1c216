//! HELP (RFC 5321 section 4.1.1.8): the verbs, and how a command is written.

use super::{Ground, Lines};
use crate::{command::Verb, reply::Reply, server::Offer};

pub(super) fn advertise(offer: &Offer, _: Ground, lines: &mut Lines) {
    if offer.extensions.help {
        lines.push("HELP");
    }
}

/// The reply to HELP.
pub fn reply(topic: &str) -> Reply {
    if topic.is_empty() {
        let verbs: Vec<_> = Verb::all().filter(|verb| !verb.is_refused()).map(Verb::text).collect();
        let verbs = verbs.join(" ");
        return Reply::help(
            [verbs.as_str(), "HELP and a verb tells how it is written"].into_iter(),
        );
    }
    match Verb::parse(topic) {
        Some(verb) if !verb.is_refused() => Reply::help([verb.usage()].into_iter()),
        _ => Reply::no_such_topic(),
    }
}
