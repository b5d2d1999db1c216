//! Sets of protocol features: what a next hop offers, what is not to be used, what was used.
//!
//! A retry that goes round a box in the path takes one of [`Client::used`](super::Client::used) and
//! puts it into [`Plan::avoid`](super::Plan::avoid).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of protocol features.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Features(u16);

/// Each feature, the keyword under which EHLO lists it, and the set of it alone.
const NAMED: [(&str, Features); 10] = [
    ("EHLO", Features::EHLO),
    ("STARTTLS", Features::STARTTLS),
    ("PIPELINING", Features::PIPELINING),
    ("CHUNKING", Features::CHUNKING),
    ("BINARYMIME", Features::BINARYMIME),
    ("8BITMIME", Features::EIGHTBITMIME),
    ("SMTPUTF8", Features::SMTPUTF8),
    ("SIZE", Features::SIZE),
    ("DSN", Features::DSN),
    ("AUTH", Features::AUTH),
];

impl Features {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// EHLO itself; avoided, the session begins with HELO and uses no extension.
    pub const EHLO: Self = Self(1);
    /// RFC 3207.
    pub const STARTTLS: Self = Self(1 << 1);
    /// RFC 2920.
    pub const PIPELINING: Self = Self(1 << 2);
    /// BDAT (RFC 3030).
    pub const CHUNKING: Self = Self(1 << 3);
    /// RFC 3030.
    pub const BINARYMIME: Self = Self(1 << 4);
    /// RFC 6152.
    pub const EIGHTBITMIME: Self = Self(1 << 5);
    /// RFC 6531.
    pub const SMTPUTF8: Self = Self(1 << 6);
    /// The SIZE parameter (RFC 1870).
    pub const SIZE: Self = Self(1 << 7);
    /// RET, ENVID, NOTIFY and ORCPT (RFC 3461).
    pub const DSN: Self = Self(1 << 8);
    /// RFC 4954.
    pub const AUTH: Self = Self(1 << 9);

    /// Those of either set.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of this set that the other lacks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those of both sets.
    #[must_use]
    pub const fn of(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of the other set are in this one.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The feature of that EHLO keyword, in any case; none if this client doesn't know it.
    pub fn by_name(name: &str) -> Option<Self> {
        let found = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|&(_, feature)| feature)
    }

    /// The names of those in the set, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMED.iter().filter(move |&&(_, feature)| self.has(feature)).map(|&(name, _)| name)
    }
}

/// `PIPELINING CHUNKING`.
impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, name) in self.names().enumerate() {
            f.write_str(if number == 0 { "" } else { " " })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Features({self})")
    }
}
