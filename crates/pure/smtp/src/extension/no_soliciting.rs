//! NO-SOLICITING (RFC 3865): classes of solicitation that are not taken here, and how mail says that it
//! is of one.
//!
//! `MAIL FROM:<..> SOLICIT=net.example:ADV,org.example:ADV:ADLT`, or the header field `Solicitation`.

use super::{Extension, Features, Ground, Lines, Offered};
use crate::{envelope::Envelope, reply::Reply};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::NO_SOLICITING,
    specified: "RFC 3865",
    offered: Offered::IfConfigured,
    switch: "`no_soliciting`: the keywords",
    server: "Mail of a class that is listed gets 550, at MAIL or for its header field.",
    client: "SOLICIT is passed on; a class that the next hop lists is not sent there.",
    advertise,
};

/// Section 2.2: a keyword has at most 1000 octets in all.
const LENGTH_MAX: usize = 1_000;

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if !ground.features.has(Features::NO_SOLICITING) {
        return;
    }
    match &*ground.offer.no_soliciting {
        "" => lines.push("NO-SOLICITING"),
        keywords => lines.push(format!("NO-SOLICITING {keywords}")),
    }
}

pub(super) fn read(
    ground: &Ground<'_>,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    let wrong = || Reply::bad_parameter("SOLICIT is keywords, like SOLICIT=net.example:ADV");
    let value = value.filter(|value| is_valid(value)).ok_or_else(wrong)?;
    if is_refused(&ground.offer.no_soliciting, value) {
        return Err(Reply::solicitation_refused());
    }
    envelope.solicit = Some(value.into());
    Ok(())
}

/// Whether a text is keywords of letters, digits, `.`, `-`, `_` and `:`, parted by commas.
pub fn is_valid(keywords: &str) -> bool {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || b".-_:".contains(&octet);
    keywords.len() <= LENGTH_MAX
        && keywords.split(',').all(|word| !word.is_empty() && word.bytes().all(fits))
}

/// Whether one of the keywords is among those that are refused. Both are parted by commas.
pub fn is_refused(refused: &str, keywords: &str) -> bool {
    keywords
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .any(|word| refused.split(',').any(|listed| listed.trim().eq_ignore_ascii_case(word)))
}
