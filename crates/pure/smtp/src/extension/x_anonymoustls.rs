//! X-ANONYMOUSTLS (Exchange 2007 and later): STARTTLS between servers of an organisation, which don't look at
//! each other's certificates but sign in inside.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::X_ANONYMOUSTLS,
    specified: "Exchange 2007",
    offered: Offered::Never,
    switch: "needs a certificate",
    server: "STARTTLS by another name.",
    client: "Never.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if is_offered(ground) {
        lines.push("X-ANONYMOUSTLS");
    }
}

pub(crate) fn is_offered(ground: &Ground<'_>) -> bool {
    ground.may_start_tls(Features::X_ANONYMOUSTLS)
}
