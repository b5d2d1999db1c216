//! `mailwright compare`: the same traffic on both sides of a box, and who altered what.

use std::{fmt::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use diagnose::{
    Session,
    compare::{Alone, Comparison, Direction, Order, Pair, Row, Settings, compare},
    session::Source,
};

use super::{
    analyze::{dialogue::told, ledger},
    send::Failed,
};
use crate::{
    evidence::{self, Item, Reading},
    output,
    problem::Problem,
    server::Place,
};

/// Something was altered between the two.
const ALTERED: u8 = 1;
/// Nothing to compare (`EX_DATAERR`).
const EX_DATAERR: u8 = 65;
/// A file could not be read (`EX_NOINPUT`).
const EX_NOINPUT: u8 = 66;
/// Sessions that are compared; beyond it memory would not be bounded.
const SESSIONS_MAX: usize = 20_000;
/// Lines shown before and behind an altered one.
const CONTEXT: usize = 3;
/// Width of either side's text in the table.
const SIDE_MIN: usize = 24;

/// Compare two sides of the same traffic: what was removed, added or altered between them
#[derive(Debug, Args)]
#[command(
    after_help = "Each side is a capture, a log, a dialogue or our own evidence (queue:ID). Addresses may be translated \
    and clocks may differ: sessions are matched by what was said.\n\n\
    Exit status: 0 nothing altered, 1 something altered, 65 nothing to compare, 66 cannot be read."
)]
pub struct Compare {
    /// One side, the clients' if the evidence does not tell
    #[arg(value_name = "A")]
    first: String,
    /// The other side
    #[arg(value_name = "B")]
    second: String,
    /// A is the clients' side for sure
    #[arg(long)]
    ordered: bool,
    /// Show matched sessions that are the same, too
    #[arg(long)]
    all: bool,
    /// TLS secrets (SSLKEYLOGFILE), to compare behind STARTTLS as well
    #[arg(long, value_name = "FILE")]
    key_log: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// What one side has.
#[derive(Default)]
struct Side {
    sessions: Vec<Session>,
    /// It is a log that tells what became of recipients, without the dialogue.
    is_ledger: bool,
}

impl Side {
    /// Why it can't be compared, and what can.
    fn nothing(&self, name: &str) -> Problem {
        let problem = Problem::new(format!("there is no mail session in `{name}`"));
        if !self.is_ledger {
            return problem;
        }
        problem.help(format!(
            "this log tells what became of recipients, not what was said line by line, which is what two sides are \
             compared by. `mailwright analyze {name}` shows what it tells. To see who altered something, take a capture on \
             each side (`tcpdump -s 0 -w side.pcap port 25`), or a log with whole dialogues: Postfix with \
             `debug_peer_list`, Exchange protocol logs, swaks, or our own evidence (queue:ID)"
        ))
    }
}

impl Compare {
    /// The exit status tells whether anything was altered.
    pub fn run(self) -> Result<ExitCode, Failed> {
        let failed = |problem| Failed { problem, status: EX_NOINPUT };
        let first = self.read(&self.first).map_err(failed)?;
        let second = self.read(&self.second).map_err(failed)?;
        for (name, side) in [(&self.first, &first), (&self.second, &second)] {
            if side.sessions.is_empty() {
                return Err(Failed { problem: side.nothing(name), status: EX_DATAERR });
            }
        }
        let (first, second) = (first.sessions, second.sessions);
        let settings =
            Settings { first_is_near: self.ordered.then_some(true), ..Settings::default() };
        let comparison = compare(&first, &second, &settings);
        let (near, far) = match comparison.order {
            Order::SecondIsNear => (&second, &first),
            Order::FirstIsNear | Order::Assumed => (&first, &second),
        };
        if self.json {
            output::json(&comparison);
        } else {
            output::put_text(self.page(&comparison, near, far));
        }
        Ok(if comparison.is_altered() { ALTERED.into() } else { ExitCode::SUCCESS })
    }

    fn read(&self, name: &str) -> Result<Side, Problem> {
        let reading =
            Reading { key_log: self.key_log.clone(), place: self.place.clone(), quiet: self.json };
        let mut side = Side::default();
        let mut sink = |item| {
            match item {
                Item::Session(session) if side.sessions.len() < SESSIONS_MAX => {
                    side.sessions.push(session);
                }
                Item::Session(_) => {
                    return Err(Problem::new(format!(
                        "`{name}` has more than {SESSIONS_MAX} sessions: cut it to the time in question \
                         (`editcap -A ... -B ...`)"
                    )));
                }
                Item::GoingOn(_) => {}
                Item::Testimony(_) | Item::Happening(_) => side.is_ledger = true,
            }
            Ok(())
        };
        let opened = evidence::read(name, &reading, &mut sink)?;
        for problem in &opened.problems {
            eprintln!("{}: {problem}", opened.name);
        }
        Ok(side)
    }

