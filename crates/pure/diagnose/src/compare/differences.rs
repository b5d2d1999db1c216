//! From aligned lines to what was done to them.

use std::{cell::OnceCell, collections::HashMap};

use super::{Change, Clocks, Difference, Direction, Order, Row, Settings, align, clocks};
use crate::{
    Confidence, Session,
    dialogue::Dialogue,
    rules::session::BIG_MIN,
    session::{Event, Kind, Line, Party, Place, Source},
};

/// A content that lacks at most this much of its end, and its dot, was cut there: CRLF.CRLF.
const END_OF_CONTENT: u64 = 5;
/// Below this share of equal replies, with another greeting, another server answers.
const ANOTHER_SERVER: f64 = 0.34;
/// Longest piece of a line that is quoted.
const QUOTE_MAX: usize = 120;

/// All of them, in the order of the rows, those of the whole connection last.
pub(super) fn find(
    near: &Session,
    far: &Session,
    rows: &[Row],
    clocks: Option<&Clocks>,
    settings: &Settings,
) -> Vec<Difference> {
    let sides = Sides { near, far, rows, commands: OnceCell::new() };
    if let Some(another) = sides.another_server() {
        return vec![another];
    }
    let mut found: Vec<Difference> =
        (0..rows.len()).filter_map(|index| sides.of_row(index)).collect();
    if clocks.is_some() {
        found.extend(sides.delays(settings));
    }
    found.extend(sides.large_segments(&found));
    found.extend(sides.closings());
    found.extend(sides.certificates());
    found
}

/// What the differences tell of who is near, where the times do not: words are overwritten on their way,
/// never restored.
pub(super) fn order(
    first: &[Session],
    second: &[Session],
    aligned: &[(usize, usize, Vec<Row>)],
) -> Order {
    let mut votes = 0_i64;
    for (a, b, rows) in aligned {
        for row in rows.iter().filter(|row| !row.is_same) {
            let (Some(here), Some(there)) = (row.near, row.far) else { continue };
            let (here, there) = (&first[*a].lines[here], &second[*b].lines[there]);
            // A masked reply is seen by the client, a masked command by the server.
            let sign = if here.by == Party::Server { 1 } else { -1 };
            votes += sign * i64::from(align::is_masked(&here.text, &there.text));
            votes -= sign * i64::from(align::is_masked(&there.text, &here.text));
        }
    }
    match votes {
        1.. => Order::FirstIsNear,
        0 => Order::Assumed,
        _ => Order::SecondIsNear,
    }
}

struct Sides<'a> {
    near: &'a Session,
    far: &'a Session,
    rows: &'a [Row],
    /// The near side's replies, by their last lines, with the commands that they answer.
    commands: OnceCell<HashMap<usize, usize>>,
}

