//! RRVS (RFC 7293): only if the mailbox has had the same owner since then.
//!
//! `RCPT TO:<..> RRVS=2014-04-03T23:01:00Z;C`. `C` (continue) lets it go on to servers that don't know RRVS, `R`
//! (reject) does not.

use super::{Extension, Features, Ground, Lines, Offered};
use crate::{
    envelope::{Recipient, ValidSince},
    reply::Reply,
    time::Timestamp,
};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::RRVS,
    specified: "RFC 7293",
    offered: Offered::IfConfigured,
    switch: "`domains.*.mailbox_since`: when mailboxes got their owners",
    server: "A mailbox whose owner is newer gets 550 5.7.17; by the field Require-Recipient-Valid-Since, too.",
    client: "Passed on; a recipient with R goes to no next hop without it.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::RRVS) {
        lines.push("RRVS");
    }
}

pub(super) fn read(
    _: &Ground<'_>,
    value: Option<&str>,
    recipient: &mut Recipient,
) -> Result<(), Reply> {
    let wrong = || Reply::bad_parameter("RRVS is a time and C or R, like 2014-04-03T23:01:00Z;C");
    let (at, mode) = match value.map(|value| value.split_once(';').unwrap_or((value, "C"))) {
        Some((at, mode)) => (Timestamp::from_rfc3339(at), mode),
        None => (None, ""),
    };
    let strict = match mode {
        "C" | "c" => Some(false),
        "R" | "r" => Some(true),
        _ => None,
    };
    let (Some(at), Some(strict)) = (at, strict) else { return Err(wrong()) };
    recipient.valid_since = Some(ValidSince { at, strict });
    Ok(())
}