    fn page(&self, comparison: &Comparison, near: &[Session], far: &[Session]) -> String {
        let mut page = String::new();
        let (first, second) = (output::clean(&self.first), output::clean(&self.second));
        let order = match comparison.order {
            Order::FirstIsNear => {
                format!("{first} is on the clients' side, {second} on the servers'")
            }
            Order::SecondIsNear => {
                format!("{second} is on the clients' side, {first} on the servers'")
            }
            Order::Assumed => {
                format!("{first} is taken for the clients' side: the times do not tell")
            }
        };
        // Writing into a String does not fail.
        let _ = writeln!(page, "{order}.");
        if let Some(clocks) = &comparison.clocks {
            let way = clocks.round_trip.map_or_else(String::new, |round_trip| {
                format!("; there and back it takes {:.1} ms at least", round_trip as f64 / 1e3)
            });
            let offset = clocks.offset as f64 / 1e6;
            let _ = writeln!(
                page,
                "The servers' side has its clock {offset:+.3} s from the clients' side{way}."
            );
        }
        let altered = comparison.pairs.iter().filter(|pair| !pair.differences.is_empty()).count();
        let _ = writeln!(
            page,
            "Sessions: {} on both sides, {altered} of them not the same; {} only on the clients' side, {} only \
             on the servers'.",
            comparison.pairs.len(),
            comparison.only_near.len(),
            comparison.only_far.len()
        );
        for pair in &comparison.pairs {
            if self.all || !pair.differences.is_empty() {
                show(&mut page, pair, &near[pair.near], &far[pair.far]);
            }
        }
        alone(&mut page, "clients'", comparison.alone.iter().filter(|alone| alone.is_near), near);
        alone(&mut page, "servers'", comparison.alone.iter().filter(|alone| !alone.is_near), far);
        page
    }
}

fn show(page: &mut String, pair: &Pair, near: &Session, far: &Session) {
    let _ = writeln!(page, "\nSession {}: {}", pair.near + 1, ledger::ends(near));
    if pair.is_translated {
        let _ = writeln!(page, "  seen beyond as {}", ledger::ends(far));
    }
    if pair.differences.is_empty() {
        let _ = writeln!(page, "  the same on both sides, {} lines", pair.rows.len());
        return;
    }
    let _ = writeln!(page);
    let side = (output::prose_width().saturating_sub(28) / 2).max(SIDE_MIN);
    let _ = writeln!(
        page,
        "  {:>7} {:side$}     {:>7} servers' side",
        unit(near),
        "clients' side",
        unit(far)
    );
    let mut hidden = 0;
    for (index, row) in pair.rows.iter().enumerate() {
        let is_near_change = (index.saturating_sub(CONTEXT)..=index + CONTEXT)
            .any(|at| pair.rows.get(at).is_some_and(|row| is_changed(pair, row)));
        if !is_near_change {
            hidden += 1;
            continue;
        }
        gap(page, &mut hidden);
        show_row(page, pair, row, near, far, side);
    }
    gap(page, &mut hidden);
    let _ = writeln!(page);
    for difference in &pair.differences {
        let towards = match difference.direction {
            Direction::ClientToServer => "to the server",
            Direction::ServerToClient => "to the client",
        };
        let at = |place: Option<diagnose::session::Place>| match place
            .map(|place| (place.first, place.last))
        {
            Some((0, _)) | None => "-".to_owned(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first} to {last}"),
        };
        let text = format!(
            "{towards}: {} (clients' side: {} {}; servers' side: {} {}; {})",
            output::clean(&difference.what),
            unit(near),
            at(difference.near_place),
            unit(far),
            at(difference.far_place),
            difference.confidence
        );
        for line in ledger::wrapped(&text, output::prose_width().saturating_sub(4)) {
            let _ = writeln!(page, "  {line}");
        }
    }
    let _ = writeln!(page);
    for finding in &pair.findings {
        told(page, finding, 2, output::colour());
    }
}

/// What that side's numbers count.
fn unit(session: &Session) -> &'static str {
    if session.source == Source::Capture { "packet" } else { "line" }
}

fn is_changed(pair: &Pair, row: &Row) -> bool {
    !row.is_same || pair.differences.iter().any(|d| (d.near, d.far) == (row.near, row.far))
}

fn gap(page: &mut String, hidden: &mut usize) {
    if *hidden > 0 {
        let _ = writeln!(page, "          ... {hidden} lines alike ...");
        *hidden = 0;
    }
}

fn show_row(page: &mut String, pair: &Pair, row: &Row, near: &Session, far: &Session, side: usize) {
    let text = |session: &Session, index: Option<usize>| {
        let Some(line) = index.map(|index| &session.lines[index]) else {
            return (String::new(), String::new());
        };
        let by = if line.by == diagnose::session::Party::Client { 'C' } else { 'S' };
        let words: String = format!("{by}: {}", ledger::words(line)).chars().take(side).collect();
        (line.place.first.to_string(), words)
    };
    let (near_place, near_text) = text(near, row.near);
    let (far_place, far_text) = text(far, row.far);
    let sign = match (row.near, row.far) {
        _ if !is_changed(pair, row) => "   ",
        (Some(_), Some(_)) => " ~ ",
        (Some(_), None) => " - ",
        _ => " + ",
    };
    let _ = writeln!(page, "  {near_place:>7} {near_text:side$} {sign} {far_place:>7} {far_text}");
}

fn alone<'a>(
    page: &mut String,
    side: &str,
    alone: impl Iterator<Item = &'a Alone>,
    sessions: &[Session],
) {
    const SHOWN_MAX: usize = 20;
    let mut left = 0;
    for (count, alone) in alone.enumerate() {
        if count >= SHOWN_MAX {
            left += 1;
            continue;
        }
        if count == 0 {
            let _ = writeln!(page, "\nOnly on the {side} side:");
        }
        let session = &sessions[alone.session];
        let summary = diagnose::summary::Summary::of(session);
        let _ =
            writeln!(page, "  {} {}: {}", alone.session + 1, ledger::ends(session), summary.result);
        let told = format!("{} ({})", alone.what, alone.confidence);
        for line in ledger::wrapped(&told, output::prose_width().saturating_sub(8)) {
            let _ = writeln!(page, "      {line}");
        }
    }
    if left > 0 {
        let _ = writeln!(page, "  ... and {left} more (--json has all)");
    }
}
