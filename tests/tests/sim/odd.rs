//! Clients who say what comes to their mind: commands in any order and number, right ones, wrong ones, broken
//! ones, in groups, with contents that pretend to be commands and the other way round; with TLS and AUTH
//! begun, broken off and repeated; and who go away anywhere.
//!
//! What was promised to them is reckoned from the dialogue alone (see [`Said`]): RFC 5321 section 4.1.4 has
//! what a transaction is, and nothing here asks what the server thinks.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::time::{sleep, timeout};
use world::{World, net::Connect};

use super::{
    client::framed,
    errand,
    judge::number,
    ledger::{Body, Ledger, Mail},
    map::{DOMAINS, USERS, trick},
    named, scram,
    tls::Tls,
    user::plain,
    wire::Wire,
};

/// A door of one of our hosts: its last octet and port, whose domains it has, whether the network of clients
/// may relay, and what has to be before MAIL.
struct Entrance {
    host: u8,
    port: u16,
    ours: &'static [&'static str],
    is_open_to_known: bool,
    needs_tls: bool,
    needs_user: bool,
}

const fn entrance(host: u8, port: u16, ours: &'static [&'static str]) -> Entrance {
    Entrance { host, port, ours, is_open_to_known: false, needs_tls: false, needs_user: false }
}

static ENTRANCES: [Entrance; 9] = [
    Entrance { is_open_to_known: true, ..entrance(1, 25, &["a.test", "lmtp.test"]) },
    Entrance { is_open_to_known: true, ..entrance(1, named::XCLIENT, &["a.test", "lmtp.test"]) },
    Entrance { is_open_to_known: true, ..entrance(1, named::PROXY, &["a.test", "lmtp.test"]) },
    Entrance { is_open_to_known: true, ..entrance(2, 25, &["c.test"]) },
    entrance(3, 25, &["b.test", "c.test", "fetch.test"]),
    entrance(4, 25, &["d.test", "fetch.test"]),
    Entrance { needs_tls: true, needs_user: true, ..entrance(4, 587, &["d.test", "fetch.test"]) },
    Entrance { needs_tls: true, needs_user: true, ..entrance(4, 465, &["d.test", "fetch.test"]) },
    Entrance {
        is_open_to_known: true,
        needs_tls: true,
        ..entrance(4, 26, &["d.test", "fetch.test"])
    },
];

/// One who comes.
pub struct Odd {
    pub world: World,
    /// From the network of clients.
    pub is_known: bool,
    pub tls: Arc<Tls>,
    pub ledger: Ledger,
    pub random: fastrand::Rng,
    /// What was said and heard last.
    pub dialogue: Vec<String>,
}

/// One thing to say.
enum Saying {
    /// A command with one reply and no consequence for what was promised.
    Plain(Vec<u8>),
    Hello(String),
    Mail {
        path: String,
        line: String,
        number: u32,
    },
    Rcpt {
        to: String,
        line: String,
    },
    Reset,
    Chunk {
        octets: Vec<u8>,
        is_last: bool,
    },
    Data {
        framing: Framing,
    },
    StartTls {
        and_more: bool,
    },
    SignIn {
        name: &'static str,
        password: &'static str,
        by: By,
    },
    Quit,
}

/// By which mechanism.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Plain,
    Login,
    Scram,
}

/// How a content comes after 354.
#[derive(Clone, Copy, PartialEq)]
enum Framing {
    Right,
    /// With an end that is none, and a message behind it (smuggling).
    Smuggles,
    BreaksOff,
}

/// What was said and heard so far: all that a client can know of its session.
#[derive(Default)]
struct Said {
    is_user: bool,
    /// Of an open transaction: the reverse-path, and which message it is.
    mail: Option<(String, u32)>,
    to: Vec<String>,
    chunks: Vec<u8>,
    /// A chunk behind others was refused: nothing may come of this transaction (RFC 3030 section 2).
    is_spoiled: bool,
    /// Chunks came before recipients did: whether the transaction outlives that is the server's to say.
    is_unsure: bool,
}

impl Said {
    fn forget_transaction(&mut self) {
        (self.mail, self.is_spoiled, self.is_unsure) = (None, false, false);
        self.to.clear();
        self.chunks.clear();
    }
}

