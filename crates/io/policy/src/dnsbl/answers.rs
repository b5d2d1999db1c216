//! Patterns of a list's answers: four parts, each a number, a range `10-11`, or `*`.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `127.0.0.2`, `127.0.0.10-11`, `127.0.*.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnswerPattern([(u8, u8); 4]);

/// A text that is no pattern.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no answer of a list: write it like `127.0.0.2`, `127.0.0.10-11` or `127.0.*.3`")]
pub struct AnswerError(pub String);

impl AnswerPattern {
    /// Whether an answer is one of these.
    pub fn fits(&self, answer: Ipv4Addr) -> bool {
        let pairs = answer.octets().into_iter().zip(self.0);
        pairs.into_iter().all(|(octet, (first, last))| first <= octet && octet <= last)
    }
}

impl FromStr for AnswerPattern {
    type Err = AnswerError;

    fn from_str(text: &str) -> Result<Self, AnswerError> {
        let wrong = || AnswerError(text.to_owned());
        let mut parts = [(0, 0); 4];
        let mut given = text.trim().split('.');
        for part in &mut parts {
            *part = match given.next().ok_or_else(wrong)? {
                "*" => (0, 255),
                range => {
                    let (first, last) = range.split_once('-').unwrap_or((range, range));
                    let number = |text: &str| text.parse::<u8>().map_err(|_| wrong());
                    (number(first)?, number(last)?)
                }
            };
        }
        let ordered = parts.iter().all(|(first, last)| first <= last);
        if ordered && given.next().is_none() { Ok(Self(parts)) } else { Err(wrong()) }
    }
}

impl fmt::Display for AnswerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let dot = if index > 0 { "." } else { "" };
            match (first, last) {
                (0, 255) => write!(f, "{dot}*")?,
                (first, last) if first == last => write!(f, "{dot}{first}")?,
                (first, last) => write!(f, "{dot}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl Serialize for AnswerPattern {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AnswerPattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (text, answer, fits) in [
            ("127.0.0.2", "127.0.0.2", true),
            ("127.0.0.2", "127.0.0.3", false),
            ("127.0.0.10-11", "127.0.0.11", true),
            ("127.0.*.3", "127.0.20.3", true),
            ("127.0.*.3", "127.0.20.2", false),
        ] {
            let pattern: AnswerPattern = text.parse().unwrap();
            assert_eq!(pattern.fits(answer.parse().unwrap()), fits, "{text} {answer}");
            assert_eq!(pattern.to_string(), text);
        }
        for wrong in ["", "127.0.0", "127.0.0.2.1", "127.0.0.11-10", "127.0.0.256", "a.b.c.d"] {
            assert!(wrong.parse::<AnswerPattern>().is_err(), "{wrong}");
        }
    }
}
