//! `mailwright queue`: the list, and what is known of one job. What is done to jobs: `queue_order`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use mta::{
    config::units,
    handle::{Detail, Entry, EntryState, Filter, Request, Response},
};
use smtp::Timestamp;

use super::queue_order::Order;
use crate::{
    output::{self, relative, size},
    problem::Problem,
    server::Place,
};

/// List the queue, or do something to what is in it
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Queue {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Export(Export),
    #[command(flatten)]
    Order(Order),
}

/// List what is queued, by due time
#[derive(Debug, Args)]
struct List {
    /// For this recipient domain
    #[arg(long)]
    domain: Option<String>,
    /// In the queue for longer than this, like 4h
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    older: Option<Duration>,
    /// More than this, like 10MiB
    #[arg(long, value_name = "SIZE", value_parser = units::parse_size)]
    larger: Option<u64>,
    /// Whose last reply (or other trouble) has this in it
    #[arg(long, value_name = "TEXT")]
    reply: Option<String>,
    /// Due within this time from now, like 10m
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    due_before: Option<Duration>,
    /// Held ones only
    #[arg(long)]
    held: bool,
    /// No more than so many
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    #[command(flatten)]
    place: Place,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Show all that is known of one job
#[derive(Debug, Args)]
struct Show {
    /// Its queue id
    id: String,
    #[command(flatten)]
    place: Place,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Write a message as it was kept, as an .eml file
#[derive(Debug, Args)]
struct Export {
    /// Its queue id
    id: String,
    /// A file that doesn't exist yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Queue {
    pub fn run(self) -> Result<(), Problem> {
        match self.command {
            None => self.list.run(),
            Some(Command::List(list)) => list.run(),
            Some(Command::Show(show)) => show.run(),
            Some(Command::Export(export)) => export.run(),
            Some(Command::Order(order)) => order.run(),
        }
    }
}

impl List {
    fn run(self) -> Result<(), Problem> {
        let filter = Filter {
            domain: self.domain,
            older: self.older.map(|time| time.as_secs()),
            larger: self.larger,
            reply: self.reply,
            due_within: self.due_before.map(|time| time.as_secs()),
            held: self.held,
            count_max: self.count,
        };
        let mut entries = Vec::new();
        let (count, notes) =
            self.place.ask(&Request::QueueList { filter }, |response| match response {
                // A program reads a line at a time: nothing need be kept of it.
                Response::Entry(entry) if self.json => output::json(&entry),
                Response::Entry(entry) => entries.push(*entry),
                _ => (),
            })?;
        notes.iter().for_each(|note| eprintln!("{note}"));
        if !self.json {
            crate::output::say!(
                "{}",
                show_list(&entries, count, world::Clock::Real.now(), output::width())
            );
        }
        Ok(())
    }
}

/// The list, for people.
pub(crate) fn show_list(
    entries: &[Entry],
    count: u64,
    now: Timestamp,
    width: Option<u16>,
) -> String {
    if entries.is_empty() {
        return "nothing in the queue fits".to_owned();
    }
    let mut table =
        output::table(&["ID", "AGE", "SIZE", "FROM", "TO", "TRIES", "NEXT", "LAST"], width);
    for entry in entries {
        table.add_row([
            entry.id.clone(),
            output::span(now.since(entry.at)),
            size(entry.size),
            format!("<{}>", entry.reverse_path),
            recipients(&entry.recipients),
            entry.attempts.to_string(),
            next(entry, now),
            entry.last.clone().unwrap_or_default(),
        ]);
    }
    let shown = entries.len() as u64;
    let end = match shown == count {
        true => output::count(count, "job", "in all"),
        false => format!("{shown} of {}", output::count(count, "job", "in all")),
    };
    format!("{}\n{end}", output::text(&table))
}

fn recipients(recipients: &[String]) -> String {
    match recipients {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

fn next(entry: &Entry, now: Timestamp) -> String {
    match entry.state {
        EntryState::Active => "active".to_owned(),
        EntryState::Held => "held".to_owned(),
        EntryState::Ready => "ready".to_owned(),
        EntryState::Waiting => relative(entry.due, now),
    }
}

impl Show {
    fn run(self) -> Result<(), Problem> {
        self.place.ask(&Request::QueueShow { id: self.id }, |response| match response {
            Response::Detail(detail) if self.json => output::json(&detail),
            Response::Detail(detail) => {
                crate::output::put_text(show(&detail, world::Clock::Real.now()))
            }
            _ => (),
        })?;
        Ok(())
    }
}

/// One job, for people.
pub(crate) fn show(detail: &Detail, now: Timestamp) -> String {
    let entry = &detail.entry;
    let mut page = String::new();
    let mut row = |name: &str, text: &str| page.push_str(&format!("{name:<12}{text}\n"));
    row("id", &entry.id);
    row("from", &format!("<{}>", entry.reverse_path));
    row("size", &size(entry.size));
    row("came", &relative(entry.at, now));
    row("message-id", detail.message_id.as_deref().unwrap_or("none"));
    if let Some(envid) = &detail.envid {
        row("envid", envid);
    }
    row("tries", &entry.attempts.to_string());
    row("next", &next(entry, now));
    row("gives up", &relative(detail.gives_up, now));
    for (index, line) in detail.route.iter().enumerate() {
        row(if index == 0 { "route" } else { "" }, line);
    }
    for recipient in &detail.recipients {
        row("to", &recipient.address);
        row("", recipient.last.as_deref().unwrap_or("not tried yet"));
    }
    page.push_str(&format!("\nmailwright why {}    shows the dialogue\n", entry.id));
    page
}

impl Export {
    fn run(self) -> Result<(), Problem> {
        let octets = self.place.export(&self.id, self.out.as_deref())?;
        if let Some(path) = &self.out {
            crate::output::say!("{} written to {}", size(octets), path.display());
        }
        Ok(())
    }
}
