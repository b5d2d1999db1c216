//! CRAM (RFC 2195): what both sides compute.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;

use crate::{Secret, hex};

/// CRAM-MD5, or CRAM-SHA1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Md5,
    Sha1,
}

impl Hash {
    /// HMAC of the challenge under the password, in lower case hexadecimal.
    pub(crate) fn digest(self, password: &Secret, challenge: &[u8]) -> String {
        match self {
            Self::Md5 => hex(&hmac_md5(password.octets(), &[challenge])),
            Self::Sha1 => {
                let mac = Hmac::<Sha1>::new_from_slice(password.octets());
                let mac = mac.expect("a key of any length will do").chain_update(challenge);
                hex(&mac.finalize().into_bytes())
            }
        }
    }
}

/// HMAC-MD5 (RFC 2104) of all parts together.
pub(crate) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("a key of any length will do");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2195() {
        let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
        let digest = Hash::Md5.digest(&Secret::new("tanstaaftanstaaf"), challenge);
        assert_eq!(digest, "b913a602c7eda7a495b4e6e7334d3890");
    }

    #[test]
    fn the_same_with_sha1() {
        // RFC 2202 section 3, test case 2.
        let digest = Hash::Sha1.digest(&Secret::new("Jefe"), b"what do ya want for nothing?");
        assert_eq!(digest, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }
}
