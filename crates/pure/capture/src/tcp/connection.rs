//! One connection: its handshake, its end, and both streams handed out in the order of cause.
//!
//! Order of cause: octets are handed out once everything before them in their stream was, and everything
//! of the other stream that their sender had received by then (its acknowledgment tells). So a reply
//! never comes before its command, though the capture may have them in that order. What is missing
//! meanwhile and was acknowledged is waited for [`PATIENCE`]; then it is a gap.

mod end;
mod order;

use std::time::Duration;

use diagnose::session::{Endpoint, Event, Party, Place};

use super::{
    CLIENT, End, Listener, Moment, SERVER,
    sent::MOMENT,
    stream::{Fin, Reset, Stream, Verdict, duration},
};
use crate::{
    decode::{Report, Segment},
    follow::is_mail_port,
    keys::KeyLog,
    limits::Limits,
};

/// Nanoseconds that acknowledged octets are waited for: packets may stand in the wrong order.
const PATIENCE: i64 = 500_000_000;
/// Octets of memory beyond which they are not waited for: no capture turns so many round.
const WAITING_MANY: usize = 256 << 10;
/// Nanoseconds after both sides closed in which late packets still belong to a connection.
const AFTER_CLOSE: i64 = 1_000_000_000;
/// The same after a reset, in which the other side, or the supposed sender, may still speak.
const AFTER_RESET: i64 = 5_000_000_000;
/// Octets after which a connection that can't be told to be mail is none.
const UNDECIDED_MAX: u64 = 1 << 20;
/// Pieces of segments that may wait.
const PIECES_MAX: usize = 8_192;
/// ICMP errors kept of a connection.
const ICMP_MAX: usize = 32;

#[derive(Clone)]
pub(super) struct Connection<L> {
    listener: L,
    streams: [Stream; 2],
    /// Ports, the client's first.
    ports: [u16; 2],
    started: i64,
    /// Number of the first packet.
    pub first: u64,
    /// The newest packet of either side.
    pub last: Moment,
    /// Newest time that the listener was told.
    told: i64,
    /// The first SYN, and the newest answer to it.
    asked: Option<Moment>,
    answered: Option<Moment>,
    /// The newest refusal of it.
    refused: Option<Moment>,
    refusals: u32,
    is_connected: bool,
    /// Nanoseconds there and back in the handshake.
    round_trip: Option<i64>,
    icmp: Vec<(Place, String)>,
    is_mail: Option<bool>,
}

/// What a connection did with a segment.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// The capture has the packet twice.
    pub is_twice: bool,
    /// More waited than may.
    pub is_too_much: bool,
}

/// Who an end is to the listener.
fn party(end: End) -> Party {
    if end == CLIENT { Party::Client } else { Party::Server }
}

impl<L: Listener> Connection<L> {
    /// A connection that begins with a packet.
    pub fn new(client: (u128, u16), server: (u128, u16), moment: Moment) -> Self {
        let endpoint = |(number, port): (u128, u16)| Endpoint {
            address: Some((crate::decode::address(number), port).into()),
            name: None,
        };
        let started = moment.at.div_euclid(1_000);
        Self {
            listener: L::new(endpoint(client), endpoint(server), started),
            streams: Default::default(),
            ports: [client.1, server.1],
            started: moment.at,
            first: moment.packet,
            last: moment,
            told: moment.at,
            asked: None,
            answered: None,
            refused: None,
            refusals: 0,
            is_connected: false,
            round_trip: None,
            icmp: Vec::new(),
            is_mail: None,
        }
    }

    /// Whether a SYN (with ACK if it `answers`) belongs to this connection, or begins another one with the
    /// same ports.
    pub fn is_own_syn(&self, from: End, segment: &Segment<'_>) -> bool {
        let stream = &self.streams[from];
        let first = segment.sequence.wrapping_add(1);
        if stream.begins_at(first) {
            return true;
        }
        if !segment.flags.ack() {
            return !stream.is_placed() && from == CLIENT;
        }
        // A server that keeps no state may answer a repeated SYN with another number; a stray answer does
        // not end an open connection.
        from == SERVER && !(self.is_connected && self.is_over())
    }

    /// Whether both sides closed it or one broke it off.
    fn is_over(&self) -> bool {
        self.streams.iter().any(|stream| stream.reset.is_some())
            || self.streams.iter().all(|stream| stream.fin.is_some())
    }

