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
    pairs.into_iter().collect()
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

/// What the second side's clock shows more, by the sessions that share a line with one session only.
fn usual_offset(first: &[Session], second: &[Session], a: &Words, b: &Words) -> Option<i64> {
    let mut offsets: Vec<i64> = Vec::new();
    for (word, here) in &a.sessions {
        if let ([here], Some([there])) = (here.as_slice(), b.sessions.get(word).map(Vec::as_slice))
            && let (Some(x), Some(y)) = (first[*here].started, second[*there].started)
        {
            offsets.push(y.saturating_sub(x));
        }
    }
    offsets.sort_unstable();
    offsets.get(offsets.len() / 2).copied()
}
