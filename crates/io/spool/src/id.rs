//! Names of what is queued, short enough to be read out over the telephone.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A message: shard (high 16 bits) and a number that grows within it.
/// Shown in Crockford's base 32 (no I, L, O, U), at least 6 digits: `00A7KQ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId(pub u64);

/// One lane's share of a message. Shown as the message, with `.2` for the second lane and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId {
    /// Whose.
    pub message: MessageId,
    /// 0 for the first lane.
    pub part: u16,
}

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; 13];
        let mut rest = self.0;
        let mut start = text.len();
        while rest > 0 || start > text.len() - 6 {
            start -= 1;
            text[start] = DIGITS[(rest % 32) as usize];
            rest /= 32;
        }
        f.pad(std::str::from_utf8(&text[start..]).unwrap_or_default())
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            0 => self.message.fmt(f),
            part => write!(f, "{}.{}", self.message, part + 1),
        }
    }
}

/// The text is no queue id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no queue id: they look like 00A7KQ or 00A7KQ.2")]
pub struct NotAnId(pub String);

impl FromStr for MessageId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = || NotAnId(text.to_owned());
        if !(6..=13).contains(&text.len()) {
            return Err(wrong());
        }
        let mut number = 0u64;
        for octet in text.bytes() {
            let digit = match octet.to_ascii_uppercase() {
                b'O' => 0,
                b'I' | b'L' => 1,
                octet => DIGITS.iter().position(|&d| d == octet).ok_or_else(wrong)?,
            };
            number = number
                .checked_mul(32)
                .and_then(|n| n.checked_add(digit as u64))
                .ok_or_else(wrong)?;
        }
        Ok(Self(number))
    }
}

impl FromStr for JobId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = || NotAnId(text.to_owned());
        let (message, part) = match text.split_once('.') {
            None => (text, 0),
            Some((message, part)) => (
                message,
                part.parse::<u16>().ok().and_then(|p| p.checked_sub(1)).ok_or_else(wrong)?,
            ),
        };
        Ok(Self { message: message.parse()?, part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_shown() {
        for number in [0, 1, 31, 32, 1 << 29, 1 << 30, u64::MAX] {
            let id = JobId { message: MessageId(number), part: 0 };
            assert_eq!(id.to_string().parse(), Ok(id));
            let id = JobId { message: MessageId(number), part: 6 };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(MessageId(0).to_string(), "000000");
        for wrong in ["", "abc", "00A7KQ.0", "00A7KU", "ZZZZZZZZZZZZZ"] {
            assert!(wrong.parse::<JobId>().is_err(), "{wrong}");
        }
    }
}
