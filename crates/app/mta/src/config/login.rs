//! `auth` of a route, a site or an `[[odmr]]`: what we sign in with.

use std::{fmt, fs, path::PathBuf};

use sasl::{
    Mechanism, Mechanisms, Secret,
    client::{Credentials, Proof},
};
use serde::{Deserialize, Serialize};
use transport::Tickets;

/// Who we are there. What is in a file is read for each connection, so that it may change.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Login {
    /// The name. With EXTERNAL: only if the certificate leaves a choice. With GSSAPI: our principal
    /// (`mailer@EXAMPLE.ORG`), if there are several.
    pub user: String,
    /// The password itself; better is `password_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// A file whose first line is the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// A file whose first line is a bearer token, for OAUTHBEARER and XOAUTH2; somebody else keeps it fresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// A keytab with our own principal's key, for GSSAPI: tickets are got as they are needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keytab: Option<PathBuf>,
    /// A cache with our ticket, for GSSAPI, as Kerberos names it: `FILE:/run/mailwright/tickets`. Default:
    /// Kerberos's own, of the user that we run as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tickets: Option<String>,
    /// The mechanisms of AUTH that may be used. Default: SCRAM, PLAIN and LOGIN, or those for tokens. The one
    /// that proves most of what is offered comes first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mechanisms: Vec<String>,
}

/// Shows no password: configurations end up in logs.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("mechanisms", &self.mechanisms)
            .finish_non_exhaustive()
    }
}

impl Login {
    /// The same with what stands in its files now.
    pub fn read(&self, in_clear_allowed: bool) -> Credentials {
        let first_line = |file: &PathBuf, proof: fn(Secret) -> Proof| match fs::read_to_string(file)
        {
            Ok(text) => proof(Secret::new(text.lines().next().unwrap_or_default())),
            Err(error) => Proof::Missing(format!("cannot read `{}`: {error}", file.display())),
        };
        let proof = match (&self.password, &self.password_file, &self.token_file) {
            (Some(password), ..) => Proof::Password(Secret::new(password.as_str())),
            (_, Some(file), _) => first_line(file, Proof::Password),
            (_, _, Some(file)) => first_line(file, Proof::Token),
            (None, None, None) => Proof::Elsewhere,
        };
        let mechanisms = self.mechanisms();
        // With a ticket one is whom it names, and acts as nobody else.
        let is_principal = mechanisms == Mechanisms::NONE.with(Mechanism::Gssapi);
        let user = if is_principal { String::new() } else { self.user.clone() };
        Credentials { user, proof, mechanisms, in_clear_allowed }
    }

    /// For GSSAPI.
    pub fn tickets(&self) -> Tickets {
        Tickets {
            principal: Some(self.user.clone()).filter(|user| !user.is_empty()),
            cache: self.tickets.clone(),
            keytab: self.keytab.clone(),
        }
    }

    fn names_tickets(&self) -> bool {
        self.keytab.is_some() || self.tickets.is_some()
    }

    /// The mechanisms that may be used. (The check of the configuration refuses names that are none.)
    fn mechanisms(&self) -> Mechanisms {
        match self.mechanisms.is_empty() {
            true if self.names_tickets() => Mechanisms::NONE.with(Mechanism::Gssapi),
            true => Mechanisms::that(|row| row.by_default),
            false => self.mechanisms.iter().filter_map(|name| Mechanism::by_name(name)).collect(),
        }
    }

    /// Whether nothing is named that proves who we are, and a password would do.
    pub fn wants_password(&self) -> bool {
        let elsewhere = Mechanisms::NONE.with(Mechanism::External).with(Mechanism::Gssapi);
        let is_elsewhere = self.mechanisms().of(elsewhere) == self.mechanisms();
        let named = [&self.password_file, &self.token_file, &self.keytab];
        !is_elsewhere && self.password.is_none() && named.iter().all(|file| file.is_none())
    }

    /// What is wrong with it, and what would do.
    pub fn fault(&self) -> Option<(String, &'static str)> {
        let unknown = self.mechanisms.iter().find(|name| Mechanism::by_name(name).is_none());
        if let Some(name) = unknown {
            return Some((format!("no such mechanism: `{name}`"), "docs/extensions.md lists them"));
        }
        let named = Mechanisms::NONE.with(Mechanism::External).with(Mechanism::Gssapi);
        let elsewhere = (!self.mechanisms.is_empty() || self.names_tickets())
            && self.mechanisms().of(named) == self.mechanisms();
        if self.mechanisms().has(Mechanism::Gssapi)
            && let Err(trouble) = gss::Library::load()
        {
            return Some((trouble.to_string(), "install it, or sign in by a password"));
        }
        let given =
            [self.password.is_some(), self.password_file.is_some(), self.token_file.is_some()];
        match given.iter().filter(|given| **given).count() {
            0 if elsewhere => None,
            0 => Some(("no password".to_owned(), "name a `password_file`, or a `token_file`")),
            1 if elsewhere => Some((
                "a password that no mechanism uses".to_owned(),
                "leave it out, or name another mechanism",
            )),
            1 if self.user.is_empty() => Some(("no user".to_owned(), "name a `user`")),
            1 => None,
            _ => Some(("more than one password".to_owned(), "keep one of them")),
        }
    }

    /// The files that have to be there.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let files = [
            ("password_file", &self.password_file),
            ("token_file", &self.token_file),
            ("keytab", &self.keytab),
        ];
        files.into_iter().filter_map(|(key, file)| Some((key, file.as_ref()?)))
    }

    /// Whether it signs in by the certificate of the TLS session.
    pub fn uses_certificate(&self) -> bool {
        self.mechanisms().has(Mechanism::External)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_login() {
        let rows = [
            ("user = 'a'\npassword = 'x'", None),
            ("user = 'a'\ntoken_file = '/x'\nmechanisms = ['XOAUTH2']", None),
            ("mechanisms = ['EXTERNAL', 'gssapi']", None),
            ("keytab = '/x'", None),
            ("user = 'a@A.TEST'\ntickets = 'FILE:/x'", None),
            ("password = 'x'\nkeytab = '/x'", Some("a password that no mechanism uses")),
            ("user = 'a'", Some("no password")),
            ("password = 'x'", Some("no user")),
            ("user = 'a'\npassword = 'x'\ntoken_file = '/x'", Some("more than one password")),
            (
                "user = 'a'\npassword = 'x'\nmechanisms = ['SCRAM']",
                Some("no such mechanism: `SCRAM`"),
            ),
            (
                "user = 'a'\npassword = 'x'\nmechanisms = ['EXTERNAL']",
                Some("a password that no mechanism uses"),
            ),
        ];
        for (text, expected) in rows {
            let login: Login = toml::from_str(text).unwrap();
            let fault = login.fault().map(|(what, _)| what);
            assert_eq!(fault.as_deref(), expected, "{text}");
            assert!(!format!("{login:?}").contains("'x'"), "{login:?}");
        }
    }

    #[test]
    fn files_are_read_when_they_are_needed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let login =
            Login { user: "anna".into(), token_file: Some(file.clone()), ..Login::default() };
        assert!(matches!(login.read(false).proof, Proof::Missing(_)), "there is no file");
        std::fs::write(&file, "ya29\n\n").unwrap();
        assert_eq!(login.read(false).proof, Proof::Token(Secret::new("ya29")));
    }
}
