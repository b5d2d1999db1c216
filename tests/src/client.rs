//! A client of few words, for tests that say each line themselves.

use std::{
    io::{BufRead, BufReader, Error, Result, Write},
    net::TcpStream,
    time::Duration,
};

/// One connection in clear. Errors are the connection's: for a test that kills servers, an end is no surprise.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects, and reads the greeting.
    ///
    /// # Errors
    ///
    /// No connection, or a greeting that is no 220.
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream: BufReader::new(stream) };
        let greeting = client.reply()?;
        if greeting.starts_with("220") { Ok(client) } else { Err(Error::other(greeting)) }
    }

    /// Says a line, and gives the whole reply.
    ///
    /// # Errors
    ///
    /// The connection ended.
    pub fn say(&mut self, line: &str) -> Result<String> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    /// Writes octets as they are, and waits for no reply.
    ///
    /// # Errors
    ///
    /// The connection ended.
    pub fn write(&mut self, octets: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(octets)
    }

    /// Reads one reply, all its lines.
    ///
    /// # Errors
    ///
    /// The connection ended, or was silent for a minute.
    pub fn reply(&mut self) -> Result<String> {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            if self.stream.read_line(&mut reply)? == 0 {
                return Err(Error::other("the server closed the connection"));
            }
            if reply.as_bytes().get(start + 3) != Some(&b'-') {
                return Ok(reply);
            }
        }
    }

    /// One transaction; gives the first reply that is not as hoped, or the one after the content.
    ///
    /// # Errors
    ///
    /// The connection ended: then nobody knows whether the message was taken.
    pub fn transaction(
        &mut self,
        reverse_path: &str,
        recipients: &[&str],
        content: &[u8],
    ) -> Result<String> {
        let reply = self.say(&format!("MAIL FROM:<{reverse_path}>"))?;
        if !reply.starts_with('2') {
            return Ok(reply);
        }
        for recipient in recipients {
            let reply = self.say(&format!("RCPT TO:<{recipient}>"))?;
            if !reply.starts_with('2') {
                return Ok(reply);
            }
        }
        let reply = self.say("DATA")?;
        if !reply.starts_with('3') {
            return Ok(reply);
        }
        let mut wire = stuffed(content);
        wire.extend_from_slice(b".\r\n");
        self.write(&wire)?;
        self.reply()
    }
}

/// Content as DATA carries it (RFC 5321 section 4.5.2), without the last dot.
pub fn stuffed(content: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(content.len() + 64);
    for line in content.split_inclusive(|&octet| octet == b'\n') {
        if line.first() == Some(&b'.') {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    wire
}
