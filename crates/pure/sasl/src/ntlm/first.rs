//! Version 1's response (MS-NLMP section 3.3.1): the challenge, encrypted by DES with three parts of the hash.
//! Whoever hears it has the hash after 2^56 tries at the most, and with the hash he can sign in.

use des::{
    Des,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use md5::{Digest, Md5};

use crate::Secret;

const LENGTH: usize = 24;

/// What proves the hash, and what was encrypted.
pub(crate) struct First {
    nonce: [u8; 8],
    response: Secret,
}

/// Whether that is version 1's response: 24 octets, where version 2 has more than 44.
pub(crate) fn is_first(nt: &[u8]) -> bool {
    nt.len() == LENGTH
}

impl First {
    /// `lm` is LAN Manager's response, which is not looked at; but with `extended` security (NTLM2 session, MS-NLMP
    /// section 3.3.1) the client's nonce stands there, and makes another one of the server's.
    pub(crate) fn read(nonce: [u8; 8], lm: &[u8], nt: &[u8], extended: bool) -> Option<Self> {
        let own = lm.get(..8).filter(|_| extended && lm.len() == LENGTH && lm[8..] == [0; 16]);
        let nonce = match own {
            Some(own) => {
                let hash = Md5::new().chain_update(nonce).chain_update(own).finalize();
                *hash.first_chunk()?
            }
            None => nonce,
        };
        is_first(nt).then(|| Self { nonce, response: Secret::new(nt) })
    }

    /// Whether who made it knows the NT hash.
    pub(crate) fn is_of(&self, nt_hash: &Secret) -> bool {
        encrypted(nt_hash, self.nonce) == self.response
    }
}

/// DESL (section 6): the hash and five zeros are three keys of 56 bits.
fn encrypted(nt_hash: &Secret, nonce: [u8; 8]) -> Secret {
    let mut keys = [0; 21];
    keys.iter_mut().zip(nt_hash.octets()).for_each(|(key, octet)| *key = *octet);
    let mut response = Vec::with_capacity(LENGTH);
    for key in keys.as_chunks::<7>().0 {
        let mut block = nonce.into();
        Des::new(&spread(*key).into()).encrypt_block(&mut block);
        response.extend_from_slice(&block);
    }
    Secret::new(response)
}

/// Seven bits in each octet; the lowest one is for a parity that nobody looks at.
fn spread(key: [u8; 7]) -> [u8; 8] {
    let bits = key.iter().fold(0_u64, |bits, octet| bits << 8 | u64::from(*octet));
    std::array::from_fn(|at| ((bits >> (49 - 7 * at)) as u8 & 0x7f) << 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nt_hash;

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    // MS-NLMP sections 4.2.2.2 and 4.2.3.2.
    const NONCE: [u8; 8] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef";

    #[test]
    fn the_examples_of_ms_nlmp() {
        let lm = [&[0xaa; 8][..], &[0; 16]].concat();
        for (nt, extended) in [
            ("67c43011f30298a2ad35ece64f16331c44bdbed927841f94", false),
            ("7537f803ae367128ca458204bde7caf81e97ed2683267232", true),
        ] {
            let read = |extended| First::read(NONCE, &lm, &octets(nt), extended).unwrap();
            assert!(read(extended).is_of(&nt_hash("Password")));
            assert!(!read(extended).is_of(&nt_hash("password")));
            assert!(!read(!extended).is_of(&nt_hash("Password")));
        }
        assert!(First::read(NONCE, &lm, &[7; 16], false).is_none(), "no response");
        assert!(First::read(NONCE, &lm, &[], false).is_none(), "nobody");
    }
}
