//! One direction of a connection: which octets of it were seen, sent again, acknowledged, or wait for
//! earlier ones.
//!
//! Positions are octets of the stream as 64-bit numbers, so that the wrap of sequence numbers is dealt
//! with in one place ([`Stream::position`]). They begin at [`ORIGIN`], which leaves room before it.

use std::{collections::BTreeMap, time::Duration};

use diagnose::session::Side;

use super::{
    Moment,
    history::History,
    sent::{MOMENT, Sent},
};
use crate::decode::Segment;

/// Position of a stream's first octet.
pub(super) const ORIGIN: u64 = 1 << 32;
/// Farthest that octets can be beyond the newest ones and still belong to the connection.
const AHEAD_MAX: u64 = 1 << 28;
/// Missing ranges remembered until they are acknowledged.
const HOLES_MAX: usize = 256;
/// Nanoseconds within which a segment that fills a hole was overtaken, not sent again, where the time
/// of a round trip is not known.
const OVERTAKEN: i64 = 3_000_000;
/// What a waiting segment costs besides its octets.
const WAITING: usize = 128;

/// One direction.
#[derive(Clone, Default)]
pub(super) struct Stream {
    /// Sequence number of [`ORIGIN`], once one of this side's segments or an acknowledgment told it.
    base: Option<u32>,
    /// Sequence number of its SYN.
    pub syn: Option<u32>,
    /// SYNs seen, and when the newest.
    pub syns: u32,
    syn_at: i64,
    /// Everything before this was handed out.
    pub next: u64,
    /// End of what was seen.
    pub highest: u64,
    /// The other side has everything before this.
    pub acknowledged: u64,
    /// What came too early, by position; no two overlap and none begins before `next`.
    pub waiting: BTreeMap<u64, Waiting>,
    /// Octets of memory in `waiting`.
    pub waiting_memory: usize,
    /// Its FIN.
    pub fin: Option<Fin>,
    /// Its first RST.
    pub reset: Option<Reset>,
    /// What the packets show.
    pub facts: Side,
    /// Missing ranges that were handed out as gaps and are not acknowledged yet.
    holes: Vec<(u64, u64)>,
    sent: Sent,
    history: History,
    /// When `highest` last went past octets that were not seen.
    torn: i64,
    /// Since when it has had no room.
    full_since: Option<i64>,
}

/// A part of a segment that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub octets: Vec<u8>,
    /// Octets after them that were on the wire and not captured.
    pub cut: u32,
    pub moment: Moment,
    /// What its sender had received of the other stream.
    pub cause: u64,
}

/// The end of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fin {
    pub position: u64,
    pub moment: Moment,
    /// When it was sent last, in nanoseconds since 1970.
    pub sent: i64,
    pub cause: u64,
    pub is_told: bool,
}

/// A stream broken off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reset {
    pub position: u64,
    pub moment: Moment,
    pub is_told: bool,
}

/// What to do with a segment's octets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing of it is new.
    Old,
    /// The packet stands twice in the capture.
    Twice,
    /// From the given octet of the segment on it is what is due next, and nothing waits.
    Due(u32),
    /// It has to wait, or parts of it.
    Early,
}

impl Stream {
    /// Whether any sequence number is known.
    pub fn is_placed(&self) -> bool {
        self.base.is_some()
    }

    /// The stream begins with this sequence number (the SYN's successor, or the first that is seen).
    pub fn place(&mut self, first: u32) {
        self.base = Some(first);
        self.next = ORIGIN;
        self.highest = ORIGIN;
        self.acknowledged = ORIGIN;
    }

    /// Where a sequence number is in the stream; the nearest place to what was seen last.
    pub fn position(&self, sequence: u32) -> u64 {
        let base = self.base.unwrap_or(sequence);
        let newest = base.wrapping_add((self.highest.wrapping_sub(ORIGIN)) as u32);
        self.highest.wrapping_add_signed(i64::from(sequence.wrapping_sub(newest) as i32))
    }

    /// Whether the stream began at this sequence number.
    pub fn begins_at(&self, first: u32) -> bool {
        self.base == Some(first)
    }

    /// A SYN, with or without ACK.
    pub fn opening(&mut self, segment: &Segment<'_>, at: i64) {
        let wait = at.saturating_sub(self.syn_at);
        if self.syn != Some(segment.sequence) {
            self.syn = Some(segment.sequence);
            self.syns += 1;
        } else if wait >= MOMENT {
            self.syns += 1;
            self.facts.retransmissions += 1;
            self.waited(wait);
        }
        self.syn_at = at;
        self.facts.mss = segment.options.mss.or(self.facts.mss);
        self.facts.window_scale = segment.options.window_scale.or(self.facts.window_scale);
    }

