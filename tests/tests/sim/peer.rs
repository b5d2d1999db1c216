//! Next hops as they are met: honest, moody and hostile. A peer draws its faults from its own chance.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use world::net::Listener;

use super::{
    ledger::{Copy, Ledger},
    wire::Wire,
};

/// How a peer is.
#[derive(Clone, Copy, PartialEq)]
pub enum Temper {
    /// Takes everything, with all extensions.
    Good,
    /// Takes everything, knows HELO only.
    Plain,
    /// One session in so many, of a hundred, meets a fault at a stage of chance.
    Rude(u32),
    /// 5yz to everything.
    Never,
    /// 4yz to everything.
    Busy,
    /// 450 for the first five minutes of a sender and recipient.
    Grey,
    /// 452 after this many recipients.
    Few(usize),
    /// Takes the content and is gone before the reply, every other time.
    Forgetful,
    /// Speaks LMTP, and has its own word on each recipient after the content.
    Lmtp,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Greeting,
    Ehlo,
    Mail,
    Rcpt,
    Data,
    Content,
    End,
}

#[derive(Clone, Copy)]
enum Fault {
    Temporary,
    Permanent,
    ShuttingDown,
    Close,
    Silence,
    Garbage,
    /// At the end: it is taken, but nobody hears so.
    TakenAndClosed,
    TakenAndSilent,
}

const STAGES: [Stage; 7] = [
    Stage::Greeting,
    Stage::Ehlo,
    Stage::Mail,
    Stage::Rcpt,
    Stage::Data,
    Stage::Content,
    Stage::End,
];
const FAULTS: [Fault; 8] = [
    Fault::Temporary,
    Fault::Permanent,
    Fault::ShuttingDown,
    Fault::Close,
    Fault::Silence,
    Fault::Garbage,
    Fault::TakenAndClosed,
    Fault::TakenAndSilent,
];

/// One scripted server.
pub struct Peer {
    name: String,
    temper: Temper,
    ledger: Ledger,
    random: Mutex<fastrand::Rng>,
    seen: Mutex<BTreeMap<(String, String), u64>>,
}

impl Peer {
    pub fn new(name: &str, temper: Temper, ledger: Ledger, seed: u64) -> Arc<Self> {
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        Arc::new(Self { name: name.to_owned(), temper, ledger, random, seen: Mutex::default() })
    }

    /// Serves for ever.
    pub async fn serve(self: Arc<Self>, listener: Listener) {
        while let Ok(stream) = listener.accept().await {
            let mut session = Session::new(self.clone(), Wire::new(stream));
            tokio::spawn(async move {
                // However it ended, it ended: the ledger has what counts.
                let _ended = session.talk().await;
            });
        }
    }

    fn below(&self, n: u32) -> u32 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).u32(..n)
    }

    fn fault(&self) -> Option<(Stage, Fault)> {
        let stage = STAGES[self.below(7) as usize];
        let fault = FAULTS[self.below(8) as usize];
        let stage = if matches!(fault, Fault::TakenAndClosed | Fault::TakenAndSilent) {
            Stage::End
        } else {
            stage
        };
        match self.temper {
            Temper::Rude(percent) => (self.below(100) < percent).then_some((stage, fault)),
            Temper::Never => Some((stage, Fault::Permanent)),
            Temper::Busy => Some((stage, Fault::Temporary)),
            Temper::Forgetful => {
                (self.below(2) == 0).then_some((Stage::End, Fault::TakenAndClosed))
            }
            _ => None,
        }
    }

    /// Whether this sender and recipient came too early.
    fn is_grey(&self, from: &str, to: &str) -> bool {
        let now = self.ledger.now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *seen.entry((from.to_owned(), to.to_owned())).or_insert(now);
        self.temper == Temper::Grey && now - first < 300_000
    }
}

struct Session {
    peer: Arc<Peer>,
    wire: Wire,
    fault: Option<(Stage, Fault)>,
    from: Option<String>,
    to: Vec<String>,
    content: Vec<u8>,
}

/// The session is over.
fn over<T>() -> io::Result<T> {
    Err(io::ErrorKind::ConnectionAborted.into())
}

impl Session {
    fn new(peer: Arc<Peer>, wire: Wire) -> Self {
        let fault = peer.fault();
        Self { peer, wire, fault, from: None, to: Vec::new(), content: Vec::new() }
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.wire.write(format!("{reply}\r\n").as_bytes()).await
    }

    /// Says `good`, or what the fault of this stage is; true if it was `good`.
    async fn meet(&mut self, stage: Stage, good: &str) -> io::Result<bool> {
        let Some((_, fault)) = self.fault.filter(|&(at, _)| at == stage) else {
            self.say(good).await?;
            return Ok(true);
        };
        match fault {
            Fault::Temporary => self.say("450 4.3.2 not now").await?,
            Fault::Permanent => self.say("550 5.7.1 not you").await?,
            Fault::ShuttingDown => {
                self.say("421 4.3.2 shutting down").await?;
                return over();
            }
            Fault::Close | Fault::TakenAndClosed => return over(),
            Fault::Silence | Fault::TakenAndSilent => {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
                return over();
            }
            Fault::Garbage => {
                self.wire.write(b"2\xff0 \x00what?\r\nHTTP/1.1 400 Bad Request\r\n\r\n").await?;
                tokio::time::sleep(Duration::from_secs(10)).await;
                return over();
            }
        }
        Ok(false)
    }

