//! An issuer's public keys (RFC 7517, RFC 7518 section 6, RFC 8037).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

/// More is no set of keys.
const KEYS_MAX: usize = 100;

/// How a token is signed: what RFC 7518 section 3.1 and RFC 8037 have, without `none`, and without what
/// is checked by a secret (a public key must never be taken for one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::EdDsa => return None,
        })
    }
}

/// All keys of an issuer.
#[derive(Debug)]
pub struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The only algorithm it is for, where it says so.
    only: Option<String>,
    public: Public,
}

#[derive(Debug)]
enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// 0x04, x, y.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Keys of kinds that are not known, or not for signatures, are left out (RFC 7517 section 5).
    pub fn parse(octets: &[u8]) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(octets)
            .map_err(|error| format!("the issuer's keys can't be read: {error}"))?;
        let keys = set.keys.into_iter().take(KEYS_MAX);
        Ok(Self(keys.filter_map(Written::read).collect()))
    }

    pub fn has(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// Whether one of the keys that it may be of made this signature.
    pub fn verify(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        name: &str,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), &'static str> {
        let may_be = |key: &&Key| {
            let of_id = id.is_none_or(|id| key.id.as_deref().is_none_or(|known| known == id));
            of_id && key.only.as_deref().is_none_or(|only| only == name)
        };
        let mut tried = false;
        for key in self.0.iter().filter(may_be) {
            match key.public.verify(algorithm, message, signature) {
                Some(true) => return Ok(()),
                Some(false) => tried = true,
                None => {}
            }
        }
        match tried {
            true => Err("the token's signature is wrong"),
            false => Err("the issuer has no such key"),
        }
    }
}

impl Written {
    fn read(self) -> Option<Key> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let octets = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let point = |length: usize| {
            let (x, y) = (octets(&self.x)?, octets(&self.y)?);
            (x.len() == length && y.len() == length).then(|| [&[4][..], &x, &y].concat())
        };
        let public = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Public::Rsa { n: octets(&self.n)?, e: octets(&self.e)? },
            ("EC", Some("P-256")) => Public::P256(point(32)?),
            ("EC", Some("P-384")) => Public::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Public::Ed25519(octets(&self.x)?),
            _ => return None,
        };
        Some(Key { id: self.kid, only: self.alg, public })
    }
}

impl Public {
    /// None: it is a key of another kind.
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<bool> {
        let by = |kind, key: &[u8]| UnparsedPublicKey::new(kind, key).verify(message, signature);
        let verified = match (self, algorithm) {
            (Self::Rsa { n, e }, algorithm) => {
                // Leading zeros are allowed in base64url of numbers, and refused by the library.
                let n = &n[n.iter().take_while(|octet| **octet == 0).count()..];
                let key = RsaPublicKeyComponents { n, e: e.as_slice() };
                key.verify(algorithm.rsa()?, message, signature)
            }
            (Self::P256(point), Algorithm::Es256) => by(&ECDSA_P256_SHA256_FIXED, point),
            (Self::P384(point), Algorithm::Es384) => by(&ECDSA_P384_SHA384_FIXED, point),
            (Self::Ed25519(key), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
            }
            _ => return None,
        };
        Some(verified.is_ok())
    }
}
