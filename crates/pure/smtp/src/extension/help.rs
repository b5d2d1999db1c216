//! HELP (RFC 5321 section 4.1.1.8): the verbs, and how a command is written.

use super::{Extension, Features, Ground, Lines, Offered};
use crate::{command::Verb, reply::Reply};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::HELP,
    specified: "RFC 5321",
    offered: Offered::Always,
    switch: "",
    server: "The verbs, or how one is written.",
    client: "Not used.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::HELP) {
        lines.push("HELP");
    }
}

/// The reply to HELP. `is_done` says which verbs this listener does.
pub fn reply(topic: &str, is_done: impl Fn(Verb) -> bool) -> Reply {
    if topic.is_empty() {
        let verbs: Vec<_> = Verb::all().filter(|&verb| is_done(verb)).map(Verb::text).collect();
        let verbs = verbs.join(" ");
        return Reply::help(
            [verbs.as_str(), "HELP and a verb tells how it is written"].into_iter(),
        );
    }
    match Verb::parse(topic) {
        Some(verb) if is_done(verb) => Reply::help([verb.usage()].into_iter()),
        _ => Reply::no_such_topic(),
    }
}
