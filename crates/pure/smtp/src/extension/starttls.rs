//! STARTTLS (RFC 3207): the session goes on inside TLS, and forgets what was said before.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::STARTTLS,
    specified: "RFC 3207",
    offered: Offered::Always,
    switch: "`tls`",
    server: "The handshake, then everything anew.",
    client: "Used where offered, unless the route says otherwise.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if is_offered(ground) {
        lines.push("STARTTLS");
    }
}

pub(super) fn is_offered(ground: &Ground<'_>) -> bool {
    ground.may_start_tls(Features::STARTTLS)
}
