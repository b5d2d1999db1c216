//! `socket_mode`: who may open a listener's Unix socket, as chmod has it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The permissions of a socket, without set-id bits. Written as octal digits in a string, like `"0660"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SocketMode(u32);

/// It is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no mode of a socket: write it in octal digits, like \"0660\"")]
pub struct NotAMode(String);

impl SocketMode {
    /// As the system calls want it.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl Default for SocketMode {
    /// Only the server's own user.
    fn default() -> Self {
        Self(0o600)
    }
}

impl FromStr for SocketMode {
    type Err = NotAMode;

    fn from_str(text: &str) -> Result<Self, NotAMode> {
        let digits =
            (3..=4).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
        let mode = u32::from_str_radix(text, 8).ok().filter(|&mode| digits && mode <= 0o777);
        mode.map(Self).ok_or_else(|| NotAMode(text.to_owned()))
    }
}

impl TryFrom<String> for SocketMode {
    type Error = NotAMode;

    fn try_from(text: String) -> Result<Self, NotAMode> {
        text.parse()
    }
}

impl From<SocketMode> for String {
    fn from(mode: SocketMode) -> Self {
        mode.to_string()
    }
}

impl fmt::Display for SocketMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (text, mode) in [
            ("0660", Some("0660")),
            ("666", Some("0666")),
            ("0680", None),
            ("4755", None),
            ("+60", None),
            ("rw-rw----", None),
            ("", None),
        ] {
            let parsed = text.parse::<SocketMode>().ok().map(|mode| mode.to_string());
            assert_eq!(parsed.as_deref(), mode, "{text}");
        }
        assert_eq!(SocketMode::default().to_string(), "0600");
    }
}
