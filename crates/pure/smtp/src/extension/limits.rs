//! LIMITS (RFC 9422): how much of a session or a transaction is taken, before the client runs into it.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::LIMITS,
    specified: "RFC 9422",
    offered: Offered::Always,
    switch: "`limits.recipients_max`, `limits.messages_per_session_max`",
    server: "RCPTMAX, and MAILMAX where there is such a limit.",
    client: "MAILMAX, RCPTMAX and RCPTDOMAINMAX are kept.",
    advertise,
};

/// Six digits (section 4).
const VALUE_MAX: usize = 999_999;

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if !ground.features.has(Features::LIMITS) {
        return;
    }
    let recipients = ground.offer.recipients_max.clamp(1, VALUE_MAX);
    match ground.offer.transactions_max {
        Some(most) => lines.push(format!("LIMITS MAILMAX={most} RCPTMAX={recipients}")),
        None => lines.push(format!("LIMITS RCPTMAX={recipients}")),
    }
}