    async fn talk(&mut self) -> io::Result<()> {
        if !self.meet(Stage::Greeting, "220 peer.test ESMTP").await? {
            return over();
        }
        loop {
            let line = self.wire.text().await?;
            let upper = line.to_ascii_uppercase();
            match upper.split(' ').next().unwrap_or_default() {
                "EHLO" | "HELO" if self.peer.temper == Temper::Lmtp => {
                    self.say("500 5.5.1 LHLO, please").await?;
                }
                "EHLO" if self.peer.temper == Temper::Plain => self.say("500 5.5.1 what?").await?,
                "EHLO" | "LHLO" => {
                    let offer = "250-peer.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-DSN\r\n\
                                 250-DELIVERBY\r\n250 ENHANCEDSTATUSCODES";
                    self.meet(Stage::Ehlo, offer).await?;
                }
                "HELO" => drop(self.meet(Stage::Ehlo, "250 peer.test").await?),
                "MAIL" => self.mail(&line).await?,
                "RCPT" => self.rcpt(&line).await?,
                "DATA" => self.data().await?,
                "BDAT" => self.chunk(&upper).await?,
                "RSET" => {
                    self.reset();
                    self.say("250 2.0.0 ok").await?;
                }
                "QUIT" => {
                    self.say("221 2.0.0 bye").await?;
                    return Ok(());
                }
                _ => self.say("502 5.5.1 what?").await?,
            }
        }
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
        self.content.clear();
    }

    async fn mail(&mut self, line: &str) -> io::Result<()> {
        self.reset();
        if self.meet(Stage::Mail, "250 2.1.0 ok").await? {
            self.from = Some(path(line));
        }
        Ok(())
    }

    async fn rcpt(&mut self, line: &str) -> io::Result<()> {
        let to = path(line);
        let Some(from) = self.from.clone() else { return self.say("503 5.5.1 MAIL first").await };
        let few = matches!(self.peer.temper, Temper::Few(most) if self.to.len() >= most);
        if few {
            return self.say("452 4.5.3 too many recipients").await;
        }
        if self.peer.is_grey(&from, &to) {
            return self.say("450 4.7.1 greylisted, try again in five minutes").await;
        }
        // Rude peers judge recipient by recipient.
        let spared = matches!(self.peer.temper, Temper::Rude(_)) && self.peer.below(2) == 0;
        let fault = if spared { self.fault.take() } else { None };
        if self.meet(Stage::Rcpt, "250 2.1.5 ok").await? {
            self.to.push(to);
        }
        self.fault = self.fault.or(fault);
        Ok(())
    }

    async fn data(&mut self) -> io::Result<()> {
        if self.to.is_empty() {
            return self.say("554 5.5.1 no valid recipients").await;
        }
        if !self.meet(Stage::Data, "354 go on").await? {
            return Ok(());
        }
        let mut lines = 0;
        loop {
            let line = self.wire.line().await?;
            if line == b"." {
                break;
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            self.content.extend_from_slice(line);
            self.content.extend_from_slice(b"\r\n");
            lines += 1;
            if lines == 8 && matches!(self.fault, Some((Stage::Content, _))) {
                self.meet(Stage::Content, "").await?;
                return over();
            }
        }
        self.take().await
    }

    async fn chunk(&mut self, upper: &str) -> io::Result<()> {
        let mut words = upper.split(' ').skip(1);
        let length = words.next().and_then(|length| length.parse().ok()).unwrap_or(0);
        let last = words.next() == Some("LAST");
        let octets = self.wire.exactly(length).await?;
        if self.to.is_empty() {
            return self.say("554 5.5.1 no valid recipients").await;
        }
        self.content.extend_from_slice(&octets);
        if matches!(self.fault, Some((Stage::Content, _))) {
            if !self.meet(Stage::Content, "250 2.0.0 ok").await? {
                self.reset();
            }
            return Ok(());
        }
        if last { self.take().await } else { self.say("250 2.0.0 ok").await }
    }

    /// The content is complete.
    async fn take(&mut self) -> io::Result<()> {
        let refused = match self.fault {
            Some((Stage::End, Fault::TakenAndClosed | Fault::TakenAndSilent)) | None => false,
            Some((stage, _)) => stage == Stage::End,
        };
        let recipients = std::mem::take(&mut self.to);
        if self.peer.temper == Temper::Lmtp {
            for recipient in recipients {
                match self.peer.below(20) {
                    0 => self.say("550 5.2.1 no longer").await?,
                    1..4 => self.say("452 4.2.2 mailbox full").await?,
                    4 => return over(),
                    _ => {
                        self.keep(recipient);
                        self.say("250 2.1.5 in the mailbox").await?;
                    }
                }
            }
            self.reset();
            return Ok(());
        }
        if !refused {
            recipients.into_iter().for_each(|recipient| self.keep(recipient));
        }
        self.reset();
        self.meet(Stage::End, "250 2.0.0 taken").await?;
        Ok(())
    }

    fn keep(&self, recipient: String) {
        let ledger = &self.peer.ledger;
        ledger.note(&format!("{} took a message for {recipient}", self.peer.name));
        let copy = Copy {
            at: ledger.now(),
            place: self.peer.name.clone(),
            reverse_path: self.from.clone().unwrap_or_default(),
            recipient,
            content: self.content.clone(),
        };
        ledger.lock().copies.push(copy);
    }
}

/// What stands between the angle brackets.
fn path(line: &str) -> String {
    let from = line.find('<').map_or(0, |at| at + 1);
    line[from..].split('>').next().unwrap_or_default().to_owned()
}
