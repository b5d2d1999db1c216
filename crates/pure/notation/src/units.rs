//! Durations and sizes as people write them: `4h`, `1h30m`, `50 MiB`. A number without its unit is
//! refused, but for 0. For `#[serde(with = "...")]`.

use std::time::Duration;

use serde::de::Error;

const TIMES: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// Decimal units are what disks are sold by, binary ones what everything else means.
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Why a text is no duration or size.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// No number where one is needed.
    #[error("`{0}` has no number: write it like `{1}`")]
    NoNumber(String, &'static str),
    /// A number alone.
    #[error("`{0}` has no unit: write it like `{1}`")]
    NoUnit(String, &'static str),
    /// A unit that is none of ours.
    #[error("`{unit}` is no unit here: use one of {known}")]
    UnknownUnit {
        /// What stood there.
        unit: String,
        /// What may stand there.
        known: String,
    },
    /// More than 64 bits hold.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// Reads `5m`, `1h30m`, `2 s`; `0` needs no unit.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    const EXAMPLE: &str = "5m";
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = 0u64;
    loop {
        let (number, after) = split_number(rest, text, EXAMPLE)?;
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let factor = factor(unit, text, TIMES, EXAMPLE)?;
        let part =
            number.checked_mul(factor).ok_or_else(|| UnitError::TooLarge(text.to_owned()))?;
        total = total.checked_add(part).ok_or_else(|| UnitError::TooLarge(text.to_owned()))?;
        rest = next.trim_start();
        if rest.is_empty() {
            return Ok(Duration::from_millis(total));
        }
    }
}

/// Reads `50 MiB`, `10MB`, `512 B`; `0` needs no unit.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    const EXAMPLE: &str = "50 MiB";
    let trimmed = text.trim();
    if trimmed == "0" {
        return Ok(0);
    }
    let (number, unit) = split_number(trimmed, text, EXAMPLE)?;
    let factor = factor(unit.trim(), text, SIZES, EXAMPLE)?;
    number.checked_mul(factor).ok_or_else(|| UnitError::TooLarge(text.to_owned()))
}

fn split_number<'t>(
    rest: &'t str,
    whole: &str,
    example: &'static str,
) -> Result<(u64, &'t str), UnitError> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    if digits.is_empty() {
        return Err(UnitError::NoNumber(whole.to_owned(), example));
    }
    let number = digits.parse().map_err(|_| UnitError::TooLarge(whole.to_owned()))?;
    Ok((number, after.trim_start()))
}

fn factor(
    unit: &str,
    whole: &str,
    known: &[(&str, u64)],
    example: &'static str,
) -> Result<u64, UnitError> {
    if unit.is_empty() {
        return Err(UnitError::NoUnit(whole.to_owned(), example));
    }
    let found = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    found.map(|(_, factor)| *factor).ok_or_else(|| UnitError::UnknownUnit {
        unit: unit.to_owned(),
        known: known.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    })
}

/// `5m`, `1h30m`, `0s`: the shortest text that [`parse_duration`] reads back.
pub fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    // Weeks are left out: `30d` reads better than `4w2d`.
    for (name, factor) in TIMES.iter().rev().skip(1) {
        let number = rest / factor;
        if number > 0 {
            text.push_str(&format!("{number}{name}"));
            rest %= factor;
        }
    }
    text
}

/// `50 MiB`, `1500 B`: exact, in the largest binary unit that divides it.
pub fn show_size(size: u64) -> String {
    let binary = [SIZES[8], SIZES[7], SIZES[6], SIZES[5], SIZES[0]];
    let fits = |unit: &&(&str, u64)| size >= unit.1 && size.is_multiple_of(unit.1);
    let (name, factor) = binary.iter().find(fits).unwrap_or(&SIZES[0]);
    format!("{} {name}", size / factor)
}

/// Refuses numbers with a text that shows what would be right.
struct Text<T>(fn(&str) -> Result<T, UnitError>, &'static str);

impl<T: Default> serde::de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        match number {
            0 => Ok(T::default()),
            number => Err(E::custom(format!("`{number}` has no unit: write {}", self.1))),
        }
    }
}

/// `#[serde(with = "duration")]`.
pub mod duration {
    use super::*;

    /// As [`show_duration`].
    pub fn serialize<S: serde::Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&show_duration(*value))
    }

    /// As [`parse_duration`].
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        from.deserialize_any(Text(parse_duration, "a duration in quotes, like \"5m\""))
    }
}

/// `#[serde(with = "size")]`.
pub mod size {
    use super::*;

    /// As [`show_size`].
    pub fn serialize<S: serde::Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&show_size(*value))
    }

    /// As [`parse_size`].
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        from.deserialize_any(Text(parse_size, "a size in quotes, like \"50 MiB\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("5m", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("1h 30m", Some(5_400_000)),
            ("250ms", Some(250)),
            ("5D", Some(432_000_000)), // case is a matter of taste
            ("0", Some(0)),            // needs no unit
            ("5", None),               // seconds? minutes? say it
            ("h", None),
            ("5 parsecs", None),
            ("-5m", None),
            ("99999999999999999999s", None),
            ("18446744073709551615w", None),
            ("", None),
        ] {
            let duration = parse_duration(text).ok().map(|d| d.as_millis() as u64);
            assert_eq!(duration, milliseconds, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, octets) in [
            ("50 MiB", Some(50 << 20)),
            ("10MB", Some(10_000_000)),
            ("1 gib", Some(1 << 30)),
            ("512 B", Some(512)),
            ("0", Some(0)),
            ("50", None),   // octets? MiB? say it
            ("50 M", None), // MB or MiB? say it
            ("18446744073709551615 TiB", None),
        ] {
            assert_eq!(parse_size(text).ok(), octets, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for milliseconds in [0, 1, 999, 1_000, 90_000, 5_400_000, 86_400_000 * 30, 123_456_789] {
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }
        for size in [0, 1, 1_000, 1_024, 1_536, 50 << 20, (1 << 40) + 1] {
            assert_eq!(parse_size(&show_size(size)), Ok(size));
        }
        assert_eq!(show_duration(Duration::from_secs(86_400 * 30)), "30d");
        assert_eq!(show_size(50 << 20), "50 MiB");
    }
}
