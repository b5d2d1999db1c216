//! SIZE (RFC 1870): the client says how large the message is, before it sends it.
//!
//! `MAIL FROM:<..> SIZE=octets`, a decimal number of up to 20 digits. It is a hint: what counts in
//! the end is what was sent.

use super::{Ground, Lines};
use crate::{envelope::Envelope, reply::Reply, server::Offer};

/// RFC 1870 section 3. More than fits into 64 bits is as good as infinite.
const DIGITS_MAX: usize = 20;

pub(super) fn is_offered(offer: &Offer) -> bool {
    offer.extensions.size
}

pub(super) fn advertise(offer: &Offer, _: Ground, lines: &mut Lines) {
    match offer.size_max {
        _ if !is_offered(offer) => {}
        Some(limit) => lines.push(format!("SIZE {limit}")),
        None => lines.push("SIZE"),
    }
}

pub(super) fn read(
    offer: &Offer,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    let digits = |text: &&str| {
        (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit())
    };
    let wrong = || Reply::bad_parameter("SIZE is a number of octets, like SIZE=1000");
    let size = value.filter(digits).ok_or_else(wrong)?.parse().unwrap_or(u64::MAX);
    if offer.size_max.is_some_and(|limit| size > limit) {
        return Err(Reply::size_over_limit());
    }
    envelope.size = Some(size);
    Ok(())
}