impl Sides<'_> {
    fn of_row(&self, index: usize) -> Option<Difference> {
        let row = &self.rows[index];
        if row.is_same {
            return None;
        }
        let direction = self.direction(row);
        match (self.near_line(row), self.far_line(row)) {
            (Some(near), Some(far)) => self.altered(row, near, far, direction),
            (Some(line), None) => self.on_one_side(index, line, direction, true),
            (None, Some(line)) => self.on_one_side(index, line, direction, false),
            (None, None) => None,
        }
    }

    fn near_line(&self, row: &Row) -> Option<&Line> {
        row.near.map(|index| &self.near.lines[index])
    }

    fn far_line(&self, row: &Row) -> Option<&Line> {
        row.far.map(|index| &self.far.lines[index])
    }

    fn direction(&self, row: &Row) -> Direction {
        let by = self.near_line(row).or_else(|| self.far_line(row)).map(|line| line.by);
        if by == Some(Party::Server) {
            Direction::ServerToClient
        } else {
            Direction::ClientToServer
        }
    }

    /// Both have the line, but not alike.
    fn altered(
        &self,
        row: &Row,
        near: &Line,
        far: &Line,
        direction: Direction,
    ) -> Option<Difference> {
        let (sent, received) = match direction {
            Direction::ClientToServer => (near, far),
            Direction::ServerToClient => (far, near),
        };
        if is_separator_only(sent, received) {
            // A line was taken out behind it: told there.
            return None;
        }
        let (change, what) = match (sent.kind, received.kind) {
            (Kind::Content { .. }, Kind::Content { .. }) => {
                let (change, what) = self.content(sent, received, direction)?;
                let told = match change {
                    // What there is of a torn end is no part of the body.
                    Change::EndOfContentLost => String::new(),
                    _ => self.content_told(row, direction),
                };
                (change, format!("{what}{told}"))
            }
            (Kind::Blob { octets: a, .. }, Kind::Blob { octets: b, .. }) => {
                let told = self.content_told(row, direction);
                (Change::ContentAltered, format!("{a} octets were sent, {b} arrived{told}"))
            }
            _ if align::is_masked(&received.text, &sent.text) => {
                let is_keyword = self.is_keyword(row, direction);
                let change = if is_keyword { Change::KeywordMasked } else { Change::Masked };
                (change, format!("{} arrived as {}", quoted(sent), quoted(received)))
            }
            _ => {
                let question = self.question(row);
                let told = format!("{question}{} arrived as {}", quoted(sent), quoted(received));
                (Change::Altered, told)
            }
        };
        Some(self.difference(change, direction, row, what, Confidence::Certain))
    }

    /// Which command a reply answers, as the beginning of a sentence about it; nothing for other lines.
    fn question(&self, row: &Row) -> String {
        let commands = self.commands.get_or_init(|| {
            let dialogue = Dialogue::read(self.near);
            let sure = dialogue.exchanges.iter().filter(|exchange| exchange.is_sure);
            sure.filter_map(|exchange| Some((exchange.reply, exchange.command?))).collect()
        });
        let command = row.near.and_then(|line| commands.get(&line));
        command
            .map(|&line| format!("the answer to {}: ", described(&self.near.lines[line])))
            .unwrap_or_default()
    }

    /// What was done to a content, where both sides' evidence had its octets.
    fn content_told(&self, row: &Row, direction: Direction) -> String {
        let near = row.near.and_then(|line| self.near.fingerprint(line));
        let far = row.far.and_then(|line| self.far.fingerprint(line));
        let Some((near, far)) = near.zip(far) else { return String::new() };
        let told = match direction {
            Direction::ClientToServer => near.differences(far),
            Direction::ServerToClient => far.differences(near),
        };
        if told.is_empty() { String::new() } else { format!(": {}", told.join("; ")) }
    }

    /// What became of a content; `None` where a gap of the capture explains it.
    fn content(
        &self,
        sent: &Line,
        received: &Line,
        direction: Direction,
    ) -> Option<(Change, String)> {
        let receiver = self.receiver(direction);
        if has_gap(receiver, received.by) || has_gap(self.sender(direction), sent.by) {
            return None;
        }
        let (
            Kind::Content { octets: out, finished: ended },
            Kind::Content { octets: came, finished: arrived },
        ) = (sent.kind, received.kind)
        else {
            return None;
        };
        let lost = out.saturating_sub(came);
        if ended && !arrived && lost <= END_OF_CONTENT {
            let what = match lost {
                0 => format!(
                    "the end of the content (CRLF.CRLF) was sent and did not arrive whole; its {out} octets did"
                ),
                _ => format!(
                    "the end of the content (CRLF.CRLF) was sent; of {out} octets {came} arrived and no end"
                ),
            };
            return Some((Change::EndOfContentLost, what));
        }
        let end = |is_there: bool| if is_there { "with its end" } else { "without its end" };
        let what = format!(
            "a content of {out} octets was sent {}, {came} octets arrived {}",
            end(ended),
            end(arrived)
        );
        Some((Change::ContentAltered, what))
    }

    /// A line that only one side has.
    fn on_one_side(
        &self,
        index: usize,
        line: &Line,
        direction: Direction,
        is_near: bool,
    ) -> Option<Difference> {
        let row = &self.rows[index];
        let other = if is_near { self.far } else { self.near };
        let confidence = self.coverage(index, other, line, is_near)?;
        let was_sent = is_near == (direction == Direction::ClientToServer);
        let is_keyword = self.is_keyword(row, direction);
        let change = match (was_sent, is_keyword) {
            (true, true) => Change::KeywordRemoved,
            (true, false) => Change::Removed,
            (false, true) => Change::KeywordAdded,
            (false, false) => Change::Added,
        };
        let words =
            if was_sent { "was sent and never arrived" } else { "arrived and was never sent" };
        let what = format!("{} {words}", described(line));
        Some(self.difference(change, direction, row, what, confidence))
    }

    /// How sure it is that the other side would have shown this line; `None` if it could not have.
    fn coverage(
        &self,
        index: usize,
        other: &Session,
        line: &Line,
        is_near: bool,
    ) -> Option<Confidence> {
        let of_other = |row: &Row| if is_near { row.far } else { row.near };
        let has_before = self.rows[..index].iter().any(|row| of_other(row).is_some());
        let starts_late = other.wire.as_ref().is_some_and(|wire| !wire.handshake_seen);
        if !has_before && starts_late {
            return None;
        }
        if has_gap(other, line.by) || is_blind(other, line.by) {
            return None;
        }
        // Logs leave out what is secret or no line: responses of a login, contents, chunks.
        let is_line = matches!(line.kind, Kind::Command(_) | Kind::Reply(_));
        if !is_line && matches!(other.source, Source::Log(_)) {
            return None;
        }
        let goes_on = self.rows[index..].iter().any(|row| of_other(row).is_some())
            || other
                .lines
                .iter()
                .any(|line| matches!(line.kind, Kind::Event(Event::Closed | Event::Reset)));
        Some(if goes_on { Confidence::Certain } else { Confidence::Likely })
    }

    /// Whether the line is a keyword of an EHLO reply.
    fn is_keyword(&self, row: &Row, direction: Direction) -> bool {
        if direction == Direction::ClientToServer {
            return false;
        }
        let of = |session: &Session, index: usize| {
            let before = session.lines[..index].iter().rev();
            let mut commands = before.filter(|line| matches!(line.kind, Kind::Command(_)));
            let is_ehlo = commands.next().is_some_and(|line| {
                line.text.get(..4).is_some_and(|verb| {
                    verb.eq_ignore_ascii_case(b"EHLO") || verb.eq_ignore_ascii_case(b"LHLO")
                })
            });
            let is_first = index == 0 || !matches!(session.lines[index - 1].kind, Kind::Reply(_));
            is_ehlo && !is_first && session.lines[index].text.starts_with(b"250")
        };
        row.near.is_some_and(|index| of(self.near, index))
            || row.far.is_some_and(|index| of(self.far, index))
    }

    /// Another greeting and other replies: whoever answered was not the far server.
    fn another_server(&self) -> Option<Difference> {
        let of_server = |row: &&Row| self.direction(row) == Direction::ServerToClient;
        let replies: Vec<&Row> = self.rows.iter().filter(of_server).collect();
        let equal = replies.iter().filter(|row| row.is_same).count();
        let greeting = |session: &Session| {
            session.lines.iter().position(|line| {
                matches!(line.kind, Kind::Reply(_)) && line.text.starts_with(b"220")
            })
        };
        let (near, far) = (greeting(self.near)?, greeting(self.far)?);
        let (here, there) = (&self.near.lines[near], &self.far.lines[far]);
        let share = equal as f64 / replies.len().max(1) as f64;
        let is_masked = align::is_masked(&here.text, &there.text) || here.text.contains(&b'*');
        if here.text == there.text || is_masked || share > ANOTHER_SERVER {
            return None;
        }
        let what = format!(
            "the client was greeted with {}, the server said {}",
            quoted(here),
            quoted(there)
        );
        let row = Row { near: Some(near), far: Some(far), is_same: false };
        Some(self.difference(
            Change::AnsweredByAnother,
            Direction::ServerToClient,
            &row,
            what,
            Confidence::Certain,
        ))
    }

    fn delays(&self, settings: &Settings) -> Vec<Difference> {
        let shifts = clocks::Shifts::of(self.near, self.far, self.rows);
        let slow = self.rows.iter().filter(|row| row.is_same).filter_map(|row| {
            let direction = self.direction(row);
            let excess = shifts.excess(clocks::shift(self.near, self.far, row)?, direction);
            let excess = std::time::Duration::from_micros(u64::try_from(excess).ok()?);
            if excess < settings.delay_min {
                return None;
            }
            let line = self.near_line(row)?;
            let what = format!(
                "{} was {:.1} s longer on its way than the quickest line",
                described(line),
                excess.as_secs_f64()
            );
            Some(self.difference(Change::Delayed, direction, row, what, Confidence::Certain))
        });
        slow.collect()
    }

    /// Big segments that were repeated and never seen beyond, while small ones passed.
    fn large_segments(&self, found: &[Difference]) -> Option<Difference> {
        let wire = self.near.wire.as_ref()?;
        let far = self.far.wire.as_ref()?;
        let (shortest, longest) = wire.client.retransmitted_lengths?;
        let is_lost = wire.client.unacknowledged > 0 && wire.client.retransmissions > 1;
        // Of shorter ones the size is not the reason.
        if !is_lost
            || shortest < BIG_MIN
            || far.client.octets >= wire.client.octets
            || longest <= far.client.passed_length_max
        {
            return None;
        }
        let short = found.iter().find(|difference| {
            matches!(
                difference.change,
                Change::ContentAltered | Change::EndOfContentLost | Change::Removed
            ) && difference.direction == Direction::ClientToServer
        });
        let row = Row {
            near: short.and_then(|difference| difference.near),
            far: short.and_then(|difference| difference.far),
            is_same: false,
        };
        let what = format!(
            "segments of {shortest} to {longest} octets were sent {} times over and never arrived; the longest \
             that did has {} octets",
            wire.client.retransmissions, far.client.passed_length_max
        );
        Some(self.difference(
            Change::LargeSegmentsLost,
            Direction::ClientToServer,
            &row,
            what,
            Confidence::Certain,
        ))
    }

    /// Ends of the connection that their alleged author did not bring about.
    fn closings(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        for (by, receiver, sender, direction) in [
            (Party::Server, self.near, self.far, Direction::ServerToClient),
            (Party::Client, self.far, self.near, Direction::ClientToServer),
        ] {
            let event = |session: &Session, wanted: Event| {
                let is_it = |line: &Line| line.by == by && line.kind == Kind::Event(wanted);
                session.lines.iter().position(is_it)
            };
            // Without packets nothing tells that it was not sent.
            if receiver.wire.is_none() || sender.wire.is_none() || is_blind(sender, by) {
                continue;
            }
            let ended = event(sender, Event::Reset).or_else(|| event(sender, Event::Closed));
            let reset =
                event(receiver, Event::Reset).filter(|_| event(sender, Event::Reset).is_none());
            let closed = event(receiver, Event::Closed).filter(|_| ended.is_none());
            let (index, change, verb) = match (reset, closed) {
                (Some(index), _) => (index, Change::ResetForged, "reset"),
                (None, Some(index)) => (index, Change::ClosedBetween, "closed"),
                (None, None) => continue,
            };
            let who = if by == Party::Server { "the server" } else { "the client" };
            let what = format!("the connection was {verb} in the name of {who}, who did not do it");
            let (near, far) = match by {
                Party::Server => (Some(index), ended),
                _ => (ended, Some(index)),
            };
            let row = Row { near, far, is_same: false };
            found.push(self.difference(change, direction, &row, what, Confidence::Certain));
        }
        found
    }

    fn certificates(&self) -> Option<Difference> {
        let here = self.near.tls.as_ref()?.certificates.first()?;
        let there = self.far.tls.as_ref()?.certificates.first()?;
        if here == there {
            return None;
        }
        let what = format!(
            "the server's certificate ({}, issued by {}) arrived as {}, issued by {}",
            there.0, there.1, here.0, here.1
        );
        let hello = |session: &Session| {
            let is_it =
                |line: &Line| line.by == Party::Server && line.kind == Kind::Event(Event::TlsHello);
            session.lines.iter().position(is_it)
        };
        let row = Row { near: hello(self.near), far: hello(self.far), is_same: false };
        Some(self.difference(
            Change::CertificateReplaced,
            Direction::ServerToClient,
            &row,
            what,
            Confidence::Certain,
        ))
    }

    fn sender(&self, direction: Direction) -> &Session {
        if direction == Direction::ClientToServer { self.near } else { self.far }
    }

    fn receiver(&self, direction: Direction) -> &Session {
        if direction == Direction::ClientToServer { self.far } else { self.near }
    }

    fn difference(
        &self,
        change: Change,
        direction: Direction,
        row: &Row,
        what: String,
        confidence: Confidence,
    ) -> Difference {
        Difference {
            change,
            direction,
            near: row.near,
            far: row.far,
            near_place: self.place(row, true),
            far_place: self.place(row, false),
            what,
            confidence,
        }
    }

    /// Where the line stands on that side; where it is missing, the places around it.
    fn place(&self, row: &Row, of_near: bool) -> Option<Place> {
        let (session, index) = match of_near {
            true => (self.near, row.near),
            false => (self.far, row.far),
        };
        if let Some(index) = index {
            return Some(session.lines[index].place);
        }
        let here = |row: &Row| if of_near { row.near } else { row.far };
        let at = self.rows.iter().position(|other| other == row)?;
        let before = self.rows[..at].iter().rev().find_map(here);
        let after = self.rows[at..].iter().find_map(here);
        let first = before.map(|index| session.lines[index].place.last);
        let last = after.map(|index| session.lines[index].place.first);
        Some(Place { first: first.or(last)?, last: last.or(first)? })
    }
}

