//! Next hops as they are met: honest, moody and hostile. A peer draws its faults from its own chance.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use world::net::Listener;

use super::{
    judge::number,
    ledger::{Copy, Ledger},
    map::USERS,
    scram,
    tls::Tls,
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
    /// Takes mail in TLS only, and everything then.
    Sealed,
    /// As that, from who signs in.
    Login,
    /// Offers TLS, and every other time something is wrong with it.
    Mixed,
    /// Has no way for octets beyond ASCII, nor for chunks.
    Seven,
    /// Something in its way takes BDAT for nonsense, until it is taken away.
    Boxed,
    /// Takes two recipients a message and three messages a session, and says so (RFC 9422).
    Counting,
}

impl Temper {
    /// What it offers in that session.
    fn offer(self, is_sealed: bool) -> &'static [&'static str] {
        match (self, is_sealed) {
            (Self::Sealed | Self::Login | Self::Mixed, false) => {
                &["PIPELINING", "STARTTLS", "8BITMIME", "ENHANCEDSTATUSCODES"]
            }
            (Self::Login, true) => &[
                "PIPELINING",
                "AUTH SCRAM-SHA-256 PLAIN LOGIN",
                "8BITMIME",
                "REQUIRETLS",
                "DSN",
                "SMTPUTF8",
            ],
            (Self::Sealed | Self::Mixed, true) => &[
                "PIPELINING",
                "8BITMIME",
                "BINARYMIME",
                "CHUNKING",
                "SMTPUTF8",
                "REQUIRETLS",
                "DSN",
                "RRVS",
                "SIZE 1000000",
                "DELIVERBY",
                "MT-PRIORITY",
            ],
            (Self::Seven, _) => &["PIPELINING", "DSN", "SIZE", "ENHANCEDSTATUSCODES"],
            (Self::Counting, _) => {
                &["8BITMIME", "CHUNKING", "BINARYMIME", "LIMITS MAILMAX=3 RCPTMAX=2"]
            }
            _ => &["PIPELINING", "8BITMIME", "CHUNKING", "DSN", "DELIVERBY", "ENHANCEDSTATUSCODES"],
        }
    }
}

/// When the box in front of the boxed peer is taken away, in milliseconds since the world began; and when
/// everybody must have forgotten it.
const UNBOXED: u64 = 12 * 3_600_000;
const FORGOTTEN: u64 = UNBOXED + 30 * 3_600_000;

/// Which keyword lets a client give which parameter of MAIL and RCPT.
const PARAMETERS: [(&str, &str); 14] = [
    ("BODY=8BITMIME", "8BITMIME"),
    ("BODY=7BIT", "8BITMIME"),
    ("BODY=BINARYMIME", "BINARYMIME"),
    ("SIZE=", "SIZE"),
    ("SMTPUTF8", "SMTPUTF8"),
    ("REQUIRETLS", "REQUIRETLS"),
    ("RET=", "DSN"),
    ("ENVID=", "DSN"),
    ("NOTIFY=", "DSN"),
    ("ORCPT=", "DSN"),
    ("BY=", "DELIVERBY"),
    ("MT-PRIORITY=", "MT-PRIORITY"),
    ("RRVS=", "RRVS"),
    ("AUTH=", "AUTH"),
];

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
    tls: Arc<Tls>,
    random: Mutex<fastrand::Rng>,
    seen: Mutex<BTreeMap<(String, String), u64>>,
}

impl Peer {
    pub fn new(name: &str, temper: Temper, tls: Arc<Tls>, ledger: Ledger, seed: u64) -> Arc<Self> {
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        let (name, seen) = (name.to_owned(), Mutex::default());
        Arc::new(Self { name, temper, ledger, tls, random, seen })
    }

