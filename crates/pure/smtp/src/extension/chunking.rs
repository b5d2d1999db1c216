//! CHUNKING (RFC 3030): content in chunks of a stated size, without dots.
//!
//! `BDAT octets [LAST]`, the octets right behind the line's CRLF. A chunk that is refused is read all
//! the same: its octets are no commands.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::CHUNKING,
    specified: "RFC 3030",
    offered: Offered::Always,
    switch: "",
    server: "BDAT.",
    client: "One BDAT with all of the content.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::CHUNKING) {
        lines.push("CHUNKING");
    }
}