/// Whether that side's evidence lacks octets of this party.
fn has_gap(session: &Session, by: Party) -> bool {
    session.lines.iter().any(|line| line.by == by && matches!(line.kind, Kind::Gap { .. }))
}

/// Whether that side's capture has no packet of this party at all.
fn is_blind(session: &Session, by: Party) -> bool {
    session.wire.as_ref().is_some_and(|wire| match by {
        Party::Server => wire.server.packets == 0,
        _ => wire.client.packets == 0,
    })
}

/// `250-DSN` and `250 DSN`.
fn is_separator_only(a: &Line, b: &Line) -> bool {
    matches!((a.kind, b.kind), (Kind::Reply(_), Kind::Reply(_)))
        && a.text.len() == b.text.len()
        && a.text.get(..3) == b.text.get(..3)
        && a.text.get(4..) == b.text.get(4..)
}

fn described(line: &Line) -> String {
    match line.kind {
        Kind::Content { octets, .. } => format!("a content of {octets} octets"),
        Kind::Blob { octets, .. } => format!("a block of {octets} octets"),
        Kind::Encrypted { octets } => format!("{octets} octets under TLS"),
        Kind::SaslResponse => "a line of the login".to_owned(),
        _ => quoted(line),
    }
}

fn quoted(line: &Line) -> String {
    let text = line.lossy();
    let mut quote: String = text.chars().take(QUOTE_MAX).collect();
    if quote.len() < text.len() {
        quote.push_str("...");
    }
    format!("`{quote}`")
}
