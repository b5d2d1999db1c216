//! The client's octets: lines, content, chunks, responses of SASL.
//!
//! What octets are depends on replies: after a DATA that was refused come commands, after one that was
//! accepted comes content. Until the reply is there, octets wait (`resolve` decides).

use diagnose::session::{Kind, Party};

use super::{
    content::{Content, End},
    dialogue::{Dialogue, Wrapping},
    held::{Body, Stamp},
    line::Read,
    state::{Blob, Client, LooseEnd, Then, Wait},
    verb::{self, SECRET},
};
use crate::keys::KeyLog;

impl Dialogue {
    pub(super) fn client_octets(&mut self, stamp: Stamp, mut octets: &[u8], keys: &KeyLog) {
        let outside = self.client.wrapping == Wrapping::Clear;
        while !octets.is_empty() {
            if self.client.waits() {
                self.client.hold(stamp, octets);
                return self.client_goes_on(false, keys);
            }
            octets = &octets[self.consume(stamp, octets, keys)..];
            if outside && self.client.wrapping != Wrapping::Clear {
                return self.octets(stamp, Party::Client, octets, keys);
            }
        }
    }

    pub(super) fn client_gap(&mut self, stamp: Stamp, octets: u64) {
        if self.client.waits() {
            self.client.held.push_gap(stamp, octets);
            return self.client_goes_on(false, &KeyLog::default());
        }
        self.gap_now(stamp, octets);
    }

    /// Nothing more comes from the client.
    pub(super) fn client_ends(&mut self) {
        self.client_goes_on(true, &KeyLog::default());
        if matches!(self.client.state, Client::Sasl) {
            self.response_cut_off();
        }
        if let Some(line) = self.client.line.rest() {
            self.client_line(line);
        }
        match std::mem::take(&mut self.client.state) {
            Client::Content(content)
            | Client::Peek(Then::Content(content) | Then::Midway(content)) => {
                self.end_content(*content, false);
            }
            Client::Blob(blob) | Client::Peek(Then::Blob(blob)) => self.end_blob(blob),
            _ => {}
        }
    }

    /// The server answers, so it took what there is of a line for a command.
    pub(super) fn client_was_heard(&mut self, keys: &KeyLog) {
        let lines = matches!(self.client.state, Client::Lines);
        let alone = lines && self.asked.is_empty() && self.client.line.may_end_here();
        if let Some(line) = alone.then(|| self.client.line.rest()).flatten() {
            self.client_line(line);
            self.client_goes_on(false, keys);
        }
    }

    /// Reads on in what waits, as far as it is known by now what it is. `last`: nothing more will tell.
    pub(super) fn client_goes_on(&mut self, last: bool, keys: &KeyLog) {
        loop {
            if self.client.waits() {
                if self.resolve(last) {
                    continue;
                }
                return;
            }
            match self.client.held.pop() {
                None => return,
                Some((stamp, Body::Gap(octets))) => self.gap_now(stamp, octets),
                Some((stamp, Body::Octets(octets, from))) => {
                    let outside = self.client.wrapping == Wrapping::Clear;
                    let used = self.consume(stamp, &octets[from..], keys);
                    self.client.put_back(stamp, Body::Octets(octets, from + used));
                    if outside && self.client.wrapping != Wrapping::Clear {
                        return self.held_is_tls(keys);
                    }
                }
            }
        }
    }

    fn held_is_tls(&mut self, keys: &KeyLog) {
        while let Some((stamp, body)) = self.client.held.pop() {
            match body {
                Body::Gap(octets) => self.gap(stamp, Party::Client, octets),
                Body::Octets(octets, from) => {
                    self.octets(stamp, Party::Client, &octets[from..], keys);
                }
            }
        }
    }

    /// Reads octets as what they are, up to where that may change. Gives how many were used: at least one,
    /// unless TLS begins.
    fn consume(&mut self, stamp: Stamp, octets: &[u8], keys: &KeyLog) -> usize {
        match &mut self.client.state {
            Client::Waiting(_) | Client::Peek(_) => 0,
            Client::Lines | Client::Sasl => self.consume_line(stamp, octets, keys),
            Client::Blob(blob) => {
                let used = blob.read(stamp, octets);
                if blob.left == 0
                    && let Client::Blob(blob) = std::mem::take(&mut self.client.state)
                {
                    self.end_blob(blob);
                }
                used
            }
            Client::Content(content) => {
                let (used, end) = content.read(stamp, octets);
                if let Some(end) = end
                    && let Client::Content(content) = std::mem::take(&mut self.client.state)
                {
                    self.content_ends(content, end);
                }
                used
            }
        }
    }

