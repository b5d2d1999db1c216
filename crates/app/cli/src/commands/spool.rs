//! `mailwright spool`: what is on disk, without a server.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use spool::{
    MessageId, ReadError,
    local::{self, CheckReport, Damage, Exported, OpenError},
};
use world::disk::real::RealDisk;

use crate::{
    output::{self, Done, size},
    problem::Problem,
    server::Place,
};

/// Look through the spool of a stopped server, mend it, or take mail out
#[derive(Debug, Args)]
pub struct Spool {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read and verify every octet; changes nothing
    Check {
        #[command(flatten)]
        place: Place,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Set damaged places aside, so that the server starts; what is whole stays as it is
    Repair {
        #[command(flatten)]
        place: Place,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Write queued messages as .eml files; changes nothing in the spool
    Export {
        /// Only this one
        id: Option<MessageId>,
        /// Where to; files that are there already are not written over
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
        #[command(flatten)]
        place: Place,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

impl Spool {
    pub fn run(self) -> Result<(), Problem> {
        match self.command {
            Command::Check { place, json } => {
                let report = local::check(&RealDisk, &directory(&place)?).map_err(opening)?;
                tell(&report, json);
                match report.is_clean() {
                    true => Ok(()),
                    false => Err(Problem::new("the spool is damaged").help(
                        "`mailwright spool export` takes out what can be read; `mailwright spool repair` sets \
                         the damage aside, so that the server starts",
                    )),
                }
            }
            Command::Repair { place, json } => {
                let directory = directory(&place)?;
                let report = local::repair(&RealDisk, &directory).map_err(opening)?;
                tell(&report, json);
                if !report.is_clean() && !json {
                    output::say!("set aside in {}", directory.join("quarantine").display());
                }
                Ok(())
            }
            Command::Export { id, out, place, json } => export(id, &out, &directory(&place)?, json),
        }
    }
}

/// A typing error must not make an empty spool somewhere.
fn directory(place: &Place) -> Result<PathBuf, Problem> {
    let directory = place.load()?.spool_directory();
    match directory.is_dir() {
        true => Ok(directory),
        false => Err(Problem::new(format!("there is no spool in `{}`", directory.display())).help(
            "name its configuration by `--config FILE`, or its data directory by `--data DIR`",
        )),
    }
}

fn opening(error: OpenError) -> Problem {
    let problem = Problem::from_error(&error);
    match error {
        OpenError::Locked { .. } => problem.help(
            "a running server has it: `mailwright queue` works on that, or `mailwright stop` first",
        ),
        _ => problem,
    }
}

fn tell(report: &CheckReport, as_json: bool) {
    match as_json {
        true => output::json(&value(report)),
        false => output::put_text(show(report)),
    }
}

/// The report, for programs. What was damaged is set aside by `repair`.
fn value(report: &CheckReport) -> serde_json::Value {
    let places = |damage: &[Damage]| -> Vec<_> {
        let place = |damage: &Damage| {
            serde_json::json!({
                "file": damage.file,
                "offset": damage.offset,
                "length": damage.length,
                "message": damage.message.map(|id| id.to_string()),
            })
        };
        damage.iter().map(place).collect()
    };
    serde_json::json!({
        "segments": report.segments,
        "records": report.records,
        "jobs": report.jobs,
        "messages": report.messages,
        "content": report.content,
        "unfinished": places(&report.unfinished),
        "damaged": places(&report.damaged),
    })
}

/// The report, for people.
pub(crate) fn show(report: &CheckReport) -> String {
    let place = |damage: &Damage| {
        let whose = damage.message.map(|id| format!(" of {id}"));
        let whose = whose.unwrap_or_default();
        format!("{} at {}: {} octets{whose}\n", damage.file, damage.offset, damage.length)
    };
    let mut page = format!(
        "{} with {}; {} in {}, {} of content\n",
        output::count(report.segments, "segment", "read"),
        output::count(report.records, "record", "intact"),
        output::count(report.jobs, "job", "queued"),
        output::count(report.messages, "message", "kept"),
        size(report.content),
    );
    for damage in &report.unfinished {
        page.push_str(&format!("unfinished  {}", place(damage)));
    }
    for damage in &report.damaged {
        page.push_str(&format!("damaged     {}", place(damage)));
    }
    page
}

fn export(
    id: Option<MessageId>,
    out: &Path,
    directory: &Path,
    as_json: bool,
) -> Result<(), Problem> {
    let mut unreadable = 0;
    let count = local::export(&RealDisk, directory, id, &mut |message| match message
        .and_then(|message| message.verify().map(|()| message))
    {
        Ok(message) => write(&message, &out.join(format!("{}.eml", message.id))),
        Err(error) => {
            unreadable += 1;
            Problem::from_error(&error).show();
            Ok(())
        }
    });
    let count = count.map_err(opening)?;
    let written = count - unreadable;
    let line = format!("{} to {}", output::count(written, "message", "written"), out.display());
    Done { done: "written", count: written, notes: Vec::new() }.tell(as_json, &line);
    match (id, count, unreadable) {
        (Some(id), 0, _) => Err(Problem::new(format!("the spool holds no message {id}"))),
        (_, _, 0) => Ok(()),
        (_, _, lost) => Err(Problem::new(output::count(lost, "message", "could not be read"))),
    }
}

fn write(message: &Exported, path: &Path) -> io::Result<()> {
    let mut file = File::create_new(path)
        .map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display())))?;
    let mut offset = 0;
    loop {
        let octets =
            message.read(offset, 1 << 20).map_err(|error: ReadError| io::Error::other(error))?;
        if octets.is_empty() {
            return file.sync_all();
        }
        file.write_all(&octets)?;
        offset += octets.len() as u64;
    }
}
