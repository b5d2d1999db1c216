//! What nobody may read: passwords, tokens, keys, and responses that have them in it.

use std::{fmt, str};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Octets that do not show themselves: `Debug` hides them, a comparison takes the same time wherever they
/// differ, and they are wiped at their end, or a core dump would have them.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Hides text or octets.
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(octets.into()))
    }

    /// Shows the octets: for a comparison with a hash, not for a log.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Shows the text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.octets().ct_eq(other.octets()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("pencil")), "****");
    }

    #[test]
    fn secrets_compare_by_their_octets() {
        assert_eq!(Secret::new("pencil"), Secret::new(b"pencil".to_vec()));
        for other in ["", "pencil ", "pencim"] {
            assert_ne!(Secret::new("pencil"), Secret::new(other));
        }
    }
}
