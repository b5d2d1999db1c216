//! Line by line: which line here is which one there.
//!
//! Each direction is aligned by itself, for replies and pipelined commands may pass each other. Equal
//! beginnings and ends are taken off first; what is left is small, unless a session is hostile, and
//! then it is cut at lines that both have once.

use std::collections::HashMap;

use super::Row;
use crate::{
    Session,
    dialogue::Dialogue,
    session::{Kind, Line, Party},
};

/// Cells of the table that is filled at most for one stretch.
const CELLS_MAX: usize = 1 << 20;
/// What aligning the same, a similar, and (for want of a better) an unlike line is worth.
const SAME: i32 = 10;
const SIMILAR: i32 = 6;
const SAME_QUESTION: i32 = 3;

/// All lines of both, side by side, in the near side's order of time.
pub(super) fn rows(near: &Session, far: &Session) -> Vec<Row> {
    let mut pairs: Aligned = Vec::new();
    // What each near reply should be there, by the command that it answers: none for the client's lines.
    let mut expected = vec![Expected::Anywhere; near.lines.len()];
    for by in [Party::Client, Party::Server] {
        let (here, there) = (said(near, by), said(far, by));
        let stretch = Stretch { near, far, here: &here, there: &there, expected: &expected };
        pairs.extend(stretch.aligned());
        if by == Party::Client {
            expected = replies_expected(near, far, &pairs);
        }
    }
    merged(pairs, near, far)
}

/// Which far line a near line should turn out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// Any.
    Anywhere,
    /// That one: it belongs to the reply to the same command. `alone`: both replies have a single line.
    At { line: usize, alone: bool },
    /// None: the command that it answers is not there.
    Nowhere,
}

/// For each near reply line, the far line of the reply to the same command; so that of many equal
/// replies the one whose command is gone is the one that is told.
fn replies_expected(near: &Session, far: &Session, commands: &Aligned) -> Vec<Expected> {
    let (here, there) = (Dialogue::read(near), Dialogue::read(far));
    let beyond: HashMap<usize, usize> =
        commands.iter().filter_map(|&(near, far)| Some((near?, far?))).collect();
    let answers: HashMap<Option<usize>, (usize, usize)> = there
        .exchanges
        .iter()
        .rev()
        .map(|exchange| (exchange.command, (exchange.first, exchange.reply)))
        .collect();
    let mut expected = vec![Expected::Anywhere; near.lines.len()];
    for exchange in here.exchanges.iter().filter(|exchange| exchange.is_sure) {
        let reply = match exchange.command {
            None => continue,
            Some(line) => match beyond.get(&line) {
                Some(command) => answers.get(&Some(*command)),
                None => None,
            },
        };
        for (offset, (line, _)) in here.reply_lines(exchange).enumerate() {
            expected[line] = reply.map_or(Expected::Nowhere, |&(first, last)| Expected::At {
                line: first + offset,
                alone: first == last && exchange.first == exchange.reply,
            });
        }
    }
    expected
}

/// Lines of one party that can be compared.
fn said(session: &Session, by: Party) -> Vec<usize> {
    let is_said =
        |line: &Line| line.by == by && !matches!(line.kind, Kind::Event(_) | Kind::Gap { .. });
    (0..session.lines.len()).filter(|&index| is_said(&session.lines[index])).collect()
}

/// Rows in the near side's order; a line that only the far side has stands before the next line that both have.
fn merged(pairs: Vec<(Option<usize>, Option<usize>)>, near: &Session, far: &Session) -> Vec<Row> {
    let is_same = |near_line: Option<usize>, far_line: Option<usize>| match (near_line, far_line) {
        (Some(a), Some(b)) => {
            // Of the same length, yet not the same.
            let prints = near.fingerprint(a).zip(far.fingerprint(b));
            same(&near.lines[a], &far.lines[b])
                && prints.is_none_or(|(here, there)| here.differences(there).is_empty())
        }
        _ => false,
    };
    let mut both: Vec<(usize, Option<usize>)> =
        pairs.iter().filter_map(|&(a, b)| a.map(|a| (a, b))).collect();
    let mut only_far: Vec<usize> =
        pairs.iter().filter(|(a, _)| a.is_none()).filter_map(|&(_, b)| b).collect();
    both.sort_unstable();
    only_far.sort_unstable();
    let mut only_far = only_far.into_iter().peekable();
    let mut rows = Vec::with_capacity(pairs.len());
    for (a, b) in both {
        if let Some(b) = b {
            while let Some(missing) = only_far.next_if(|&missing| missing < b) {
                rows.push(Row { near: None, far: Some(missing), is_same: false });
            }
        }
        rows.push(Row { near: Some(a), far: b, is_same: is_same(Some(a), b) });
    }
    rows.extend(only_far.map(|missing| Row { near: None, far: Some(missing), is_same: false }));
    rows
}

