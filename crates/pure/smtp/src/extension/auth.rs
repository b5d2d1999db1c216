//! AUTH (RFC 4954). The exchange itself is the server machine's; the mechanisms are those of `sasl`, whose
//! table is shown in the documentation, too.
//!
//! `MAIL FROM:<..> AUTH=xtext` or `AUTH=<>` says who submitted the message (section 5). It is kept, and
//! trusted by nobody.

use super::{Extension, Features, Ground, Lines, Offered};
use crate::{envelope::Envelope, reply::Reply, server::AuthOffer, xtext};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::AUTH,
    specified: "RFC 4954",
    offered: Offered::Users,
    switch: "`auth`",
    server: "By the mechanisms below that a listener has users for; by default inside TLS only.",
    client: "Where the route has `auth`: by the mechanism that proves most.",
    advertise,
};

/// Whether AUTH=, MAIL's parameter, is read.
pub(super) fn is_offered(ground: &Ground<'_>) -> bool {
    ground.offer.auth != AuthOffer::NEVER && ground.features.has(Features::AUTH)
}

/// Whether a client is invited now: once a session (section 4).
pub(super) fn invites(ground: &Ground<'_>) -> bool {
    !ground.authenticated && !ground.mechanisms().is_empty()
}

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if is_offered(ground) && invites(ground) {
        lines.push(format!("AUTH {}", ground.mechanism_names()));
    }
}

pub(super) fn read(
    _: &Ground<'_>,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    // What it stands for may end up in somebody's log: a mailbox has no control characters.
    let is_text = |text: &str| !xtext::decode(text).iter().any(u8::is_ascii_control);
    let valid =
        |text: &&str| *text == "<>" || (!text.is_empty() && xtext::is_valid(text) && is_text(text));
    let wrong = || Reply::bad_parameter("AUTH is <> or a mailbox in xtext");
    envelope.auth = Some(value.filter(valid).ok_or_else(wrong)?.into());
    Ok(())
}
