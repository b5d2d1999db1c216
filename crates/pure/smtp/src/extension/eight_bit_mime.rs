//! 8BITMIME (RFC 6152): content may have octets over 127.
//!
//! `MAIL FROM:<..> BODY=7BIT` or `BODY=8BITMIME`; with BINARYMIME (RFC 3030) also `BODY=BINARYMIME`.
//! What the client declares is passed on; what it sends is not looked at: eight bits that were not
//! declared pass as they are.

use super::{Extension, Features, Ground, Lines, Offered, binarymime};
use crate::{
    envelope::{BodyType, Envelope},
    reply::Reply,
};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::EIGHTBITMIME,
    specified: "RFC 6152",
    offered: Offered::Always,
    switch: "",
    server: "BODY= is kept; octets over 127 pass as they are.",
    client: "Declared; content is converted to 7 bit for who lacks it.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::EIGHTBITMIME) {
        lines.push("8BITMIME");
    }
}

pub(super) fn read(
    ground: &Ground<'_>,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    let value = value.unwrap_or_default();
    let is = |name: &str| value.eq_ignore_ascii_case(name);
    envelope.body = match () {
        () if is("7BIT") => BodyType::SevenBit,
        () if is("8BITMIME") => BodyType::EightBitMime,
        () if is("BINARYMIME") && binarymime::is_offered(ground) => BodyType::BinaryMime,
        () => return Err(Reply::bad_parameter("BODY is 7BIT, 8BITMIME, or what EHLO offers")),
    };
    Ok(())
}
