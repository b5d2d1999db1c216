//! SMTPUTF8 (RFC 6531): addresses and header fields that are not ASCII.
//!
//! `MAIL FROM:<..> SMTPUTF8`, without a value. Offered with 8BITMIME only (section 3.1).

use super::{Ground, Lines};
use crate::{envelope::Envelope, reply::Reply, server::Offer};

pub(super) fn is_offered(offer: &Offer) -> bool {
    offer.extensions.smtputf8 && offer.extensions.eight_bit_mime
}

pub(super) fn advertise(offer: &Offer, _: Ground, lines: &mut Lines) {
    if is_offered(offer) {
        lines.push("SMTPUTF8");
    }
}

pub(super) fn read(_: &Offer, value: Option<&str>, envelope: &mut Envelope) -> Result<(), Reply> {
    if value.is_some() {
        return Err(Reply::bad_parameter("SMTPUTF8 has no value"));
    }
    envelope.smtputf8 = true;
    Ok(())
}
