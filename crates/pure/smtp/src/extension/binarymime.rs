//! BINARYMIME (RFC 3030): with CHUNKING, content without lines.
//!
//! `MAIL FROM:<..> BODY=BINARYMIME` is read where BODY is.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::BINARYMIME,
    specified: "RFC 3030",
    offered: Offered::Always,
    switch: "needs CHUNKING and 8BITMIME",
    server: "BODY=BINARYMIME.",
    client: "Declared; content is converted for who lacks it.",
    advertise,
};

/// Section 3: only with CHUNKING; and BODY is 8BITMIME's.
pub(super) fn is_offered(ground: &Ground<'_>) -> bool {
    let needed = Features::BINARYMIME.with(Features::CHUNKING).with(Features::EIGHTBITMIME);
    ground.features.has(needed)
}

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if is_offered(ground) {
        lines.push("BINARYMIME");
    }
}