impl Odd {
    pub async fn visit(mut self) {
        let at = &ENTRANCES[self.random.usize(..ENTRANCES.len())];
        let ended = match timeout(Duration::from_secs(3_600), self.talk(at)).await {
            Ok(Ok(())) => "done".to_owned(),
            Ok(Err(error)) => error.kind().to_string(),
            Err(_) => "no patience left".to_owned(),
        };
        self.ledger.note(&format!("somebody odd at {}:{}: {ended}", at.host, at.port));
    }

    async fn talk(&mut self, at: &'static Entrance) -> io::Result<()> {
        let to = SocketAddr::from(([10, 0, 0, at.host], at.port));
        let connect = Connect { to, source: None, timeout: Duration::from_secs(60) };
        let mut wire = Wire::new(self.world.net.connect(connect).await?);
        if at.port == 465 {
            wire = wire.start_tls(&self.tls.client, "mx.d.test").await?;
        }
        wire.reply().await?;
        let mut said = Said::default();
        // Most greet at some time.
        if self.random.u32(..6) > 0 {
            wire.ask("EHLO odd.test").await?;
        }
        if at.needs_tls && !wire.is_sealed && self.random.u32(..3) > 0 {
            wire = self.begin_tls(at, wire, &mut said, false).await?;
            wire.ask("EHLO odd.test").await?;
        }
        if at.needs_user && self.random.u32(..3) > 0 {
            let (name, password, _) = USERS[0];
            self.sign_in(at, &mut wire, &mut said, (name, password, By::Plain)).await?;
        }
        for _ in 0..self.random.u32(1..20) {
            let group = self.group(at, &said);
            let (plain, last) = split(group);
            let octets: Vec<u8> = plain.iter().flat_map(octets_of).collect();
            self.announce(&plain, &said);
            self.write(&mut wire, &octets).await?;
            for saying in plain {
                let (code, line) = wire.reply().await?;
                self.hear(at, &wire, saying, (code, &line), &mut said)?;
            }
            match last {
                None => {}
                Some(Saying::StartTls { and_more }) => {
                    wire = self.begin_tls(at, wire, &mut said, and_more).await?;
                }
                Some(Saying::SignIn { name, password, by }) => {
                    self.sign_in(at, &mut wire, &mut said, (name, password, by)).await?;
                }
                Some(Saying::Data { framing }) => self.data(&mut wire, &mut said, framing).await?,
                Some(Saying::Quit) => {
                    wire.ask("QUIT").await?;
                    return Ok(());
                }
                Some(_) => unreachable!("said before"),
            }
        }
        Ok(())
    }

    /// Some commands at a time; the last one may want an answer to go on with.
    fn group(&mut self, at: &Entrance, said: &Said) -> Vec<Saying> {
        let number = said.mail.as_ref().map_or_else(|| self.ledger.number(), |(_, number)| *number);
        let count = self.random.u32(1..6);
        let whole = self.random.u32(..3) > 0 && said.mail.is_none();
        let mut group = Vec::new();
        if whole {
            // A transaction as it should be, nearly.
            group.push(self.mail(at, number));
            for index in 0..self.random.usize(1..4) {
                group.push(self.rcpt(at, number, index));
            }
        }
        for _ in 0..count {
            let saying = self.saying(at, number);
            group.push(saying);
        }
        if whole {
            let at = self.random.usize(1..=group.len());
            let end = match self.random.bool() {
                true => Saying::Data { framing: self.framing() },
                false => self.chunk(number, true),
            };
            group.insert(at, end);
        }
        // What comes behind the end of a message would be another message under the same number.
        let mut has_ended = false;
        group.retain(|saying| {
            let opens =
                matches!(saying, Saying::Mail { .. } | Saying::Rcpt { .. } | Saying::Chunk { .. });
            let stays = !has_ended || !opens;
            has_ended |= matches!(saying, Saying::Chunk { is_last: true, .. });
            stays
        });
        group
    }

    fn framing(&mut self) -> Framing {
        match self.random.u32(..8) {
            0 | 1 => Framing::Smuggles,
            2 => Framing::BreaksOff,
            _ => Framing::Right,
        }
    }

