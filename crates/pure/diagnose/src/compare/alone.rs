//! A session that one side has and the other has not: was it stopped between the two, or could the other
//! side's evidence not have it?
//!
//! When the other side was watched is not known but for its sessions: their times are its window.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Clocks, Comparison};
use crate::{
    Confidence, Session,
    session::{Event, Kind, Party, Source},
};

/// Clocks that could not be compared are taken to be no farther apart.
const CLOCKS_APART_MAX: i64 = 5_000_000;

/// Why a session is on one side only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    /// It was before all that the other side has: its evidence starts later.
    StartedLate,
    /// It was after all that the other side has.
    EndedEarly,
    /// It tried to get through while the other side was watched, got no answer, and is not there.
    Stopped,
    /// It got answers, and not from where the other side was watched.
    WentElsewhere,
    /// It begins between the two places: the box opened it, or somebody else behind the same address.
    BeganBetween,
    /// Nothing tells.
    Unknown,
}

/// A session of one side, judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alone {
    /// Whether the near side has it.
    pub is_near: bool,
    /// Its index there.
    pub session: usize,
    /// Why the other side has it not.
    pub absence: Absence,
    /// How sure that is.
    pub confidence: Confidence,
    /// The same in a sentence.
    pub what: String,
}

/// Judges all sessions that are on one side only.
pub(super) fn judged(comparison: &Comparison, near: &[Session], far: &[Session]) -> Vec<Alone> {
    let sides =
        [(true, &comparison.only_near, near, far), (false, &comparison.only_far, far, near)];
    let mut all = Vec::new();
    for (is_near, alone, own, other) in sides {
        let watched = Watched::of(other, is_near, comparison.clocks.as_ref());
        let known = |address: IpAddr| {
            comparison.pairs.iter().any(|pair| client(&far[pair.far]) == Some(address))
        };
        for &session in alone {
            let (absence, confidence, what) = judge(&own[session], is_near, &watched, &known);
            all.push(Alone { is_near, session, absence, confidence, what });
        }
    }
    all
}

/// When the other side was watched for certain, in the times of this one, in microseconds.
struct Watched {
    window: Option<(i64, i64)>,
    /// The two clocks could be compared.
    is_sure: bool,
}

impl Watched {
    fn of(other: &[Session], is_near: bool, clocks: Option<&Clocks>) -> Self {
        // The far clock shows more by the offset.
        let offset =
            clocks.map_or(0, |clocks| if is_near { -clocks.offset } else { clocks.offset });
        let times = other.iter().filter_map(span);
        let window = times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let window =
            window.map(|(first, last)| (first.saturating_add(offset), last.saturating_add(offset)));
        Self { window, is_sure: clocks.is_some() }
    }
}

fn judge(
    session: &Session,
    is_near: bool,
    watched: &Watched,
    is_known: &dyn Fn(IpAddr) -> bool,
) -> (Absence, Confidence, String) {
    let (side, other) = if is_near { ("clients'", "servers'") } else { ("servers'", "clients'") };
    let slack = if watched.is_sure { 0 } else { CLOCKS_APART_MAX };
    let outside = span(session).zip(watched.window).and_then(|((first, last), (from, until))| {
        let early = last.saturating_add(slack) < from;
        let late = first.saturating_sub(slack) > until;
        (early || late).then_some((early, if early { from - last } else { first - until }))
    });
    let likely = if watched.is_sure { Confidence::Likely } else { Confidence::Possible };
    if let Some((is_early, apart)) = outside {
        let apart = Duration::from_micros(apart.unsigned_abs()).as_secs_f64();
        return if is_early {
            let what = format!(
                "it ended {apart:.1} s before the first session of the {other} side: that evidence starts later"
            );
            (Absence::StartedLate, likely, what)
        } else {
            let what = format!(
                "it began {apart:.1} s after the last session of the {other} side: that evidence ends earlier"
            );
            (Absence::EndedEarly, likely, what)
        };
    }
    if watched.window.is_none() {
        let what = format!(
            "the {other} side has no session with a time to tell whether it was watched then"
        );
        return (Absence::Unknown, Confidence::Possible, what);
    }
    let heard = session.lines.iter().any(|line| line.by == Party::Server && is_said(line.kind));
    match (is_near, heard) {
        (true, false) => {
            let from = if session.source == Source::Own {
                "never left this host's network"
            } else {
                "was stopped"
            };
            let what = format!(
                "the {other} side was watched at that time and has nothing of it, and no server answered: it {from} \
                 before that place (a filter on the way, or no route); else that evidence leaves it out"
            );
            (Absence::Stopped, likely, what)
        }
        (true, true) => {
            let what = format!(
                "a server answered, but not by way of the {other} side: a proxy between the two places, another way out, \
                 or that evidence leaves it out"
            );
            (Absence::WentElsewhere, Confidence::Possible, what)
        }
        (false, _) => {
            let who = if client(session).is_some_and(is_known) {
                "it comes from the address that others are translated to: the box opened it itself, or another client \
                 behind it did"
            } else {
                "it comes from a client that is not behind the clients' side"
            };
            let what =
                format!("it never passed the {other} side: {who} (seen on the {side} side only)");
            (Absence::BeganBetween, Confidence::Possible, what)
        }
    }
}

fn is_said(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Event(Event::NotConnected | Event::EvidenceEnds | Event::Remark | Event::Reset)
    )
}

fn client(session: &Session) -> Option<IpAddr> {
    session.client.address.map(|address| address.ip())
}

/// From when to when it went, in microseconds since 1970.
fn span(session: &Session) -> Option<(i64, i64)> {
    let last = session
        .lines
        .iter()
        .rev()
        .find(|line| !matches!(line.kind, Kind::Event(Event::EvidenceEnds)));
    let took = last.map_or(0, |line| i64::try_from(line.at.as_micros()).unwrap_or(i64::MAX));
    session.started.map(|started| (started, started.saturating_add(took)))
}
