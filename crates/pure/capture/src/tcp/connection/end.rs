//! When a connection is over, and what it comes to.

use diagnose::session::{Event, Party, Wire};

use super::{AFTER_CLOSE, AFTER_RESET, Connection, party};
use crate::{
    keys::KeyLog,
    limits::Limits,
    tcp::{CLIENT, Listener, Moment, SERVER},
};

impl<L: Listener> Connection<L> {
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

    /// What it would come to if nothing more came after `now`; it goes on as if nobody had looked.
    pub fn so_far(&self, now: i64, keys: &KeyLog) -> Option<L::Outcome> {
        self.clone().finish("it goes on", now, keys)
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
        if handshake_seen && !self.is_connected {
            let at = self.time(self.last);
            let (moment, by, text) = self.why_not_connected(now);
            self.listener.event(at, moment.packet, by, Event::NotConnected, &text);
        } else if !is_over {
            // Until then nothing more came: a silence is as long as it was watched.
            let at = self.time(Moment { at: now, ..self.last });
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
