//! CHUNKING and BINARYMIME (RFC 3030): content in chunks of a stated size, without dots, and with
//! BINARYMIME without lines.
//!
//! `BDAT octets [LAST]`, the octets right behind the line's CRLF. A chunk that is refused is read all
//! the same: its octets are no commands. `MAIL FROM:<..> BODY=BINARYMIME` is read where BODY is.

use super::{Ground, Lines};
use crate::server::Offer;

pub(crate) fn is_offered(offer: &Offer) -> bool {
    offer.extensions.chunking
}

/// Section 3: BINARYMIME only with CHUNKING; and BODY is 8BITMIME's.
pub(super) fn is_binarymime_offered(offer: &Offer) -> bool {
    offer.extensions.binarymime && is_offered(offer) && offer.extensions.eight_bit_mime
}

pub(super) fn advertise(offer: &Offer, _: Ground, lines: &mut Lines) {
    if is_offered(offer) {
        lines.push("CHUNKING");
    }
    if is_binarymime_offered(offer) {
        lines.push("BINARYMIME");
    }
}
