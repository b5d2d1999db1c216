//! Calendar time as a value, and as text (RFC 3339).

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

const DAY: i64 = 86_400;

impl Timestamp {
    /// The later time.
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier`; zero if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Reads `2026-11-20T10:00:00Z`, with any fraction of a second and any offset (RFC 3339 section
    /// 5.6). `None` for what is no such time, and for times before 1970.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let mut rest = text;
        let year = digits(&mut rest, 4)?;
        let month = after(&mut rest, "-", 2)?;
        let day = after(&mut rest, "-", 2)?;
        rest = rest.strip_prefix(['T', 't'])?;
        let hour = digits(&mut rest, 2)?;
        let minute = after(&mut rest, ":", 2)?;
        let second = after(&mut rest, ":", 2)?;
        let millisecond = fraction(&mut rest)?;
        let offset = offset(rest)?;
        let fits = (1..=12).contains(&month)
            && (1..=length_of_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        let seconds = days_from_civil(year, month, day) * DAY
            + hour * 3_600
            + minute * 60
            // A leap second is the next minute's first.
            + second
            - offset * 60;
        let milliseconds = fits.then_some(seconds)?.checked_mul(1_000)? + millisecond;
        u64::try_from(milliseconds).ok().map(Self)
    }

    /// As [`Timestamp::from_rfc3339`] reads it, in whole seconds of UTC.
    pub fn to_rfc3339(self) -> Rfc3339 {
        Rfc3339(self)
    }
}

/// Displays a time as `2026-11-20T10:00:00Z`.
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339(Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four digits of a year: what is later is as good as the end of the calendar.
        const LAST: i64 = 253_402_300_799;
        let seconds = i64::try_from(self.0.0 / 1_000).unwrap_or(LAST).min(LAST);
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
        let second = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

fn digits(rest: &mut &str, count: usize) -> Option<i64> {
    let (number, after) = rest.split_at_checked(count)?;
    *rest = after;
    number.bytes().all(|octet| octet.is_ascii_digit()).then(|| number.parse().ok()).flatten()
}

fn after(rest: &mut &str, mark: &str, count: usize) -> Option<i64> {
    *rest = rest.strip_prefix(mark)?;
    digits(rest, count)
}

/// Milliseconds of `.123456`, or of nothing.
fn fraction(rest: &mut &str) -> Option<i64> {
    let Some(behind) = rest.strip_prefix('.') else { return Some(0) };
    let length = behind.bytes().take_while(u8::is_ascii_digit).count();
    let (number, after) = behind.split_at(length);
    *rest = after;
    let padded: String = number.chars().chain("00".chars()).take(3).collect();
    (length > 0).then(|| padded.parse().ok()).flatten()
}

/// Minutes east of Greenwich.
fn offset(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = (digits(&mut rest, 2)?, after(&mut rest, ":", 2)?);
    (rest.is_empty() && hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn length_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap day
/// comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month (1-12) and day (1-31) of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Counts in eras of 400 years that begin on a 1st of March, so that the leap day comes last.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_text() {
        for (text, milliseconds) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T00:00:00Z", Some(951_782_400_000)), // a century's leap day
            ("2026-11-20T09:59:59Z", Some(1_795_168_799_000)),
            ("2026-11-20T15:29:59+05:30", Some(1_795_168_799_000)),
            ("2026-11-20t09:59:59.25z", Some(1_795_168_799_250)),
            ("2026-11-20T09:59:59.1234567Z", Some(1_795_168_799_123)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_800_000)), // a leap second
            ("1969-12-31T23:59:59Z", None),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-11-20T24:00:00Z", None),
            ("2026-11-20T09:59:59", None), // an offset is due
            ("2026-11-20T09:59:59.Z", None),
            ("2026-11-20T09:59:59+0530", None),
            ("2026-11-20 09:59:59Z", None),
            ("2026-11-20T09:59:59Zx", None),
            ("+026-11-20T09:59:59Z", None),
            ("\u{e9}", None),
            ("", None),
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), milliseconds.map(Timestamp), "{text}");
        }
        for days in 0..100_000 {
            let at = Timestamp(days * 86_400_000);
            assert_eq!(Timestamp::from_rfc3339(&at.to_rfc3339().to_string()), Some(at));
        }
        assert_eq!(Timestamp(u64::MAX).to_rfc3339().to_string(), "9999-12-31T23:59:59Z");
    }
}
