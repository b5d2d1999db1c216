//! `listener.gssapi`: Kerberos for those who sign in here, and who a principal is.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// `listener.gssapi`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gssapi {
    /// The keytab with the keys of our service principal, `smtp/HOST@REALM`.
    pub keytab: PathBuf,
    /// Which of its keys: `smtp@HOST`, or `smtp` for those of any host, as a server is often called by
    /// several names.
    pub service: String,
    /// The realms whose principals are users here, each with the domain that makes a user's name of the
    /// principal's: `anna@EXAMPLE.TEST` is `anna@example.test` with `"EXAMPLE.TEST" = "example.test"`, and
    /// plain `anna` with an empty domain.
    pub realms: BTreeMap<String, String>,
}

impl Default for Gssapi {
    fn default() -> Self {
        Self { keytab: PathBuf::new(), service: "smtp".to_owned(), realms: BTreeMap::new() }
    }
}

impl Gssapi {
    /// Where the keys are.
    pub fn keys(&self) -> gss::Keytab {
        gss::Keytab { file: self.keytab.clone(), service: self.service.clone() }
    }

    /// The user that a principal is.
    ///
    /// # Errors
    /// Its realm is another one's, or it has an instance (`anna/admin`), which is somebody else than `anna`.
    pub fn user(&self, principal: &str) -> Result<String, NoUser> {
        let (name, realm) = principal.rsplit_once('@').unwrap_or((principal, ""));
        let Some(domain) = self.realms.get(realm) else {
            return Err(NoUser::Realm { principal: principal.to_owned(), realm: realm.to_owned() });
        };
        // A backslash quotes what would else part the principal's components (RFC 1964 section 2.1.1).
        if name.is_empty() || name.contains(['/', '@', '\\']) {
            return Err(NoUser::Instance { principal: principal.to_owned() });
        }
        Ok(match domain.as_str() {
            "" => name.to_owned(),
            domain => format!("{name}@{domain}"),
        })
    }

    /// The same, for somebody who says as whom he wants to act: as himself only, under either name.
    ///
    /// # Errors
    /// As with [`Gssapi::user`]; or it is somebody else.
    pub fn acting(&self, principal: &str, authorization: Option<&str>) -> Result<String, NoUser> {
        let user = self.user(principal)?;
        let local_part = principal.rsplit_once('@').map(|(name, _)| name);
        match authorization {
            Some(wanted)
                if ![user.as_str(), principal].contains(&wanted) && local_part != Some(wanted) =>
            {
                let (principal, wanted) = (principal.to_owned(), wanted.to_owned());
                Err(NoUser::Another { principal, wanted })
            }
            _ => Ok(user),
        }
    }
}

/// Why a principal that Kerberos vouches for gets in as nobody: for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoUser {
    /// Of a realm that nobody here is of.
    #[error("`{principal}` has a good ticket, and its realm `{realm}` is not in `gssapi.realms`")]
    Realm {
        /// Who.
        principal: String,
        /// Of where; told apart by case.
        realm: String,
    },
    /// A service, or a role of somebody.
    #[error("`{principal}` has a good ticket, and is no user's name")]
    Instance {
        /// Who.
        principal: String,
    },
    /// Somebody else than he is.
    #[error(
        "`{principal}` has a good ticket, and asks to act as `{wanted}`: nobody acts for another"
    )]
    Another {
        /// Who.
        principal: String,
        /// As whom.
        wanted: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_a_user_by_its_realm() {
        let realms = [("EXAMPLE.TEST", "here.test"), ("PLAIN.TEST", "")];
        let realms = realms.map(|(realm, domain)| (realm.to_owned(), domain.to_owned()));
        let gssapi = Gssapi { realms: realms.into(), ..Gssapi::default() };
        for (principal, user) in [
            ("anna@EXAMPLE.TEST", Some("anna@here.test")),
            ("anna@PLAIN.TEST", Some("anna")),
            ("anna@OTHER.TEST", None),
            ("anna@example.test", None), // realms are told apart by case (RFC 4120 section 6.1)
            ("anna/admin@EXAMPLE.TEST", None),
            ("host/mx.here.test@EXAMPLE.TEST", None),
            ("anna\\@OTHER.TEST@EXAMPLE.TEST", None),
            ("@EXAMPLE.TEST", None),
            ("anna", None),
        ] {
            assert_eq!(gssapi.user(principal).ok().as_deref(), user, "{principal}");
        }
        for (wanted, may) in [
            (None, true),
            (Some("anna"), true),
            (Some("anna@here.test"), true),
            (Some("anna@EXAMPLE.TEST"), true),
            (Some("bob"), false),
            (Some("anna@PLAIN.TEST"), false),
        ] {
            let user = gssapi.acting("anna@EXAMPLE.TEST", wanted);
            assert_eq!(user.is_ok(), may, "{wanted:?}");
        }
    }
}
