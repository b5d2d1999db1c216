//! PIPELINING (RFC 2920): the client may send commands without waiting for each reply.
//!
//! The machine has nothing to do for it: it takes what it is fed command by command, and the replies
//! gather until the driver sends them.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::PIPELINING,
    specified: "RFC 2920",
    offered: Offered::Always,
    switch: "",
    server: "Commands are taken as they come, replies gather.",
    client: "MAIL, RCPT and DATA go out as one group.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::PIPELINING) {
        lines.push("PIPELINING");
    }
}
