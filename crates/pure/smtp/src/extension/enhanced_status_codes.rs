//! ENHANCEDSTATUSCODES (RFC 2034): replies carry `5.1.1` and the like (RFC 3463).
//!
//! With it, every reply but the greeting, those to HELO and EHLO, and 3yz. Without it, none.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::ENHANCEDSTATUSCODES,
    specified: "RFC 2034",
    offered: Offered::Always,
    switch: "",
    server: "Replies carry statuses.",
    client: "Statuses are read; avoided, the code alone counts.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::ENHANCEDSTATUSCODES) {
        lines.push("ENHANCEDSTATUSCODES");
    }
}
