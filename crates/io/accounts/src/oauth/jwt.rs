//! A signed token (RFC 7519, RFC 7515 section 3.1): header, claims and signature in base64url.
//!
//! RFC 8725 is what to be careful of: no `none`, no algorithm that the key is not for, no critical
//! extension that is not known, nothing of the header believed but what finds the key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::jwk::{Algorithm, Keys};

/// A token that is not checked yet.
#[derive(Debug)]
pub struct Token<'a> {
    /// What is signed.
    signed: &'a str,
    claims: Vec<u8>,
    signature: Vec<u8>,
    algorithm: Algorithm,
    algorithm_name: String,
    key: Option<String>,
}

impl<'a> Token<'a> {
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        const NONE: &str = "the token is no signed JSON Web Token";
        let (signed, signature) = text.rsplit_once('.').ok_or(NONE)?;
        let (header, claims) = signed.split_once('.').ok_or(NONE)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| NONE);
        let header: Map<String, Value> =
            serde_json::from_slice(&decode(header)?).map_err(|_| NONE)?;
        if header.contains_key("crit") {
            return Err("the token has extensions that are critical and not known here");
        }
        let name = header.get("alg").and_then(Value::as_str).ok_or(NONE)?;
        let algorithm = Algorithm::by_name(name)
            .ok_or("the token is signed in a way that is not taken here")?;
        Ok(Self {
            signed,
            claims: decode(claims)?,
            signature: decode(signature)?,
            algorithm,
            algorithm_name: name.to_owned(),
            key: header.get("kid").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// The id of the key that it says to be signed with.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Its claims, if it is signed with one of these.
    pub fn verify(&self, keys: &Keys) -> Result<Map<String, Value>, &'static str> {
        let (name, message) = (self.algorithm_name.as_str(), self.signed.as_bytes());
        keys.verify(self.key(), self.algorithm, name, message, &self.signature)?;
        serde_json::from_slice(&self.claims).map_err(|_| "the token's claims are no JSON object")
    }
}
