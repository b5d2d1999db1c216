//! A scripted peer: says what the script has it say, and checks what it hears.
//!
//! | line          | does                                                            |
//! |---------------|-----------------------------------------------------------------|
//! | `S: text`     | sends a line                                                    |
//! | `C: text`     | reads a line, which must begin so                               |
//! | `content`     | reads up to the lone dot, or as many octets as the last BDAT has |
//! | `tls`         | does the server's half of a handshake                           |
//! | `wait N`      | says nothing for N seconds                                      |
//! | `silence`     | says nothing for ever                                           |
//! | `close`       | closes                                                          |
//! | `end`         | reads to the end: nothing may come                              |

#![allow(dead_code)] // Each test program uses a part of it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use smtp::{Envelope, Party, Recipient, Transcript};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};
use transport::{Mail, Target, Wire, content::Memory};
use world::{
    World,
    net::Listener,
    sim::{SimWorld, disk::SimDisk},
};

/// What a peer heard: the contents, in their order.
pub type Heard = Vec<Vec<u8>>;

pub const PEER: [u8; 4] = [192, 0, 2, 2];

/// Two hosts in one simulated network.
pub struct Pair {
    pub sim: SimWorld,
    pub ours: World,
    pub theirs: World,
}

impl Pair {
    pub fn new() -> Self {
        let sim = SimWorld::new(1);
        let ours = sim.world_for([192, 0, 2, 1].into(), Arc::new(SimDisk::new(1)));
        let theirs = sim.world_for(PEER.into(), Arc::new(SimDisk::new(2)));
        Self { sim, ours, theirs }
    }

    pub fn target(&self) -> Target {
        Target::tcp("mx.b.test", SocketAddr::from((PEER, 25)))
    }

    /// Plays one script for each connection, in their order.
    pub fn play(
        &self,
        tls: Option<Arc<rustls::ServerConfig>>,
        scripts: &[&str],
    ) -> JoinHandle<Heard> {
        play(&self.theirs, SocketAddr::from((PEER, 25)), tls, scripts).0
    }
}

pub fn play(
    world: &World,
    at: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    scripts: &[&str],
) -> (JoinHandle<Heard>, SocketAddr) {
    let listener = world.net.listen(at).expect("the address is free");
    let local = listener.local().expect("bound").socket().expect("an address");
    (play_on(listener, tls, scripts), local)
}

pub fn play_on(
    listener: Listener,
    tls: Option<Arc<rustls::ServerConfig>>,
    scripts: &[&str],
) -> JoinHandle<Heard> {
    let scripts: Vec<String> = scripts.iter().map(ToString::to_string).collect();
    tokio::spawn(async move {
        let mut heard = Vec::new();
        for script in scripts {
            let stream = listener.accept().await.expect("a connection");
            Player { wire: Some(Wire::Plain(stream)), ahead: Vec::new(), chunk: None }
                .play(&script, tls.as_ref(), &mut heard)
                .await;
        }
        heard
    })
}

struct Player {
    wire: Option<Wire>,
    ahead: Vec<u8>,
    chunk: Option<usize>,
}

impl Player {
    async fn play(
        &mut self,
        script: &str,
        tls: Option<&Arc<rustls::ServerConfig>>,
        heard: &mut Heard,
    ) {
        for step in script.lines().map(str::trim).filter(|step| !step.is_empty()) {
            match step.split_once(' ').unwrap_or((step, "")) {
                ("S:", text) => {
                    self.wire().write_all(format!("{text}\r\n").as_bytes()).await.expect("sent")
                }
                ("C:", text) => {
                    let line = self.line().await;
                    assert!(line.starts_with(text), "expected `{text}`, heard `{line}`");
                    self.chunk = line.strip_prefix("BDAT ").and_then(|rest| {
                        rest.strip_suffix(" LAST").and_then(|size| size.parse().ok())
                    });
                }
                ("content", _) => heard.push(self.content().await),
                ("tls", _) => {
                    let stream =
                        self.wire.take().expect("open").into_stream().ok().expect("in clear");
                    // The client may be one that refuses us.
                    let Ok((wire, _)) =
                        transport::tls::accept(stream, tls.expect("an identity")).await
                    else {
                        return;
                    };
                    self.wire = Some(wire);
                }
                ("wait", seconds) => {
                    tokio::time::sleep(Duration::from_secs(seconds.parse().expect("a number")))
                        .await;
                }
                ("silence", _) => std::future::pending().await,
                ("close", _) => self.wire = None,
                ("end", _) => {
                    let mut rest = std::mem::take(&mut self.ahead);
                    // Some clients don't say goodbye.
                    let _ = self.wire().read_to_end(&mut rest).await;
                    assert!(rest.is_empty(), "heard {:?}", String::from_utf8_lossy(&rest));
                }
                _ => panic!("`{step}` is no step of a script"),
            }
        }
    }

    fn wire(&mut self) -> &mut Wire {
        self.wire.as_mut().expect("the script has closed the connection")
    }

    async fn more(&mut self) {
        let mut buffer = [0; 16 * 1024];
        let count = self.wire().read(&mut buffer).await.expect("heard");
        assert!(count > 0, "the client closed, behind {:?}", String::from_utf8_lossy(&self.ahead));
        self.ahead.extend_from_slice(&buffer[..count]);
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.ahead.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.ahead.drain(..end + 2).collect();
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            self.more().await;
        }
    }

    async fn content(&mut self) -> Vec<u8> {
        loop {
            let (end, skip) = match self.chunk {
                Some(size) => (Some(size).filter(|size| *size <= self.ahead.len()), 0),
                None if self.ahead.starts_with(b".\r\n") => (Some(0), 3),
                // Nothing is pipelined behind content.
                None => (self.ahead.ends_with(b"\r\n.\r\n").then(|| self.ahead.len() - 3), 3),
            };
            if let Some(end) = end {
                let content = self.ahead.drain(..end).collect();
                self.ahead.drain(..skip);
                return content;
            }
            self.more().await;
        }
    }
}

/// A message from `<a@a.test>`.
pub fn envelope(recipients: &[&str]) -> Arc<Envelope> {
    let address = |text: &&str| text.parse().expect("an address");
    let mut envelope = Envelope::new(Some(address(&"a@a.test")));
    envelope.recipients = recipients.iter().map(address).map(Recipient::new).collect();
    Arc::new(envelope)
}

pub fn memory(text: &str) -> Memory {
    Memory(bytes::Bytes::copy_from_slice(text.as_bytes()))
}

pub fn mail<'a>(envelope: &Arc<Envelope>, content: &'a dyn transport::Content) -> Mail<'a> {
    Mail { envelope: Arc::clone(envelope), content }
}

/// The dialogue, a line each, without times.
pub fn said(transcript: &Transcript) -> String {
    let line = |line: smtp::transcript::Line<'_>| {
        let by = match line.by {
            Party::Client => "C",
            Party::Server => "S",
            Party::Note => "-",
        };
        format!("{by}: {}\n", String::from_utf8_lossy(line.text))
    };
    transcript.lines().map(line).collect()
}
