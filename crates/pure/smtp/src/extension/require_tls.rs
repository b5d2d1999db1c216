//! REQUIRETLS (RFC 8689): the message goes on inside verified TLS only, to servers that promise the same.
//!
//! `MAIL FROM:<..> REQUIRETLS`, without a value; known inside TLS only (section 4.1). What is kept of the promise
//! is kept by the client machine, which sends such a message to no other next hop.

use super::{Extension, Features, Ground, Lines, Offered};
use crate::{envelope::Envelope, reply::Reply};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::REQUIRETLS,
    specified: "RFC 8689",
    offered: Offered::Always,
    switch: "inside TLS only",
    server: "Kept with the message.",
    client: "Such a message goes to a next hop only that offers it inside verified TLS; else it fails (5.7.30). A report on it \
             goes anyway, with the header section only.",
    advertise,
};

pub(super) fn is_offered(ground: &Ground<'_>) -> bool {
    ground.tls && ground.features.has(Features::REQUIRETLS)
}

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if is_offered(ground) {
        lines.push("REQUIRETLS");
    }
}

pub(super) fn read(
    _: &Ground<'_>,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    super::without_value("REQUIRETLS", value)?;
    envelope.require_tls = true;
    Ok(())
}
