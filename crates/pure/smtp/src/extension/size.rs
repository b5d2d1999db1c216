//! SIZE (RFC 1870): the client says how large the message is, before it sends it.
//!
//! `MAIL FROM:<..> SIZE=octets`, a decimal number of up to 20 digits. It is a hint: what counts in
//! the end is what was sent.

use super::{Extension, Features, Ground, Lines, Offered};
use crate::{envelope::Envelope, reply::Reply};

/// RFC 1870 section 3. More than fits into 64 bits is as good as infinite.
const DIGITS_MAX: usize = 20;

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::SIZE,
    specified: "RFC 1870",
    offered: Offered::Always,
    switch: "`limits.size_max`",
    server: "A message that is declared larger than the limit gets 552 at MAIL.",
    client: "The size is declared; what is larger than the limit is not sent.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    match ground.offer.size_max {
        _ if !ground.features.has(Features::SIZE) => {}
        Some(limit) => lines.push(format!("SIZE {limit}")),
        None => lines.push("SIZE"),
    }
}

pub(super) fn read(
    ground: &Ground<'_>,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    let digits = |text: &&str| {
        (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit())
    };
    let wrong = || Reply::bad_parameter("SIZE is a number of octets, like SIZE=1000");
    let size = value.filter(digits).ok_or_else(wrong)?.parse().unwrap_or(u64::MAX);
    if ground.offer.size_max.is_some_and(|limit| size > limit) {
        return Err(Reply::size_over_limit());
    }
    envelope.size = Some(size);
    Ok(())
}
