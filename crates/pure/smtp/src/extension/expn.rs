//! EXPN (RFC 5321 section 3.5): who is on that list?
//!
//! `expn` has the values of `vrfy`: `off` says 502, `252` says 252, `exact` names an alias' targets.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::EXPN,
    specified: "RFC 5321",
    offered: Offered::IfConfigured,
    switch: "`expn`",
    server: "502: lists are private. With `exact`, the targets of aliases.",
    client: "Not used.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.offer.expn && ground.features.has(Features::EXPN) {
        lines.push("EXPN");
    }
}
