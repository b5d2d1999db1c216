//! The same traffic, seen on two sides of a box: who altered what, proven with both packet numbers.
//!
//! `near` is the side of the clients, `far` that of the servers. Sessions are matched by what was said
//! in them, for addresses may be translated and clocks off; matched sessions are aligned line by
//! line, each direction by itself. What only one side has was removed or added between the two.
//!
//! A line that falls into a gap of the other side's capture proves nothing, and is told so.

mod align;
mod alone;
mod clocks;
mod differences;
mod matching;
mod verdict;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use alone::{Absence, Alone};
pub use clocks::Clocks;

use crate::{Confidence, Finding, Session, session::Place};

/// Which of the two given sides is nearer to the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The first one: the evidence says so (times, vantage).
    FirstIsNear,
    /// The second one: the evidence says so.
    SecondIsNear,
    /// The first one, because it was named first; the evidence does not tell.
    Assumed,
}

/// What two sides show.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// Who is who.
    pub order: Order,
    /// Sessions that both sides have.
    pub pairs: Vec<Pair>,
    /// Sessions of the near side that the far side has not, as indices into its sessions.
    pub only_near: Vec<usize>,
    /// Sessions of the far side that the near side has not.
    pub only_far: Vec<usize>,
    /// Why these are on one side only, the near side's first.
    pub alone: Vec<Alone>,
    /// How the two clocks differ; `None` where no pair has times on both sides.
    pub clocks: Option<Clocks>,
}

impl Comparison {
    /// Whether something was altered between the two sides. Being slow is no alteration.
    pub fn is_altered(&self) -> bool {
        let mut changes = self.pairs.iter().flat_map(|pair| &pair.differences);
        changes.any(|difference| difference.change != Change::Delayed)
    }
}

/// One session, on both sides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pair {
    /// Index into the near side's sessions.
    pub near: usize,
    /// Index into the far side's sessions.
    pub far: usize,
    /// Whether an address or port differs: translated, or another connection of a proxy.
    pub is_translated: bool,
    /// All lines of both, side by side, in the near side's order.
    pub rows: Vec<Row>,
    /// What is not the same; empty if nothing was altered.
    pub differences: Vec<Difference>,
    /// What follows from it, in words, the cause first. Lines are those of the near side.
    pub findings: Vec<Finding>,
}

/// A line here and there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Index into the near session's lines.
    pub near: Option<usize>,
    /// Index into the far session's lines.
    pub far: Option<usize>,
    /// Whether the two have the same octets.
    pub is_same: bool,
}

/// Which way octets went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// What the client said.
    ClientToServer,
    /// What the server said.
    ServerToClient,
}

/// One thing that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// What was done.
    pub change: Change,
    /// To what was said in which direction.
    pub direction: Direction,
    /// The near line, as an index into its session.
    pub near: Option<usize>,
    /// The far line.
    pub far: Option<usize>,
    /// Packets or lines of the near evidence; those around it where it is missing there.
    pub near_place: Option<Place>,
    /// Packets or lines of the far evidence.
    pub far_place: Option<Place>,
    /// In one clause, with the octets of both sides.
    pub what: String,
    /// Certain, unless a gap or a missing end leaves another explanation.
    pub confidence: Confidence,
}

/// What can be done to a line or a connection on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Change {
    /// Sent, never arrived.
    Removed,
    /// Arrived, never sent.
    Added,
    /// Arrived otherwise than it was sent.
    Altered,
    /// The same length, letters replaced by a filler: in-line inspection.
    Masked,
    /// An EHLO keyword was replaced by a filler.
    KeywordMasked,
    /// An EHLO keyword was taken away.
    KeywordRemoved,
    /// An EHLO keyword was put in.
    KeywordAdded,
    /// The content arrived otherwise than it was sent.
    ContentAltered,
    /// The content's end never arrived.
    EndOfContentLost,
    /// Octets were sent again and again and never arrived, while others did.
    LargeSegmentsLost,
    /// A RST arrived that the other side never sent.
    ResetForged,
    /// The connection was closed towards one side by another than its peer.
    ClosedBetween,
    /// The certificate is another: TLS is broken open between the two.
    CertificateReplaced,
    /// It took longer than all the rest.
    Delayed,
    /// The session never reached the far side: another server answered.
    AnsweredByAnother,
}

