//! Opening records with the secrets of a key log: AES-GCM and ChaCha20-Poly1305, TLS 1.2 (RFC 5246,
//! 5288, 7905) and 1.3 (RFC 8446).

use aws_lc_rs::{
    aead::{
        AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
    },
    hmac,
};

/// How a suite protects records.
#[derive(Clone, Copy)]
pub(super) struct Protection {
    cipher: &'static Algorithm,
    hash: hmac::Algorithm,
    /// TLS 1.2's GCM carries a part of the nonce in each record.
    explicit_nonce: bool,
}

impl Protection {
    /// That of a suite, if its records can be opened here.
    pub fn of(suite: u16) -> Option<Self> {
        let (cipher, hash) = match suite {
            0x1301 | 0x009c | 0x009e | 0xc02b | 0xc02f | 0x00a6 => {
                (&AES_128_GCM, hmac::HMAC_SHA256)
            }
            0x1302 | 0x009d | 0x009f | 0xc02c | 0xc030 | 0x00a7 => {
                (&AES_256_GCM, hmac::HMAC_SHA384)
            }
            0x1303 | 0xcca8 | 0xcca9 | 0xccaa => (&CHACHA20_POLY1305, hmac::HMAC_SHA256),
            _ => return None,
        };
        let explicit_nonce = suite >> 8 != 0x13 && cipher != &CHACHA20_POLY1305;
        Some(Self { cipher, hash, explicit_nonce })
    }
}

/// Opens one side's records, in order.
pub(super) struct Opener {
    key: LessSafeKey,
    iv: [u8; 12],
    protection: Protection,
    is_tls13: bool,
    /// Records opened so far.
    sequence: u64,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opener")
    }
}

impl Opener {
    /// For TLS 1.3, from a traffic secret (RFC 8446 section 7.3).
    pub fn tls13(protection: Protection, secret: &[u8]) -> Option<Self> {
        let key = expand_label(protection.hash, secret, "key", protection.cipher.key_len());
        let iv = expand_label(protection.hash, secret, "iv", 12);
        Self::new(protection, true, &key, &iv)
    }

    /// For TLS 1.2, from the master secret and both randoms: the client's and the server's (RFC 5246
    /// section 6.3).
    pub fn tls12(
        protection: Protection,
        master: &[u8],
        client_random: &[u8; 32],
        server_random: &[u8; 32],
    ) -> Option<(Self, Self)> {
        let (key, iv) =
            (protection.cipher.key_len(), if protection.explicit_nonce { 4 } else { 12 });
        let seed = [&b"key expansion"[..], server_random, client_random].concat();
        let block = expand_tls12(protection.hash, master, &seed, 2 * (key + iv));
        let (keys, ivs) = block.split_at(2 * key);
        Some((
            Self::new(protection, false, &keys[..key], &ivs[..iv])?,
            Self::new(protection, false, &keys[key..], &ivs[iv..])?,
        ))
    }

    fn new(protection: Protection, is_tls13: bool, key: &[u8], iv: &[u8]) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(protection.cipher, key).ok()?);
        let mut whole_iv = [0; 12];
        whole_iv.get_mut(..iv.len())?.copy_from_slice(iv);
        Some(Self { key, iv: whole_iv, protection, is_tls13, sequence: 0 })
    }

    /// Opens a record: its type and what was in it.
    pub fn open(&mut self, kind: u8, version: [u8; 2], payload: &[u8]) -> Option<(u8, Vec<u8>)> {
        let mut nonce = self.iv;
        let mut sealed = payload;
        if self.protection.explicit_nonce {
            let (explicit, rest) = payload.split_at_checked(8)?;
            nonce[4..].copy_from_slice(explicit);
            sealed = rest;
        } else {
            for (octet, mask) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
                *octet ^= mask;
            }
        }
        let length = u16::try_from(if self.is_tls13 {
            sealed.len()
        } else {
            sealed.len().checked_sub(self.protection.cipher.tag_len())?
        })
        .ok()?
        .to_be_bytes();
        let header = [kind, version[0], version[1], length[0], length[1]];
        let sequence = self.sequence.to_be_bytes();
        let before = if self.is_tls13 { &[][..] } else { &sequence };
        let additional = Aad::from([before, &header].concat());
        let mut octets = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length = self.key.open_in_place(nonce, additional, &mut octets).ok()?.len();
        octets.truncate(length);
        self.sequence += 1;
        if !self.is_tls13 {
            return Some((kind, octets));
        }
        // RFC 8446 section 5.2: the type stands behind the text, and zeros behind it.
        let end = octets.iter().rposition(|&octet| octet != 0)?;
        let kind = octets[end];
        octets.truncate(end);
        Some((kind, octets))
    }
}

/// The traffic secret after a KeyUpdate (RFC 8446 section 7.2).
pub(super) fn updated(protection: Protection, secret: &[u8]) -> Vec<u8> {
    expand_label(protection.hash, secret, "traffic upd", secret.len())
}

/// HKDF-Expand-Label with an empty context; one block of the hash is enough for everything here.
fn expand_label(hash: hmac::Algorithm, secret: &[u8], label: &str, length: usize) -> Vec<u8> {
    let label = [b"tls13 ", label.as_bytes()].concat();
    let mut info = (length as u16).to_be_bytes().to_vec();
    info.push(label.len() as u8);
    info.extend_from_slice(&label);
    // An empty context, and the number of the first block (RFC 5869 section 2.3).
    info.extend_from_slice(&[0, 1]);
    let block = hmac::sign(&hmac::Key::new(hash, secret), &info);
    block.as_ref()[..length.min(block.as_ref().len())].to_vec()
}

/// P_hash (RFC 5246 section 5).
fn expand_tls12(hash: hmac::Algorithm, secret: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let key = hmac::Key::new(hash, secret);
    let mut out = Vec::with_capacity(length + 64);
    let mut chain = hmac::sign(&key, seed);
    while out.len() < length {
        out.extend_from_slice(hmac::sign(&key, &[chain.as_ref(), seed].concat()).as_ref());
        chain = hmac::sign(&key, chain.as_ref());
    }
    out.truncate(length);
    out
}
