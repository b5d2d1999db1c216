//! The mechanisms, and what is to be said of each: one table for the offer, the choice and the
//! documentation.

use std::{fmt, str::FromStr};

/// A SASL mechanism. The order is that of [`Mechanism::TABLE`]: what proves most comes first, and that is
/// the order in which they are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the table says what each is
pub enum Mechanism {
    External,
    Gssapi,
    ScramSha256Plus,
    ScramSha256,
    ScramSha1Plus,
    ScramSha1,
    OAuthBearer,
    XOAuth2,
    DigestMd5,
    CramSha1,
    CramMd5,
    Ntlm,
    Plain,
    Login,
}

/// What there is to say of a mechanism.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which.
    pub mechanism: Mechanism,
    /// As AUTH names it.
    pub name: &'static str,
    /// The RFC, or whose it is.
    pub specified: &'static str,
    /// Offered where nothing is configured, if the back end can check it.
    pub by_default: bool,
    /// What the back end has to know or to do.
    pub needs: &'static str,
    /// The password, or what is as good as one, is there to be read by whoever reads the connection.
    pub reveals: bool,
    /// Asks for TLS, as it is bound to it or is proven by it.
    pub inside_tls: bool,
}

const fn row(
    mechanism: Mechanism,
    name: &'static str,
    specified: &'static str,
    needs: &'static str,
) -> Row {
    Row { mechanism, name, specified, by_default: true, needs, reveals: false, inside_tls: false }
}

impl Row {
    const fn revealing(mut self) -> Self {
        self.reveals = true;
        self
    }

    const fn inside_tls(mut self) -> Self {
        self.inside_tls = true;
        self
    }

    const fn off(mut self) -> Self {
        self.by_default = false;
        self
    }
}

impl Mechanism {
    /// Every mechanism.
    #[rustfmt::skip] // a table
    pub const TABLE: [Row; 14] = [
        row(Self::External, "EXTERNAL", "RFC 4422", "a client certificate").inside_tls().off(),
        row(Self::Gssapi, "GSSAPI", "RFC 4752", "a keytab").off(),
        row(Self::ScramSha256Plus, "SCRAM-SHA-256-PLUS", "RFC 7677", "SCRAM keys").inside_tls(),
        row(Self::ScramSha256, "SCRAM-SHA-256", "RFC 7677", "SCRAM keys"),
        row(Self::ScramSha1Plus, "SCRAM-SHA-1-PLUS", "RFC 5802", "SCRAM keys").inside_tls(),
        row(Self::ScramSha1, "SCRAM-SHA-1", "RFC 5802", "SCRAM keys"),
        row(Self::OAuthBearer, "OAUTHBEARER", "RFC 7628", "a check of tokens").revealing(),
        row(Self::XOAuth2, "XOAUTH2", "Google", "a check of tokens").revealing(),
        row(Self::DigestMd5, "DIGEST-MD5", "RFC 2831", "the password itself").off(),
        row(Self::CramSha1, "CRAM-SHA1", "as CRAM-MD5", "the password itself").off(),
        row(Self::CramMd5, "CRAM-MD5", "RFC 2195", "the password itself").off(),
        row(Self::Ntlm, "NTLM", "MS-NLMP, MS-SMTPNTLM", "the NT hash").off(),
        row(Self::Plain, "PLAIN", "RFC 4616", "a check of passwords").revealing(),
        row(Self::Login, "LOGIN", "draft-murchison-sasl-login", "a check of passwords").revealing(),
    ];

    /// Its row in the table.
    pub fn row(self) -> &'static Row {
        const TABLE: &[Row] = &Mechanism::TABLE;
        &TABLE[self as usize]
    }

    /// As AUTH names it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The one of that name, in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        let row = Self::TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name));
        row.map(|row| row.mechanism)
    }

    /// Whether it is bound to the channel.
    pub fn is_plus(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha1Plus)
    }

    /// Whether the client speaks first (RFC 4422 section 3.3): then an initial response may come with
    /// AUTH.
    pub fn is_client_first(self) -> bool {
        !matches!(self, Self::CramMd5 | Self::CramSha1 | Self::DigestMd5)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such mechanism.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such mechanism: `{0}`")]
pub struct NotAMechanism(pub String);

impl FromStr for Mechanism {
    type Err = NotAMechanism;

    fn from_str(text: &str) -> Result<Self, NotAMechanism> {
        Self::by_name(text).ok_or_else(|| NotAMechanism(text.to_owned()))
    }
}

/// A set of mechanisms.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Mechanisms(u16);

impl Mechanisms {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// What a plain check of passwords is enough for.
    pub const BY_PASSWORD: Self = Self::NONE.with(Mechanism::Plain).with(Mechanism::Login);

    /// These and that one.
    #[must_use]
    pub const fn with(self, mechanism: Mechanism) -> Self {
        Self(self.0 | 1 << mechanism as u16)
    }

    /// These without that one.
    #[must_use]
    pub const fn without(self, mechanism: Mechanism) -> Self {
        Self(self.0 & !(1 << mechanism as u16))
    }

    /// These without those.
    #[must_use]
    pub const fn without_all(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Those that both have.
    #[must_use]
    pub const fn of(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Those of either.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether it is among them.
    pub const fn has(self, mechanism: Mechanism) -> bool {
        self.0 & 1 << mechanism as u16 != 0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of the table for which it is true.
    pub fn that(is_meant: impl Fn(&Row) -> bool) -> Self {
        Mechanism::TABLE.iter().filter(|row| is_meant(row)).map(|row| row.mechanism).collect()
    }

    /// Each, in the table's order.
    pub fn iter(self) -> impl Iterator<Item = Mechanism> {
        Mechanism::TABLE.iter().map(|row| row.mechanism).filter(move |it| self.has(*it))
    }
}

impl FromIterator<Mechanism> for Mechanisms {
    fn from_iter<I: IntoIterator<Item = Mechanism>>(mechanisms: I) -> Self {
        mechanisms.into_iter().fold(Self::NONE, Self::with)
    }
}

/// As EHLO lists them: parted by blanks.
impl fmt::Display for Mechanisms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mechanism) in self.iter().enumerate() {
            let separator = if number > 0 { " " } else { "" };
            write!(f, "{separator}{mechanism}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mechanisms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_type() {
        for (place, row) in Mechanism::TABLE.iter().enumerate() {
            assert_eq!(row.mechanism as usize, place, "{}", row.name);
            assert_eq!(row.name.parse(), Ok(row.mechanism));
            assert_eq!(Mechanism::by_name(&row.name.to_lowercase()), Some(row.mechanism));
        }
        assert!("SCRAM".parse::<Mechanism>().is_err());
    }

    #[test]
    fn sets() {
        let both = Mechanisms::BY_PASSWORD;
        assert_eq!(both.to_string(), "PLAIN LOGIN");
        assert_eq!(both.without(Mechanism::Plain).to_string(), "LOGIN");
        assert!(both.of(Mechanisms::that(|row| !row.reveals)).is_empty());
        assert_eq!(Mechanisms::that(|row| row.reveals).and(both).iter().count(), 4);
    }
}
