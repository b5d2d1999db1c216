//! Which session here is which one there: by what was said in it, the rarer the better.
//!
//! Addresses help where they are the same, but decide nothing: they may be translated. A line that
//! is in one session of each side only (a queue id, a recipient) weighs most.

use std::collections::{BTreeMap, HashMap, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};

use crate::{
    Session,
    session::{Kind, Line, Party},
};

/// As many lines of a session count; the beginning of a very long one is enough to know it by.
const LINES_MAX: usize = 400;
/// A line that more sessions than this have tells nothing.
const COMMON_MIN: usize = 64;
/// The weight that the same pair of addresses and ports has: as much as one unique line.
const SAME_ADDRESSES: f64 = 1.0;
/// Microseconds that a session may begin earlier or later there than the others let expect: a proxy needs a
/// moment, and logs have coarse clocks.
const APART_MIN: i64 = 500_000;
/// Sessions of each side whose times are looked at where no line tells which is which.
const TIMED_MAX: usize = 300;
/// Microseconds within which two shifts of the clock count as the same.
const SAME_SHIFT: i64 = 50_000;
/// Less than this in common is chance: `QUIT` and a few usual replies.
const SCORE_MIN: f64 = 0.3;

/// Pairs of indices into `first` and `second`, in the order of `first`; each session at most once.
pub(super) fn matched(first: &[Session], second: &[Session]) -> Vec<(usize, usize)> {
    let (of_first, of_second) = (Words::of(first), Words::of(second));
    let mut candidates: Vec<(f64, i64, usize, usize)> = Vec::new();
    let offset = usual_offset(first, second, &of_first, &of_second);
    for (a, session) in first.iter().enumerate() {
        for (b, score) in of_first.scores(a, &of_second) {
            let score = score + addresses(session, &second[b]);
            if score >= SCORE_MIN {
                candidates.push((score, off(session, &second[b], offset), a, b));
            }
        }
        if let (1, 1) = (first.len(), second.len()) {
            // One session each: whoever gave them says that they belong together.
            candidates.push((SCORE_MIN, 0, 0, 0));
        }
    }
    // The best first; among equals the one whose time fits best, then the one that comes first.
    candidates
        .sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)).then((x.2, x.3).cmp(&(y.2, y.3))));
    let mut pairs = BTreeMap::new();
    let mut is_taken = vec![false; second.len()];
    for (_, _, a, b) in candidates {
        if !pairs.contains_key(&a) && !is_taken[b] {
            pairs.insert(a, b);
            is_taken[b] = true;
        }
    }
    let pairs: Vec<(usize, usize)> = pairs.into_iter().collect();
    let is_proven = |&(a, b): &(usize, usize)| {
        addresses(&first[a], &second[b]) > 0.0 || of_first.shares_alone(a, &of_second, b)
    };
    let is_odd = odd_ones(&pairs, first, second);
    let kept = pairs.into_iter().zip(is_odd).filter(|(pair, is_odd)| !is_odd || is_proven(pair));
    kept.map(|(pair, _)| pair).collect()
}

/// Which of the pairs began at times that the others do not fit to: they have in common what all have, and are
/// two other sessions. Nothing is odd where fewer than three tell what is usual.
fn odd_ones(pairs: &[(usize, usize)], first: &[Session], second: &[Session]) -> Vec<bool> {
    let shift =
        |&(a, b): &(usize, usize)| Some(second[b].started?.saturating_sub(first[a].started?));
    let shifts: Vec<Option<i64>> = pairs.iter().map(shift).collect();
    let usual = middle(shifts.iter().flatten().copied().collect());
    let apart: Vec<Option<i64>> = shifts
        .iter()
        .map(|shift| Some((*shift)?.saturating_sub(usual?).saturating_abs()))
        .collect();
    let known: Vec<i64> = apart.iter().flatten().copied().collect();
    let is_usual = known.len() >= 3;
    let apart_max = middle(known).unwrap_or(0).saturating_mul(10).max(APART_MIN);
    apart.iter().map(|apart| is_usual && apart.is_some_and(|apart| apart > apart_max)).collect()
}

fn middle(mut numbers: Vec<i64>) -> Option<i64> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

/// What one side's sessions are made of.
struct Words {
    /// Each session's lines as numbers, each once.
    of_session: Vec<Vec<u64>>,
    /// The sessions in which a line stands.
    sessions: HashMap<u64, Vec<usize>>,
}

