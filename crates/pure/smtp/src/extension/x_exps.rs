//! X-EXPS (Exchange): AUTH by another name, between the servers of an organisation.
//!
//! `X-EXPS LOGIN` and `X-EXPS PLAIN` are carried out as AUTH is, by the same rules.

use super::{Extension, Features, Ground, Lines, Offered, auth};
use crate::server::AuthOffer;

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::X_EXPS,
    specified: "Exchange 2000",
    offered: Offered::Never,
    switch: "`auth`",
    server: "AUTH by another name.",
    client: "With `use`, where AUTH is not to be had.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    let offered = ground.features.has(Features::X_EXPS) && is_offered(ground);
    if offered && auth::invites(ground) {
        lines.push(format!("X-EXPS {}", ground.mechanism_names()));
    }
}

/// Whether the command is known, under either spelling of its keyword.
pub(crate) fn is_offered(ground: &Ground<'_>) -> bool {
    let either = Features::X_EXPS.with(Features::X_EXPS_LOGIN).of(ground.features);
    !either.is_empty() && ground.offer.auth != AuthOffer::NEVER
}
