//! The dates that logs write, as microseconds since 1970 (UTC).
//!
//! A date takes itself off the front of a line; what is no date leaves the line as it is. Times
//! without zone count as UTC: no log says where it was written.

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
const DAY: i64 = 86_400 * SECOND;

/// `2024-08-29T01:08:59.764590+00:00`, `2006-05-15 14:01:31`, `2013-06-10 10:10:59.345 +0200`,
/// `2024/08/29 01:08:59`; gives the rest of the line behind it.
pub(super) fn iso(text: &str) -> Option<(i64, &str)> {
    let octets = text.as_bytes();
    let separator = *octets.get(4).filter(|&&octet| matches!(octet, b'-' | b'/'))?;
    if octets.get(7) != Some(&separator) || !matches!(octets.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let year = i64::from(number(octets.get(..4)?)?);
    let days = days(year, number(&octets[5..7])?, number(&octets[8..10])?)?;
    let (mut at, rest) = clock(text.get(11..)?)?;
    at += days * DAY;
    let (offset, rest) = zone(rest);
    Some((at - offset * SECOND, rest))
}

/// `1795168801.123456`, as `journalctl -o short-unix` has it.
pub(super) fn unix_time(text: &str) -> Option<(i64, &str)> {
    let (seconds, rest) = text.split_once('.')?;
    let end = rest.bytes().position(|octet| !octet.is_ascii_digit())?;
    if seconds.len() != 10 || end != 6 || rest.as_bytes()[end] != b' ' {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    Some((seconds * SECOND + rest[..end].parse::<i64>().ok()?, &rest[end..]))
}

/// The same written.
pub(super) fn unix(at: i64) -> String {
    format!("{}.{:06}", at.div_euclid(SECOND), at.rem_euclid(SECOND))
}

/// `Aug 14 10:15:25`, `Jun  3 10:40:57`; also with the year behind, as some daemons have it. The year is
/// the latest that makes the date no later than a day after `latest`; without `latest` the time is
/// `None`.
pub(super) fn bsd(text: &str, latest: Option<i64>) -> Option<(Option<i64>, &str)> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let octets = text.as_bytes();
    let month = octets.get(..3)?;
    let month = MONTHS.chunks(3).position(|name| name == month)? as u32 + 1;
    if octets.get(3) != Some(&b' ') {
        return None;
    }
    let day = text[4..].trim_start_matches(' ');
    let end = day.bytes().position(|octet| octet == b' ').filter(|&end| (1..=2).contains(&end))?;
    let (day, rest) = (number(&day.as_bytes()[..end])?, &day[end + 1..]);
    // `Jun  3 2024 10:40:57`: the year stands before the time.
    let (told, rest) = match rest.as_bytes() {
        [_, _, _, _, b' ', ..] => (number(&rest.as_bytes()[..4]), &rest[5..]),
        _ => (None, rest),
    };
    let (time, rest) = clock(rest)?;
    let at = match (told, latest) {
        (Some(year), _) => Some(days(i64::from(year), month, day)? * DAY + time),
        (None, Some(latest)) => {
            let year = year_of(latest);
            [year + 1, year, year - 1, year - 2, year - 3, year - 4]
                .into_iter()
                .filter_map(|year| Some(days(year, month, day)? * DAY + time))
                .find(|&at| at <= latest.saturating_add(DAY))
        }
        (None, None) => None,
    };
    Some((at, rest))
}

/// `@400000004c7c9d2e2b8a1c54`: TAI64N, as multilog writes it (ten seconds before 1972, leap seconds
/// since are not taken off).
pub(super) fn tai(text: &str) -> Option<(i64, &str)> {
    let label = text.strip_prefix('@')?;
    let digits = label.get(..24)?;
    let seconds = i64::from_str_radix(digits.get(..16)?, 16).ok()?;
    let nanoseconds = i64::from_str_radix(digits.get(16..)?, 16).ok()?;
    let since_1970 = seconds.checked_sub(0x4000_0000_0000_000a)?;
    let at = since_1970.checked_mul(SECOND)?.checked_add(nanoseconds / 1_000)?;
    Some((at, label[24..].trim_start()))
}

/// `10:15:25`, with a fraction behind a point or comma.
fn clock(text: &str) -> Option<(i64, &str)> {
    let octets = text.as_bytes();
    if octets.len() < 8 || octets[2] != b':' || octets[5] != b':' {
        return None;
    }
    let (hours, minutes, seconds) =
        (number(&octets[..2])?, number(&octets[3..5])?, number(&octets[6..8])?);
    if hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let mut at = i64::from(hours * 3_600 + minutes * 60 + seconds) * SECOND;
    let mut end = 8;
    // A comma begins a fraction only before a digit that a date may have; CSV goes on with one, too.
    if octets.get(8) == Some(&b'.') {
        let digits = octets[9..].iter().take_while(|octet| octet.is_ascii_digit()).count();
        let mut unit = SECOND / 10;
        for octet in &octets[9..9 + digits] {
            at += i64::from(octet - b'0') * unit;
            unit /= 10;
        }
        end = 9 + digits;
    }
    Some((at, &text[end..]))
}

/// A zone, if one follows: `Z`, `+00:00`, ` +0200`, ` UTC`; in seconds east of Greenwich.
fn zone(text: &str) -> (i64, &str) {
    if let Some(rest) = text.strip_prefix('Z').or_else(|| text.strip_prefix('z')) {
        return (0, rest);
    }
    for name in [" UTC", " GMT"] {
        if let Some(rest) = text.strip_prefix(name).filter(|rest| rest.starts_with(' ')) {
            return (0, rest);
        }
    }
    let signed = text.strip_prefix(' ').unwrap_or(text).as_bytes();
    let sign = match signed.first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return (0, text),
    };
    let colon = usize::from(signed.get(3) == Some(&b':'));
    let hours = signed.get(1..3).and_then(number);
    let minutes = signed.get(3 + colon..5 + colon).and_then(number);
    match (hours, minutes) {
        (Some(hours), Some(minutes)) if hours < 15 && minutes < 60 => {
            let used = text.len() - signed.len() + 5 + colon;
            (sign * i64::from(hours * 3_600 + minutes * 60), &text[used..])
        }
        _ => (0, text),
    }
}