impl Words {
    fn of(sessions: &[Session]) -> Self {
        let of_session: Vec<Vec<u64>> = sessions.iter().map(words).collect();
        let mut index: HashMap<u64, Vec<usize>> = HashMap::new();
        for (number, words) in of_session.iter().enumerate() {
            for word in words {
                index.entry(*word).or_default().push(number);
            }
        }
        Self { of_session, sessions: index }
    }

    /// The sessions of `other` that share lines with session `a` of this, with the weight of these.
    fn scores(&self, a: usize, other: &Self) -> BTreeMap<usize, f64> {
        let mut scores = BTreeMap::new();
        for word in &self.of_session[a] {
            let Some(there) = other.sessions.get(word) else { continue };
            let here = self.sessions.get(word).map_or(1, Vec::len);
            if there.len() > COMMON_MIN && there.len() * 2 > other.of_session.len() {
                continue;
            }
            for b in there {
                *scores.entry(*b).or_insert(0.0) += 1.0 / (here.max(there.len()) as f64);
            }
        }
        scores
    }

    /// Whether there is a line that no other session of either side has.
    fn shares_alone(&self, a: usize, other: &Self, b: usize) -> bool {
        let only = |words: &Self, word: &u64, session: usize| {
            words.sessions.get(word).is_some_and(|sessions| sessions.as_slice() == [session])
        };
        self.of_session[a].iter().any(|word| only(self, word, a) && only(other, word, b))
    }
}

/// A session's lines, each once, as numbers.
fn words(session: &Session) -> Vec<u64> {
    let mut words: Vec<u64> = session.lines.iter().take(LINES_MAX).filter_map(word).collect();
    words.sort_unstable();
    words.dedup();
    words
}

fn word(line: &Line) -> Option<u64> {
    let is_said = matches!(line.kind, Kind::Command(_) | Kind::Reply(_));
    if !is_said || line.text.len() < 5 || line.by == Party::Note {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    (line.by, &line.text).hash(&mut hasher);
    Some(hasher.finish())
}

fn addresses(a: &Session, b: &Session) -> f64 {
    let of = |session: &Session| session.client.address.zip(session.server.address);
    match (of(a), of(b)) {
        (Some(here), Some(there)) if here == there => SAME_ADDRESSES,
        _ => 0.0,
    }
}

/// How far from the usual offset of the clocks this pair would be, in milliseconds.
fn off(a: &Session, b: &Session, offset: Option<i64>) -> i64 {
    match (a.started, b.started, offset) {
        (Some(a), Some(b), Some(offset)) => {
            (b.saturating_sub(a).saturating_sub(offset) / 1_000).abs()
        }
        _ => 0,
    }
}

/// What the second side's clock shows more, by the sessions that share a line with one session only;
/// where all are alike, by the shift that most sessions fit to.
fn usual_offset(first: &[Session], second: &[Session], a: &Words, b: &Words) -> Option<i64> {
    let mut offsets: Vec<i64> = Vec::new();
    for (word, here) in &a.sessions {
        if let ([here], Some([there])) = (here.as_slice(), b.sessions.get(word).map(Vec::as_slice))
            && let (Some(x), Some(y)) = (first[*here].started, second[*there].started)
        {
            offsets.push(y.saturating_sub(x));
        }
    }
    middle(offsets).or_else(|| frequent_offset(first, second))
}

/// The shift that brings most beginnings of both sides together; of several the smallest.
fn frequent_offset(first: &[Session], second: &[Session]) -> Option<i64> {
    let times = |sessions: &[Session]| -> Vec<i64> {
        sessions.iter().filter_map(|session| session.started).take(TIMED_MAX).collect()
    };
    let (here, there) = (times(first), times(second));
    let mut shifts: Vec<i64> =
        here.iter().flat_map(|a| there.iter().map(|b| b.saturating_sub(*a))).collect();
    shifts.sort_unstable();
    let mut best: Option<(usize, i64)> = None;
    let mut from = 0;
    for until in 0..shifts.len() {
        while shifts[until].saturating_sub(shifts[from]) > SAME_SHIFT {
            from += 1;
        }
        let (count, shift) = (until - from + 1, shifts[from + (until - from) / 2]);
        let is_better = best.is_none_or(|(most, of)| {
            count > most || count == most && shift.saturating_abs() < of.saturating_abs()
        });
        if is_better {
            best = Some((count, shift));
        }
    }
    best.map(|(_, shift)| shift)
}
