//! 8BITMIME (RFC 6152): content may have octets over 127.
//!
//! `MAIL FROM:<..> BODY=7BIT` or `BODY=8BITMIME`; with BINARYMIME (RFC 3030) also `BODY=BINARYMIME`.
//! What the client declares is passed on; what it sends is not looked at: eight bits that were not
//! declared pass as they are.

use super::{Ground, Lines, chunking};
use crate::{
    envelope::{BodyType, Envelope},
    reply::Reply,
    server::Offer,
};

pub(super) fn is_offered(offer: &Offer) -> bool {
    offer.extensions.eight_bit_mime
}

pub(super) fn advertise(offer: &Offer, _: Ground, lines: &mut Lines) {
    if is_offered(offer) {
        lines.push("8BITMIME");
    }
}

pub(super) fn read(
    offer: &Offer,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    let value = value.unwrap_or_default();
    let is = |name: &str| value.eq_ignore_ascii_case(name);
    envelope.body = match () {
        () if is("7BIT") => BodyType::SevenBit,
        () if is("8BITMIME") => BodyType::EightBitMime,
        () if is("BINARYMIME") && chunking::is_binarymime_offered(offer) => BodyType::BinaryMime,
        () => return Err(Reply::bad_parameter("BODY is 7BIT, 8BITMIME, or what EHLO offers")),
    };
    Ok(())
}
