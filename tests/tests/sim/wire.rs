//! Lines over a simulated connection: for peers and clients that share no code with the machines.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use world::net::Stream;

/// One connection.
pub struct Wire(BufReader<Stream>);

impl Wire {
    pub fn new(stream: Stream) -> Self {
        Self(BufReader::new(stream))
    }

    /// The next line without its end.
    pub async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).await?;
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
        self.0.read_exact(&mut octets).await?;
        Ok(octets)
    }

    pub async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(octets).await?;
        self.0.get_mut().flush().await
    }

    /// The code of the next reply, and its last line.
    pub async fn reply(&mut self) -> io::Result<(u16, String)> {
        loop {
            let line = self.text().await?;
            if line.as_bytes().get(3) != Some(&b'-') {
                let code = line.get(..3).and_then(|code| code.parse().ok());
                return code
                    .map(|code| (code, line))
                    .ok_or_else(|| io::ErrorKind::InvalidData.into());
            }
        }
    }
}
