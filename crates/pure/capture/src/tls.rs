//! TLS as it is seen from outside, and from inside where a key log has its secrets.
//!
//! Records are read off both sides' octets. What stands in clear is told: hellos, certificates (up to
//! TLS 1.2), alerts. What is sealed is opened if it can be, else counted.

mod hello;
mod names;
mod open;
mod side;

use diagnose::session::{Party, TlsSeen};
use open::{Opener, Protection};
use side::{Record, Side};

use crate::keys::{KeyLog, Label};

/// What the records show, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// This side's hello; what it says.
    Hello(String),
    /// The handshake is through; version and cipher suite.
    Established(String),
    /// This side sent an alert.
    Alert(String),
    /// Something to be said.
    Remark(&'static str),
    /// Octets, with the records' headers, that can't be read.
    Sealed(u64),
    /// What this side said inside.
    Clear(Vec<u8>),
}

const CHANGE_CIPHER: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;

const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;

/// An alert's two octets, its type and the tag: what seals a TLS 1.3 alert.
const SEALED_ALERT: usize = 2 + 1 + 16;

/// Watches one handshake and what comes after it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    client: Side,
    server: Side,
    client_random: Option<[u8; 32]>,
    server_random: Option<[u8; 32]>,
    version: Option<u16>,
    suite: Option<u16>,
    is_established: bool,
    missing_keys_said: bool,
    facts: TlsSeen,
}

