//! Both sides of a dialogue that is known to be mail: what was asked, what was answered, and when the
//! octets are no lines.
//!
//! `client` reads what the client says, `server` what the server says; this is what they share.

use std::collections::VecDeque;

use diagnose::{
    fingerprint::Fingerprint,
    session::{Event, Kind, Line, Party, TlsSeen},
};

use super::{held::Stamp, record::Record, server::ServerSide, state::ClientSide};
use crate::{
    keys::KeyLog,
    tls::{Seen, Watch},
};

/// Replies that are waited for; of a client that never gets any the oldest are forgotten.
const ASKED_MAX: usize = 10_000;

/// What a reply is due to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Greeting,
    Rcpt,
    Data,
    EndOfContent,
    Bdat { last: bool },
    Auth,
    StartTls,
    Xexch50,
    Other,
}

/// How one side's octets are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// As they come.
    #[default]
    Clear,
    /// As records of TLS.
    Tls,
    /// Not at all: they are no text, and where records begin is not known.
    Opaque,
}

/// Octets of one side that could not be read, in one go.
#[derive(Clone, Debug)]
struct Run {
    by: Party,
    octets: u64,
    first: Stamp,
    last: Stamp,
}

/// A dialogue. Parties are roles here, no guesses any more.
#[derive(Clone, Debug)]
pub(super) struct Dialogue {
    pub(super) record: Record,
    pub(super) client: ClientSide,
    pub(super) server: ServerSide,
    pub(super) asked: VecDeque<Asked>,
    /// LHLO was said.
    pub(super) is_lmtp: bool,
    /// Recipients that were accepted in this transaction.
    pub(super) accepted: u32,
    /// Replies to the end of content that are still due, over LMTP.
    replies_left: Option<u32>,
    /// Who said something last.
    speaks: Option<Party>,
    tls: Option<Box<Watch>>,
    run: Option<Run>,
}

/// What a dialogue comes to.
pub(super) struct Finished {
    pub lines: Vec<Line>,
    pub contents: Vec<Fingerprint>,
    pub tls: Option<TlsSeen>,
}

impl Dialogue {
    /// A dialogue that is seen from its start, or from somewhere.
    pub fn new(from_start: bool) -> Self {
        let asked = if from_start { [Asked::Greeting].into() } else { VecDeque::new() };
        Self {
            record: Record::default(),
            client: ClientSide::default(),
            server: ServerSide::default(),
            asked,
            is_lmtp: false,
            accepted: 0,
            replies_left: None,
            speaks: None,
            tls: None,
            run: None,
        }
    }

    /// Octets of one side.
    pub fn octets(&mut self, stamp: Stamp, by: Party, octets: &[u8], keys: &KeyLog) {
        if self.speaks.replace(by).is_some_and(|before| before != by) {
            match by {
                Party::Server => self.client_was_heard(keys),
                _ => self.server_was_heard(keys),
            }
        }
        match (self.wrapping(by), by) {
            (Wrapping::Tls, _) => self.under_tls(stamp, by, octets, keys),
            (Wrapping::Opaque, _) => self.unread(stamp, by, octets.len() as u64),
            (Wrapping::Clear, Party::Server) => self.server_octets(stamp, octets, keys),
            (Wrapping::Clear, _) => self.client_octets(stamp, octets, keys),
        }
    }

    /// Octets of one side are missing.
    pub fn gap(&mut self, stamp: Stamp, by: Party, octets: u64) {
        if self.wrapping(by) == Wrapping::Tls {
            let seen = self.tls.as_mut().map(|tls| tls.gap(by)).unwrap_or_default();
            self.show(stamp, by, seen, &KeyLog::default());
        }
        match (self.wrapping(by), by) {
            (Wrapping::Clear, Party::Server) => self.server_gap(stamp, octets),
            (Wrapping::Clear, _) => self.client_gap(stamp, octets),
            _ => self.push(by, Kind::Gap { octets }, Vec::new(), stamp, stamp),
        }
    }

    /// Something that the connection did.
    pub fn event(&mut self, stamp: Stamp, by: Party, event: Event, text: &str) {
        self.push(by, Kind::Event(event), text.as_bytes().to_vec(), stamp, stamp);
    }

    /// Adds a line.
    pub fn push(&mut self, by: Party, kind: Kind, text: Vec<u8>, first: Stamp, last: Stamp) {
        self.end_run();
        self.record.push(by, kind, text, first, last);
    }

