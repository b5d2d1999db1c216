//! Version 2's response (MS-NLMP section 3.3.2), and the check of integrity (section 3.1.5.1.2).

use md4::Md4;
use md5::{Digest, Md5};

use super::messages::{self, pair};
use crate::{Bindings, Secret, cram::hmac_md5};

/// Text as NTLM hashes and writes it.
pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The NT hash: MD4 of the password in UTF-16.
pub(crate) fn nt_hash(password: &str) -> Secret {
    Secret::new(Md4::digest(utf16(password)).to_vec())
}

/// NTOWFv2: the key that is the user's in that domain.
pub(crate) fn key(nt_hash: &Secret, user: &str, domain: &str) -> Secret {
    let name = utf16(&format!("{}{domain}", user.to_uppercase()));
    Secret::new(hmac_md5(nt_hash.octets(), &[&name]))
}

/// NTProofStr: that the key is known to whoever saw the challenge.
pub(crate) fn proof(key: &Secret, nonce: &[u8; 8], blob: &[u8]) -> [u8; 16] {
    hmac_md5(key.octets(), &[nonce, blob])
}

/// SessionBaseKey.
pub(crate) fn session_key(key: &Secret, proof: &[u8; 16]) -> Secret {
    Secret::new(hmac_md5(key.octets(), &[proof]))
}

/// The check of integrity over the three messages, the last with zeros in its place.
pub(crate) fn integrity(session_key: &Secret, messages: [&[u8]; 3]) -> [u8; 16] {
    let [negotiate, challenge, authenticate] = messages;
    let end = authenticate.len().min(messages::INTEGRITY_AT);
    let (before, rest) = authenticate.split_at(end);
    let behind = rest.get(16..).unwrap_or_default();
    hmac_md5(session_key.octets(), &[negotiate, challenge, before, &[0; 16], behind])
}

/// The hash that a client binds its login to the TLS session by (section 2.2.2.1, MsvAvChannelBindings):
/// MD5 of GSSAPI's structure without addresses (RFC 4121 section 4.1.1.2).
pub(crate) fn binding_hash(bindings: &Bindings) -> Option<[u8; 16]> {
    let end_point = bindings.end_point.as_ref()?;
    let data = [b"tls-server-end-point:", end_point.as_slice()].concat();
    let length = u32::try_from(data.len()).ok()?.to_le_bytes();
    Some(Md5::new().chain_update([0; 16]).chain_update(length).chain_update(data).finalize().into())
}

/// A response of version 2: the proof, and what it proves besides the key (NTLMv2_CLIENT_CHALLENGE).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response<'o> {
    pub(crate) proof: Secret,
    pub(crate) blob: &'o [u8],
}

/// What stands in front of the pairs.
const FIXED: usize = 28;

impl<'o> Response<'o> {
    /// `None` for version 1, which has 24 octets.
    pub(crate) fn read(octets: &'o [u8]) -> Option<Self> {
        let (proof, blob) = octets.split_at_checked(16)?;
        let valid = blob.len() >= FIXED && blob[..2] == [1, 1];
        valid.then(|| Self { proof: Secret::new(proof), blob })
    }

    /// The value of a pair, as the client has it from the challenge, or of its own.
    pub(crate) fn pair(&self, wanted: u16) -> Option<&'o [u8]> {
        find(self.blob.get(FIXED..)?, wanted)
    }

    /// The blob of a client.
    pub(crate) fn blob(time: u64, nonce: [u8; 8], info: &[u8]) -> Vec<u8> {
        let mut blob = vec![1, 1, 0, 0, 0, 0, 0, 0];
        blob.extend(time.to_le_bytes());
        blob.extend(nonce);
        blob.extend([0; 4]);
        blob.extend(info);
        blob.extend([0; 4]);
        blob
    }
}

/// The value of a pair.
pub(crate) fn find(mut pairs: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (head, rest) = pairs.split_at_checked(4)?;
        let id = u16::from_le_bytes([head[0], head[1]]);
        let (value, rest) =
            rest.split_at_checked(usize::from(u16::from_le_bytes([head[2], head[3]])))?;
        match id {
            id if id == wanted => return Some(value),
            pair::END => return None,
            _ => pairs = rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    // MS-NLMP section 4.2.1 and 4.2.4.
    const INFO: &[u8] = b"\x02\0\x0c\0D\0o\0m\0a\0i\0n\0\x01\0\x0c\0S\0e\0r\0v\0e\0r\0\0\0\0\0";
    const NONCE: [u8; 8] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef";

    #[test]
    fn the_examples_of_ms_nlmp() {
        let hash = nt_hash("Password");
        assert_eq!(hex(hash.octets()), "a4f49c406510bdcab6824ee7c30fd852");
        let key = key(&hash, "User", "Domain");
        assert_eq!(hex(key.octets()), "0c868a403bfd7a93a3001ef22ef02e3f");
        let blob = Response::blob(0, [0xaa; 8], INFO);
        let proof = proof(&key, &NONCE, &blob);
        assert_eq!(hex(&proof), "68cd0ab851e51c96aabc927bebef6a1c");
        let session = session_key(&key, &proof);
        assert_eq!(hex(session.octets()), "8de40ccadbc14a82f15cb0ad0de95ca3");
    }

    #[test]
    fn a_response_has_the_pairs_of_the_challenge() {
        let octets = [&[7; 16][..], &Response::blob(0, [0xaa; 8], INFO)].concat();
        let response = Response::read(&octets).unwrap();
        assert_eq!(response.pair(pair::COMPUTER), Some(&utf16("Server")[..]));
        assert_eq!(response.pair(pair::TIMESTAMP), None);
        assert_eq!(Response::read(&[7; 24]), None, "version 1");
        assert_eq!(find(&[1, 0, 9, 0, 1], pair::COMPUTER), None, "cut off");
    }

    #[test]
    fn the_hash_of_a_channel() {
        let bindings = Bindings { end_point: Some(vec![1, 2, 3]), ..Bindings::default() };
        assert!(binding_hash(&bindings).is_some_and(|hash| hash != [0; 16]));
        assert_eq!(binding_hash(&Bindings::default()), None);
    }
}
