//! What a client can sign in with, and by which mechanism it does.

use std::fmt;

use crate::{Bindings, Mechanism, Mechanisms, Secret};

/// Who to sign in as, and how. Debug doesn't show the proof.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The authentication identity.
    pub user: String,
    /// What proves it.
    pub proof: Proof,
    /// The mechanisms that may be used.
    pub mechanisms: Mechanisms,
    /// Whether those that reveal the proof may be used without TLS.
    pub in_clear_allowed: bool,
}

/// What proves who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A password.
    Password(Secret),
    /// A bearer token.
    Token(Secret),
    /// The client certificate of the TLS session, or the Kerberos ticket that the driver has.
    Elsewhere,
    /// It is not to be had, for this reason: nothing can be tried.
    Missing(String),
}

impl Credentials {
    /// A user with a password, by the mechanisms that are used where nothing is configured.
    pub fn new(user: impl Into<String>, password: impl Into<Vec<u8>>) -> Self {
        Self {
            user: user.into(),
            proof: Proof::Password(Secret::new(password)),
            mechanisms: Mechanisms::that(|row| row.by_default),
            in_clear_allowed: false,
        }
    }

    /// The mechanisms that can be used with such a proof.
    fn possible(&self) -> Mechanisms {
        let by = |wanted: fn(Mechanism) -> bool| Mechanisms::that(|row| wanted(row.mechanism));
        let token = |it| matches!(it, Mechanism::OAuthBearer | Mechanism::XOAuth2);
        let elsewhere = |it| matches!(it, Mechanism::External | Mechanism::Gssapi);
        match self.proof {
            Proof::Token(_) => by(token),
            Proof::Elsewhere => by(elsewhere),
            Proof::Missing(_) => Mechanisms::NONE,
            Proof::Password(_) => {
                Mechanisms::that(|row| !token(row.mechanism) && !elsewhere(row.mechanism))
            }
        }
    }

    /// Those of what a server offers that may be tried, the one that proves most first.
    pub fn choose(&self, offered: Mechanisms, tls: bool, bindings: &Bindings) -> Mechanisms {
        let fits = Mechanisms::that(|row| {
            let hidden = tls || self.in_clear_allowed || !row.reveals;
            let bound = !row.mechanism.is_plus() || !bindings.is_empty();
            hidden && bound && (tls || !row.inside_tls)
        });
        offered.of(self.mechanisms).of(self.possible()).of(fits)
    }

    /// The password or token.
    pub(super) fn secret(&self) -> &[u8] {
        match &self.proof {
            Proof::Password(secret) | Proof::Token(secret) => secret.octets(),
            Proof::Elsewhere | Proof::Missing(_) => &[],
        }
    }

    /// The password as text; what is no UTF-8 can't be prepared, and is taken for the same without it.
    pub(super) fn password(&self) -> String {
        String::from_utf8_lossy(self.secret()).into_owned()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("mechanisms", &self.mechanisms)
            .field("in_clear_allowed", &self.in_clear_allowed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proves_most_comes_first() {
        let bound = Bindings { end_point: Some(vec![1]), ..Bindings::default() };
        let all = Mechanisms::that(|_| true);
        let credentials = Credentials::new("anna", "secret");
        let in_clear = Credentials { in_clear_allowed: true, ..credentials.clone() };
        let token = Credentials { proof: Proof::Token(Secret::new("x")), ..credentials.clone() };
        let legacy = Credentials { mechanisms: all, ..credentials.clone() };
        let with = |names: &str| names.split(' ').filter_map(Mechanism::by_name).collect();
        let (scram, plus) = (
            "SCRAM-SHA-256 SCRAM-SHA-1",
            "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1",
        );
        let rows = [
            (&credentials, true, &bound, format!("{plus} PLAIN LOGIN")),
            (&credentials, true, &Bindings::default(), format!("{scram} PLAIN LOGIN")),
            (&credentials, false, &Bindings::default(), scram.to_owned()),
            (&in_clear, false, &Bindings::default(), format!("{scram} PLAIN LOGIN")),
            (&token, true, &bound, "OAUTHBEARER XOAUTH2".to_owned()),
            (&token, false, &bound, String::new()),
            (
                &legacy,
                false,
                &Bindings::default(),
                format!("{scram} DIGEST-MD5 CRAM-SHA1 CRAM-MD5 NTLM"),
            ),
        ];
        for (credentials, tls, bindings, expected) in rows {
            let chosen = credentials.choose(all, tls, bindings);
            assert_eq!(chosen.to_string(), expected, "{credentials:?} TLS {tls}");
        }
        let few: Mechanisms = with("LOGIN CRAM-MD5");
        assert_eq!(credentials.choose(few, true, &bound).to_string(), "LOGIN");
    }

    #[test]
    fn credentials_hide_their_proof() {
        assert!(!format!("{:?}", Credentials::new("anna", "hush")).contains("hush"));
    }
}