    /// Adds a content's line.
    pub fn push_content(
        &mut self,
        kind: Kind,
        text: Vec<u8>,
        places: (Stamp, Stamp),
        print: Option<Fingerprint>,
    ) {
        self.end_run();
        self.record.content(kind, text, places, print);
    }

    /// Octets of memory that it takes.
    pub fn memory(&self) -> usize {
        let tls = self.tls.as_ref().map_or(0, |tls| tls.memory());
        let lines = self.client.line.memory() + self.server.line.memory();
        self.record.memory() + self.client.held.memory() + tls + lines
    }

    /// Nothing more comes.
    pub fn finish(mut self) -> Finished {
        self.client_ends();
        self.server_ends();
        for by in [Party::Client, Party::Server] {
            let left = self.tls.as_ref().map_or(0, |tls| tls.left(by));
            if left > 0 {
                self.unread(self.run.as_ref().map(|run| run.last).unwrap_or_default(), by, left);
            }
        }
        self.end_run();
        let (lines, contents) = self.record.finish();
        Finished { lines, contents, tls: self.tls.map(|tls| tls.facts()) }
    }

    /// What the reply with this code is due to, as far as the commands seen tell.
    pub(super) fn take_asked(&mut self, code: u16) -> Option<Asked> {
        // Some codes answer one thing only. Where the count of replies is off, they set it right.
        let only: &[Asked] = match code {
            354 => &[Asked::Data, Asked::Xexch50],
            334 | 235 => &[Asked::Auth],
            _ => &[],
        };
        if !only.is_empty()
            && let Some(index) = self.asked.iter().position(|asked| only.contains(asked))
        {
            return self.asked.drain(..=index).next_back();
        }
        let asked = *self.asked.front()?;
        let ends = matches!(asked, Asked::EndOfContent | Asked::Bdat { last: true });
        if ends && self.is_lmtp {
            let left = self.replies_left.unwrap_or(self.accepted.max(1)) - 1;
            self.replies_left = Some(left).filter(|&left| left > 0);
            if left > 0 {
                return Some(asked);
            }
        }
        if ends {
            self.accepted = 0;
        }
        self.asked.pop_front()
    }

    pub(super) fn ask(&mut self, asked: Asked) {
        if self.asked.len() >= ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back(asked);
    }

    pub(super) fn wrapping(&self, by: Party) -> Wrapping {
        if by == Party::Server { self.server.wrapping } else { self.client.wrapping }
    }

    /// A side's stream goes on as TLS.
    pub(super) fn start_tls(&mut self, by: Party) {
        if by == Party::Server {
            self.server.wrapping = Wrapping::Tls;
        } else {
            self.client.wrapping = Wrapping::Tls;
            self.client.state = super::state::Client::Lines;
            self.client.tls_due = false;
        }
        self.tls.get_or_insert_default();
        self.asked.retain(|asked| *asked == Asked::Greeting);
    }

    fn under_tls(&mut self, stamp: Stamp, by: Party, octets: &[u8], keys: &KeyLog) {
        let Some(mut tls) = self.tls.take() else { return };
        let seen = tls.octets(by, octets, keys);
        self.tls = Some(tls);
        self.show(stamp, by, seen, keys);
    }

    fn show(&mut self, stamp: Stamp, by: Party, seen: Vec<Seen>, keys: &KeyLog) {
        for seen in seen {
            match seen {
                Seen::Hello(text) => self.event(stamp, by, Event::TlsHello, &text),
                Seen::Alert(text) => self.event(stamp, by, Event::TlsAlert, &text),
                Seen::Established(text) => {
                    self.event(stamp, Party::Note, Event::TlsEstablished, &text);
                }
                Seen::Remark(text) => self.event(stamp, Party::Note, Event::Remark, text),
                Seen::Sealed(octets) => self.unread(stamp, by, octets),
                Seen::Clear(text) if by == Party::Server => self.server_octets(stamp, &text, keys),
                Seen::Clear(text) => self.client_octets(stamp, &text, keys),
            }
        }
    }

    /// Octets that can't be read; those of one side without a word between are one line.
    pub(super) fn unread(&mut self, stamp: Stamp, by: Party, octets: u64) {
        if self.run.as_ref().is_some_and(|run| run.by != by) {
            self.end_run();
        }
        let run = self.run.get_or_insert(Run { by, octets: 0, first: stamp, last: stamp });
        run.octets += octets;
        run.last = stamp;
    }

    fn end_run(&mut self) {
        if let Some(Run { by, octets, first, last }) = self.run.take() {
            self.record.push(by, Kind::Encrypted { octets }, Vec::new(), first, last);
        }
    }
}
