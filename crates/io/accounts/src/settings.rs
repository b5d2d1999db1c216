//! `[[accounts]]`: the back ends, in the order in which they are asked.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use notation::units;
use serde::{Deserialize, Serialize};
use transport::http::Url;

use crate::{certificate::Certificates, ldap::LdapUrl};

/// One `[[accounts]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Settings {
    /// The configuration's own users, and the file that `mailwright user` writes.
    Users(UsersSettings),
    /// Dovecot's auth service.
    Dovecot(DovecotSettings),
    /// A directory.
    Ldap(LdapSettings),
    /// Cyrus's saslauthd, for PAM and others.
    Saslauthd(SaslauthdSettings),
    /// A program with the checkpassword interface.
    Checkpassword(CheckpasswordSettings),
    /// Tokens.
    OAuth(OAuthSettings),
    /// Client certificates.
    Certificates(Certificates),
}

/// `kind = "users"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsersSettings {
    /// For logs and `[[listener]]`'s `accounts`. Default: its kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// `kind = "dovecot"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DovecotSettings {
    /// For logs and `[[listener]]`'s `accounts`. Default: its kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its auth-client socket.
    pub socket: PathBuf,
    /// Or its `inet_listener`, for one in another container. What goes there goes in clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// How long it may take to answer; it holds refusals back for two seconds itself.
    #[serde(with = "units::duration")]
    pub patience: Duration,
}

/// `kind = "ldap"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LdapSettings {
    /// For logs and `[[listener]]`'s `accounts`. Default: its kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `ldaps://host`, `ldap://host` (StartTLS, see below) or `ldapi:///path/to/socket`; the next where one is
    /// out of reach.
    pub url: Vec<LdapUrl>,
    /// Encrypt `ldap://` by StartTLS (RFC 4511 section 4.14). False only on this machine.
    pub starttls: bool,
    /// A PEM file of issuers to trust instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorities: Option<PathBuf>,
    /// Bind as this name without a search: `uid={user},ou=people,dc=example,dc=org`. `{local}` and `{domain}` are the
    /// parts of the user's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bind: String,
    /// Where the search for a user begins.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base: String,
    /// What he is found by; it has to fit one entry.
    pub filter: String,
    /// Who searches; nobody (anonymously) if empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub search_as: String,
    /// The file that his password is in, on its first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The attribute with the name that he has here. Default: what he typed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name_attribute: String,
    /// The attributes with his addresses: the reverse-paths that are his. Default: what `[senders]` says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub address_attributes: Vec<String>,
    /// Connections at a time.
    pub connections_max: u32,
    /// How long a login may take in all.
    #[serde(with = "units::duration")]
    pub patience: Duration,
}

/// `kind = "saslauthd"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SaslauthdSettings {
    /// For logs and `[[listener]]`'s `accounts`. Default: its kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Where it listens.
    pub socket: PathBuf,
    /// The service it is asked for: PAM's file in /etc/pam.d.
    pub service: String,
    /// The user's domain goes as the realm, behind his name without it.
    pub split_domain: bool,
    /// How long it may take.
    #[serde(with = "units::duration")]
    pub patience: Duration,
}

/// `kind = "checkpassword"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpasswordSettings {
    /// For logs and `[[listener]]`'s `accounts`. Default: its kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The program and its arguments; `/bin/true` is added, for it to run when all is well.
    pub command: Vec<String>,
    /// As whom it runs: a name of the system's user table, or `UID:GID`. Default: as we do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How long it may take.
    #[serde(with = "units::duration")]
    pub patience: Duration,
    /// Programs at a time; the others wait.
    pub programs_max: u32,
}

