//! When and where octets came, and octets that wait until it is known what they are.

use std::{collections::VecDeque, time::Duration};

/// Where something stands in the evidence.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamp {
    /// Counts the follower's calls: the order of both sides' octets.
    pub order: u64,
    /// Since the session's start; never less than that of an earlier stamp.
    pub at: Duration,
    /// The packet's number.
    pub packet: u64,
}

/// A part of a stream.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// Octets, from the offset on.
    Octets(Vec<u8>, usize),
    /// So many are missing.
    Gap(u64),
}

/// Parts of one side's stream that wait, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pieces: VecDeque<(Stamp, Body)>,
    length: usize,
}

/// What a piece costs besides its octets, so that many small ones count as what they are.
const PIECE_COST: usize = 64;

impl Held {
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Octets of memory that it takes.
    pub fn memory(&self) -> usize {
        self.length
    }

    pub fn push(&mut self, stamp: Stamp, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        self.length += octets.len();
        match self.pieces.back_mut() {
            Some((last, Body::Octets(text, _))) if last.packet == stamp.packet => {
                text.extend_from_slice(octets);
            }
            _ => {
                self.length += PIECE_COST;
                self.pieces.push_back((stamp, Body::Octets(octets.to_vec(), 0)));
            }
        }
    }

    pub fn push_gap(&mut self, stamp: Stamp, octets: u64) {
        self.length += PIECE_COST;
        self.pieces.push_back((stamp, Body::Gap(octets)));
    }

    /// Takes the first piece out.
    pub fn pop(&mut self) -> Option<(Stamp, Body)> {
        let (stamp, body) = self.pieces.pop_front()?;
        self.length -= PIECE_COST + left(&body);
        Some((stamp, body))
    }

    /// Puts the rest of a piece back to where it was taken from.
    pub fn put_back(&mut self, stamp: Stamp, body: Body) {
        let length = left(&body);
        if length > 0 {
            self.length += PIECE_COST + length;
            self.pieces.push_front((stamp, body));
        }
    }

    /// The beginning, up to so many line endings or octets, and whether more of it could come: a gap ends
    /// it too.
    pub fn beginning(&self, length_max: usize, lines_max: usize) -> (Vec<u8>, bool) {
        let mut text = Vec::new();
        let mut lines = 0;
        for (_, body) in &self.pieces {
            let Body::Octets(octets, from) = body else { return (text, false) };
            let octets = &octets[*from..];
            let octets = &octets[..octets.len().min(length_max - text.len())];
            for end in memchr::memchr_iter(b'\n', octets) {
                lines += 1;
                if lines == lines_max {
                    text.extend_from_slice(&octets[..end]);
                    return (text, false);
                }
            }
            text.extend_from_slice(octets);
            if text.len() >= length_max {
                return (text, false);
            }
        }
        (text, true)
    }

    /// What waits, without gaps.
    pub fn octets(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().filter_map(|(_, body)| match body {
            Body::Octets(octets, from) => Some(&octets[*from..]),
            Body::Gap(_) => None,
        })
    }

    /// Where it begins.
    pub fn since(&self) -> Stamp {
        self.pieces.front().map(|(stamp, _)| *stamp).unwrap_or_default()
    }
}

fn left(body: &Body) -> usize {
    match body {
        Body::Octets(octets, from) => octets.len() - from,
        Body::Gap(_) => 0,
    }
}