/// What to go by.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether the first side is the near one; `None`: find out.
    pub first_is_near: Option<bool>,
    /// A line that needs this much longer than the quickest one is told as delayed.
    pub delay_min: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { first_is_near: None, delay_min: Duration::from_secs(2) }
    }
}

/// Compares two sides of the same traffic.
pub fn compare(first: &[Session], second: &[Session], settings: &Settings) -> Comparison {
    let matched = matching::matched(first, second);
    let aligned: Vec<(usize, usize, Vec<Row>)> =
        matched.iter().map(|&(a, b)| (a, b, align::rows(&first[a], &second[b]))).collect();
    let told =
        |(a, b, rows): &(usize, usize, Vec<Row>)| clocks::order(&first[*a], &second[*b], rows);
    let order = match settings.first_is_near {
        Some(true) => Order::FirstIsNear,
        Some(false) => Order::SecondIsNear,
        None => match clocks::agreed(aligned.iter().map(told)) {
            Order::Assumed => differences::order(first, second, &aligned),
            order => order,
        },
    };
    let (near, far, aligned) = match order {
        Order::FirstIsNear | Order::Assumed => (first, second, aligned),
        Order::SecondIsNear => (second, first, aligned.into_iter().map(turned).collect()),
    };
    let clocks =
        Clocks::estimate(aligned.iter().map(|(a, b, rows)| (&near[*a], &far[*b], rows.as_slice())));
    let pairs: Vec<Pair> = aligned
        .into_iter()
        .map(|(a, b, rows)| pair(near, far, (a, b), rows, clocks.as_ref(), settings))
        .collect();
    let mut comparison = Comparison {
        order,
        alone: Vec::new(),
        only_near: left_over(near.len(), pairs.iter().map(|pair| pair.near)),
        only_far: left_over(far.len(), pairs.iter().map(|pair| pair.far)),
        pairs,
        clocks,
    };
    comparison.alone = alone::judged(&comparison, near, far);
    comparison
}

fn pair(
    near: &[Session],
    far: &[Session],
    (a, b): (usize, usize),
    rows: Vec<Row>,
    clocks: Option<&Clocks>,
    settings: &Settings,
) -> Pair {
    let (here, there) = (&near[a], &far[b]);
    let differences = differences::find(here, there, &rows, clocks, settings);
    let findings = verdict::findings(here, there, &rows, &differences);
    let addresses = |session: &Session| (session.client.address, session.server.address);
    let is_translated = match (addresses(here), addresses(there)) {
        ((Some(a), Some(b)), (Some(c), Some(d))) => (a, b) != (c, d),
        _ => false,
    };
    Pair { near: a, far: b, is_translated, rows, differences, findings }
}

/// The same alignment, seen from the other side.
fn turned((a, b, mut rows): (usize, usize, Vec<Row>)) -> (usize, usize, Vec<Row>) {
    for row in &mut rows {
        std::mem::swap(&mut row.near, &mut row.far);
    }
    // Rows come in the order of the near side; what only the other one has stays where it was.
    let mut placed = Vec::with_capacity(rows.len());
    let (with_near, without): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| row.near.is_some());
    let mut with_near = with_near;
    with_near.sort_by_key(|row| row.near);
    let mut without = without.into_iter().peekable();
    for row in with_near {
        while let Some(missing) = without.next_if(|missing| missing.far < row.far) {
            placed.push(missing);
        }
        placed.push(row);
    }
    placed.extend(without);
    (b, a, placed)
}

fn left_over(count: usize, taken: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut is_free = vec![true; count];
    for index in taken {
        is_free[index] = false;
    }
    (0..count).filter(|&index| is_free[index]).collect()
}
