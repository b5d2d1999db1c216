//! Secrets of TLS sessions, in the format that browsers, OpenSSL and rustls write (`SSLKEYLOGFILE`,
//! RFC 9850): lines of `LABEL CLIENT_RANDOM SECRET`, the latter two in hexadecimal.

use std::collections::HashMap;

/// Secrets beyond this many are not taken: a hostile file must not fill the memory.
const SECRETS_MAX: usize = 1_000_000;

/// A secret has as many octets as a hash; SHA-512 is the longest.
const SECRET_LENGTH_MAX: usize = 64;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// TLS 1.2's master secret.
    Master,
    /// TLS 1.3: what the client says during the handshake.
    ClientHandshake,
    /// TLS 1.3: what the server says during the handshake.
    ServerHandshake,
    /// TLS 1.3: what the client says afterwards.
    ClientTraffic,
    /// TLS 1.3: what the server says afterwards.
    ServerTraffic,
}

/// The client's random and what a secret is for.
type Key = ([u8; 32], Label);

/// Secrets by the client's random and what they are for.
#[derive(Default)]
pub struct KeyLog {
    secrets: HashMap<Key, Vec<u8>>,
}

impl KeyLog {
    /// Takes the lines of a key log, whole ones; lines that are no secret are passed over, as the format
    /// wants it. May be called again with more. Gives the number of secrets that were read.
    pub fn read(&mut self, text: &[u8]) -> usize {
        let mut read = 0;
        for line in text.split(|&octet| octet == b'\n') {
            if self.secrets.len() >= SECRETS_MAX {
                break;
            }
            if let Some((key, secret)) = parse(line) {
                self.secrets.insert(key, secret);
                read += 1;
            }
        }
        read
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The secret of the session that a client began with this random.
    pub fn secret(&self, random: &[u8; 32], label: Label) -> Option<&[u8]> {
        self.secrets.get(&(*random, label)).map(Vec::as_slice)
    }
}

/// Secrets do not print themselves.
impl std::fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyLog(****)")
    }
}

fn parse(line: &[u8]) -> Option<(Key, Vec<u8>)> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let label = match words.next()? {
        b"CLIENT_RANDOM" => Label::Master,
        b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Label::ClientHandshake,
        b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Label::ServerHandshake,
        b"CLIENT_TRAFFIC_SECRET_0" => Label::ClientTraffic,
        b"SERVER_TRAFFIC_SECRET_0" => Label::ServerTraffic,
        _ => return None,
    };
    let random = hexadecimal(words.next()?)?.try_into().ok()?;
    let secret = hexadecimal(words.next()?)?;
    (!secret.is_empty() && secret.len() <= SECRET_LENGTH_MAX).then_some(((random, label), secret))
}

fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() > 2 * SECRET_LENGTH_MAX {
        return None;
    }
    let digit = |octet: u8| char::from(octet).to_digit(16).map(|digit| digit as u8);
    text.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_secrets_are_found_among_others() {
        let random = "0123456789abcdef".repeat(4);
        let mut log = KeyLog::default();
        let text = format!(
            "# a remark\r\nCLIENT_RANDOM {random} 00FF\r\nCLIENT_RANDOM {random}\nODD {random} 00\n\
             CLIENT_TRAFFIC_SECRET_0 {random} zz\nSERVER_TRAFFIC_SECRET_0 {random} 0a0b"
        );
        assert_eq!(log.read(text.as_bytes()), 2);
        let random: [u8; 32] = hexadecimal(random.as_bytes()).unwrap().try_into().unwrap();
        assert_eq!(log.secret(&random, Label::Master), Some(&[0, 0xff][..]));
        assert_eq!(log.secret(&random, Label::ServerTraffic), Some(&[10, 11][..]));
        assert_eq!(log.secret(&random, Label::ClientTraffic), None);
        assert!(!format!("{log:?}").contains("ff"));
    }
}