    fn saying(&mut self, at: &Entrance, number: u32) -> Saying {
        match self.random.u32(..40) {
            0..4 => self.mail(at, number),
            4..10 => {
                let index = self.random.usize(4..12);
                self.rcpt(at, number, index)
            }
            10..13 => {
                let is_last = self.random.bool();
                self.chunk(number, is_last)
            }
            13 => Saying::Data { framing: self.framing() },
            14 => Saying::Reset,
            15 => Saying::Hello("EHLO odd.test".to_owned()),
            16 => Saying::Hello("HELO odd.test".to_owned()),
            17 | 18 => Saying::StartTls { and_more: self.random.bool() },
            19..22 => {
                let (name, right, _) = USERS[self.random.usize(..2)];
                let password = if self.random.bool() { right } else { "12345" };
                let by = self.random.choice([By::Plain, By::Login, By::Scram]).expect("some");
                Saying::SignIn { name, password, by }
            }
            22 => Saying::Quit,
            _ => Saying::Plain(self.noise()),
        }
    }

    fn mail(&mut self, at: &Entrance, number: u32) -> Saying {
        let domain = match (at.needs_user, self.random.u32(..6)) {
            (true, 1..) => "d.test",
            _ => *self.random.choice(&["a.test", "b.test", "d.test", "good.test"]).expect("some"),
        };
        let path = match self.random.u32(..8) {
            0 => String::new(),
            _ => format!("s{number}@{domain}"),
        };
        let parameters = [
            "",
            "",
            "",
            "",
            " BODY=8BITMIME",
            " BODY=BINARYMIME",
            " SIZE=99999999999",
            " SIZE=x",
            " RET=HDRS",
            " SMTPUTF8",
            " AUTH=<>",
            " REQUIRETLS",
            " BY=1000;R",
            " HOLDFOR=60",
            " MT-PRIORITY=9",
            " X=Y",
            " BODY=9BIT",
            " BODY=8BITMIME BODY=8BITMIME",
        ];
        let parameter = self.random.choice(parameters).expect("some");
        let verb = self.random.choice(["MAIL FROM:", "mail from:", "Mail From:", "MAIL FROM: "]);
        let line = format!("{}<{path}>{parameter}", verb.expect("some"));
        Saying::Mail { path, line, number }
    }

    fn rcpt(&mut self, at: &Entrance, number: u32, index: usize) -> Saying {
        let own = at.ours[self.random.usize(..at.ours.len())];
        let to = match self.random.u32(..6) {
            0 if !self.is_known && !at.needs_user => trick(number, index, own, &mut self.random),
            1 => format!("t{number}r{index}@{}", self.random.choice(DOMAINS).expect("some")),
            _ => format!("t{number}r{index}@{own}"),
        };
        let parameter = self.random.choice(["", "", "", " NOTIFY=FAILURE", " NOTIFY=X", " Z"]);
        let verb = self.random.choice(["RCPT TO:", "rcpt to:", "RCPT TO: "]).expect("some");
        let line = format!("{verb}<{to}>{}", parameter.expect("some"));
        Saying::Rcpt { to, line }
    }

    fn chunk(&mut self, number: u32, is_last: bool) -> Saying {
        let content = errand::content(number, Body::Seven, &mut self.random);
        let octets = match self.random.u32(..6) {
            0 => b"QUIT\r\nRSET\r\n.\r\nMAIL FROM:<>\r\n".to_vec(),
            1 => Vec::new(),
            _ => content,
        };
        Saying::Chunk { octets, is_last }
    }

    /// What is no command, or one that gives nobody anything.
    fn noise(&mut self) -> Vec<u8> {
        let noises: [&[u8]; 28] = [
            b"NOOP",
            b"HELP",
            b"VRFY postmaster",
            b"EXPN staff",
            b"TURN",
            b"ETRN good.test",
            b"ATRN",
            b"ATRN d.test",
            b"XCLIENT ADDR=10.1.0.7 LOGIN=anna@d.test",
            b"XFORWARD ADDR=10.1.0.7",
            b"PROXY TCP4 10.1.0.7 10.0.0.1 1 25",
            b"XEXCH50 10 2",
            b"X-LINK2STATE LAST CHUNK={00}",
            b"X-EXPS LOGIN",
            b"X-ANONYMOUSTLS",
            b"TLS",
            b"LHLO odd.test",
            b"AUTH",
            b"AUTH X",
            b"AUTH PLAIN =",
            b"BDAT",
            b"BDAT x",
            b"BDAT -1 LAST",
            b"BDAT 18446744073709551616 LAST",
            b"DATA now",
            b"",
            b"\xff\xfe\x00",
            b"MAIL FROM:<a@b@c>",
        ];
        let mut noise = self.random.choice(noises).expect("some").to_vec();
        match self.random.u32(..8) {
            0 => noise.extend(std::iter::repeat_n(b'x', self.random.usize(1..3_000))),
            // A blank in the place of BDAT's minus would make a chunk of it.
            1 if !noise.is_empty() && !noise.starts_with(b"BDAT") => {
                let at = self.random.usize(..noise.len());
                noise[at] = self.random.choice(*b"\0\t \x80<>:@").expect("some");
            }
            _ => {}
        }
        noise
    }

