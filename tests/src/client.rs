//! A client of few words, for tests that say each line themselves.

use std::{
    io::{BufRead, BufReader, Error, Read, Result, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use socket2::{Domain, Socket, Type};

/// What is read from and written to.
trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// One connection in clear. Errors are the connection's: for a test that kills servers, an end is no surprise.
pub struct Client {
    stream: BufReader<Box<dyn Stream>>,
}

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

impl Client {
    /// Connects, and reads the greeting.
    ///
    /// # Errors
    ///
    /// No connection, or a greeting that is no 220.
    pub fn connect(port: u16) -> Result<Self> {
        Self::over(TcpStream::connect(("127.0.0.1", port))?)?.greeted()
    }

    /// The same from another address of the loopback, 127.x.x.x.
    ///
    /// # Errors
    ///
    /// No connection, or a greeting that is no 220.
    ///
    /// # Panics
    ///
    /// When `source` is none of this machine.
    pub fn from(source: &str, port: u16) -> Result<Self> {
        Self::unheard(source, port)?.greeted()
    }

    /// A connection from there whose greeting is not awaited.
    ///
    /// # Errors
    ///
    /// No connection.
    ///
    /// # Panics
    ///
    /// When `source` is none of this machine.
    pub fn unheard(source: &str, port: u16) -> Result<Self> {
        let at = |text: String| text.parse::<SocketAddr>().expect("an address").into();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&at(format!("{source}:0"))).expect("all of 127.0.0.0/8 is ours");
        socket.connect(&at(format!("127.0.0.1:{port}")))?;
        Self::over(socket.into())
    }

    /// Connects to a Unix socket, and reads the greeting.
    ///
    /// # Errors
    ///
    /// No connection, or a greeting that is no 220.
    pub fn at(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Self { stream: BufReader::new(Box::new(stream)) }.greeted()
    }

    fn over(stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(Box::new(stream)) })
    }

    fn greeted(mut self) -> Result<Self> {
        let greeting = self.reply()?;
        if greeting.starts_with("220") { Ok(self) } else { Err(Error::other(greeting)) }
    }

    /// Greeted, and past EHLO.
    ///
    /// # Panics
    ///
    /// When the server does not answer.
    #[track_caller]
    pub fn hello(port: u16) -> Self {
        let mut client = Self::connect(port).expect("the server answers");
        client.expect("EHLO client.test", "250");
        client
    }

    /// Says a line; the reply begins so.
    ///
    /// # Panics
    ///
    /// When it does not, or there is none.
    #[track_caller]
    pub fn expect(&mut self, line: &str, reply: &str) -> String {
        let said = self.say(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(said.starts_with(reply), "{line}: {said:?}, not {reply}");
        said
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
