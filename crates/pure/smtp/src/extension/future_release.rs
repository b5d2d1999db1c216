//! FUTURERELEASE (RFC 4865): the message is held back, for users who submit it.
//!
//! `MAIL FROM:<..> HOLDFOR=seconds` or `HOLDUNTIL=2026-12-24T18:00:00Z`, one of them.

use std::time::Duration;

use super::{Extension, Features, Ground, Lines, Offered};
use crate::{
    envelope::{Envelope, Hold},
    reply::Reply,
    time::Timestamp,
};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::FUTURERELEASE,
    specified: "RFC 4865",
    offered: Offered::Users,
    switch: "`future_release_max`",
    server: "The message waits in the queue until then; its age counts from its release.",
    client: "Not passed on: we hold.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if is_offered(ground) {
        let most = ground.offer.future_release_max;
        let until = ground.now.after(Duration::from_secs(most));
        lines.push(format!("FUTURERELEASE {most} {}", until.to_rfc3339()));
    }
}

pub(super) fn is_offered(ground: &Ground<'_>) -> bool {
    ground.features.has(Features::FUTURERELEASE) && ground.offer.future_release_max > 0
}

pub(super) fn read_for(
    ground: &Ground<'_>,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    let wrong = || Reply::bad_parameter("HOLDFOR is a number of seconds, like HOLDFOR=3600");
    let digits = |text: &&str| text.len() <= 9 && text.bytes().all(|octet| octet.is_ascii_digit());
    let seconds = value.filter(digits).and_then(|text| text.parse().ok()).filter(|&s| s > 0);
    hold(ground, Hold::For(seconds.ok_or_else(wrong)?), envelope)
}

pub(super) fn read_until(
    ground: &Ground<'_>,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    let wrong = || Reply::bad_parameter("HOLDUNTIL is a time, like 2026-12-24T18:00:00Z");
    let at = value.and_then(Timestamp::from_rfc3339).ok_or_else(wrong)?;
    hold(ground, Hold::Until(at), envelope)
}

fn hold(ground: &Ground<'_>, hold: Hold, envelope: &mut Envelope) -> Result<(), Reply> {
    let most = ground.offer.future_release_max;
    let allowed = match hold {
        Hold::For(seconds) => seconds <= most,
        Hold::Until(at) => at.since(ground.now) <= Duration::from_secs(most),
    };
    match (allowed, envelope.hold) {
        // Section 4: not both.
        (_, Some(_)) => Err(Reply::parameter_twice()),
        (false, None) => Err(Reply::held_too_long()),
        (true, None) => {
            envelope.hold = Some(hold);
            Ok(())
        }
    }
}
