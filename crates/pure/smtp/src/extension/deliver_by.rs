//! DELIVERBY (RFC 2852): deliver within so many seconds, or return it, or tell.
//!
//! `MAIL FROM:<..> BY=120;R`: by-time, then `R` or `N`, then perhaps `T` (trace). With `N` the time may be
//! over, as it is counted down on the way.

use super::{Extension, Features, Ground, Lines, Offered};
use crate::{
    envelope::{ByMode, DeliverBy, Envelope},
    reply::Reply,
};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::DELIVERBY,
    specified: "RFC 2852",
    offered: Offered::Always,
    switch: "`deliver_by_min`: less is refused",
    server: "When the time is over, the message is returned (R) or its delay told (N).",
    client: "Passed on with what is left of the time; a message with R goes to no next hop without it, nor where its \
             time is too short; with T, or with N to a next hop without it, a DSN says `relayed`.",
    advertise,
};

/// Section 4: nine digits.
const SECONDS_MAX: i64 = 999_999_999;

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if !ground.features.has(Features::DELIVERBY) {
        return;
    }
    match ground.offer.deliver_by_min {
        0 => lines.push("DELIVERBY"),
        least => lines.push(format!("DELIVERBY {least}")),
    }
}

pub(super) fn read(
    ground: &Ground<'_>,
    value: Option<&str>,
    envelope: &mut Envelope,
) -> Result<(), Reply> {
    let wrong = || Reply::bad_parameter("BY is seconds and a mode, like BY=3600;R or BY=3600;NT");
    let by = value.and_then(parse).ok_or_else(wrong)?;
    let least = i64::from(ground.offer.deliver_by_min);
    if by.mode == ByMode::Return && by.seconds < least {
        return Err(Reply::deliver_by_too_soon());
    }
    envelope.deliver_by = Some(by);
    Ok(())
}

fn parse(value: &str) -> Option<DeliverBy> {
    let (time, mode) = value.split_once(';')?;
    let digits = time.strip_prefix('-').unwrap_or(time);
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = time.parse().ok().filter(|s| (-SECONDS_MAX..=SECONDS_MAX).contains(s))?;
    let (mode, trace) = match mode.to_ascii_uppercase().as_str() {
        "N" => (ByMode::Notify, false),
        "NT" => (ByMode::Notify, true),
        "R" => (ByMode::Return, false),
        "RT" => (ByMode::Return, true),
        _ => return None,
    };
    // To be returned before it came is no wish that can be met.
    (mode == ByMode::Notify || seconds > 0).then_some(DeliverBy { seconds, mode, trace })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let by = |seconds, mode, trace| Some(DeliverBy { seconds, mode, trace });
        for (text, expected) in [
            ("120;R", by(120, ByMode::Return, false)),
            ("120;rt", by(120, ByMode::Return, true)),
            ("-30;N", by(-30, ByMode::Notify, false)),
            ("0;NT", by(0, ByMode::Notify, true)),
            ("0;R", None),
            ("-1;R", None),
            ("1000000000;R", None),
            ("+1;R", None),
            ("--1;N", None),
            ("120", None),
            ("120;X", None),
            (";R", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
