//! Two clocks and the way between: which side is nearer to the clients, and how far the clocks differ.
//!
//! What a client says passes the near side first, what a server says the far side: with `o` for the
//! clocks' difference and `d` for the way, a client's line shows `o + d` and a server's line `o - d`.

use serde::{Deserialize, Serialize};

use super::{Direction, Order, Row};
use crate::{
    Session,
    session::{Party, Vantage},
};

/// Times that differ by less than this tell no order: logs and coarse clocks.
const TELLING_MIN: i64 = 20;

/// How the far side's clock differs from the near side's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// Microseconds that the far clock shows more.
    pub offset: i64,
    /// Microseconds that the quickest line took there and the quickest one back, together. `None` where only
    /// one direction could be measured.
    pub round_trip: Option<i64>,
}

impl Clocks {
    /// From the lines that both sides have; `None` if none has a time on both.
    pub(super) fn estimate<'a>(
        pairs: impl Iterator<Item = (&'a Session, &'a Session, &'a [Row])>,
    ) -> Option<Self> {
        let (mut there, mut back): (Option<i64>, Option<i64>) = (None, None);
        for (near, far, rows) in pairs {
            let shifts = Shifts::of(near, far, rows);
            there = shifts.client.iter().copied().chain(there).min();
            back = shifts.server.iter().copied().chain(back).max();
        }
        match (there, back) {
            // Answers that pass before their questions: the times are no clock's.
            (Some(there), Some(back)) if there < back => None,
            (Some(there), Some(back)) => Some(Self {
                offset: back + (there - back) / 2,
                round_trip: Some(there.saturating_sub(back)),
            }),
            (Some(only), None) | (None, Some(only)) => {
                Some(Self { offset: only, round_trip: None })
            }
            (None, None) => None,
        }
    }
}

/// How much later (in microseconds) the far side shows each common line.
pub(super) struct Shifts {
    client: Vec<i64>,
    server: Vec<i64>,
}

impl Shifts {
    pub(super) fn of(near: &Session, far: &Session, rows: &[Row]) -> Self {
        let mut shifts = Self { client: Vec::new(), server: Vec::new() };
        for row in rows.iter().filter(|row| row.is_same) {
            let Some(shift) = shift(near, far, row) else { continue };
            match row.near.map(|index| near.lines[index].by) {
                Some(Party::Client) => shifts.client.push(shift),
                Some(Party::Server) => shifts.server.push(shift),
                _ => {}
            }
        }
        shifts
    }

    /// How much longer than the quickest of its direction a line took, in microseconds.
    pub(super) fn excess(&self, shift: i64, direction: Direction) -> i64 {
        match direction {
            Direction::ClientToServer => {
                shift.saturating_sub(self.client.iter().copied().min().unwrap_or(shift))
            }
            Direction::ServerToClient => {
                self.server.iter().copied().max().unwrap_or(shift).saturating_sub(shift)
            }
        }
    }
}

/// Far time less near time of a line that both sides have.
pub(super) fn shift(near: &Session, far: &Session, row: &Row) -> Option<i64> {
    let time = |session: &Session, index: usize| {
        let at = i64::try_from(session.lines[index].at.as_micros()).ok()?;
        session.started?.checked_add(at)
    };
    time(far, row.far?)?.checked_sub(time(near, row.near?)?)
}

/// Whether one pair says that the first side is the near one; `None` where it does not tell.
pub(super) fn order(first: &Session, second: &Session, rows: &[Row]) -> Option<bool> {
    match (first.vantage, second.vantage) {
        (Vantage::Client, Vantage::Wire | Vantage::Server) | (Vantage::Wire, Vantage::Server) => {
            return Some(true);
        }
        (Vantage::Wire | Vantage::Server, Vantage::Client) | (Vantage::Server, Vantage::Wire) => {
            return Some(false);
        }
        _ => {}
    }
    // No line is quicker than the way: with the first side near, every client line's shift exceeds every
    // server line's. Times that do so neither way round are no clock's.
    let shifts = Shifts::of(first, second, rows);
    let bounds = |shifts: &[i64]| Some((*shifts.iter().min()?, *shifts.iter().max()?));
    let (client, server) = (bounds(&shifts.client)?, bounds(&shifts.server)?);
    if client.0.checked_sub(server.1)? >= TELLING_MIN {
        Some(true)
    } else if server.0.checked_sub(client.1)? >= TELLING_MIN {
        Some(false)
    } else {
        None
    }
}

/// What most pairs say.
pub(super) fn agreed(told: impl Iterator<Item = Option<bool>>) -> Order {
    let votes: i64 = told.flatten().map(|first| if first { 1 } else { -1 }).sum();
    match votes {
        1.. => Order::FirstIsNear,
        0 => Order::Assumed,
        _ => Order::SecondIsNear,
    }
}
