//! MT-PRIORITY (RFC 6710): which message goes first.
//!
//! `MAIL FROM:<..> MT-PRIORITY=n`, -9 to 9, 0 in the middle. More than 0 is for those who may (section 5.1): for others it is
//! lowered, and the reply to MAIL says so (`2.3.6`).

use super::{Extension, Features, Ground, Lines, Offered};
use crate::{envelope::Envelope, reply::Reply};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::MT_PRIORITY,
    specified: "RFC 6710",
    offered: Offered::Users,
    switch: "`priority_max`: of users; of others 0",
    server: "Orders the queue of a site, and stands in Received; what may not be is lowered.",
    client: "Passed on.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::MT_PRIORITY) {
        lines.push("MT-PRIORITY");
    }
}

pub(super) fn read(
    _: &Ground<'_>,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    let wrong = || Reply::bad_parameter("MT-PRIORITY is a number from -9 to 9");
    let shaped = |text: &&str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        // Zero has no sign.
        digits.len() == 1 && digits.as_bytes()[0].is_ascii_digit() && *text != "-0"
    };
    let priority = value.filter(shaped).and_then(|text| text.parse().ok());
    envelope.priority = Some(priority.ok_or_else(wrong)?);
    Ok(())
}