    /// What any segment shows.
    pub fn note(&mut self, segment: &Segment<'_>, at: i64) {
        self.facts.packets += 1;
        let flags = segment.flags;
        if !flags.rst() {
            if self.facts.ttl.is_none() || flags.syn() {
                self.facts.ttl = Some(segment.ttl);
            }
            self.facts.dont_fragment |= segment.dont_fragment;
        }
        // A RST's window means nothing, a SYN's may be zero in a cookie's answer.
        if flags.rst() || flags.syn() || flags.fin() {
            return;
        }
        if segment.window == 0 {
            self.facts.zero_windows += 1;
            self.full_since.get_or_insert(at);
        } else {
            self.room(at);
        }
    }

    /// There is room again, or nothing more is seen.
    pub fn room(&mut self, at: i64) {
        if let Some(since) = self.full_since.take() {
            self.facts.zero_window_max =
                self.facts.zero_window_max.max(duration(at.saturating_sub(since)));
        }
    }

    /// Looks at a segment's octets, which begin at `start`.
    pub fn judge(
        &mut self,
        start: u64,
        segment: &Segment<'_>,
        at: i64,
        receiver: &Receiver,
    ) -> Verdict {
        let end = start + u64::from(segment.length);
        let id = segment.identification;
        if start > self.highest + AHEAD_MAX || start < ORIGIN {
            return Verdict::Old;
        }
        if self.sent.is_twice(start, end, at, id) {
            return Verdict::Twice;
        }
        if start >= self.highest {
            if start > self.highest {
                self.torn = at;
            }
            self.sent.send(start, end, at, id);
            self.highest = end;
        } else if end > self.highest {
            // Old octets with new ones after them: the new ones are what it was sent for.
            self.sent.resend(start, self.highest, at, id);
            self.sent.send(self.highest, end, at, id);
            self.highest = end;
        } else if self.is_keep_alive(end, segment.length) {
            return Verdict::Old;
        } else {
            self.repeated(start, end, segment, at, receiver);
        }
        if end <= self.next {
            self.compare(start, segment.octets);
            return Verdict::Old;
        }
        if start <= self.next && self.waiting.is_empty() {
            let known = (self.next - start) as u32;
            if known > 0 {
                self.compare(start, segment.octets);
            }
            return Verdict::Due(known);
        }
        Verdict::Early
    }

    /// RFC 9293 section 3.8.4: an octet that the other side has long had asks whether it is still there.
    fn is_keep_alive(&self, end: u64, length: u32) -> bool {
        length == 1 && end == self.highest && end <= self.acknowledged
    }

    /// The position, or the one behind the FIN: nothing was sent beyond it, whatever a number claims.
    pub fn within(&self, position: u64) -> u64 {
        match self.fin {
            Some(fin) if self.highest <= fin.position => position.min(fin.position + 1),
            _ => position,
        }
    }

    /// A segment without octets stands at that position: everything before it was sent, though the capture
    /// may not have it. One octet more is the place of a FIN.
    pub fn sent_until(&mut self, position: u64, at: i64) {
        let position = self.within(position);
        let beyond = position.saturating_sub(self.highest);
        if self.is_placed() && (2..1 << 20).contains(&beyond) {
            self.highest = position;
            self.torn = at;
        }
    }

    /// A segment without anything beyond what was seen: sent again, or overtaken by a later one.
    fn repeated(
        &mut self,
        start: u64,
        end: u64,
        segment: &Segment<'_>,
        at: i64,
        receiver: &Receiver,
    ) {
        if self.is_unseen(start, end) {
            let overtaken = receiver.round_trip.unwrap_or(OVERTAKEN);
            let is_overtaken = at.saturating_sub(self.torn) < overtaken;
            self.sent.send(start, end, at, segment.identification);
            if is_overtaken {
                self.facts.out_of_order += 1;
                return;
            }
        } else if let Some(wait) = self.sent.resend(start, end, at, segment.identification) {
            self.waited(wait);
        }
        // An octet into a closed window asks whether it is still closed.
        if receiver.is_choked && segment.length == 1 {
            return;
        }
        self.facts.retransmissions += 1;
        let length = receiver.on_the_wire(segment.length);
        let (shortest, longest) = self.facts.retransmitted_lengths.unwrap_or((length, length));
        self.facts.retransmitted_lengths = Some((shortest.min(length), longest.max(length)));
    }

    /// A wait before something was sent again.
    pub fn waited(&mut self, nanoseconds: i64) {
        self.facts.retransmission_wait_max =
            self.facts.retransmission_wait_max.max(duration(nanoseconds));
    }

    /// Whether nothing of a range was seen, though later octets were.
    fn is_unseen(&self, start: u64, end: u64) -> bool {
        start >= self.next
            && self
                .waiting
                .range(..end)
                .next_back()
                .is_none_or(|(at, one)| at + one.length() <= start)
    }

    fn compare(&mut self, start: u64, octets: &[u8]) {
        if self.history.contradicts(start, octets) {
            self.facts.contradictions += 1;
        }
    }

