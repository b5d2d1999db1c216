//! DIGEST-MD5 (RFC 2831, historic): what both sides compute and how it is written. Authentication only
//! (`qop=auth`); for integrity and secrecy there is TLS.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use crate::{Secret, hex};

/// What goes into a digest, besides the password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) user: String,
    pub(crate) realm: String,
    pub(crate) nonce: String,
    pub(crate) client_nonce: String,
    /// `smtp/mx.example.test`
    pub(crate) uri: String,
    pub(crate) authorization: Option<String>,
}

/// Once: a nonce is never used again (section 2.1.2, `nonce-count`).
pub(crate) const COUNT: &str = "00000001";

impl Facts {
    /// The client's proof (section 2.1.2.1).
    pub(crate) fn response(&self, password: &str) -> String {
        self.value(password, "AUTHENTICATE:")
    }

    /// The server's (section 2.1.3).
    pub(crate) fn response_auth(&self, password: &str) -> String {
        self.value(password, ":")
    }

    fn value(&self, password: &str, method: &str) -> String {
        let secret = Md5::new()
            .chain_update(octets(&self.user))
            .chain_update(b":")
            .chain_update(octets(&self.realm))
            .chain_update(b":")
            .chain_update(octets(password))
            .finalize();
        let mut a1 = Md5::new().chain_update(secret);
        let parts = [Some(&self.nonce), Some(&self.client_nonce), self.authorization.as_ref()];
        for part in parts.into_iter().flatten() {
            a1.update(b":");
            a1.update(part.as_bytes());
        }
        let a1 = hex(&a1.finalize());
        let a2 = hex(&Md5::digest(format!("{method}{}", self.uri)));
        let Self { nonce, client_nonce, .. } = self;
        hex(&Md5::digest(format!("{a1}:{nonce}:{COUNT}:{client_nonce}:auth:{a2}")))
    }
}

/// Section 2.1.2.1: what ISO 8859-1 has is hashed in that, even where UTF-8 was agreed on.
fn octets(text: &str) -> Vec<u8> {
    let latin: Option<Vec<u8>> = text.chars().map(|it| u8::try_from(u32::from(it)).ok()).collect();
    latin.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// `realm="example.test",nonce="..",qop="auth"`, by name in lower case. `None` where it is not in form, or
/// has one twice that may be there once.
pub(crate) fn read(text: &str) -> Option<BTreeMap<String, String>> {
    let mut directives = BTreeMap::new();
    let mut rest = text.trim_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=')?;
        let (value, behind) = match behind.trim_start().strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = behind.find(',').unwrap_or(behind.len());
                (behind[..end].trim().to_owned(), &behind[end..])
            }
        };
        let name = name.trim().to_ascii_lowercase();
        // A server may have several realms to choose from: the first will do.
        if directives.contains_key(&name) && name != "realm" {
            return None;
        }
        directives.entry(name).or_insert(value);
        let behind = behind.trim_start();
        rest = match behind.strip_prefix(',') {
            Some(behind) => behind.trim_matches([' ', '\t', ',']),
            None if behind.is_empty() => "",
            None => return None,
        };
    }
    Some(directives)
}

fn unquote(text: &str) -> Option<(String, &str)> {
    let (mut value, mut escaped) = (String::new(), false);
    for (place, character) in text.char_indices() {
        match character {
            _ if escaped => {
                value.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, &text[place + 1..])),
            _ => value.push(character),
        }
    }
    None
}

/// A quoted string.
pub(crate) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What is compared, in constant time.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    Secret::new(one.to_ascii_lowercase()) == Secret::new(other.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2831() {
        // Section 4.
        let facts = Facts {
            user: "chris".into(),
            realm: "elwood.innosoft.com".into(),
            nonce: "OA6MG9tEQGm2hh".into(),
            client_nonce: "OA6MHXh6VqTrRk".into(),
            uri: "imap/elwood.innosoft.com".into(),
            authorization: None,
        };
        assert_eq!(facts.response("secret"), "d388dad90d4bbd760a152321f2143af7");
        assert_eq!(facts.response_auth("secret"), "ea40f60335c427b5527b84dbabcdfffd");
    }

    #[test]
    fn directives() {
        let read = |text| super::read(text).map(|it| it.into_iter().collect::<Vec<_>>());
        let pairs = |pairs: &[(&str, &str)]| {
            Some(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        assert_eq!(
            read(r#"nonce="a\"b,c", qop=auth"#),
            pairs(&[("nonce", "a\"b,c"), ("qop", "auth")])
        );
        assert_eq!(read("a=1,,b = 2 ,"), pairs(&[("a", "1"), ("b", "2")]));
        assert_eq!(read("realm=a,realm=b"), pairs(&[("realm", "a")]));
        for wrong in ["a", "a=\"b", "a=\"b\"c=d", "nonce=a,nonce=b"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
