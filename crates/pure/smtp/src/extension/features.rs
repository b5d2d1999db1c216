//! Sets of protocol features: what a listener offers, what a next hop offers, what is not to be used
//! with it, what was used.
//!
//! Each keyword of EHLO that we know is one, and EHLO itself. Their names are the keywords, and are what
//! `advertise`, `hide`, `use` and `avoid` of a configuration list. A retry that goes round a box in the path takes one
//! of [`Client::used`](crate::client::Client::used) and puts it into
//! [`Plan::avoid`](crate::client::Plan::avoid).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A set of protocol features.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Features(u64);

/// Each feature, the keyword under which EHLO lists it, and the set of it alone.
const NAMED: [(&str, Features); 35] = [
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
    ("ENHANCEDSTATUSCODES", Features::ENHANCEDSTATUSCODES),
    ("HELP", Features::HELP),
    ("VRFY", Features::VRFY),
    ("EXPN", Features::EXPN),
    ("ETRN", Features::ETRN),
    ("ATRN", Features::ATRN),
    ("TURN", Features::TURN),
    ("LIMITS", Features::LIMITS),
    ("REQUIRETLS", Features::REQUIRETLS),
    ("DELIVERBY", Features::DELIVERBY),
    ("FUTURERELEASE", Features::FUTURERELEASE),
    ("MT-PRIORITY", Features::MT_PRIORITY),
    ("RRVS", Features::RRVS),
    ("NO-SOLICITING", Features::NO_SOLICITING),
    ("XCLIENT", Features::XCLIENT),
    ("XFORWARD", Features::XFORWARD),
    ("AUTH=LOGIN", Features::AUTH_EQUALS),
    ("X-EXPS", Features::X_EXPS),
    ("X-EXPS=LOGIN", Features::X_EXPS_LOGIN),
    ("TLS", Features::TLS),
    ("X-LINK2STATE", Features::X_LINK2STATE),
    ("XEXCH50", Features::XEXCH50),
    ("X-ANONYMOUSTLS", Features::X_ANONYMOUSTLS),
    ("XSHADOW", Features::XSHADOW),
    ("XRDST", Features::XRDST),
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
    /// The SIZE parameter and the limit that EHLO names (RFC 1870).
    pub const SIZE: Self = Self(1 << 7);
    /// RET, ENVID, NOTIFY and ORCPT (RFC 3461).
    pub const DSN: Self = Self(1 << 8);
    /// RFC 4954.
    pub const AUTH: Self = Self(1 << 9);
    /// RFC 2034; avoided, what looks like a status is text.
    pub const ENHANCEDSTATUSCODES: Self = Self(1 << 10);
    /// RFC 5321 section 4.1.1.8.
    pub const HELP: Self = Self(1 << 11);
    /// RFC 5321 section 3.5.3.
    pub const VRFY: Self = Self(1 << 12);
    /// RFC 5321 section 3.5.3.
    pub const EXPN: Self = Self(1 << 13);
    /// RFC 1985.
    pub const ETRN: Self = Self(1 << 14);
    /// RFC 2645.
    pub const ATRN: Self = Self(1 << 15);
    /// RFC 821; refused by us, used by nobody.
    pub const TURN: Self = Self(1 << 16);
    /// RFC 9422.
    pub const LIMITS: Self = Self(1 << 17);
    /// RFC 8689.
    pub const REQUIRETLS: Self = Self(1 << 18);
    /// RFC 2852.
    pub const DELIVERBY: Self = Self(1 << 19);
    /// RFC 4865.
    pub const FUTURERELEASE: Self = Self(1 << 20);
    /// RFC 6710.
    pub const MT_PRIORITY: Self = Self(1 << 21);
    /// RFC 7293.
    pub const RRVS: Self = Self(1 << 22);
    /// RFC 3865.
    pub const NO_SOLICITING: Self = Self(1 << 23);
    /// A trusted proxy tells whom it speaks for.
    pub const XCLIENT: Self = Self(1 << 24);
    /// A trusted filter's client tells where a message came from.
    pub const XFORWARD: Self = Self(1 << 25);
    /// AUTH's keyword as it was written before RFC 2554.
    pub const AUTH_EQUALS: Self = Self(1 << 26);
    /// Exchange: AUTH by another name.
    pub const X_EXPS: Self = Self(1 << 27);
    /// Exchange: the same for LOGIN, in the old form.
    pub const X_EXPS_LOGIN: Self = Self(1 << 28);
    /// Exchange 5.5: TLS instead of STARTTLS.
    pub const TLS: Self = Self(1 << 29);
    /// Exchange 2000 and 2003: the state of routing groups.
    pub const X_LINK2STATE: Self = Self(1 << 30);
    /// Exchange 2000 and 2003: properties of a message, in a chunk.
    pub const XEXCH50: Self = Self(1 << 31);
    /// Exchange 2007 and later: TLS between servers of an organisation.
    pub const X_ANONYMOUSTLS: Self = Self(1 << 32);
    /// Exchange 2010 and later: shadow redundancy.
    pub const XSHADOW: Self = Self(1 << 33);
    /// Exchange 2013 and later: the destination of a message.
    pub const XRDST: Self = Self(1 << 34);

    /// What a client uses only where its plan says so: what belongs to one organisation or to trusted
    /// peers, and is of no use, or harmful, between strangers.
    pub const OPT_IN: Self = Self::XCLIENT
        .with(Self::XFORWARD)
        .with(Self::X_EXPS)
        .with(Self::X_EXPS_LOGIN)
        .with(Self::TLS)
        .with(Self::X_LINK2STATE)
        .with(Self::XEXCH50)
        .with(Self::X_ANONYMOUSTLS)
        .with(Self::XSHADOW)
        .with(Self::XRDST);

    /// What is offered to those clients only whom the driver grants it
    /// ([`Peer::granted`](crate::server::Peer::granted)).
    pub const GUARDED: Self = Self::XCLIENT.with(Self::XFORWARD).with(Self::ETRN);

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

    /// How many.
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Every feature that has a name.
    pub fn all() -> Self {
        NAMED.iter().fold(Self::NONE, |all, &(_, feature)| all.with(feature))
    }

    /// The features of the set one by one, in a fixed order: what a search for the one that breaks
    /// switches off in turn.
    pub fn each(self) -> impl Iterator<Item = Self> {
        NAMED.iter().map(|&(_, feature)| feature).filter(move |&feature| self.has(feature))
    }

    /// The feature of that EHLO keyword, in any case; none if we don't know it.
    pub fn by_name(name: &str) -> Option<Self> {
        let found = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|&(_, feature)| feature)
    }

    /// The features of those EHLO keywords.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn by_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, NotAFeature> {
        names.into_iter().try_fold(Self::NONE, |set, name| {
            let feature = Self::by_name(name).ok_or_else(|| NotAFeature(name.to_owned()))?;
            Ok(set.with(feature))
        })
    }

    /// The names of those in the set, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMED.iter().filter(move |&&(_, feature)| self.has(feature)).map(|&(name, _)| name)
    }
}

/// The name is no EHLO keyword that we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no keyword that is known here, like PIPELINING or CHUNKING")]
pub struct NotAFeature(pub String);

/// `PIPELINING CHUNKING`, with blanks or commas between them, in any case; nothing is the empty set.
impl FromStr for Features {
    type Err = NotAFeature;

    fn from_str(text: &str) -> Result<Self, NotAFeature> {
        Self::by_names(text.split([' ', ',', '\t']).filter(|name| !name.is_empty()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_parses_as_it_prints() {
        assert_eq!(Features::all().each().count(), NAMED.len());
        for feature in Features::all().each() {
            assert_eq!(feature.count(), 1, "{feature}");
            assert_eq!(feature.to_string().parse(), Ok(feature));
            assert_eq!(feature.to_string().to_lowercase().parse(), Ok(feature));
        }
        let all = Features::all();
        assert_eq!(all.to_string().parse(), Ok(all));
        assert_eq!("".parse(), Ok(Features::NONE));
        let both = Features::PIPELINING.with(Features::CHUNKING);
        assert_eq!("chunking, PIPELINING".parse(), Ok(both));
        assert_eq!("PIPELINING XYZZY".parse::<Features>(), Err(NotAFeature("XYZZY".into())));
    }
}
