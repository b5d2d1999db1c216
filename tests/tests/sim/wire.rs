//! Lines over a simulated connection, in clear or in TLS: for peers and clients that share no code with the
//! machines.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls::pki_types::ServerName};
use world::net::Stream;

/// Whatever octets go over.
pub trait Way: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Way for T {}

/// One connection.
pub struct Wire {
    /// For those who only pass octets on.
    pub way: BufReader<Box<dyn Way>>,
    /// Nobody on the wire can read it.
    pub is_sealed: bool,
}

impl Wire {
    pub fn new(stream: Stream) -> Self {
        Self { way: BufReader::new(Box::new(stream)), is_sealed: false }
    }

    /// The handshake, as server. What was sent ahead of it is gone.
    pub async fn accept_tls(self, acceptor: &TlsAcceptor) -> io::Result<Self> {
        let stream = acceptor.accept(self.way.into_inner()).await?;
        Ok(Self { way: BufReader::new(Box::new(stream)), is_sealed: true })
    }

    /// The handshake, as client of the host of that name.
    pub async fn start_tls(self, connector: &TlsConnector, name: &'static str) -> io::Result<Self> {
        let name = ServerName::try_from(name).expect("a host's name");
        let stream = connector.connect(name, self.way.into_inner()).await?;
        Ok(Self { way: BufReader::new(Box::new(stream)), is_sealed: true })
    }

    /// The next line without its end.
    pub async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.way.read_until(b'\n', &mut line).await?;
        match line.pop() {
            Some(b'\n') => {
                line.pop_if(|last| *last == b'\r');
                Ok(line)
            }
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The next line, a command or a reply.
    pub async fn text(&mut self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&self.line().await?).into_owned())
    }

    pub async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut octets = vec![0; length];
        self.way.read_exact(&mut octets).await?;
        Ok(octets)
    }

    pub async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.way.get_mut().write_all(octets).await?;
        self.way.get_mut().flush().await
    }

    /// The lines of the next reply.
    pub async fn lines(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let line = self.text().await?;
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if is_last {
                return Ok(lines);
            }
        }
    }

    /// The code of the next reply, and its last line.
    pub async fn reply(&mut self) -> io::Result<(u16, String)> {
        let line = self.lines().await?.pop().unwrap_or_default();
        let code = line.get(..3).and_then(|code| code.parse().ok());
        code.map(|code| (code, line)).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Says a command and hears the reply.
    pub async fn ask(&mut self, command: &str) -> io::Result<(u16, String)> {
        self.write(format!("{command}\r\n").as_bytes()).await?;
        self.reply().await
    }
}