    /// Takes a segment of one end.
    pub fn segment(
        &mut self,
        from: End,
        segment: &Segment<'_>,
        moment: Moment,
        keys: &KeyLog,
        limits: &Limits,
    ) -> Effect {
        let flags = segment.flags;
        if flags.syn() {
            self.opening(from, segment, moment);
        } else if !flags.rst() && !self.streams[from].is_placed() {
            self.streams[from].place(segment.sequence);
        }
        let cause = self.acknowledged(from, segment);
        let start =
            self.streams[from].position(segment.sequence.wrapping_add(u32::from(flags.syn())));
        let mut verdict = None;
        if segment.length > 0 && !flags.rst() && self.streams[from].is_placed() {
            let judged = self.judge(from, start, segment, moment.at);
            if judged == Verdict::Twice {
                return Effect { is_twice: true, is_too_much: false };
            }
            verdict = Some(judged);
        } else if !flags.syn() && !flags.rst() {
            self.streams[from].sent_until(start, moment.at);
        }
        self.last = moment;
        self.streams[from].note(segment, moment.at);
        if !flags.syn() && !flags.rst() {
            self.connected(moment);
        }
        let is_held = self.is_holding();
        match verdict {
            Some(Verdict::Due(known)) if !is_held && self.is_caused(from, cause) => {
                let octets = segment.octets.get(known as usize..).unwrap_or_default();
                let cut = segment.length - known - octets.len() as u32;
                self.hand_out(from, octets, cut, moment, keys);
            }
            Some(Verdict::Due(_) | Verdict::Early) => {
                self.streams[from].wait(start, segment, moment, cause);
            }
            _ => {}
        }
        if flags.fin() {
            self.closing(from, start, segment.length, moment, cause);
        }
        if flags.rst() {
            self.resetting(from, segment, moment);
        }
        Effect { is_twice: false, is_too_much: self.settle(moment.at, keys, limits) }
    }

    /// A SYN, or a SYN with ACK.
    fn opening(&mut self, from: End, segment: &Segment<'_>, moment: Moment) {
        let stream = &mut self.streams[from];
        let first = segment.sequence.wrapping_add(1);
        if !stream.begins_at(first) {
            if self.is_connected {
                return;
            }
            stream.place(first);
        }
        stream.opening(segment, moment.at);
        if segment.flags.ack() {
            self.answered = Some(moment);
        } else {
            self.asked.get_or_insert(moment);
        }
    }

    /// Takes a segment's acknowledgment; gives back the position in the other stream that it stands for,
    /// or 0 where it says nothing.
    fn acknowledged(&mut self, from: End, segment: &Segment<'_>) -> u64 {
        if !segment.flags.ack() || segment.flags.rst() {
            return 0;
        }
        let [client, server] = &mut self.streams;
        let (own, other) = if from == CLIENT { (client, server) } else { (server, client) };
        if !other.is_placed() {
            other.place(segment.acknowledgment);
        }
        let position = other.within(other.position(segment.acknowledgment));
        // Nobody can have received more than he had room for; without the SYN the scale is not known.
        let unknown = if own.syn.is_some() { 0 } else { 14 };
        let scale = own.facts.window_scale.unwrap_or(unknown);
        let room = (u64::from(segment.window) << scale).max(1 << 20);
        if position > other.highest + room {
            return 0;
        }
        let mss = own.facts.mss;
        // One beyond the last octet is the place of a FIN.
        let octets = if position == other.highest + 1 { other.highest } else { position };
        other.acknowledge(octets, mss);
        for (first, past) in segment.options.selective {
            if first != past {
                other.acknowledge_some(first, past, mss);
            }
        }
        position
    }

    fn judge(&mut self, from: End, start: u64, segment: &Segment<'_>, at: i64) -> Verdict {
        let receiver = self.streams[1 - from].as_receiver(self.round_trip);
        let stream = &mut self.streams[from];
        let before = stream.highest;
        let verdict = stream.judge(start, segment, at, &receiver);
        if let Some(reset) = stream.reset
            && verdict != Verdict::Twice
        {
            // What was on its way when the RST was sent may come after it; new octets beyond it, or any
            // after the time that a packet may be late, are of somebody who knows of no RST.
            let end = start + u64::from(segment.length);
            let late =
                self.round_trip.map_or(20_000_000, |time| time.saturating_mul(2).max(20_000_000));
            let is_beyond = end > reset.position && end > before;
            stream.facts.spoke_after_reset |=
                is_beyond || at.saturating_sub(reset.moment.at) > late;
        }
        verdict
    }