    /// What is about to be sent may be kept without our hearing of it.
    fn announce(&self, sayings: &[Saying], said: &Said) {
        let mut number = said.mail.as_ref().map(|(_, number)| *number);
        for saying in sayings {
            match saying {
                Saying::Mail { number: own, .. } => number = number.or(Some(*own)),
                Saying::Rcpt { to, .. } => number = number.or(self::number(to)),
                Saying::Chunk { is_last: true, .. } => {
                    if let Some(number) = number {
                        let now = self.ledger.now();
                        self.ledger.lock().ended.insert(number, now);
                    }
                }
                _ => {}
            }
        }
    }

    /// In one piece, or in several.
    async fn write(&mut self, wire: &mut Wire, octets: &[u8]) -> io::Result<()> {
        let mut rest = octets;
        while self.random.u32(..4) == 0 && !rest.is_empty() {
            let (piece, after) = rest.split_at(self.random.usize(..rest.len()));
            wire.write(piece).await?;
            sleep(Duration::from_millis(self.random.u64(..3_000))).await;
            rest = after;
        }
        wire.write(rest).await
    }

    fn hear(
        &mut self,
        at: &Entrance,
        wire: &Wire,
        saying: Saying,
        (code, line): (u16, &str),
        said: &mut Said,
    ) -> io::Result<()> {
        if code == 421 {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let mut told = octets_of(&saying).escape_ascii().to_string();
        told.truncate(60);
        self.dialogue.push(format!("{told} -> {line}"));
        match saying {
            Saying::Plain(octets) if (200..300).contains(&code) => {
                let text = String::from_utf8_lossy(&octets).into_owned();
                let verb = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                let granted = self.is_known && (at.host, at.port) == (1, 25) && verb == "ETRN";
                if ["ETRN", "ATRN", "TURN", "XCLIENT", "XFORWARD", "PROXY"].contains(&verb)
                    && !granted
                {
                    self.breaks(at, format!("{text}: {line}"));
                }
            }
            Saying::Hello(_) | Saying::Reset if code == 250 => said.forget_transaction(),
            Saying::Mail { path, line, number } if code == 250 => {
                let may = (wire.is_sealed || !at.needs_tls) && (said.is_user || !at.needs_user);
                if !may || said.mail.is_some() && !said.is_unsure {
                    self.breaks(at, format!("MAIL is taken: {line}"));
                }
                // What has a null reverse-path passes for a report: it goes where it is not kept, too.
                if line.ends_with(" REQUIRETLS") && !path.is_empty() {
                    self.ledger.lock().require_tls.insert(number);
                }
                said.forget_transaction();
                said.mail = Some((path, number));
            }
            Saying::Rcpt { to, line: command } => self.hear_of(at, (to, &command), code, said)?,
            Saying::Chunk { octets, is_last } => {
                self.hear_of_chunk(at, octets, is_last, (code, line), said);
            }
            _ => {}
        }
        Ok(())
    }

    fn hear_of(
        &mut self,
        at: &Entrance,
        (to, command): (String, &str),
        code: u16,
        said: &mut Said,
    ) -> io::Result<()> {
        if code != 250 {
            let mut inner = self.ledger.lock();
            let kept = self::number(&to).and_then(|number| inner.acknowledged.get(&number));
            let is_kept = kept.is_some_and(|mail| mail.recipients.contains(&to));
            if !is_kept && !said.to.contains(&to) {
                inner.refused.insert(to);
            }
            return Ok(());
        }
        let Some((path, number)) = &said.mail else {
            self.breaks(at, format!("a recipient without a transaction: {command}"));
            return Ok(());
        };
        let is_ours = at.ours.iter().any(|domain| to.ends_with(&format!("@{domain}")));
        let may_relay = said.is_user || self.is_known && at.is_open_to_known;
        if !may_relay
            && (!is_ours || !to[..to.rfind('@').unwrap_or(0)].chars().all(char::is_alphanumeric))
        {
            self.breaks(at, format!("a stranger may relay: {command}"));
        }
        if said.is_user && !path.is_empty() && !path.ends_with("@d.test") {
            self.breaks(at, format!("anna sends as {path}"));
        }
        if self::number(&to) != Some(*number) {
            // It belongs to another message than was meant: nobody could tell later on. What a trick
            // means to a relay is not ours to say either.
            return Err(io::ErrorKind::Interrupted.into());
        }
        if said.to.contains(&to) {
            return Ok(());
        }
        // Said twice, refused once.
        self.ledger.lock().refused.remove(&to);
        said.to.push(to);
        Ok(())
    }

    fn hear_of_chunk(
        &mut self,
        at: &Entrance,
        octets: Vec<u8>,
        is_last: bool,
        (code, line): (u16, &str),
        said: &mut Said,
    ) {
        let is_taken = code == 250;
        if is_taken && (said.is_spoiled || said.to.is_empty()) {
            self.breaks(at, format!("a chunk of nothing is taken: {line}"));
        }
        if !is_taken && said.to.is_empty() {
            said.is_unsure = true;
            return;
        }
        if code == 502 {
            // No BDAT here: the transaction waits for DATA.
            return;
        }
        said.is_spoiled |= !is_taken;
        said.chunks.extend(octets);
        if is_last {
            self.ended(code, line, said);
        }
    }

    /// The reply to the end of a content.
    fn ended(&self, code: u16, line: &str, said: &mut Said) {
        let content = std::mem::take(&mut said.chunks);
        let Some((reverse_path, number)) = said.mail.clone() else { return };
        let recipients = std::mem::take(&mut said.to);
        let now = self.ledger.now();
        if code == 250 {
            self.ledger.note(&format!("message {number} of somebody odd acknowledged: {line}"));
            let mail = Mail { reverse_path, recipients, content, ..Mail::default() };
            let mut inner = self.ledger.lock();
            inner.acknowledged.insert(number, mail);
            inner.turned_away.remove(&number);
            if !said.is_user && !self.is_known {
                inner.strangers.insert(number);
            }
        } else {
            self.ledger.lock().turned_away.insert(number, now);
        }
        said.forget_transaction();
    }

    async fn data(&mut self, wire: &mut Wire, said: &mut Said, framing: Framing) -> io::Result<()> {
        let (code, line) = wire.ask("DATA").await?;
        if code != 354 {
            return Ok(());
        }
        let Some((_, number)) = said.mail.clone() else {
            self.ledger.breaks(format!("content without a transaction is asked for: {line}"));
            return Ok(());
        };
        let content = errand::content(number, Body::Seven, &mut self.random);
        if framing == Framing::BreaksOff {
            wire.write(&framed(&content, false)[..content.len() / 2]).await?;
            return Err(io::ErrorKind::Interrupted.into());
        }
        if framing == Framing::Smuggles {
            return self.smuggle(wire, said, number, content).await;
        }
        let now = self.ledger.now();
        self.ledger.lock().ended.insert(number, now);
        let framed = framed(&content, false);
        self.write(wire, &framed).await?;
        said.chunks = content;
        let (code, line) = wire.reply().await?;
        self.ended(code, &line, said);
        Ok(())
    }

    /// RFC 5321 section 2.3.8: a message with such line ends is refused or mended, but never two.
    async fn smuggle(
        &mut self,
        wire: &mut Wire,
        said: &mut Said,
        number: u32,
        content: Vec<u8>,
    ) -> io::Result<()> {
        let ends = ["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\r.\r\n"];
        let end = self.random.choice(ends).expect("some");
        let (to, path) = (format!("t{number}r99@a.test"), format!("s{number}@a.test"));
        let second = format!(
            "{end}MAIL FROM:<{path}>\r\nRCPT TO:<{to}>\r\nDATA\r\nSubject: second\r\n\r\ntext\r\n"
        );
        self.ledger.lock().refused.insert(to);
        let framed = framed(&content, false);
        let open = &framed[..framed.len() - 3];
        wire.write(&[open, second.as_bytes(), b".\r\n"].concat()).await?;
        let (code, line) = wire.reply().await?;
        if code == 250 {
            self.ledger.breaks(format!("a content with {end:?} in it is taken: {line}"));
        }
        // The end was none, so that there is one reply, and the next command has its own.
        let (code, line) = wire.ask("NOOP").await?;
        if code != 250 {
            self.ledger.breaks(format!("after {end:?} NOOP is answered with {line}"));
        }
        said.forget_transaction();
        Ok(())
    }

    async fn begin_tls(
        &mut self,
        at: &Entrance,
        mut wire: Wire,
        said: &mut Said,
        and_more: bool,
    ) -> io::Result<Wire> {
        let more = if and_more { "EHLO odd.test\r\nMAIL FROM:<>\r\n" } else { "" };
        wire.write(format!("STARTTLS\r\n{more}").as_bytes()).await?;
        let (code, line) = wire.reply().await?;
        if code != 220 {
            if and_more && code != 421 {
                // The other two have their replies as well.
                wire.reply().await?;
                wire.reply().await?;
                wire.ask("RSET").await?;
                said.forget_transaction();
            }
            return Ok(wire);
        }
        if wire.is_sealed {
            self.breaks(at, format!("TLS within TLS: {line}"));
        }
        if self.random.u32(..6) == 0 {
            wire.write(b"MAIL FROM:<>\r\nthis is no TLS\r\n").await?;
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut wire = wire.start_tls(&self.tls.client, "mx.d.test").await?;
        *said = Said::default();
        // RFC 3207 section 4.2: nothing is left of what was said before.
        let (code, line) = wire.ask("RCPT TO:<postmaster@d.test>").await?;
        if code < 400 {
            self.breaks(at, format!("what came in clear counts in TLS: {line}"));
        }
        match code {
            421 => Err(io::ErrorKind::ConnectionAborted.into()),
            _ => Ok(wire),
        }
    }

    async fn sign_in(
        &mut self,
        at: &Entrance,
        wire: &mut Wire,
        said: &mut Said,
        (name, password, by): (&str, &str, By),
    ) -> io::Result<()> {
        // Nobody tells his password to everybody.
        let password = if wire.is_sealed { password } else { "told-in-clear" };
        let is_right = USERS.iter().any(|user| user.0 == name && user.1 == password);
        let (mut code, mut line) = match by {
            By::Plain => wire.ask(&plain((name, password, ""))).await?,
            By::Login => wire.ask("AUTH LOGIN").await?,
            By::Scram => scram::sign_in(wire, (name, password), "odd", &self.ledger).await?,
        };
        if code == 334 {
            (code, line) = wire.ask(&STANDARD.encode(name)).await?;
        }
        if code == 334 {
            let last = match self.random.u32(..5) {
                0 => "*".to_owned(),
                _ => STANDARD.encode(password),
            };
            (code, line) = wire.ask(&last).await?;
        }
        if code == 235 && !(is_right && wire.is_sealed && at.needs_user) {
            self.breaks(at, format!("{name} has signed in with `{password}`: {line}"));
        }
        said.is_user |= code == 235;
        match code {
            421 => Err(io::ErrorKind::ConnectionAborted.into()),
            _ => Ok(()),
        }
    }

    fn breaks(&self, at: &Entrance, how: String) {
        let before = &self.dialogue[self.dialogue.len().saturating_sub(8)..];
        let (host, port, is_known) = (at.host, at.port, self.is_known);
        self.ledger.breaks(format!("{host}:{port}, known {is_known}: {how}; after {before:#?}"));
    }
}

/// What has one reply each, up to the first that wants one to go on with.
fn split(mut group: Vec<Saying>) -> (Vec<Saying>, Option<Saying>) {
    let waits = |saying: &Saying| {
        matches!(
            saying,
            Saying::StartTls { .. } | Saying::SignIn { .. } | Saying::Data { .. } | Saying::Quit
        )
    };
    let Some(at) = group.iter().position(waits) else { return (group, None) };
    group.truncate(at + 1);
    let last = group.pop();
    (group, last)
}

fn octets_of(saying: &Saying) -> Vec<u8> {
    match saying {
        Saying::Plain(octets) => [octets, &b"\r\n"[..]].concat(),
        Saying::Hello(line) | Saying::Mail { line, .. } | Saying::Rcpt { line, .. } => {
            format!("{line}\r\n").into_bytes()
        }
        Saying::Reset => b"RSET\r\n".to_vec(),
        Saying::Chunk { octets, is_last } => {
            let last = if *is_last { " LAST" } else { "" };
            [format!("BDAT {}{last}\r\n", octets.len()).as_bytes(), octets].concat()
        }
        Saying::StartTls { .. } | Saying::SignIn { .. } | Saying::Data { .. } | Saying::Quit => {
            Vec::new()
        }
    }
}