/// Lines of one direction that are still to be aligned.
struct Stretch<'a> {
    near: &'a Session,
    far: &'a Session,
    here: &'a [usize],
    there: &'a [usize],
    expected: &'a [Expected],
}

type Aligned = Vec<(Option<usize>, Option<usize>)>;

impl Stretch<'_> {
    fn aligned(&self) -> Aligned {
        let head = self.common(self.here.iter().zip(self.there));
        let (here, there) = (&self.here[head..], &self.there[head..]);
        let tail = self.common(here.iter().rev().zip(there.iter().rev()));
        let mut pairs: Aligned = both(&self.here[..head], &self.there[..head]);
        let middle = Stretch {
            here: &here[..here.len() - tail],
            there: &there[..there.len() - tail],
            ..*self
        };
        pairs.extend(middle.inner());
        pairs.extend(both(&here[here.len() - tail..], &there[there.len() - tail..]));
        pairs
    }

    fn common<'i>(&self, lines: impl Iterator<Item = (&'i usize, &'i usize)>) -> usize {
        let is_plain = |a: usize, b: usize| {
            matches!(self.expected[a], Expected::Anywhere) || self.is_expected(a, b).is_some()
        };
        lines
            .take_while(|&(&a, &b)| is_plain(a, b) && same(&self.near.lines[a], &self.far.lines[b]))
            .count()
    }

    fn inner(&self) -> Aligned {
        if self.here.is_empty() || self.there.is_empty() {
            let gone = self.here.iter().map(|&a| (Some(a), None));
            return gone.chain(self.there.iter().map(|&b| (None, Some(b)))).collect();
        }
        if self.here.len().saturating_mul(self.there.len()) <= CELLS_MAX {
            return self.by_table();
        }
        match self.anchor() {
            Some((i, j)) => {
                let before = Stretch { here: &self.here[..i], there: &self.there[..j], ..*self };
                let after = Stretch { here: &self.here[i..], there: &self.there[j..], ..*self };
                let mut pairs = before.aligned();
                pairs.extend(after.aligned());
                pairs
            }
            // Nothing in common that could be held on to: position is all there is.
            None => by_position(self.here, self.there),
        }
    }

    /// A line near the middle that both have exactly once.
    fn anchor(&self) -> Option<(usize, usize)> {
        let mut places: HashMap<&[u8], (usize, usize, usize)> = HashMap::new();
        for (j, &b) in self.there.iter().enumerate() {
            let place = places.entry(&self.far.lines[b].text).or_insert((0, 0, j));
            place.1 += 1;
        }
        for &a in self.here {
            if let Some(place) = places.get_mut(self.near.lines[a].text.as_slice()) {
                place.0 += 1;
            }
        }
        let middle = self.here.len() / 2;
        let unique = |(i, &a): (usize, &usize)| {
            let &(here, there, j) = places.get(self.near.lines[a].text.as_slice())?;
            // Not at the very beginning: a split there would leave as much as before.
            ((here, there) == (1, 1) && i > 0 && j > 0).then_some((i, j))
        };
        self.here.iter().enumerate().filter_map(unique).min_by_key(|(i, _)| i.abs_diff(middle))
    }

    /// The alignment of most worth (Needleman and Wunsch).
    fn by_table(&self) -> Aligned {
        let (rows, columns) = (self.here.len() + 1, self.there.len() + 1);
        let mut table = vec![0_i32; rows * columns];
        for i in 1..rows {
            for j in 1..columns {
                let paired =
                    table[(i - 1) * columns + j - 1].saturating_add(self.worth(i - 1, j - 1));
                let left_out = table[(i - 1) * columns + j].max(table[i * columns + j - 1]);
                table[i * columns + j] = paired.max(left_out);
            }
        }
        let mut pairs = Aligned::new();
        let (mut i, mut j) = (rows - 1, columns - 1);
        while i > 0 || j > 0 {
            let here = table[i * columns + j];
            let worth = if i > 0 && j > 0 { self.worth(i - 1, j - 1) } else { i32::MIN };
            if worth > 0 && here == table[(i - 1) * columns + j - 1] + worth {
                (i, j) = (i - 1, j - 1);
                pairs.push((Some(self.here[i]), Some(self.there[j])));
            } else if j > 0 && here == table[i * columns + j - 1] {
                j -= 1;
                pairs.push((None, Some(self.there[j])));
            } else {
                i -= 1;
                pairs.push((Some(self.here[i]), None));
            }
        }
        pairs.reverse();
        pairs
    }

    fn worth(&self, i: usize, j: usize) -> i32 {
        let (a, b) = (&self.near.lines[self.here[i]], &self.far.lines[self.there[j]]);
        let expected = self.is_expected(self.here[i], self.there[j]);
        if same(a, b) {
            SAME + i32::from(expected.is_some())
        } else if is_similar(a, b) {
            SIMILAR
        } else if expected == Some(true) {
            SAME_QUESTION
        } else {
            0
        }
    }

    /// Whether that far line belongs to the reply to the same command, and if so, whether both replies
    /// have a single line.
    fn is_expected(&self, near: usize, far: usize) -> Option<bool> {
        match self.expected[near] {
            Expected::At { line, alone } if line == far => Some(alone),
            _ => None,
        }
    }
}

