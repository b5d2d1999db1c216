//! Secrets of TLS sessions, from a key log file or a capture's decryption secrets blocks.

/// Secrets by the client's random (the `SSLKEYLOGFILE` format of NSS).
#[derive(Debug, Default)]
pub struct KeyLog {
    text: Vec<u8>,
}

impl KeyLog {
    /// Takes the lines of a key log, whole ones. May be called again with more.
    pub fn read(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }
}
