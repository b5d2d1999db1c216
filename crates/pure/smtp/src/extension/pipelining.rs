//! PIPELINING (RFC 2920): the client may send commands without waiting for each reply.
//!
//! The machine has nothing to do for it: it takes what it is fed command by command, and the replies
//! gather until the driver sends them.

use super::{Ground, Lines};
use crate::server::Offer;

pub(super) fn advertise(offer: &Offer, _: Ground, lines: &mut Lines) {
    if offer.extensions.pipelining {
        lines.push("PIPELINING");
    }
}
