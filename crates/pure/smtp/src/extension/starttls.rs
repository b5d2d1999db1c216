//! STARTTLS (RFC 3207): the session goes on inside TLS, and forgets what was said before.

use super::{Ground, Lines};
use crate::server::Offer;

pub(super) fn advertise(offer: &Offer, ground: Ground, lines: &mut Lines) {
    // RFC 3207 section 4.2: not inside TLS.
    if offer.tls_available && !ground.tls {
        lines.push("STARTTLS");
    }
}
