//! VRFY (RFC 5321 section 3.5): is there such a mailbox?
//!
//! | `vrfy`  | said of a mailbox | of none       | listed in EHLO |
//! | `off`   | 502               | 502           | no             |
//! | `252`   | 252               | 252           | no             |
//! | `exact` | 250 and its path  | 550           | yes            |

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::VRFY,
    specified: "RFC 5321",
    offered: Offered::IfConfigured,
    switch: "`vrfy`",
    server: "252 for every address, so that nobody learns who has a mailbox (section 7.3).",
    client: "Not used.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.offer.vrfy && ground.features.has(Features::VRFY) {
        lines.push("VRFY");
    }
}

/// VRFY's or EXPN's argument without the parameter of RFC 6531 section 3.7.4.2, and whether that was there:
/// without it, the answer has to be ASCII.
pub(crate) fn argument(text: &str) -> (&str, bool) {
    match text.rsplit_once(' ') {
        Some((text, word)) if word.eq_ignore_ascii_case("SMTPUTF8") => (text.trim_end(), true),
        _ => (text, false),
    }
}
