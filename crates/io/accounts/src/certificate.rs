//! EXTERNAL (RFC 4422 appendix A): the user is whom his certificate names. That its issuer is to be
//! trusted was settled in the handshake, by the listener's `client_ca`.
//!
//! | `user_from`   | the name                                                            |
//! |---------------|---------------------------------------------------------------------|
//! | `email`       | its first rfc822Name in subjectAltName (RFC 5280 section 4.2.1.6)   |
//! | `common-name` | the subject's CN                                                    |
//! | `fingerprint` | what `fingerprints` has for its SHA-256                             |

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::{Account, Verdict};

/// `kind = "certificates"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Certificates {
    /// For logs and `[[listener]]`'s `accounts`. Default: its kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What of a certificate names the user.
    pub user_from: UserFrom,
    /// Users by the SHA-256 of their certificates, in hex, with or without colons. These hold before `user_from`.
    pub fingerprints: BTreeMap<String, String>,
    /// Users by what the certificate names. Default: the same name.
    pub map: BTreeMap<String, String>,
}

/// What of a certificate names the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserFrom {
    /// The first e-mail address of the alternative names.
    #[default]
    Email,
    /// The subject's common name.
    CommonName,
    /// Nothing but its fingerprint.
    Fingerprint,
}

impl Certificates {
    /// Who is it? A client that wants to act as somebody has to be that one.
    pub fn verify(&self, certificate: Option<&[u8]>, wanted: Option<&str>) -> Verdict {
        let Some(der) = certificate else {
            return Verdict::no("the client has shown no certificate that `client_ca` vouches for");
        };
        let user = match self.user(der) {
            Ok(user) => user,
            Err(why) => return Verdict::no(why),
        };
        match wanted {
            Some(wanted) if !wanted.is_empty() && !wanted.eq_ignore_ascii_case(&user) => {
                Verdict::no(format!("the certificate is that of {user}, not of {wanted}"))
            }
            _ => Verdict::Yes(Account { name: user, ..Account::default() }),
        }
    }

    fn user(&self, der: &[u8]) -> Result<String, String> {
        let print = fingerprint(der);
        let is_it = |written: &str| bare(written) == print;
        if let Some((_, user)) = self.fingerprints.iter().find(|(written, _)| is_it(written)) {
            return Ok(user.clone());
        }
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|error| format!("the certificate can't be read: {error}"))?;
        let named = match self.user_from {
            UserFrom::Fingerprint => None,
            UserFrom::CommonName => {
                let mut names = certificate.subject().iter_common_name();
                names.next().and_then(|name| name.as_str().ok())
            }
            UserFrom::Email => email(&certificate),
        };
        let named = named.filter(|name| !name.is_empty() && !name.contains(char::is_control));
        let named =
            named.ok_or_else(|| format!("the certificate {print} names no user that is known"))?;
        Ok(self.map.get(named).map_or(named, String::as_str).to_owned())
    }
}

fn email<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a str> {
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::RFC822Name(address) => Some(*address),
        _ => None,
    })
}

/// SHA-256, in hex.
pub fn fingerprint(der: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    digest.as_ref().iter().fold(String::new(), |mut text, octet| {
        let _infallible = write!(text, "{octet:02x}");
        text
    })
}

fn bare(written: &str) -> String {
    written.chars().filter(|c| *c != ':' && *c != ' ').collect::<String>().to_ascii_lowercase()
}
