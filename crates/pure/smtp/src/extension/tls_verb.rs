//! TLS (Exchange 5.5): what STARTTLS was called before RFC 2487. The command is `TLS`, and what it does is
//! the same.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::TLS,
    specified: "Exchange 5.5",
    offered: Offered::Never,
    switch: "needs a certificate",
    server: "STARTTLS by another name.",
    client: "Never.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if is_offered(ground) {
        lines.push("TLS");
    }
}

pub(crate) fn is_offered(ground: &Ground<'_>) -> bool {
    ground.may_start_tls(Features::TLS)
}