    /// Keeps what is new of a segment until it is due.
    pub fn wait(&mut self, start: u64, segment: &Segment<'_>, moment: Moment, cause: u64) {
        let end = start + u64::from(segment.length);
        let (mut from, mut contradicts) = (start.max(self.next), false);
        if start < self.next {
            contradicts = self.history.contradicts(start, segment.octets);
        }
        if let Some((at, before)) = self.waiting.range(..=from).next_back() {
            contradicts |= before.contradicts(*at, start, segment.octets);
            from = from.max(at + before.length());
        }
        while from < end {
            let next = self.waiting.range(from..end).next();
            let (until, after) = match next {
                Some((at, one)) => {
                    contradicts |= one.contradicts(*at, start, segment.octets);
                    (*at, at + one.length())
                }
                None => (end, end),
            };
            if until > from {
                let octets = part(segment.octets, from - start, until - start);
                let cut = (until - from) as u32 - octets.len() as u32;
                self.waiting_memory += octets.len() + WAITING;
                self.waiting.insert(from, Waiting { octets: octets.to_vec(), cut, moment, cause });
            }
            from = after;
        }
        self.facts.contradictions += u32::from(contradicts);
    }

    /// Takes the first that waits.
    pub fn take_first(&mut self) -> Option<(u64, Waiting)> {
        let (at, first) = self.waiting.pop_first()?;
        self.waiting_memory -= first.octets.len() + WAITING;
        Some((at, first))
    }

    /// Octets are handed out, `cut` more of them only as a gap.
    pub fn handed_out(&mut self, octets: &[u8], cut: u32) {
        let wanted = self.highest.saturating_sub(self.acknowledged);
        self.history.push(self.next, octets, wanted);
        self.next += octets.len() as u64;
        self.facts.octets += octets.len() as u64;
        if cut > 0 {
            self.lost_until(self.next + u64::from(cut));
        }
    }

    /// Everything up to that position is missing in the capture.
    pub fn lost_until(&mut self, position: u64) {
        let known = self.acknowledged.clamp(self.next, position);
        self.facts.unseen_but_acknowledged += known - self.next;
        if known < position && self.holes.len() < HOLES_MAX {
            self.holes.push((known, position));
        }
        self.next = position;
        self.highest = self.highest.max(position);
    }

    /// The other side says that it has everything before `position`. `mss` is what it takes at once.
    pub fn acknowledge(&mut self, position: u64, mss: Option<u16>) {
        if position <= self.acknowledged {
            return;
        }
        self.acknowledged = position;
        let longest = self.sent.acknowledge(position);
        self.passed(longest, mss);
        let mut seen = 0;
        self.holes.retain_mut(|(start, end)| {
            let known = position.clamp(*start, *end);
            seen += known - *start;
            *start = known;
            start < end
        });
        self.facts.unseen_but_acknowledged += seen;
    }

    /// The other side has these octets, though earlier ones are missing there.
    pub fn acknowledge_some(&mut self, first: u32, past: u32, mss: Option<u16>) {
        let (start, end) = (self.position(first), self.position(past));
        if start < end && end <= self.highest {
            let longest = self.sent.acknowledge_some(start, end);
            self.passed(longest, mss);
        }
    }

    fn passed(&mut self, length: u32, mss: Option<u16>) {
        let length = mss.map_or(length, |mss| length.min(u32::from(mss)));
        self.facts.passed_length_max = self.facts.passed_length_max.max(length);
    }

    /// Octets of memory, roughly.
    pub fn memory(&self) -> usize {
        self.waiting_memory + self.history.memory() + self.sent.memory()
    }
}

/// The other end, as far as it decides what a segment means.
pub(super) struct Receiver {
    /// It has said that it has no room.
    pub is_choked: bool,
    /// Longest segment that it takes.
    pub mss: Option<u16>,
    /// Nanoseconds there and back in the handshake.
    pub round_trip: Option<i64>,
}

impl Receiver {
    /// A sender's own capture sees segments that its network card cuts to size only later.
    fn on_the_wire(&self, length: u32) -> u32 {
        self.mss.map_or(length, |mss| length.min(u32::from(mss)))
    }
}

impl Stream {
    /// This stream's end, as the receiver of the other stream.
    pub fn as_receiver(&self, round_trip: Option<i64>) -> Receiver {
        Receiver { is_choked: self.full_since.is_some(), mss: self.facts.mss, round_trip }
    }
}

impl Waiting {
    /// Octets of the stream that it stands for.
    pub fn length(&self) -> u64 {
        self.octets.len() as u64 + u64::from(self.cut)
    }

    /// Whether a segment says otherwise where both have octets.
    fn contradicts(&self, at: u64, start: u64, octets: &[u8]) -> bool {
        let from = at.max(start);
        let until = (at + self.octets.len() as u64).min(start + octets.len() as u64);
        from < until
            && part(&self.octets, from - at, until - at)
                != part(octets, from - start, until - start)
    }
}

/// The octets from one place to another, as far as they are there.
pub(super) fn part(octets: &[u8], from: u64, until: u64) -> &[u8] {
    let length = octets.len() as u64;
    &octets[from.min(length) as usize..until.min(length) as usize]
}

/// Nanoseconds to the microsecond; a clock that went back counts as nothing.
pub(super) fn duration(nanoseconds: i64) -> Duration {
    Duration::from_micros(u64::try_from(nanoseconds).unwrap_or(0) / 1_000)
}
