//! `AUTH=LOGIN`: AUTH's keyword as it was written before RFC 2554, and what clients of that time look
//! for (old Outlook Express, some printers). No keyword of RFC 5321's grammar, and shown to nobody who
//! has authenticated. The command is AUTH.

use sasl::Mechanisms;

use super::{Extension, Features, Ground, Lines, Offered, auth};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::AUTH_EQUALS,
    specified: "before RFC 2554",
    offered: Offered::Users,
    switch: "`auth`",
    server: "The same as AUTH.",
    client: "Its mechanisms count as those of AUTH.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    // Those clients know no others.
    let mechanisms = ground.mechanisms().of(Mechanisms::BY_PASSWORD);
    let offered = ground.features.has(Features::AUTH_EQUALS) && auth::is_offered(ground);
    if offered && auth::invites(ground) && !mechanisms.is_empty() {
        lines.push(format!("AUTH={mechanisms}"));
    }
}
