//! Handing out what is due, in the order of cause, and giving way where something never comes.

use diagnose::session::Event;

use super::{Connection, PATIENCE, PIECES_MAX, WAITING_MANY};
use crate::{
    keys::KeyLog,
    limits::Limits,
    tcp::{
        CLIENT, End, Listener, Moment, SERVER,
        stream::{Fin, Reset, Waiting},
    },
};

impl<L: Listener> Connection<L> {
    /// Whether anything waits that has to come before what is new.
    pub(super) fn is_holding(&self) -> bool {
        self.streams.iter().any(|stream| {
            !stream.waiting.is_empty()
                || stream.fin.is_some_and(|fin| !fin.is_told)
                || stream.reset.is_some_and(|reset| !reset.is_told)
        })
    }

    /// Whether what a segment answers was handed out. One octet more is let pass: it is the place of a
    /// FIN, unless that is known to come.
    pub(super) fn is_caused(&self, from: End, cause: u64) -> bool {
        let other = &self.streams[1 - from];
        let place_of_fin = u64::from(other.fin.is_none_or(|fin| fin.is_told));
        cause <= other.next + place_of_fin
    }

    /// Hands out whatever is due. Says whether so much waits that it was given up.
    pub(super) fn settle(&mut self, now: i64, keys: &KeyLog, limits: &Limits) -> bool {
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
    pub(super) fn advance(&mut self, keys: &KeyLog) -> bool {
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
    pub(super) fn force(&mut self) {
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
}
