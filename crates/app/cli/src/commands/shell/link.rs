//! The connection: octets out, lines in. Whatever a server says comes out as lines, be it SMTP or not.

use std::{io, net::SocketAddr, time::Duration};

use diagnose::session::Ending;
use smtp::TlsFacts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::{ClientTls, Verify, Wire, tls};
use world::{Net, net::Connect};

/// A longer line comes out in pieces.
const LINE_MAX: usize = 64 * 1024;
/// How long a TLS handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(60);

/// A connection to a server.
pub struct Link {
    /// `None` once it is closed.
    wire: Option<Wire>,
    buffer: Vec<u8>,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Came {
    /// A line without its ending.
    Line(Vec<u8>, Ending),
    /// The server closed in order; what it left of a line before that.
    End(Vec<u8>),
    /// The connection broke, in the operating system's words; whether the server broke it off.
    Broken { why: String, is_reset: bool },
}

impl Link {
    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// Why the last one did not.
    pub async fn connect(
        net: &Net,
        addresses: &[SocketAddr],
        timeout: Duration,
    ) -> Result<(Self, SocketAddr), (SocketAddr, io::Error)> {
        let mut last = None;
        for &to in addresses {
            match net.connect(Connect { to, source: None, timeout }).await {
                Ok(stream) => {
                    return Ok((Self { wire: Some(Wire::Plain(stream)), buffer: Vec::new() }, to));
                }
                Err(error) => last = Some((to, error)),
            }
        }
        Err(last.unwrap_or_else(|| {
            (([0, 0, 0, 0], 0).into(), io::Error::new(io::ErrorKind::NotFound, "it has no address"))
        }))
    }

    /// Our end.
    pub fn local(&self) -> Option<SocketAddr> {
        self.wire.as_ref()?.local().ok()?.socket()
    }

    /// The server's port.
    pub fn port(&self) -> u16 {
        let peer = self.wire.as_ref().and_then(|wire| wire.peer().socket());
        peer.map_or(0, |address| address.port())
    }

    /// What a login can be bound to.
    pub fn bindings(&self) -> sasl::Bindings {
        self.wire.as_ref().map(Wire::bindings).unwrap_or_default()
    }

    /// Whether it can still be used.
    pub fn is_open(&self) -> bool {
        self.wire.is_some()
    }

    /// Sends octets.
    ///
    /// # Errors
    /// What the operating system says; `NotConnected` once it is closed.
    pub async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        let Some(wire) = &mut self.wire else { return Err(io::ErrorKind::NotConnected.into()) };
        wire.write_all(octets).await?;
        wire.flush().await
    }

    /// The next line. Cancel safe: what came in part stays.
    pub async fn came(&mut self) -> Came {
        loop {
            if let Some(line) = self.take_line() {
                return line;
            }
            let Some(wire) = &mut self.wire else { return Came::End(Vec::new()) };
            let mut chunk = [0; 4_096];
            match wire.read(&mut chunk).await {
                Ok(0) => {
                    self.wire = None;
                    return Came::End(std::mem::take(&mut self.buffer));
                }
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) => {
                    self.wire = None;
                    let is_reset = error.kind() == io::ErrorKind::ConnectionReset;
                    return Came::Broken { why: error.to_string(), is_reset };
                }
            }
        }
    }

    fn take_line(&mut self) -> Option<Came> {
        let Some(end) = self.buffer.iter().position(|&octet| octet == b'\n') else {
            let is_long = self.buffer.len() >= LINE_MAX;
            return is_long.then(|| Came::Line(std::mem::take(&mut self.buffer), Ending::Missing));
        };
        let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
        line.pop();
        let ending = if line.last() == Some(&b'\r') {
            line.pop();
            Ending::Crlf
        } else {
            Ending::Lf
        };
        Some(Came::Line(line, ending))
    }

    /// TLS from here on. Gives its facts, and how many octets had come in clear behind the server's word
    /// to begin: these are thrown away, since anybody could have put them there.
    ///
    /// # Errors
    /// Why the handshake came to nothing; the connection is closed then.
    pub async fn encrypt(
        &mut self,
        tls: &ClientTls,
        name: &str,
    ) -> Result<(TlsFacts, usize), String> {
        let injected = std::mem::take(&mut self.buffer).len();
        let wire = self.wire.take().ok_or("the connection is closed")?;
        let stream = wire.into_stream().map_err(|_| "TLS stands already")?;
        let handshake = tls::connect(stream, tls, name, &Verify::Record);
        let connected = tokio::time::timeout(HANDSHAKE_MAX, handshake)
            .await
            .map_err(|_| format!("no end of it in {}s", HANDSHAKE_MAX.as_secs()))?;
        let (wire, facts, _) = connected.map_err(|broken| broken.why)?;
        self.wire = Some(wire);
        Ok((facts, injected))
    }

    /// Ends it in order. The server may have been faster, which does no harm.
    pub async fn close(&mut self) {
        if let Some(mut wire) = self.wire.take() {
            let _ = wire.close().await;
        }
    }
}
