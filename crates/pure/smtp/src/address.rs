//! Mailboxes and paths (RFC 5321 section 4.1.2; RFC 6531 for what is not ASCII).

use std::fmt;

use serde::{Deserialize, Serialize};

/// `local-part@domain`, or the bare `postmaster` that RFC 5321 section 4.5.1 allows in RCPT.
///
/// Kept as it was sent: the local-part's case and quotes are its owner's business (section 2.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    text: Box<str>,
    /// Where the `@` is; the length of `text` when there is no domain.
    at: u16,
}

/// A forward-path: the address that RCPT names.
pub type ForwardPath = Address;

/// A reverse-path: `None` is the null reverse-path `<>`, which never gets a DSN.
pub type ReversePath = Option<Address>;

impl Address {
    /// The whole, without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the `@`, quotes included.
    pub fn local_part(&self) -> &str {
        &self.text[..usize::from(self.at)]
    }

    /// What stands behind the `@`, as sent; empty for a bare `postmaster`.
    pub fn domain(&self) -> &str {
        self.text.get(usize::from(self.at) + 1..).unwrap_or("")
    }

    /// Whether it can only be carried with SMTPUTF8 (RFC 6531).
    pub fn needs_smtputf8(&self) -> bool {
        !self.text.is_ascii()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
