//! The date-time of RFC 5322 section 3.3: `Fri, 20 Nov 2026 10:00:00 +0000`.
//!
//! Written octet by octet, without a format string: every Received field holds one.

use smtp::{Timestamp, time::civil_from_days};

const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
const DAY: i64 = 86_400;

/// Appends `at` as seen at `offset` minutes east of Greenwich (0 is written `+0000`).
pub fn write(out: &mut Vec<u8>, at: Timestamp, offset: i16) {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX / 2) + i64::from(offset) * 60;
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY) as u32);
    let (year, month, day) = civil_from_days(days);
    out.extend_from_slice(WEEKDAYS[days.rem_euclid(7) as usize]);
    out.extend_from_slice(b", ");
    if day >= 10 {
        out.push(b'0' + (day / 10) as u8);
    }
    out.push(b'0' + (day % 10) as u8);
    out.push(b' ');
    out.extend_from_slice(MONTHS[month as usize - 1]);
    out.push(b' ');
    write_year(out, year);
    out.push(b' ');
    two_digits(out, second / 3600);
    out.push(b':');
    two_digits(out, second / 60 % 60);
    out.push(b':');
    two_digits(out, second % 60);
    out.extend_from_slice(if offset < 0 { b" -" } else { b" +" });
    let offset = u32::from(offset.unsigned_abs());
    two_digits(out, offset / 60 % 100);
    two_digits(out, offset % 60);
}

/// The same as text.
pub fn text(at: Timestamp, offset: i16) -> String {
    let mut out = Vec::with_capacity(31);
    write(&mut out, at, offset);
    String::from_utf8_lossy(&out).into_owned()
}

/// The day in Greenwich, as ISO 8601 has it: `2026-11-20`.
pub fn day(at: Timestamp) -> String {
    let (year, month, day) =
        civil_from_days(i64::try_from(at.0 / 1000).unwrap_or(i64::MAX / 2) / DAY);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Reads such a date, with or without a weekday, seconds and comments behind it. Zones by names that are none of
/// RFC 5322 section 4.3 count as Greenwich, as it has them.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.split_once('(').map_or(text, |(text, _)| text);
    let text = text.split_once(',').map_or(text, |(_, text)| text);
    let mut words = text.split_ascii_whitespace();
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let (time, zone) = (words.next()?, words.next()?);
    let known = |name: &&[u8; 3]| name.eq_ignore_ascii_case(month.as_bytes());
    let month = MONTHS.iter().position(known)? + 1;
    let seconds = if time.len() == 5 { ":00" } else { "" };
    let zone = match zone.split_at_checked(3) {
        Some((hours, minutes)) if zone.len() == 5 && zone.starts_with(['+', '-']) => {
            format!("{hours}:{minutes}")
        }
        _ => named_zone(zone)?.to_owned(),
    };
    let text = format!("{year}-{month:02}-{day:0>2}T{time}{seconds}{zone}");
    Timestamp::from_rfc3339(&text).filter(|_| words.next().is_none())
}

fn named_zone(name: &str) -> Option<&'static str> {
    let is_name = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphabetic());
    is_name.then(|| match name.to_ascii_uppercase().as_str() {
        "EDT" => "-04:00",
        "EST" | "CDT" => "-05:00",
        "CST" | "MDT" => "-06:00",
        "MST" | "PDT" => "-07:00",
        "PST" => "-08:00",
        _ => "Z",
    })
}

fn two_digits(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&[b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]);
}

fn write_year(out: &mut Vec<u8>, year: i64) {
    if (0..10_000).contains(&year) {
        two_digits(out, year as u32 / 100);
        two_digits(out, year as u32 % 100);
    } else {
        out.extend_from_slice(year.to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        for (seconds, offset, expected) in [
            (0, 0, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (951_782_400, 0, "Tue, 29 Feb 2000 00:00:00 +0000"), // leap day of a century
            (1_795_168_799, 0, "Fri, 20 Nov 2026 09:59:59 +0000"),
            (1_795_168_799, 330, "Fri, 20 Nov 2026 15:29:59 +0530"),
            (1_795_168_799, -630, "Thu, 19 Nov 2026 23:29:59 -1030"), // the day before
            (0, -60, "Wed, 31 Dec 1969 23:00:00 -0100"),              // before the epoch
            (4_107_542_400, 0, "Mon, 1 Mar 2100 00:00:00 +0000"),     // 2100 has no leap day
        ] {
            assert_eq!(text(Timestamp(seconds * 1000), offset), expected);
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for seconds in [0, 1_795_168_800, 4_102_444_799] {
            let at = Timestamp(seconds * 1000);
            for offset in [0, 330, -480] {
                assert_eq!(parse(&text(at, offset)), Some(at), "{}", text(at, offset));
            }
        }
        for (text, seconds) in [
            ("1 Jan 1970 00:01 UT", Some(60)),
            ("Thu, 01 jan 1970 00:00:05 EST (comment)", Some(5 * 3600 + 5)),
            ("Thu, 1 Jan 1970 00:00:00", None),
            ("Thu, 32 Jan 1970 00:00:00 +0000", None),
            ("Thu, 1 Jun 70 00:00:00 +0000", None),
            ("Thu, 1 Jan 1970 00:00:00 +0000 more", None),
            ("", None),
        ] {
            assert_eq!(parse(text).map(|at| at.0 / 1000), seconds, "{text}");
        }
    }

    #[test]
    fn absurd_times_do_not_panic() {
        text(Timestamp(u64::MAX), i16::MAX);
        text(Timestamp(u64::MAX), i16::MIN);
        text(Timestamp(0), i16::MIN);
    }
}
