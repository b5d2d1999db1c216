//! ENHANCEDSTATUSCODES (RFC 2034): replies carry `5.1.1` and the like (RFC 3463).
//!
//! With it, every reply but the greeting, those to HELO and EHLO, and 3yz. Without it, none.

use super::{Ground, Lines};
use crate::server::Offer;

pub(super) fn advertise(offer: &Offer, _: Ground, lines: &mut Lines) {
    if offer.extensions.enhanced_status_codes {
        lines.push("ENHANCEDSTATUSCODES");
    }
}