    fn consume_line(&mut self, stamp: Stamp, octets: &[u8], keys: &KeyLog) -> usize {
        if self.peeks_for_content() {
            let mut content = Client::content(stamp);
            content.had_gap = true;
            self.client.state = Client::Peek(Then::Content(content));
            return 0;
        }
        let tls = self.client.wrapping == Wrapping::Clear;
        let (used, read) = self.client.line.read(stamp, octets, tls);
        match read {
            Read::More => {}
            Read::Tls(before) => {
                self.start_tls(Party::Client);
                if let Some((stamp, octet)) = before {
                    self.octets(stamp, Party::Client, &[octet], keys);
                }
            }
            Read::Line(line) if matches!(self.client.state, Client::Sasl) => self.response(line),
            Read::Line(line) => {
                for line in line.at_bare_cr(verb::looks_like_command) {
                    self.client_line(line);
                }
            }
        }
        used
    }

    /// DATA may be among the commands that are missing, and its 354 among the replies: the next line tells.
    fn peeks_for_content(&mut self) -> bool {
        let client = &mut self.client;
        let begins = matches!(client.state, Client::Lines) && !client.line.is_within();
        begins && self.server.reply_lost && std::mem::take(&mut client.may_be_content)
    }

    fn content_ends(&mut self, content: Box<Content>, end: End) {
        if end == End::Strict {
            return self.end_content(*content, true);
        }
        let scan = content.scan();
        let end = LooseEnd { content, scan, strict_found: false, answered: false };
        self.client.state = Client::Waiting(Wait::LooseEnd(end));
    }

    /// The line of a content that is over, or cut off.
    pub(super) fn end_content(&mut self, content: Content, finished: bool) {
        if content.octets == 0 {
            return;
        }
        let (first, last) = (content.first, content.last);
        let (text, octets, print) = content.close(finished);
        self.push_content(Kind::Content { octets, finished }, text, (first, last), print);
        if finished {
            self.ask(super::dialogue::Asked::EndOfContent);
        }
    }

    /// The line of a chunk or blob that is over, or cut off.
    pub(super) fn end_blob(&mut self, blob: Blob) {
        let Some((first, last)) = blob.place else { return };
        let kind = Kind::Blob { octets: blob.seen, announced: blob.announced };
        let print = blob.print.map(|print| print.finish(0));
        self.push_content(kind, blob.shown, (first, last), print);
        if let Some(asked) = blob.reply {
            self.ask(asked);
        }
    }

    fn gap_now(&mut self, stamp: Stamp, octets: u64) {
        match std::mem::take(&mut self.client.state) {
            Client::Sasl => {
                self.response_cut_off();
                // Its rest comes behind the gap, or the next one.
                self.client.state = Client::Sasl;
            }
            Client::Content(mut content) => {
                content.gap();
                self.client.state = Client::Content(content);
            }
            Client::Blob(mut blob) => {
                let within = octets.min(blob.left);
                blob.print = None;
                blob.left -= within;
                self.client.unsure |= within < octets;
                if blob.left > 0 {
                    self.client.state = Client::Blob(blob);
                } else {
                    blob.place = blob.place.or(Some((stamp, stamp)));
                    self.end_blob(blob);
                }
            }
            state => {
                self.client.state = state;
                self.gap_in_lines(stamp);
            }
        }
        self.push(Party::Client, Kind::Gap { octets }, Vec::new(), stamp, stamp);
    }

    fn gap_in_lines(&mut self, stamp: Stamp) {
        if self.client.tls_due {
            self.client.wrapping = Wrapping::Opaque;
            return;
        }
        let line = self.client.line.before_gap();
        // Behind the gap may come the rest of what is secret.
        let secret = line.as_ref().is_some_and(|line| verb::may_hold_secret(&line.text));
        if let Some(line) = line {
            self.client_line(line);
        } else if !self.server.was_heard {
            self.client.state = Client::Peek(Then::Midway(Client::content(stamp)));
        }
        if secret {
            self.client.state = Client::Sasl;
        }
        (self.client.unsure, self.client.may_be_content) = (true, true);
    }

    fn response_cut_off(&mut self) {
        if let Some(line) = self.client.line.rest() {
            let text = SECRET.as_bytes().to_vec();
            self.push(Party::Client, Kind::SaslResponse, text, line.first, line.last);
        }
    }
}
