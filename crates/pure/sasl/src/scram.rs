//! SCRAM (RFC 5802, RFC 7677): what both sides compute, and what is stored of a password.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::{Secret, prepare};

/// The hash that a mechanism of the family is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Hash {
    Sha1,
    Sha256,
}

/// Iterations that a new user gets. RFC 7677 section 4 has 4,096 as the least.
pub const ITERATIONS: u32 = 4_096;
/// So many a client computes for a server that asks for it; more would be a burden laid on us.
pub const ITERATIONS_MAX: u32 = 600_000;

/// Octets of a new salt.
pub const SALT_LENGTH: usize = 16;

/// What a server stores of a password (RFC 5802 section 3): it can check a client by it, and prove itself,
/// and not log in with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// For which hash.
    pub hash: Hash,
    /// By chance, once for each password.
    pub salt: Vec<u8>,
    /// How often the password was hashed.
    pub iterations: u32,
    /// H(ClientKey)
    pub stored: Secret,
    /// ServerKey
    pub server: Secret,
}

/// Text that is no stored password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not `SCRAM-SHA-256$iterations:salt$stored key:server key`, each in base64")]
pub struct NotKeys;

impl Hash {
    /// Octets of its output.
    pub fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The mechanism's name without -PLUS; the scheme of stored keys, too (RFC 5803).
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    /// H(octets)
    pub(crate) fn digest(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(octets).to_vec(),
            Self::Sha256 => Sha256::digest(octets).to_vec(),
        }
    }

    /// HMAC(key, octets)
    pub(crate) fn hmac(self, key: &[u8], octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => {
                let mac = Hmac::<Sha1>::new_from_slice(key).expect("a key of any length will do");
                mac.chain_update(octets).finalize().into_bytes().to_vec()
            }
            Self::Sha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
                mac.chain_update(octets).finalize().into_bytes().to_vec()
            }
        }
    }

    /// Hi(password, salt, iterations)
    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut salted = vec![0; self.length()];
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut salted),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted),
        }
        salted
    }
}

impl Keys {
    /// What is to be stored of a password. Slow on purpose, by the number of iterations.
    pub fn derive(hash: Hash, password: &str, salt: Vec<u8>, iterations: u32) -> Self {
        let salting = Salting { hash, password: Secret::new(password), salt, iterations };
        let (client, server) = keys(hash, &salting.work());
        let stored = Secret::new(hash.digest(client.octets()));
        Self { hash, salt: salting.salt, iterations, stored, server }
    }

    /// Whether a client's proof is right: who made it knew ClientKey.
    pub(crate) fn verify(&self, message: &str, proof: &[u8]) -> bool {
        let signature = self.hash.hmac(self.stored.octets(), message.as_bytes());
        Secret::new(self.hash.digest(&xor(proof, &signature))) == self.stored
    }

    /// ServerSignature.
    pub(crate) fn signature(&self, message: &str) -> Vec<u8> {
        self.hash.hmac(self.server.octets(), message.as_bytes())
    }

    /// As RFC 5803 section 2 has it in directories: `SCRAM-SHA-256$4096:salt$stored:server`. To be stored
    /// where passwords' hashes are.
    pub fn to_text(&self) -> String {
        let salt = STANDARD.encode(&self.salt);
        let [stored, server] =
            [&self.stored, &self.server].map(|key| STANDARD.encode(key.octets()));
        format!("{}${}:{salt}${stored}:{server}", self.hash.name(), self.iterations)
    }
}

/// The slow part of a login, on the client's side: up to [`ITERATIONS_MAX`], a fraction of a second. To be
/// done where that hurts nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salting {
    pub(crate) hash: Hash,
    pub(crate) password: Secret,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
}

impl Salting {
    /// SaltedPassword (RFC 5802 section 3). A password that SASLprep has nothing to say of is taken as it is.
    pub fn work(&self) -> Secret {
        let password = self.password.text().unwrap_or_default();
        let password = prepare::password(password);
        Secret::new(self.hash.salted(password.as_bytes(), &self.salt, self.iterations))
    }
}

/// ClientKey and ServerKey (RFC 5802 section 3).
pub(crate) fn keys(hash: Hash, salted: &Secret) -> (Secret, Secret) {
    let [client, server] =
        [&b"Client Key"[..], b"Server Key"].map(|what| hash.hmac(salted.octets(), what));
    (Secret::new(client), Secret::new(server))
}

pub(crate) fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

/// Printable, without a comma, and not of no length (RFC 5802 section 7).
pub(crate) fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b',')
}

/// `n=user,r=nonce`: attributes in the order that RFC 5802 section 7 has them in. Those that follow them
/// are extensions, and passed over; one that comes in front (`m=`) must be understood, and is not.
pub(crate) struct Attributes<'t>(std::str::Split<'t, char>);

impl<'t> Attributes<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        Self(text.split(','))
    }

    /// The value of the next one, if it is of that name.
    pub(crate) fn next(&mut self, name: char) -> Option<&'t str> {
        self.0.next()?.strip_prefix(name)?.strip_prefix('=')
    }
}

impl FromStr for Keys {
    type Err = NotKeys;

    fn from_str(text: &str) -> Result<Self, NotKeys> {
        let mut parts = text.split('$');
        let (Some(scheme), Some(info), Some(keys), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotKeys);
        };
        let hash = [Hash::Sha1, Hash::Sha256].into_iter().find(|hash| hash.name() == scheme);
        let hash = hash.ok_or(NotKeys)?;
        let (iterations, salt) = info.split_once(':').ok_or(NotKeys)?;
        let (stored, server) = keys.split_once(':').ok_or(NotKeys)?;
        let key = |text| {
            let octets = STANDARD.decode(text).ok().filter(|octets| octets.len() == hash.length());
            octets.map(Secret::new).ok_or(NotKeys)
        };
        let iterations = iterations.parse().ok().filter(|&number: &u32| number > 0);
        let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty());
        Ok(Self {
            hash,
            salt: salt.ok_or(NotKeys)?,
            iterations: iterations.ok_or(NotKeys)?,
            stored: key(stored)?,
            server: key(server)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_stored_as_text() {
        let keys = Keys::derive(Hash::Sha256, "pencil", b"salt".to_vec(), 4_096);
        let text = keys.to_text();
        assert!(text.starts_with("SCRAM-SHA-256$4096:c2FsdA==$"), "{text}");
        assert_eq!(text.parse(), Ok(keys));
        for wrong in ["", "SCRAM-SHA-256", &text[..text.len() - 4], &text.replace("4096", "0")] {
            assert_eq!(wrong.parse::<Keys>(), Err(NotKeys), "{wrong}");
        }
    }
}
