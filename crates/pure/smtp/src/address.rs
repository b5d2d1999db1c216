//! Mailboxes and paths (RFC 5321 section 4.1.2; RFC 6531 for what is not ASCII).

mod parse;

pub(crate) use parse::domain as check_domain;
pub use parse::{AddressError, Path};

use std::{borrow::Cow, fmt, str::FromStr};

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
    /// The bare `postmaster`, as it was written. Only for what `parse` has found to be that.
    fn without_domain(text: &str) -> Self {
        Self { text: text.into(), at: text.len() as u16 }
    }

    /// The whole, without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the `@`, quotes included.
    pub fn local_part(&self) -> &str {
        &self.text[..usize::from(self.at)]
    }

    /// What the local-part means: without quotes and backslashes. `"user"` is the mailbox `user`.
    pub fn local_part_unquoted(&self) -> Cow<'_, str> {
        let local_part = self.local_part();
        let Some(quoted) = local_part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
        else {
            return Cow::Borrowed(local_part);
        };
        if !quoted.contains('\\') {
            return Cow::Borrowed(quoted);
        }
        let mut text = String::with_capacity(quoted.len());
        let mut characters = quoted.chars();
        while let Some(character) = characters.next() {
            text.extend(if character == '\\' { characters.next() } else { Some(character) });
        }
        Cow::Owned(text)
    }

    /// What stands behind the `@`, as sent; empty for a bare `postmaster`.
    pub fn domain(&self) -> &str {
        self.text.get(usize::from(self.at) + 1..).unwrap_or("")
    }

    /// Whether the domain is an address literal, `[192.0.2.1]`.
    pub fn is_literal(&self) -> bool {
        self.domain().starts_with('[')
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

/// `local-part@domain` without angle brackets, or a bare `postmaster`; not ASCII is allowed.
impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse::mailbox(text)
    }
}
