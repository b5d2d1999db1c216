//! `Require-Recipient-Valid-Since` (RFC 7293 section 5.2): what RRVS= of RCPT says, as a header field, for paths
//! that don't know the parameter.
//!
//! ```text
//! Require-Recipient-Valid-Since: user@example.com; Sat, 1 Jun 2013 09:23:01 -0700
//! ```

use smtp::{Address, Timestamp};

use crate::date;

/// Whose mailbox, and since when it must have had its owner; `None` for what says neither.
pub fn read(value: &str) -> Option<(Address, Timestamp)> {
    let (address, since) = value.rsplit_once(';')?;
    let address: Address = address.trim().parse().ok()?;
    Some((address, date::parse(since)?)).filter(|(address, _)| !address.domain().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (value, expected) in [
            (
                "user@example.com; Sat, 1 Jun 2013 09:23:01 -0700",
                Some(("user@example.com", "2013-06-01T16:23:01Z")),
            ),
            (
                " \"a;b\"@example.com ;1 Jun 2013 09:23 GMT (then)",
                Some(("\"a;b\"@example.com", "2013-06-01T09:23:00Z")),
            ),
            ("user@example.com", None),
            ("user@example.com; yesterday", None),
            ("user; Sat, 1 Jun 2013 09:23:01 -0700", None),
            ("", None),
        ] {
            let read = read(value);
            let shown = read.as_ref().map(|(to, at)| (to.as_str(), at.to_rfc3339().to_string()));
            let shown = shown.as_ref().map(|(to, at)| (*to, at.as_str()));
            assert_eq!(shown, expected, "{value}");
        }
    }
}