impl Watch {
    /// Octets of one side.
    pub fn octets(&mut self, by: Party, octets: &[u8], keys: &KeyLog) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut rest = octets;
        while let Some(record) = self.side(by).next_record(&mut rest) {
            match record {
                Record::Whole { kind, version, payload } => {
                    self.record(by, kind, version, &payload, keys, &mut seen);
                }
                Record::Garbage(octets) => seen.push(Seen::Sealed(octets)),
                Record::Lost => seen.push(Seen::Remark("what comes here is no record of TLS")),
            }
        }
        seen
    }

    /// Octets of one side are missing. Where the next record begins can't be told, nor its number.
    pub fn gap(&mut self, by: Party) -> Vec<Seen> {
        let left = self.side(by).lose();
        if left > 0 { vec![Seen::Sealed(left)] } else { Vec::new() }
    }

    /// Octets of a record that is not complete.
    pub fn left(&self, by: Party) -> u64 {
        let side = if by == Party::Server { &self.server } else { &self.client };
        side.left()
    }

    /// Octets of memory that it takes.
    pub fn memory(&self) -> usize {
        self.client.memory() + self.server.memory()
    }

    /// What is known of it.
    pub fn facts(self) -> TlsSeen {
        self.facts
    }

    fn side(&mut self, by: Party) -> &mut Side {
        if by == Party::Server { &mut self.server } else { &mut self.client }
    }

    fn record(
        &mut self,
        by: Party,
        kind: u8,
        version: [u8; 2],
        payload: &[u8],
        keys: &KeyLog,
        seen: &mut Vec<Seen>,
    ) {
        let is_tls13 = self.version == Some(TLS13);
        match kind {
            // RFC 8446 appendix D.4: it means nothing any more.
            CHANGE_CIPHER if is_tls13 => {}
            CHANGE_CIPHER => self.side(by).is_sealed = true,
            APPLICATION => self.sealed(by, kind, version, payload, keys, seen),
            _ if self.side(by).is_sealed && !is_tls13 => {
                self.sealed(by, kind, version, payload, keys, seen);
            }
            _ => self.clear(by, kind, payload.to_vec(), keys, seen),
        }
    }

    /// A record's content, as it came or opened.
    fn clear(&mut self, by: Party, kind: u8, text: Vec<u8>, keys: &KeyLog, seen: &mut Vec<Seen>) {
        match kind {
            ALERT => self.alert(by, &text, seen),
            HANDSHAKE => {
                self.side(by).handshake(&text);
                while let Some((kind, body)) = self.side(by).next_message() {
                    self.message(by, kind, &body, keys, seen);
                }
            }
            APPLICATION => seen.push(Seen::Clear(text)),
            _ => {}
        }
    }

    fn alert(&mut self, by: Party, text: &[u8], seen: &mut Vec<Seen>) {
        // close_notify ends a session in order; it is no news.
        if let [level, number] = *text
            && number != 0
        {
            let name = names::alert(number);
            let level = if level == 1 { "warning" } else { "fatal" };
            self.facts.alerts.push((by, name.clone()));
            seen.push(Seen::Alert(format!("{name} ({level})")));
        }
    }

    fn message(&mut self, by: Party, kind: u8, body: &[u8], keys: &KeyLog, seen: &mut Vec<Seen>) {
        match (kind, by) {
            (1, Party::Client) => self.client_hello(body, seen),
            (2, Party::Server) => self.server_hello(body, keys, seen),
            (11, Party::Server) => {
                let is_tls13 = self.version == Some(TLS13);
                let certificates = hello::certificates(body, is_tls13);
                if self.facts.certificates.is_empty() {
                    self.facts.certificates = certificates;
                }
            }
            (20, _) => self.finished(by, keys, seen),
            (24, _) if self.version == Some(TLS13) => self.key_update(by),
            _ => {}
        }
    }

    fn client_hello(&mut self, body: &[u8], seen: &mut Vec<Seen>) {
        let Some(hello) = hello::client_hello(body) else { return };
        self.client_random = Some(hello.random);
        let version = names::version(hello.version);
        let text = match &hello.server_name {
            Some(name) => format!("up to {version}, asks for {name}"),
            None => format!("up to {version}"),
        };
        self.facts.server_name = hello.server_name;
        seen.push(Seen::Hello(text));
    }

    fn server_hello(&mut self, body: &[u8], keys: &KeyLog, seen: &mut Vec<Seen>) {
        let Some(hello) = hello::server_hello(body) else { return };
        if hello.is_retry {
            seen.push(Seen::Hello("asks for another hello of the client".to_owned()));
            return;
        }
        self.server_random = Some(hello.random);
        (self.version, self.suite) = (Some(hello.version), Some(hello.suite));
        let (version, suite) = (names::version(hello.version), names::suite(hello.suite));
        seen.push(Seen::Hello(format!("{version} {suite}")));
        (self.facts.version, self.facts.cipher) = (Some(version), Some(suite));
        if hello.version == TLS13 {
            self.client.is_sealed = true;
            self.server.is_sealed = true;
            self.use_secret(Party::Client, Label::ClientHandshake, keys);
            self.use_secret(Party::Server, Label::ServerHandshake, keys);
        }
    }

    /// RFC 8446 section 4.4.4: what a side says behind its Finished is under its traffic secret.
    fn finished(&mut self, by: Party, keys: &KeyLog, seen: &mut Vec<Seen>) {
        self.side(by).is_finished = true;
        if self.version == Some(TLS13) {
            match by {
                Party::Server => self.use_secret(by, Label::ServerTraffic, keys),
                _ => self.use_secret(by, Label::ClientTraffic, keys),
            }
        }
        if self.client.is_finished && self.server.is_finished {
            self.established(seen);
        }
    }

    fn established(&mut self, seen: &mut Vec<Seen>) {
        if !std::mem::replace(&mut self.is_established, true) {
            let known = [self.facts.version.clone(), self.facts.cipher.clone()];
            let known: Vec<String> = known.into_iter().flatten().collect();
            seen.push(Seen::Established(known.join(" ")));
        }
    }

    fn key_update(&mut self, by: Party) {
        let Some(protection) = self.suite.and_then(Protection::of) else { return };
        let side = self.side(by);
        if let Some(secret) = side.secret.take() {
            let secret = open::updated(protection, &secret);
            side.opener = Opener::tls13(protection, &secret);
            side.secret = Some(secret);
        }
    }

    /// Opens what this side says from now on with a secret of the key log, if it is there.
    fn use_secret(&mut self, by: Party, label: Label, keys: &KeyLog) {
        let protection = self.suite.and_then(Protection::of);
        let secret = self.client_random.and_then(|random| keys.secret(&random, label));
        let side = self.side(by);
        side.secret = secret.map(<[u8]>::to_vec);
        side.opener = protection.zip(secret).and_then(|(p, secret)| Opener::tls13(p, secret));
    }

    fn use_master(&mut self, keys: &KeyLog) {
        let both = self.client_random.zip(self.server_random);
        let protection = self.suite.and_then(Protection::of);
        let Some(((client, server), protection)) = both.zip(protection) else { return };
        let Some(master) = keys.secret(&client, Label::Master) else { return };
        if let Some((ours, theirs)) = Opener::tls12(protection, master, &client, &server) {
            (self.client.opener, self.server.opener) = (Some(ours), Some(theirs));
        }
    }

    fn sealed(
        &mut self,
        by: Party,
        kind: u8,
        version: [u8; 2],
        payload: &[u8],
        keys: &KeyLog,
        seen: &mut Vec<Seen>,
    ) {
        let none_yet = self.client.sealed_records == 0 && self.server.sealed_records == 0;
        if none_yet && self.version == Some(TLS12) {
            self.use_master(keys);
        }
        let side = self.side(by);
        side.sealed_records += 1;
        let first = side.sealed_records == 1;
        if let Some(opener) = &mut side.opener {
            if let Some((kind, text)) = opener.open(kind, version, payload) {
                self.facts.decrypted = true;
                return self.clear(by, kind, text, keys, seen);
            }
            // RFC 8446 section 4.2.10: early data is under a secret of its own, and passed over.
            let early = by == Party::Client && !side.is_finished && side.sealed_records < 100;
            if !early {
                side.opener = None;
                seen.push(Seen::Remark("the key log's secrets do not open what comes here"));
            }
        } else if first && !keys.is_empty() && !std::mem::replace(&mut self.missing_keys_said, true)
        {
            seen.push(Seen::Remark(self.why_sealed()));
        }
        seen.push(Seen::Sealed(payload.len() as u64 + 5));
        self.guess_progress(by, kind, payload.len(), first, seen);
    }

    fn why_sealed(&self) -> &'static str {
        match self.suite.map(Protection::of) {
            Some(None) => "no records of this cipher suite are opened here",
            _ => "the key log has no secrets of this session",
        }
    }

    /// What sealed records tell by their lengths and order.
    fn guess_progress(
        &mut self,
        by: Party,
        kind: u8,
        length: usize,
        first: bool,
        seen: &mut Vec<Seen>,
    ) {
        if self.is_established {
            return;
        }
        let is_tls13 = self.version == Some(TLS13);
        if kind == ALERT || is_tls13 && first && by == Party::Client && length == SEALED_ALERT {
            self.facts.alerts.push((by, "encrypted".to_owned()));
            seen.push(Seen::Alert("encrypted".to_owned()));
            return;
        }
        // Up to 1.2 both sides seal a Finished; in 1.3 the client's is its first sealed record.
        let through = match self.version {
            Some(TLS13) => self.server.sealed_records > 0 && self.client.sealed_records > 0,
            Some(_) => self.client.sealed_records > 0 && self.server.sealed_records > 0,
            None => false,
        };
        let alerted = self.facts.alerts.iter().any(|(who, _)| *who == by);
        if through && !alerted {
            self.established(seen);
        }
    }
}
