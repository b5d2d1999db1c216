//! A connection to a directory, for one login at a time.

use std::{io, net::SocketAddr, time::Duration};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::{ClientTls, Verify, Wire, tls};
use world::{World, net::Connect};

use super::{
    LdapUrl, ber,
    message::{self, Entry, Outcome, Received, Search},
};
use crate::settings::LdapSettings;

/// An entry with its few attributes is far less.
const MESSAGE_MAX: usize = 256 * 1024;
const CONNECT_PATIENCE: Duration = Duration::from_secs(4);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The connection broke.
    #[error("{0}")]
    Lost(#[from] io::Error),
    /// It is there, and does not do what is needed.
    #[error("{0}")]
    Refused(String),
}

pub(super) struct Connection {
    wire: Wire,
    place: String,
    id: u32,
    /// It is bound as whoever searches.
    may_search: bool,
}

impl Connection {
    /// To the first of the directories that can be reached.
    pub(super) async fn open(
        world: &World,
        settings: &LdapSettings,
        tls: &ClientTls,
    ) -> Result<Self, String> {
        let mut trouble = Vec::new();
        for url in &settings.url {
            match Self::open_one(world, url, settings.starttls, tls).await {
                Ok(connection) => return Ok(connection),
                Err(why) => trouble.push(format!("{url}: {why}")),
            }
        }
        Err(trouble.join("; "))
    }

    async fn open_one(
        world: &World,
        url: &LdapUrl,
        starttls: bool,
        tls: &ClientTls,
    ) -> Result<Self, String> {
        let (host, port, encrypted) = match url {
            LdapUrl::Socket(path) => {
                let stream = world.net.connect_unix(path).await.map_err(|e| e.to_string())?;
                return Ok(Self::on(Wire::Plain(stream), url));
            }
            LdapUrl::Clear(host, port) => (host, *port, false),
            LdapUrl::Encrypted(host, port) => (host, *port, true),
        };
        let mut trouble = "it has no address".to_owned();
        for address in transport::http::addresses(world, host).await? {
            let to = SocketAddr::new(address, port);
            let connect = Connect { to, source: None, timeout: CONNECT_PATIENCE };
            match world.net.connect(connect).await {
                Ok(stream) if encrypted => return Self::secure(stream, url, host, tls).await,
                Ok(stream) => {
                    let mut clear = Self::on(Wire::Plain(stream), url);
                    if !starttls {
                        return Ok(clear);
                    }
                    clear.ask_for_tls().await.map_err(|trouble| trouble.to_string())?;
                    return match clear.wire.into_stream() {
                        Ok(stream) => Self::secure(stream, url, host, tls).await,
                        Err(_) => Err("StartTLS under TLS".to_owned()),
                    };
                }
                Err(error) => trouble = error.to_string(),
            }
        }
        Err(trouble)
    }

    async fn secure(
        stream: world::net::Stream,
        url: &LdapUrl,
        host: &str,
        tls: &ClientTls,
    ) -> Result<Self, String> {
        let verify = Verify::Require { names: Vec::new() };
        let connected = tls::connect(stream, tls, host, &verify).await;
        let (wire, _, _) = connected.map_err(|broken| broken.why)?;
        Ok(Self::on(wire, url))
    }

    fn on(wire: Wire, url: &LdapUrl) -> Self {
        Self { wire, place: url.to_string(), id: 0, may_search: false }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    async fn ask_for_tls(&mut self) -> Result<(), Trouble> {
        let id = self.next();
        let Outcome { code, text } =
            self.end(&message::starttls(id), id, message::EXTENDED_END, &mut Vec::new()).await?;
        match code {
            0 => Ok(()),
            code => Err(refused("StartTLS", code, &text)),
        }
    }

    /// Proves a name by its password. What it said is for the caller to judge.
    pub(super) async fn bind(&mut self, dn: &str, password: &str) -> Result<Outcome, Trouble> {
        self.may_search = false;
        let id = self.next();
        self.end(&message::bind(id, dn, password), id, message::BIND_END, &mut Vec::new()).await
    }

    /// So that a search is made as whoever may, and not as the last user.
    pub(super) async fn bind_to_search(&mut self, dn: &str, password: &str) -> Result<(), Trouble> {
        if self.may_search || (self.id == 0 && dn.is_empty()) {
            return Ok(());
        }
        let Outcome { code, text } = self.bind(dn, password).await?;
        if code != 0 {
            let who = if dn.is_empty() { "nobody" } else { dn };
            return Err(refused(&format!("bind as {who} to search"), code, &text));
        }
        self.may_search = true;
        Ok(())
    }

    pub(super) async fn search(&mut self, search: &Search<'_>) -> Result<Vec<Entry>, Trouble> {
        let id = self.next();
        let mut found = Vec::new();
        let octets = message::search(id, search);
        let Outcome { code, text } = self.end(&octets, id, message::SEARCH_END, &mut found).await?;
        match code {
            // sizeLimitExceeded: two came, and that is all that had to be known.
            0 => Ok(found),
            4 if found.len() > 1 => Ok(found),
            code => Err(refused("search", code, &text)),
        }
    }

    fn next(&mut self) -> u32 {
        self.id = (self.id + 1) & 0x7fff_ffff;
        self.id
    }

    /// Sends, and reads on until the answer is complete.
    async fn end(
        &mut self,
        octets: &[u8],
        id: u32,
        end: u8,
        found: &mut Vec<Entry>,
    ) -> Result<Outcome, Trouble> {
        self.wire.write_all(octets).await?;
        self.wire.flush().await?;
        loop {
            match self.receive().await? {
                (0, Received::End(_, outcome)) => {
                    // RFC 4511 section 4.4.1: notice of disconnection.
                    let text = format!("it takes leave: {}", outcome.text);
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, text).into());
                }
                (number, _) if number != id => {
                    return Err(Trouble::Refused(format!("it answers {number}, asked was {id}")));
                }
                (_, Received::Entry(entry)) if found.len() < 2 => found.push(entry),
                (_, Received::Entry(_) | Received::Reference) => {}
                (_, Received::End(tag, outcome)) if tag == end => return Ok(outcome),
                (_, Received::End(tag, _)) => {
                    return Err(Trouble::Refused(format!("it answers with operation {tag:#x}")));
                }
            }
        }
    }

    async fn receive(&mut self) -> Result<(u32, Received), Trouble> {
        let no_ldap = || Trouble::Refused("what it says is no LDAP".to_owned());
        let mut head = vec![0; 2];
        self.wire.read_exact(&mut head).await?;
        if head[0] != 0x30 {
            return Err(no_ldap());
        }
        let length = loop {
            match ber::length(&head[1..]) {
                Some(Some((_, length))) => break length,
                Some(None) => {
                    let at = head.len();
                    head.push(0);
                    self.wire.read_exact(&mut head[at..]).await?;
                }
                None => return Err(no_ldap()),
            }
        };
        if length > MESSAGE_MAX {
            return Err(Trouble::Refused(format!("a message of {length} octets")));
        }
        let mut content = vec![0; length];
        self.wire.read_exact(&mut content).await?;
        message::read(&content).ok_or_else(no_ldap)
    }
}

fn refused(what: &str, code: u32, text: &str) -> Trouble {
    let said = if text.is_empty() { String::new() } else { format!(": {text}") };
    Trouble::Refused(format!("{what}: {}{said}", message::word(code)))
}