/// Days since 1970 of a day of the Gregorian calendar; `None` for a day that there is not.
fn days(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    // Years that begin in March have their odd day at the end.
    let year = if month > 2 { year } else { year - 1 };
    let month = i64::from((month + 9) % 12);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn year_of(at: i64) -> i64 {
    let guess = 1970 + at.div_euclid(DAY) / 366;
    // The guess is at most a few years early within any span that a log can have.
    (guess..guess + 60)
        .take_while(|&year| days(year, 1, 1).is_some_and(|first| first * DAY <= at))
        .last()
        .unwrap_or(guess)
}

fn number(digits: &[u8]) -> Option<u32> {
    let mut number = 0;
    for octet in digits {
        number = number * 10 + u32::from(octet.is_ascii_digit().then(|| octet - b'0')?);
    }
    (!digits.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_with_a_year() {
        for (text, seconds, rest) in [
            ("1970-01-01T00:00:01Z host", 1, " host"),
            ("2024-08-29T01:08:59.764590+00:00 machine", 1_724_893_739, " machine"),
            ("2024-08-29T03:08:59.764590+02:00 machine", 1_724_893_739, " machine"),
            ("2024-08-29 01:08:59 [12] x", 1_724_893_739, " [12] x"),
            ("2024-08-29 01:08:59.764 -0130 1abc", 1_724_899_139, " 1abc"),
            ("2024-02-29T00:00:00.000Z,EX\\x", 1_709_164_800, ",EX\\x"),
            ("1969-12-31 23:59:59 x", -1, " x"),
        ] {
            let (at, left) = iso(text).unwrap();
            assert_eq!((at.div_euclid(SECOND), left), (seconds, rest), "{text}");
        }
        for text in ["2023-02-29 00:00:00 x", "2024-13-01 00:00:00", "2024-01-01 24:00:00", "2024"]
        {
            assert_eq!(iso(text), None, "{text}");
        }
    }

    #[test]
    fn a_year_is_guessed_from_the_newest_date() {
        let latest = iso("2024-01-15 00:00:00").map(|(at, _)| at);
        for (text, expected) in [
            ("Jan  3 10:40:57 mail", "2024-01-03 10:40:57"),
            ("Dec 31 23:59:59 mail", "2023-12-31 23:59:59"),
            ("Jan 15 20:00:00 mail", "2024-01-15 20:00:00"), // a clock or zone that is a bit ahead
            ("Feb 29 12:00:00 mail", "2020-02-29 12:00:00"),
            ("Jun 03 2019 10:40:57 mail", "2019-06-03 10:40:57"),
        ] {
            let (at, rest) = bsd(text, latest).unwrap();
            assert_eq!((at, rest), (iso(expected).map(|(at, _)| at), " mail"), "{text}");
        }
        assert_eq!(bsd("Jan  3 10:40:57 x", None), Some((None, " x")));
        assert_eq!(bsd("Foo  3 10:40:57 x", None), None);
        assert_eq!(bsd("Jan 3", None), None);
    }

    #[test]
    fn multilog() {
        let (at, rest) = tai("@400000004c7c9d2e2b8a1c54 new msg 1").unwrap();
        assert_eq!((at / SECOND, rest), (0x4c7c_9d2e - 10, "new msg 1"));
    }
}
