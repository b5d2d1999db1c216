//! `X-EXPS=LOGIN` (Exchange): X-EXPS in the form that `AUTH=LOGIN` has. The command is X-EXPS.

use sasl::Mechanism;

use super::{Extension, Features, Ground, Lines, Offered, auth, x_exps};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::X_EXPS_LOGIN,
    specified: "Exchange 2000",
    offered: Offered::Never,
    switch: "`auth`",
    server: "X-EXPS, in the old form.",
    client: "With `use`, as X-EXPS.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    let offered = ground.features.has(Features::X_EXPS_LOGIN) && x_exps::is_offered(ground);
    let login = ground.mechanisms().has(Mechanism::Login);
    if offered && login && auth::invites(ground) {
        lines.push("X-EXPS=LOGIN");
    }
}
