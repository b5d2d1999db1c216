//! SMTPUTF8 (RFC 6531): addresses and header fields that are not ASCII.
//!
//! `MAIL FROM:<..> SMTPUTF8`, without a value. Offered with 8BITMIME only (section 3.1).

use super::{Extension, Features, Ground, Lines, Offered};
use crate::{envelope::Envelope, reply::Reply};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::SMTPUTF8,
    specified: "RFC 6531",
    offered: Offered::Always,
    switch: "needs 8BITMIME",
    server: "Addresses and header fields may be UTF-8.",
    client: "Declared where the message needs it; else it is refused by us.",
    advertise,
};

pub(super) fn is_offered(ground: &Ground<'_>) -> bool {
    ground.features.has(Features::SMTPUTF8.with(Features::EIGHTBITMIME))
}

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if is_offered(ground) {
        lines.push("SMTPUTF8");
    }
}

pub(super) fn read(
    _: &Ground<'_>,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    super::without_value("SMTPUTF8", value)?;
    envelope.smtputf8 = true;
    Ok(())
}
