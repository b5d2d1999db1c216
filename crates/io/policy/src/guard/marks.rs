//! Numbers that stand for names and clients, the same after each start. They are made under a key, so that
//! nobody can find a client that is taken for another.

use blake2::{
    Blake2sMac256,
    digest::{KeyInit, Mac},
};

/// Makes them.
pub(super) struct Marks(Blake2sMac256);

impl Marks {
    /// With any key: [`Marks::of`] has its own way with it.
    pub(super) fn new(key: &[u8]) -> Self {
        let mut own = [0; 32];
        own.iter_mut().zip(key).for_each(|(own, octet)| *own = *octet);
        Self(Blake2sMac256::new(&own.into()).chain_update(b"mailwright logins"))
    }

    /// The number for these, in this order.
    pub(super) fn of(&self, parts: &[&[u8]]) -> u64 {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let octets: [u8; 32] = mac.finalize().into_bytes().into();
        let (first, _) = octets.split_at(8);
        first.iter().fold(0, |mark, octet| mark << 8 | u64::from(*octet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_tell_parts_and_keys_apart() {
        let marks = Marks::new(b"key");
        assert_eq!(marks.of(&[b"a", b"b"]), Marks::new(b"key").of(&[b"a", b"b"]));
        for other in [&[&b"ab"[..]][..], &[b"", b"ab"], &[b"b", b"a"]] {
            assert_ne!(marks.of(&[b"a", b"b"]), marks.of(other));
        }
        assert_ne!(marks.of(&[b"a"]), Marks::new(b"other").of(&[b"a"]));
    }
}