    /// Serves for ever.
    pub async fn serve(self: Arc<Self>, listener: Listener) {
        while let Ok(stream) = listener.accept().await {
            let session = Session::new(self.clone(), Wire::new(stream));
            tokio::spawn(async move {
                // However it ended, it ended: the ledger has what counts.
                let _ended = session.live().await;
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
    /// The parameters of MAIL, with a space in front.
    asked: String,
    is_known: bool,
    messages: usize,
    /// The client has greeted with EHLO, and so knows what is offered.
    is_extended: bool,
    /// Milliseconds since the world began.
    began: u64,
}

/// How a stretch of a session ends.
enum Turn {
    Over,
    Tls,
}

/// The session is over.
fn over<T>() -> io::Result<T> {
    Err(io::ErrorKind::ConnectionAborted.into())
}

impl Session {
    fn new(peer: Arc<Peer>, wire: Wire) -> Self {
        let (fault, began) = (peer.fault(), peer.ledger.now());
        Self {
            peer,
            wire,
            fault,
            from: None,
            to: Vec::new(),
            content: Vec::new(),
            asked: String::new(),
            is_known: false,
            messages: 0,
            is_extended: false,
            began,
        }
    }

    async fn live(mut self) -> io::Result<()> {
        if !self.meet(Stage::Greeting, "220 peer.test ESMTP").await? {
            return over();
        }
        while let Turn::Tls = self.talk().await? {
            let peer = self.peer.clone();
            let trouble = if peer.temper == Temper::Mixed { peer.below(6) } else { 6 };
            let acceptor = match trouble {
                0 => {
                    self.wire.write(b"this is no TLS\r\n").await?;
                    return over();
                }
                1 => return over(),
                2 => &peer.tls.forged,
                _ => &peer.tls.honest,
            };
            self.wire = self.wire.accept_tls(acceptor).await?;
            (self.from, self.is_known, self.is_extended) = (None, false, false);
            self.to.clear();
        }
        Ok(())
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

    async fn talk(&mut self) -> io::Result<Turn> {
        loop {
            let line = self.wire.text().await?;
            let upper = line.to_ascii_uppercase();
            match upper.split(' ').next().unwrap_or_default() {
                "EHLO" | "HELO" if self.peer.temper == Temper::Lmtp => {
                    self.say("500 5.5.1 LHLO, please").await?;
                }
                "EHLO" if self.peer.temper == Temper::Plain => self.say("500 5.5.1 what?").await?,
                "EHLO" | "LHLO" => {
                    let keywords = self.offer().join("\r\n250-");
                    let offer = format!("250-peer.test\r\n250-{keywords}\r\n250 HELP");
                    self.is_extended = self.meet(Stage::Ehlo, &offer).await?;
                }
                "STARTTLS" if self.offers("STARTTLS") => {
                    self.say("220 2.0.0 go ahead").await?;
                    return Ok(Turn::Tls);
                }
                "AUTH" if self.offers("AUTH") => self.sign_in(&line).await?,
                "HELO" => {
                    self.is_extended = false;
                    self.meet(Stage::Ehlo, "250 peer.test").await?;
                }
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
                    return Ok(Turn::Over);
                }
                _ => self.say("502 5.5.1 what?").await?,
            }
        }
    }

    fn offer(&self) -> &'static [&'static str] {
        self.peer.temper.offer(self.wire.is_sealed)
    }

    fn offers(&self, keyword: &str) -> bool {
        self.is_extended && self.offer().iter().any(|line| line.split(' ').next() == Some(keyword))
    }

    /// What was not offered is not used (RFC 5321 section 2.2.1).
    fn check_parameters(&self, line: &str) {
        let rest = line.split_once('>').map_or("", |(_, rest)| rest);
        for word in rest.split_whitespace() {
            let known = PARAMETERS.iter().find(|(start, _)| word.starts_with(start));
            if !known.is_some_and(|(_, keyword)| self.offers(keyword)) {
                self.breaks(format!("was told `{word}` without having offered it: {line}"));
            }
        }
    }

    fn breaks(&self, how: String) {
        self.peer.ledger.breaks(format!("{} {how}", self.peer.name));
    }

    /// By SCRAM: what is stronger than the others is chosen where it is offered.
    async fn sign_in(&mut self, line: &str) -> io::Result<()> {
        let [.., (user, password, _)] = USERS;
        let Some(first) = line.strip_prefix("AUTH SCRAM-SHA-256 ") else {
            self.breaks(format!("was shown a password where SCRAM is offered: {line}"));
            return self.say("535 5.7.8 no").await;
        };
        self.is_known = scram::hear(&mut self.wire, first, (user, password)).await?;
        let reply = if self.is_known { "235 2.7.0 welcome" } else { "535 5.7.8 no" };
        self.say(reply).await
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
        self.content.clear();
    }

    async fn mail(&mut self, line: &str) -> io::Result<()> {
        self.reset();
        self.check_parameters(line);
        self.asked = line.split_once('>').map_or("", |(_, rest)| rest).to_owned();
        let priorities = self.peer.ledger.lock().priorities.clone();
        let priority = number(&path(line)).and_then(|number| priorities.get(&number));
        if let Some(priority) = priority.filter(|_| self.offers("MT-PRIORITY"))
            && !self.asked.contains(*priority)
        {
            self.breaks(format!("is not told of {priority}: {line}"));
        }
        match self.peer.temper {
            Temper::Sealed | Temper::Login
                if !self.wire.is_sealed
                    && self.peer.ledger.is_promised(&self.peer.name, self.began) =>
            {
                self.breaks(format!("got mail in clear: {line}"));
            }
            Temper::Login if !self.is_known => {
                return self.say("530 5.7.0 sign in first").await;
            }
            Temper::Counting if self.messages >= 3 && self.is_extended => {
                self.breaks("got a fourth message in one session".to_owned());
            }
            _ => {}
        }
        self.messages += 1;
        if self.meet(Stage::Mail, "250 2.1.0 ok").await? {
            self.from = Some(path(line));
        }
        Ok(())
    }

    async fn rcpt(&mut self, line: &str) -> io::Result<()> {
        let to = path(line);
        let Some(from) = self.from.clone() else { return self.say("503 5.5.1 MAIL first").await };
        self.check_parameters(line);
        let has_condition =
            number(&to).is_some_and(|number| self.peer.ledger.lock().rrvs.contains(&number));
        if has_condition && self.offers("RRVS") && !line.contains(" RRVS=2014-04-03T23:01:00Z") {
            self.breaks(format!("is not told since when it has to be whose mailbox: {line}"));
        }
        if !is_ascii_or(self.asked.contains(" SMTPUTF8"), &[&from, &to]) {
            self.breaks(format!("got addresses beyond ASCII undeclared: <{from}>, {line}"));
        }
        if self.offers("LIMITS") && self.to.len() >= 2 {
            self.breaks(format!("got a third recipient: {line}"));
        }
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
        if self.asked.contains("BODY=BINARYMIME") {
            // RFC 3030 section 3
            self.breaks("got DATA for a binary content".to_owned());
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
        let is_boxed = self.peer.temper == Temper::Boxed;
        if is_boxed && self.peer.ledger.now() < UNBOXED {
            self.say("500 5.5.1 what?").await?;
            return over();
        }
        if is_boxed && self.peer.ledger.now() > FORGOTTEN {
            self.peer.ledger.lock().unboxed[1] += 1;
        }
        if !self.offers("CHUNKING") {
            self.breaks(format!("got `{upper}` without having offered it"));
        }
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

    /// What was promised of this message and this host.
    fn check(&self, recipient: &str) {
        let end = memchr::memmem::find(&self.content, b"\r\n\r\n");
        let (header, body) = self.content.split_at(end.unwrap_or(self.content.len()));
        // RFC 6532 section 3.5: nothing of it is lawful without the extension.
        if !header.is_ascii() && !self.asked.contains(" SMTPUTF8") {
            self.breaks(format!("got header fields beyond ASCII undeclared for {recipient}"));
        }
        if !body.is_ascii()
            && !self.asked.contains("BODY=8BITMIME")
            && !self.asked.contains("BODY=BINARY")
        {
            self.breaks(format!("got octets beyond ASCII undeclared for {recipient}"));
        }
        let mut inner = self.peer.ledger.lock();
        inner.sealed += usize::from(self.wire.is_sealed);
        // What its originator gets is the report on it (RFC 8689 section 5).
        let must = !recipient.starts_with('s')
            && number(recipient).is_some_and(|number| inner.require_tls.contains(&number));
        drop(inner);
        if must && !(self.wire.is_sealed && self.asked.contains(" REQUIRETLS")) {
            self.breaks(format!("got a message that requires TLS without it, for {recipient}"));
        }
    }

    fn keep(&self, recipient: String) {
        self.check(&recipient);
        if self.peer.temper == Temper::Boxed && self.peer.ledger.now() > FORGOTTEN {
            self.peer.ledger.lock().unboxed[0] += 1;
        }
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

/// Whether they need no SMTPUTF8, or it was declared.
fn is_ascii_or(declared: bool, paths: &[&str]) -> bool {
    declared || paths.iter().all(|path| path.is_ascii())
}

/// What stands between the angle brackets.
fn path(line: &str) -> String {
    let from = line.find('<').map_or(0, |at| at + 1);
    line[from..].split('>').next().unwrap_or_default().to_owned()
}
