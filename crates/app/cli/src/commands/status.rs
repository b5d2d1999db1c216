//! `mailwright status`.

use clap::Args;
use mta::handle::{self, Request, Response};

use crate::{
    output::{self, relative, size},
    problem::Problem,
    server::Place,
};

/// Show how the running server is: listeners, queue, disk, what it did
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    place: Place,
    /// For programs
    #[arg(long)]
    json: bool,
}

impl Status {
    pub fn run(self) -> Result<(), Problem> {
        self.place.ask(&Request::Status, |response| {
            let Response::Status(status) = response else { return };
            match self.json {
                true => output::json(&status),
                false => crate::output::put_text(show(&status)),
            }
        })?;
        Ok(())
    }
}

/// The page, for people.
pub(crate) fn show(status: &handle::Status) -> String {
    let now = status.now;
    let mut page = String::new();
    let mut row = |name: &str, text: String| page.push_str(&format!("{name:<13}{text}\n"));
    let since = output::span(now.since(status.started));
    let stopping = if status.stopping { ", stopping" } else { "" };
    row(
        "server",
        format!(
            "{} ({}), process {}, up {since}{stopping}",
            status.hostname, status.version, status.pid
        ),
    );
    row("config", status.config.clone().unwrap_or_else(|| "none: built-in values".to_owned()));
    row("data", status.data.clone());
    for listener in &status.listeners {
        let sessions = output::count(listener.sessions, "session", "open");
        row("listener", format!("{} on {}: {sessions}", listener.name, listener.address));
    }
    let queue = &status.queue;
    row(
        "queue",
        format!(
            "{}: {} active, {} ready, {} waiting, {} held; {}",
            output::count(queue.jobs, "job", "in all"),
            queue.active,
            queue.ready,
            queue.waiting,
            queue.held,
            output::count(queue.connections, "connection", "out"),
        ),
    );
    if let Some(oldest) = queue.oldest {
        let next = queue.next_due.map(|due| format!(", next due {}", relative(due, now)));
        row("", format!("oldest came {}{}", relative(oldest, now), next.unwrap_or_default()));
    }
    let spool = &status.spool;
    let messages = output::count(spool.messages, "message", "kept");
    row("spool", format!("{messages}, {} on disk", size(spool.disk)));
    if spool.damaged > 0 {
        let places = output::count(spool.damaged, "damaged place", "found");
        row("", format!("{places}: run `mailwright spool check`"));
    }
    if let Some(why) = &spool.refusing {
        row("", format!("refusing new mail: {why}"));
    }
    let counts = &status.counts;
    row(
        "since start",
        format!(
            "{} accepted, {} rejected; {} relayed, {} delivered, {} deferred, {} failed",
            counts.messages_received,
            counts.refused,
            counts.relayed,
            counts.delivered,
            counts.deferred,
            counts.failed
        ),
    );
    if !status.rules.is_empty() {
        let rules = status.rules.iter().map(|(rule, count)| format!("{rule} {count}"));
        row("refused by", rules.collect::<Vec<_>>().join(", "));
    }
    page
}
