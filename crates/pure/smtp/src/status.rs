//! Enhanced mail system status codes (RFC 3463).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// `class.subject.detail`, for example `5.1.1`. Class is 2, 4 or 5; the others are 0-999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EnhancedStatus {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub class: u8,
    /// What kind of thing the status is about: 1 addressing, 2 mailbox, 3 mail system, 4 network,
    /// 5 protocol, 6 content, 7 security or policy.
    pub subject: u16,
    /// The precise condition within the subject.
    pub detail: u16,
}

impl EnhancedStatus {
    /// A status known at compile time.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }

    /// Takes a status off the front of `text`, as it stands at the start of a reply's text
    /// (RFC 2034 section 4), and gives the rest without the blank behind it.
    pub fn split_from(text: &str) -> Option<(Self, &str)> {
        let end = text.find(' ').unwrap_or(text.len());
        let status = text[..end].parse().ok()?;
        Some((status, text[end..].strip_prefix(' ').unwrap_or("")))
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// The text is not of the form `[245].N.N` with numbers of one to three digits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no enhanced status: say class.subject.detail, like 5.1.1")]
pub struct NotAStatus(pub String);

impl FromStr for EnhancedStatus {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        let number = |part: Option<&str>| {
            let part = part?;
            let plain = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            // RFC 3463 section 2: no leading zeros.
            let plain = plain && (part.len() == 1 || !part.starts_with('0'));
            if plain { part.parse::<u16>().ok() } else { None }
        };
        let mut parts = text.split('.');
        let parsed =
            (number(parts.next()), number(parts.next()), number(parts.next()), parts.next());
        match parsed {
            (Some(class @ (2 | 4 | 5)), Some(subject), Some(detail), None) => {
                Ok(Self::new(class as u8, subject, detail))
            }
            _ => Err(NotAStatus(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        for (text, valid) in [
            ("4.7.651", true),
            ("2.0.0", true),
            ("5.01.1", false), // RFC 3463 section 2: no leading zeros
            ("3.1.1", false),
            ("5.1", false),
            ("5.1.1.1", false),
            ("5.1.1000", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<EnhancedStatus>().is_ok(), valid, "{text}");
        }
    }

    #[test]
    fn split_from_reply_text() {
        let status = EnhancedStatus::new(5, 1, 1);
        assert_eq!(
            EnhancedStatus::split_from("5.1.1 no such user"),
            Some((status, "no such user"))
        );
        assert_eq!(EnhancedStatus::split_from("5.1.1"), Some((status, "")));
        assert_eq!(EnhancedStatus::split_from("no such user"), None);
    }
}