    fn connected(&mut self, moment: Moment) {
        if self.is_connected || self.streams.iter().all(|stream| stream.syn.is_none()) {
            return;
        }
        self.is_connected = true;
        if let (Some(asked), Some(_)) = (self.asked, self.answered)
            && self.streams.iter().all(|stream| stream.syns <= 1)
        {
            self.round_trip = Some(moment.at.saturating_sub(asked.at).max(0));
        }
        self.tell(moment, CLIENT, Event::Connected, "");
    }

    fn closing(&mut self, from: End, start: u64, length: u32, moment: Moment, cause: u64) {
        let (stream, position) = (&mut self.streams[from], start + u64::from(length));
        let is_likely = stream.is_placed() && position < stream.highest + (1 << 28);
        match &mut stream.fin {
            Some(fin) if fin.position == position => {
                let wait = moment.at.saturating_sub(fin.sent);
                fin.sent = moment.at;
                // One with octets was counted for them.
                if length == 0 && wait >= MOMENT {
                    stream.facts.retransmissions += 1;
                    stream.waited(wait);
                }
            }
            Some(_) => {}
            None if is_likely => {
                let sent = moment.at;
                stream.fin = Some(Fin { position, moment, sent, cause, is_told: false });
            }
            None => {}
        }
    }

    fn resetting(&mut self, from: End, segment: &Segment<'_>, moment: Moment) {
        let has_syn = self.streams.iter().any(|stream| stream.syn.is_some());
        let stream = &mut self.streams[from];
        stream.facts.ttl_of_reset.get_or_insert(segment.ttl);
        if !self.is_connected && has_syn && stream.next <= super::stream::ORIGIN {
            self.refused = Some(moment);
            self.refusals += 1;
        }
        if stream.reset.is_none() {
            let position = if stream.is_placed() { stream.position(segment.sequence) } else { 0 };
            let is_told = !self.is_connected && has_syn;
            stream.reset = Some(Reset { position, moment, is_told });
        }
    }

    fn skip(&mut self, end: End, until: u64, moment: Moment) {
        let stream = &mut self.streams[end];
        let missing = until - stream.next;
        stream.lost_until(until);
        let at = self.time(moment);
        if self.is_mail != Some(false) {
            self.listener.gap(at, moment.packet, party(end), missing);
        }
    }

    fn hand_out(&mut self, from: End, octets: &[u8], cut: u32, moment: Moment, keys: &KeyLog) {
        self.streams[from].handed_out(octets, cut);
        if self.is_mail == Some(false) {
            return;
        }
        let at = self.time(moment);
        if !octets.is_empty() {
            self.listener.octets(at, moment.packet, party(from), octets, keys);
        }
        if cut > 0 {
            self.listener.gap(at, moment.packet, party(from), u64::from(cut));
        }
        if self.is_mail.is_none() {
            self.is_mail = self.listener.is_mail();
            let said: u64 = self.streams.iter().map(|stream| stream.facts.octets).sum();
            if self.is_mail.is_none() && said > UNDECIDED_MAX {
                self.is_mail = Some(self.listener.is_mail_after_all());
            }
        }
    }

    fn tell(&mut self, moment: Moment, by: End, event: Event, text: &str) {
        let at = self.time(moment);
        self.listener.event(at, moment.packet, party(by), event, text);
    }

    /// Since the start, never before what was told already: what waited could be read only then.
    fn time(&mut self, moment: Moment) -> Duration {
        self.told = self.told.max(moment.at);
        duration(self.told.saturating_sub(self.started))
    }

    /// An ICMP error about it.
    pub fn report(&mut self, report: &Report, moment: Moment) {
        if self.icmp.len() == ICMP_MAX {
            return;
        }
        let mut text = format!("{} says: {}", crate::decode::address(report.reporter), report.text);
        if let Some(mtu) = report.mtu {
            text.push_str(&format!(", MTU {mtu}"));
        }
        self.icmp.push((Place::at(moment.packet), text));
    }

    /// Whether it turned out to be something else than mail.
    pub fn is_other(&self) -> bool {
        self.is_mail == Some(false)
    }

    fn has_mail_port(&self) -> bool {
        self.ports.iter().any(|port| is_mail_port(*port))
    }

    /// Octets of memory, roughly.
    pub fn memory(&self) -> usize {
        let streams: usize = self.streams.iter().map(Stream::memory).sum();
        size_of::<Self>() + streams + self.listener.memory()
    }
}
