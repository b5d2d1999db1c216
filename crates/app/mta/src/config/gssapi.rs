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

    /// The user that a principal is; nobody if its realm is another one's, or it has an instance
    /// (`anna/admin`), which is somebody else than `anna`.
    pub fn user(&self, principal: &str) -> Option<String> {
        let (name, realm) = principal.rsplit_once('@')?;
        // A backslash quotes what would else part the principal's components (RFC 1964 section 2.1.1).
        if name.is_empty() || name.contains(['/', '@', '\\']) {
            return None;
        }
        match self.realms.get(realm)?.as_str() {
            "" => Some(name.to_owned()),
            domain => Some(format!("{name}@{domain}")),
        }
    }

    /// The same, for somebody who says as whom he wants to act: as himself only, under either name.
    pub fn acting(&self, principal: &str, authorization: Option<&str>) -> Option<String> {
        let user = self.user(principal)?;
        let local_part = principal.rsplit_once('@').map(|(name, _)| name);
        match authorization {
            None => Some(user),
            Some(wanted) if wanted == user || wanted == principal => Some(user),
            Some(wanted) => (local_part == Some(wanted)).then_some(user),
        }
    }
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
            assert_eq!(gssapi.user(principal).as_deref(), user, "{principal}");
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
            assert_eq!(user.is_some(), may, "{wanted:?}");
        }
    }
}
