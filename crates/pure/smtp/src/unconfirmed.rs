//! What the peer's host never confirmed, as our side's TCP counts it: the difference between a server that
//! got everything and says nothing, and a path that carries nothing big.
//!
//! A transcript has it as a remark, which is written and read here.

use std::fmt;

/// Octets that were sent, again and again, and never acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unconfirmed {
    /// How many, with what waits behind them.
    pub octets: u64,
    /// How often the first of them were sent again.
    pub repeats: u32,
}

const BETWEEN: &str = " octets were never acknowledged, though sent again ";
const BEHIND: &str = " times";

impl fmt::Display for Unconfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{BETWEEN}{}{BEHIND}", self.octets, self.repeats)
    }
}

impl Unconfirmed {
    /// Reads such a remark; `None` for any other.
    pub fn read(remark: &[u8]) -> Option<Self> {
        let (octets, repeats) = str::from_utf8(remark).ok()?.split_once(BETWEEN)?;
        let repeats = repeats.strip_suffix(BEHIND)?;
        Some(Self { octets: octets.parse().ok()?, repeats: repeats.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let own = Unconfirmed { octets: 18_824, repeats: 5 };
        assert_eq!(
            own.to_string(),
            "18824 octets were never acknowledged, though sent again 5 times"
        );
        assert_eq!(Unconfirmed::read(own.to_string().as_bytes()), Some(own));
        for other in
            ["", "no reply in 300s", "x octets were never acknowledged, though sent again 5 times"]
        {
            assert_eq!(Unconfirmed::read(other.as_bytes()), None, "{other}");
        }
    }
}