/// `kind = "oauth"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OAuthSettings {
    /// For logs and `[[listener]]`'s `accounts`. Default: its kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Who issues the tokens: their claim `iss`, to the letter.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub issuer: String,
    /// For whom they are: one of their `aud`. Without it tokens for anybody would do, so it has to be given.
    pub audience: Vec<String>,
    /// A scope that they have to have. Default: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Where the issuer's keys are (RFC 7517): tokens are checked here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Url>,
    /// Where the issuer is asked about each token (RFC 7662).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection: Option<Url>,
    /// As whom he is asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
    /// The file that our secret is in, on its first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// A PEM file of issuers of certificates to trust instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorities: Option<PathBuf>,
    /// The claim that names the user.
    pub user_claim: String,
    /// How far clocks may differ.
    #[serde(with = "units::duration")]
    pub leeway: Duration,
    /// How long keys are kept; a token of an unknown key has them fetched anew, once a minute at most.
    #[serde(with = "units::duration")]
    pub keys_keep: Duration,
    /// Where clients find the issuer's configuration, for those whose token is refused (RFC 7628 section 3.2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Url>,
    /// How long a check may take.
    #[serde(with = "units::duration")]
    pub patience: Duration,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Default for DovecotSettings {
    fn default() -> Self {
        let socket = "/run/dovecot/auth-client".into();
        Self { name: String::new(), socket, address: None, patience: 2 * PATIENCE }
    }
}

impl Default for LdapSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            url: Vec::new(),
            starttls: true,
            authorities: None,
            bind: String::new(),
            base: String::new(),
            filter: "(&(objectClass=person)(|(uid={user})(mail={user})))".to_owned(),
            search_as: String::new(),
            password_file: None,
            name_attribute: String::new(),
            address_attributes: Vec::new(),
            connections_max: 8,
            patience: PATIENCE,
        }
    }
}

impl Default for SaslauthdSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            socket: "/run/saslauthd/mux".into(),
            service: "smtp".to_owned(),
            split_domain: false,
            patience: PATIENCE,
        }
    }
}

impl Default for CheckpasswordSettings {
    fn default() -> Self {
        let name = String::new();
        Self { name, command: Vec::new(), user: None, patience: PATIENCE, programs_max: 16 }
    }
}

impl Default for OAuthSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            issuer: String::new(),
            audience: Vec::new(),
            scope: String::new(),
            keys: None,
            introspection: None,
            client: String::new(),
            secret_file: None,
            authorities: None,
            user_claim: "email".to_owned(),
            leeway: Duration::from_secs(60),
            keys_keep: Duration::from_secs(3_600),
            configuration: None,
            patience: PATIENCE,
        }
    }
}

impl Settings {
    /// As it is written.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Users(_) => "users",
            Self::Dovecot(_) => "dovecot",
            Self::Ldap(_) => "ldap",
            Self::Saslauthd(_) => "saslauthd",
            Self::Checkpassword(_) => "checkpassword",
            Self::OAuth(_) => "oauth",
            Self::Certificates(_) => "certificates",
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        let name = match self {
            Self::Users(it) => &it.name,
            Self::Dovecot(it) => &it.name,
            Self::Ldap(it) => &it.name,
            Self::Saslauthd(it) => &it.name,
            Self::Checkpassword(it) => &it.name,
            Self::OAuth(it) => &it.name,
            Self::Certificates(it) => &it.name,
        };
        if name.is_empty() { self.kind() } else { name }
    }

    /// What can't work, in one clause with its help.
    ///
    /// # Errors
    /// A setting that is missing, or that contradicts another.
    pub fn check(&self) -> Result<(), (String, &'static str)> {
        let wrong = |what: &str, help| Err((what.to_owned(), help));
        match self {
            Self::Ldap(it) if it.url.is_empty() => {
                wrong("`url` is missing", "give one like \"ldaps://ldap.example.org\"")
            }
            Self::Ldap(it) if it.base.is_empty() && it.bind.is_empty() => wrong(
                "neither `base` nor `bind` is there",
                "give `base` to search, or a name to `bind` as",
            ),
            Self::Ldap(it) => it.check(),
            Self::Checkpassword(it) => match it.command.first() {
                Some(path) if path.starts_with('/') => Ok(()),
                _ => wrong("`command` is no absolute path", "give the program with its whole path"),
            },
            Self::OAuth(it) if it.keys.is_none() == it.introspection.is_none() => wrong(
                "`keys` and `introspection`: exactly one is needed",
                "`keys` checks tokens here, `introspection` asks their issuer",
            ),
            Self::OAuth(it) if it.audience.is_empty() => wrong(
                "`audience` is missing",
                "tokens that were issued for any other service would do as well",
            ),
            Self::OAuth(it) if it.keys.is_some() && it.issuer.is_empty() => {
                wrong("`issuer` is missing", "give what tokens have as `iss`")
            }
            _ => Ok(()),
        }
    }
}
