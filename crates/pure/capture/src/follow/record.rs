//! The lines of a session in bounded memory.
//!
//! The first lines (greeting, EHLO, sign-in) and the newest ones are kept. What is dropped between
//! them is whole transactions, so that no rule misses a command that only we forgot; a remark says so.

use std::collections::VecDeque;

use diagnose::{
    fingerprint::Fingerprint,
    session::{Event, Kind, Line, Party, Place},
};

use super::held::Stamp;

/// Octets that a session's lines may take.
const MEMORY_MAX: usize = 1 << 20;
/// The first lines stay, whatever comes.
const HEAD_MAX: usize = 64;
/// What a line takes besides its text.
const LINE_COST: usize = 112;
/// What a digest takes besides its field's name.
const FIELD_COST: usize = 40;

/// Lines with the order in which they were complete.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    head: Vec<(u64, Line)>,
    tail: VecDeque<(u64, Line)>,
    memory: usize,
    dropped: u64,
    place: Place,
    /// One for each content and chunk, with the order of its line: lines of one packet have one order, so that
    /// they are told apart by standing as they came.
    prints: Vec<(u64, Option<Fingerprint>)>,
}

impl Record {
    /// Adds a line that stands from `first` to `last`. Its time is that of its last octet.
    pub fn push(&mut self, by: Party, kind: Kind, text: Vec<u8>, first: Stamp, last: Stamp) {
        let place =
            Place { first: first.packet.min(last.packet), last: last.packet.max(first.packet) };
        self.memory += LINE_COST + text.len();
        let line = (last.order, Line { at: last.at, by, kind, text, place });
        if self.dropped == 0 && self.head.len() < HEAD_MAX {
            return self.head.push(line);
        }
        self.tail.push_back(line);
        if self.memory > MEMORY_MAX {
            self.make_room();
        }
    }

    /// Adds a content's line.
    pub fn content(
        &mut self,
        kind: Kind,
        text: Vec<u8>,
        places: (Stamp, Stamp),
        print: Option<Fingerprint>,
    ) {
        self.memory += print_cost(print.as_ref());
        self.prints.push((places.1.order, print));
        self.push(Party::Client, kind, text, places.0, places.1);
    }

    /// Adds a remark of ours.
    pub fn remark(&mut self, stamp: Stamp, text: &str) {
        let kind = Kind::Event(Event::Remark);
        self.push(Party::Note, kind, text.as_bytes().to_vec(), stamp, stamp);
    }

    /// Octets of memory that it takes.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// The lines in order of time, and what is known of the contents among them.
    pub fn finish(mut self) -> (Vec<Line>, Vec<Fingerprint>) {
        self.head.sort_by_key(|(order, _)| *order);
        let mut tail = Vec::from(std::mem::take(&mut self.tail));
        tail.sort_by_key(|(order, _)| *order);
        if self.dropped > 0 {
            let at = tail.first().map(|(_, line)| line.at).unwrap_or_default();
            let text = format!("{} lines are left out here, to bound memory", self.dropped);
            let kind = Kind::Event(Event::Remark);
            let line =
                Line { at, by: Party::Note, kind, text: text.into_bytes(), place: self.place };
            let order = tail.first().map_or(u64::MAX, |(order, _)| *order);
            self.head.push((order, line));
            self.head.append(&mut tail);
        } else {
            self.head.append(&mut tail);
            self.head.sort_by_key(|(order, _)| *order);
        }
        let prints = self.placed_prints();
        (self.head.into_iter().map(|(_, line)| line).collect(), prints)
    }

    /// What is known of contents, each with the index of its line.
    fn placed_prints(&mut self) -> Vec<Fingerprint> {
        let mut prints = std::mem::take(&mut self.prints);
        prints.sort_by_key(|(order, _)| *order);
        let mut next = 0;
        let mut placed = Vec::with_capacity(prints.len());
        for (order, print) in prints {
            let is_it = |(of, line): &(u64, Line)| {
                *of == order && matches!(line.kind, Kind::Content { .. } | Kind::Blob { .. })
            };
            let Some(further) = self.head[next..].iter().position(is_it) else { continue };
            let line = next + further;
            next = line + 1;
            placed.extend(print.map(|print| Fingerprint { line, ..print }));
        }
        placed
    }

    fn make_room(&mut self) {
        if self.dropped == 0 {
            // The head must not end in the midst of a transaction.
            let begins = self.head.iter().position(|(_, line)| begins_transaction(line));
            for (_, line) in self.head.drain(begins.unwrap_or(self.head.len())..) {
                (self.memory, self.dropped) = (self.memory - cost(&line), self.dropped + 1);
                extend(&mut self.place, line.place);
            }
        }
        while let Some((_, line)) = self.tail.front() {
            if self.memory <= MEMORY_MAX / 2 && begins_transaction(line) {
                break;
            }
            // Without any transaction at all it stops at a quarter.
            if self.memory <= MEMORY_MAX / 4 {
                break;
            }
            (self.memory, self.dropped) = (self.memory - cost(line), self.dropped + 1);
            extend(&mut self.place, line.place);
            self.tail.pop_front();
        }
        // No content stands before the first MAIL.
        let kept = self.tail.front().map_or(u64::MAX, |(order, _)| *order);
        let memory = &mut self.memory;
        self.prints.retain(|(order, print)| {
            let stays = *order >= kept;
            *memory -= if stays { 0 } else { print_cost(print.as_ref()) };
            stays
        });
    }
}

fn print_cost(print: Option<&Fingerprint>) -> usize {
    let Some(print) = print else { return LINE_COST };
    let fields: usize = print.fields.iter().map(|(name, _)| FIELD_COST + name.len()).sum();
    LINE_COST + fields + FIELD_COST * print.marks.len()
}

fn cost(line: &Line) -> usize {
    LINE_COST + line.text.len()
}

fn extend(place: &mut Place, by: Place) {
    *place = Place {
        first: if place.first == 0 { by.first } else { place.first.min(by.first) },
        last: place.last.max(by.last),
    };
}

fn begins_transaction(line: &Line) -> bool {
    let start = line.text.get(..5).unwrap_or_default();
    matches!(line.kind, Kind::Command(_)) && start.eq_ignore_ascii_case(b"MAIL ")
}

#[cfg(test)]
mod tests {
    use diagnose::session::Ending;

    use super::*;

    #[test]
    fn a_million_transactions_leave_whole_ones() {
        let mut record = Record::default();
        let stamp = |order| Stamp { order, packet: order, ..Stamp::default() };
        let command = Kind::Command(Ending::Crlf);
        record.push(Party::Client, command, b"EHLO a.test".to_vec(), stamp(1), stamp(1));
        for order in (2..4_000_000).step_by(4) {
            for (more, text) in
                [(0, "MAIL FROM:<a@a.test>"), (1, "RCPT TO:<b@b.test>"), (2, "DATA")]
            {
                let stamp = stamp(order + more);
                record.push(Party::Client, command, text.as_bytes().to_vec(), stamp, stamp);
            }
        }
        assert!(record.memory() <= MEMORY_MAX + 200);
        let (lines, _) = record.finish();
        let texts: Vec<_> = lines.iter().map(Line::lossy).collect();
        assert_eq!(texts[0], "EHLO a.test");
        assert!(texts[1].ends_with("lines are left out here, to bound memory"), "{}", texts[1]);
        assert_eq!(texts[2], "MAIL FROM:<a@a.test>");
        assert_eq!(lines[2].place.first, lines[1].place.last + 2);
        assert!(lines.is_sorted_by_key(|line| line.place.first.min(lines[2].place.first)));
    }
}