fn both(here: &[usize], there: &[usize]) -> Aligned {
    here.iter().zip(there).map(|(&a, &b)| (Some(a), Some(b))).collect()
}

fn by_position(here: &[usize], there: &[usize]) -> Aligned {
    (0..here.len().max(there.len()))
        .map(|index| (here.get(index).copied(), there.get(index).copied()))
        .collect()
}

/// Whether two lines have the same octets, as far as the evidence kept them.
pub(super) fn same(a: &Line, b: &Line) -> bool {
    match (a.kind, b.kind) {
        (Kind::Command(_), Kind::Command(_)) => a.text == b.text,
        (Kind::Reply(_), Kind::Reply(_)) => a.text == b.text || are_challenges(&a.text, &b.text),
        // Struck out on both sides, or kept by one side only: nothing to compare but that it was there.
        (Kind::SaslResponse, Kind::SaslResponse)
        | (Kind::Encrypted { .. }, Kind::Encrypted { .. }) => true,
        (
            Kind::Content { octets: here, finished: ended_here },
            Kind::Content { octets: there, finished: ended_there },
        ) => here == there && ended_here == ended_there,
        (Kind::Blob { octets: here, .. }, Kind::Blob { octets: there, .. }) => here == there,
        _ => false,
    }
}

/// Two challenges of a login, one of which the evidence does not show: `334 <authentication response>`.
fn are_challenges(a: &[u8], b: &[u8]) -> bool {
    let hidden = |text: &[u8]| matches!(text.get(4..), Some([b'<', .., b'>'] | b"****"));
    a.starts_with(b"334") && b.starts_with(b"334") && (hidden(a) || hidden(b))
}

/// Whether one may be what became of the other.
fn is_similar(a: &Line, b: &Line) -> bool {
    match (a.kind, b.kind) {
        (Kind::Content { .. }, Kind::Content { .. }) | (Kind::Blob { .. }, Kind::Blob { .. }) => {
            true
        }
        (Kind::Command(_), Kind::Command(_)) | (Kind::Reply(_), Kind::Reply(_)) => {
            is_masked(&a.text, &b.text) || is_masked(&b.text, &a.text) || is_alike(&a.text, &b.text)
        }
        _ => false,
    }
}

/// Whether `masked` is `plain` with letters replaced by a filler, the length kept.
pub(super) fn is_masked(masked: &[u8], plain: &[u8]) -> bool {
    if masked.len() != plain.len() || masked == plain {
        return false;
    }
    let differs: Vec<u8> =
        masked.iter().zip(plain).filter(|(m, p)| m != p).map(|(m, _)| *m).collect();
    let fillers =
        differs.iter().filter(|octet| matches!(octet, b'X' | b'x' | b'*' | b'_' | b' ')).count();
    // Firewalls end some runs with another letter: `XXXXXXXA`.
    differs.len() >= 3 && fillers + 1 >= differs.len()
}

/// Whether two lines have most octets in common: at their ends, or place by place.
fn is_alike(a: &[u8], b: &[u8]) -> bool {
    let longest = a.len().max(b.len());
    if longest == 0 {
        return true;
    }
    let by_place = a.iter().zip(b).filter(|(x, y)| x == y).count();
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let rest = a.len().min(b.len()) - head;
    let tail = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(x, y)| x == y).count();
    // Of a reply the code alone is not enough: every `250-` line begins alike.
    let needed = if a.len() == b.len() { by_place.max(head + tail) } else { head + tail };
    needed * 2 > longest
}
