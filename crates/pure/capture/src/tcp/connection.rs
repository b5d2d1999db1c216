//! One connection: its handshake, its end, and both streams handed out in the order of cause.
//!
//! Order of cause: octets are handed out once everything before them in their stream was, and everything
//! of the other stream that their sender had received by then (its acknowledgment tells). So a reply
//! never comes before its command, though the capture may have them in that order. What is missing
//! meanwhile and was acknowledged is waited for [`PATIENCE`]; then it is a gap.

use std::time::Duration;

use diagnose::session::{Endpoint, Event, Party, Place, Wire};

use super::{
    CLIENT, End, Listener, Moment, SERVER,
    stream::{Fin, Reset, Stream, Verdict, Waiting, duration},
};
use crate::{
    decode::{Report, Segment},
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
/// Ports whose connections are sessions even where nothing was said.
pub(super) const MAIL_PORTS: [u16; 5] = [25, 465, 587, 2525, 24];

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
            self.closing(from, start + u64::from(segment.length), moment, cause);
        }
        if flags.rst() {
            self.resetting(from, segment, moment);
        }
        Effect { is_twice: false, is_too_much: self.settle(moment.at, keys, limits) }
    }

    /// Whether anything waits that has to come before what is new.
    fn is_holding(&self) -> bool {
        self.streams.iter().any(|stream| {
            !stream.waiting.is_empty()
                || stream.fin.is_some_and(|fin| !fin.is_told)
                || stream.reset.is_some_and(|reset| !reset.is_told)
        })
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
        let position = other.position(segment.acknowledgment);
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

    fn closing(&mut self, from: End, position: u64, moment: Moment, cause: u64) {
        let stream = &mut self.streams[from];
        if stream.fin.is_none() && stream.is_placed() && position < stream.highest + (1 << 28) {
            stream.fin = Some(Fin { position, moment, cause, is_told: false });
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

    /// Whether what a segment answers was handed out. One octet more is let pass: it is the place of a
    /// FIN, unless that is known to come.
    fn is_caused(&self, from: End, cause: u64) -> bool {
        let other = &self.streams[1 - from];
        let place_of_fin = u64::from(other.fin.is_none_or(|fin| fin.is_told));
        cause <= other.next + place_of_fin
    }

    /// Hands out whatever is due. Says whether so much waits that it was given up.
    fn settle(&mut self, now: i64, keys: &KeyLog, limits: &Limits) -> bool {
        if !self.is_holding() {
            return false;
        }
        while self.advance(keys) || self.give_way(now) {}
        let mut is_too_much = false;
        while self.is_overfull(limits) {
            is_too_much = true;
            self.force();
            while self.advance(keys) {}
        }
        is_too_much
    }

    /// Whether more waits than may. Many tiny pieces would make every further segment slow.
    fn is_overfull(&self, limits: &Limits) -> bool {
        let pieces: usize = self.streams.iter().map(|stream| stream.waiting.len()).sum();
        self.waiting_memory() > limits.waiting_max || pieces > PIECES_MAX
    }

    fn waiting_memory(&self) -> usize {
        self.streams.iter().map(|stream| stream.waiting_memory).sum()
    }

    /// Hands out one thing that is due; `false` if none is.
    fn advance(&mut self, keys: &KeyLog) -> bool {
        for from in [CLIENT, SERVER] {
            let stream = &self.streams[from];
            if let Some((at, first)) = stream.waiting.first_key_value() {
                if *at <= stream.next && self.is_caused(from, first.cause) {
                    self.hand_out_first(from, keys);
                    return true;
                }
            } else if let Some(fin) = stream.fin
                && !fin.is_told
                && fin.position <= stream.next
                && self.is_caused(from, fin.cause)
            {
                self.streams[from].fin = Some(Fin { is_told: true, ..fin });
                self.tell(fin.moment, from, Event::Closed, "");
                return true;
            }
        }
        self.tell_reset()
    }

    /// Tells of a RST once nothing waits that came before it.
    fn tell_reset(&mut self) -> bool {
        for from in [CLIENT, SERVER] {
            let Some(reset) = self.streams[from].reset else { continue };
            let waits = |one: &Waiting| one.moment.packet < reset.moment.packet;
            if reset.is_told
                || self.streams.iter().any(|stream| {
                    stream.waiting.values().next().is_some_and(waits)
                        || stream.fin.is_some_and(|fin| {
                            !fin.is_told && fin.moment.packet < reset.moment.packet
                        })
                })
            {
                continue;
            }
            self.streams[from].reset = Some(Reset { is_told: true, ..reset });
            self.tell(reset.moment, from, Event::Reset, "");
            return true;
        }
        false
    }

    fn hand_out_first(&mut self, from: End, keys: &KeyLog) {
        let stream = &mut self.streams[from];
        let Some((at, first)) = stream.take_first() else { return };
        let known = (stream.next - at).min(first.length());
        let octets = first.octets.get(known as usize..).unwrap_or_default();
        let cut = (first.length() - known) as u32 - octets.len() as u32;
        self.hand_out(from, octets, cut, first.moment, keys);
    }

    /// What blocks a stream, if anything waits in it: the stream in which octets are missing, up to where,
    /// since which packet.
    fn blocked(&self, from: End) -> Option<(End, u64, Moment)> {
        let stream = &self.streams[from];
        let (at, cause, moment) = match (stream.waiting.first_key_value(), stream.fin) {
            (Some((at, first)), _) => (*at, first.cause, first.moment),
            (None, Some(fin)) if !fin.is_told => (fin.position, fin.cause, fin.moment),
            _ => return None,
        };
        if at > stream.next {
            return Some((from, at, moment));
        }
        let other = &self.streams[1 - from];
        let waiting = other.waiting.first_key_value().map(|(at, _)| *at);
        let closing = other.fin.filter(|fin| !fin.is_told).map(|fin| fin.position);
        let due = waiting.or(closing).map_or(cause, |due| cause.min(due));
        Some((1 - from, due, moment))
    }

    /// Declares what is missing a gap, where the other side has it and it has been waited for. `false` if
    /// there is nothing like that.
    fn give_way(&mut self, now: i64) -> bool {
        let mut both = [self.blocked(CLIENT), self.blocked(SERVER)];
        both.sort_by_key(|one| one.map_or(u64::MAX, |(_, _, moment)| moment.packet));
        for (end, until, moment) in both.into_iter().flatten() {
            let stream = &self.streams[end];
            // Of a side that the capture has nothing of, nothing will come.
            let waited = now.saturating_sub(moment.at) >= PATIENCE
                || stream.facts.packets == 0
                || self.waiting_memory() > WAITING_MANY;
            if stream.next < until && stream.acknowledged >= until && waited {
                self.skip(end, until, moment);
                return true;
            }
        }
        false
    }

    /// Declares a gap before what came first of all that waits, whether or not it will still come.
    fn force(&mut self) {
        let both = [self.blocked(CLIENT), self.blocked(SERVER)];
        let first = both.into_iter().flatten().min_by_key(|(_, _, moment)| moment.packet);
        if let Some((end, until, moment)) = first {
            if self.streams[end].next < until {
                self.skip(end, until, moment);
                return;
            }
            // Two that wait for each other, which no honest hosts do: neither has a cause then.
            for stream in &mut self.streams {
                if let Some(mut one) = stream.waiting.first_entry() {
                    one.get_mut().cause = 0;
                }
                if let Some(fin) = &mut stream.fin {
                    fin.cause = 0;
                }
            }
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
        self.ports.iter().any(|port| MAIL_PORTS.contains(port))
    }

    /// When nothing more is expected of it, in nanoseconds since 1970.
    pub fn deadline(&self, limits: &Limits) -> i64 {
        let wait = if self.streams.iter().any(|stream| stream.reset.is_some()) {
            AFTER_RESET
        } else if self.streams.iter().all(|stream| stream.fin.is_some_and(|fin| fin.is_told)) {
            AFTER_CLOSE
        } else if self.asked.is_some() && !self.is_connected {
            i64::try_from(limits.unanswered_max.as_nanos()).unwrap_or(i64::MAX)
        } else {
            i64::try_from(limits.idle_max.as_nanos()).unwrap_or(i64::MAX)
        };
        self.last.at.saturating_add(wait)
    }

    /// Octets of memory, roughly.
    pub fn memory(&self) -> usize {
        let streams: usize = self.streams.iter().map(Stream::memory).sum();
        size_of::<Self>() + streams + self.listener.memory()
    }

    /// The session, if it is mail. `why` says why no more is seen of a connection that did not end, `now` is
    /// the capture's time.
    pub fn finish(mut self, why: &str, now: i64, keys: &KeyLog) -> Option<L::Outcome> {
        while self.is_holding() {
            if !self.advance(keys) {
                self.force();
            }
        }
        self.missing_end();
        let handshake_seen = self.streams.iter().any(|stream| stream.syn.is_some());
        let said: u64 = self.streams.iter().map(|stream| stream.facts.octets).sum();
        let is_mail = self.is_mail.unwrap_or_else(|| self.listener.is_mail_after_all());
        // Where nothing was said, the port tells; without a SYN such packets are the rest of a session.
        let is_session = said > 0 || handshake_seen && self.has_mail_port();
        if !is_mail || !is_session {
            return None;
        }
        self.tell_end(handshake_seen, why, now);
        let sides = [SERVER, CLIENT].map(|other| self.streams[other].facts.packets > 0);
        for (stream, is_answered) in self.streams.iter_mut().zip(sides) {
            stream.room(self.last.at);
            // Where the other side's packets are missing, nothing tells what it has.
            if is_answered {
                stream.facts.unacknowledged = stream.highest.saturating_sub(stream.acknowledged);
            }
        }
        let [client, server] = self.streams.map(|stream| stream.facts);
        Some(self.listener.finish(Wire { handshake_seen, client, server, icmp: self.icmp }))
    }

    /// Octets after the last that was seen which the other side acknowledged. A single one is the place of
    /// a FIN.
    fn missing_end(&mut self) {
        for end in [CLIENT, SERVER] {
            let stream = &self.streams[end];
            if stream.is_placed() && stream.acknowledged > stream.next + 1 {
                self.skip(end, stream.acknowledged, self.last);
            }
        }
    }

    fn tell_end(&mut self, handshake_seen: bool, why: &str, now: i64) {
        let is_over = self.is_over();
        let at = self.time(self.last);
        if handshake_seen && !self.is_connected {
            let (moment, by, text) = self.why_not_connected(now);
            self.listener.event(at, moment.packet, by, Event::NotConnected, &text);
        } else if !is_over {
            self.listener.event(at, self.last.packet, Party::Note, Event::EvidenceEnds, why);
        }
    }

    fn why_not_connected(&self, now: i64) -> (Moment, Party, String) {
        let [client, server] = &self.streams;
        let waited = now.saturating_sub(self.started).max(0) as f64 / 1e9;
        let syns = if client.syns == 1 { "1 SYN".into() } else { format!("{} SYNs", client.syns) };
        if let Some(moment) = self.refused {
            let by = if server.reset.is_some() { SERVER } else { CLIENT };
            let text = match (by, self.answered, self.refusals) {
                (SERVER, _, 1) => "refused (RST)".into(),
                (SERVER, _, count) => format!("refused {count} times (RST)"),
                (_, Some(_), _) => "answered, then broken off by the client (RST)".into(),
                (..) => "given up by the client (RST)".into(),
            };
            return (moment, party(by), text);
        }
        let text = match (self.icmp.last(), self.answered) {
            (Some((_, report)), _) => report.clone(),
            (None, Some(_)) => "answered, but the client never confirmed".into(),
            (None, None) => format!("no answer to {syns} in {waited:.1} s"),
        };
        (self.last, Party::Note, text)
    }
}
