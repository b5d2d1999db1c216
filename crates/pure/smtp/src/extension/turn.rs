//! TURN (RFC 821 section 3.8): the roles are swapped without any proof of who asks. It would give mail
//! to whoever comes (RFC 5321 appendix F.1), so it is refused, with the reason, and never listed.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::TURN,
    specified: "RFC 821",
    offered: Offered::Refused,
    switch: "",
    server: "502: it would give mail to whoever asks. ETRN and ATRN do not.",
    client: "Not used.",
    advertise,
};

fn advertise(_: &Ground<'_>, _: &mut Lines) {}
