//! `mailwright analyze`: what captures, logs and dialogues tell, session by session.

mod current;
pub mod dialogue;
mod html;
pub mod ledger;
mod overview;
mod records;

use std::{
    io::{Read, Seek, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use diagnose::{Session, dialogue::Dialogue, inspect, summary::Summary};
use serde::Serialize;

use super::send::Failed;
use crate::{
    evidence::{self, Item, Reading},
    output,
    problem::Problem,
    server::Place,
};

/// Nothing about mail was found (`EX_DATAERR`).
const EX_DATAERR: u8 = 65;
/// A file could not be read (`EX_NOINPUT`).
const EX_NOINPUT: u8 = 66;

/// Tell what captures, logs and dialogues show: who talked to whom, how far it got, and who broke it
#[derive(Debug, Args)]
#[command(
    after_help = "Reads pcap and pcapng captures, logs (Postfix, Exim, sendmail, OpenSMTPD, Exchange), dialogues \
    (swaks, telnet and others), `mailwright why --json`, and queue:ID for what the running server has on a \
    message. `tcpdump -w - port 25 | mailwright analyze -` shows sessions as they end.\n\n\
    Exit status: 0 read, 65 nothing about mail in it, 66 cannot be read."
)]
pub struct Analyze {
    /// Files; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Show the dialogue of every session, not only of those with findings
    #[arg(long)]
    all: bool,
    /// TLS secrets as browsers and servers log them (SSLKEYLOGFILE), to read on behind STARTTLS
    #[arg(long, value_name = "FILE")]
    key_log: Option<PathBuf>,
    /// Write one self-contained page with a ladder diagram of each session
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// One JSON value a line: sessions, testimonies, happenings, and last what was read
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// A session with all that is said of it.
#[derive(Serialize)]
struct Told<'a> {
    session: &'a Session,
    summary: &'a Summary,
    findings: &'a [diagnose::Finding],
}

impl Analyze {
    /// The exit status tells whether anything was found to analyze.
    pub fn run(self) -> Result<ExitCode, Failed> {
        let failed = |problem| Failed { problem, status: EX_NOINPUT };
        let reading =
            Reading { key_log: self.key_log.clone(), place: self.place.clone(), quiet: self.json };
        let mut report = Report::new(&self).map_err(failed)?;
        let mut opened = Vec::new();
        for file in &self.files {
            let mut sink = |item| report.take(item);
            opened.push(evidence::read(file, &reading, &mut sink).map_err(failed)?);
        }
        let is_empty = report.is_empty();
        report.finish(&opened).map_err(failed)?;
        Ok(if is_empty { EX_DATAERR.into() } else { ExitCode::SUCCESS })
    }
}

/// What is shown, gathered in bounded memory: dialogues wait on disk until the table above them is complete.
struct Report<'a> {
    asked: &'a Analyze,
    overview: overview::Overview,
    records: records::Records,
    dialogues: std::fs::File,
    /// The dialogue of a session without findings, kept while it is the only session.
    only: Option<String>,
    page: Option<html::Page>,
    /// Standard input is shown as it comes.
    is_live: bool,
    current: current::Current,
}

impl<'a> Report<'a> {
    fn new(asked: &'a Analyze) -> Result<Self, Problem> {
        let dialogues = tempfile::tempfile()
            .map_err(|error| Problem::new(format!("cannot open a temporary file: {error}")))?;
        let page = asked.html.as_deref().map(html::Page::create).transpose()?;
        Ok(Self {
            asked,
            overview: overview::Overview::default(),
            records: records::Records::default(),
            dialogues,
            only: None,
            page,
            is_live: !asked.json && asked.files.iter().any(|file| file == "-"),
            current: current::Current::default(),
        })
    }

    fn is_empty(&self) -> bool {
        self.overview.count() == 0 && self.records.is_empty()
    }

    fn take(&mut self, item: Item) -> Result<(), Problem> {
        match item {
            Item::Session(session) => self.session(&session),
            Item::GoingOn(session) => {
                self.going_on(&session);
                Ok(())
            }
            Item::Testimony(testimony) => {
                if self.asked.json {
                    output::json(&records::told(&testimony));
                }
                self.records.testimony(testimony);
                Ok(())
            }
            Item::Happening(happening) => {
                if self.asked.json {
                    output::json(&happening);
                }
                self.records.happening(happening);
                Ok(())
            }
        }
    }

    /// A session of a live view goes on: only what is found in it is told.
    fn going_on(&mut self, session: &Session) {
        let news = self.current.news(session, inspect(session));
        if news.is_empty() {
            return;
        }
        if self.asked.json {
            output::json(&current::early(session, news));
        } else {
            output::put_text(current::text(session, &news, output::colour()));
        }
    }

    fn session(&mut self, session: &Session) -> Result<(), Problem> {
        self.current.ended(session);
        let summary = Summary::of_dialogue(&Dialogue::read(session));
        let findings = inspect(session);
        let number = self.overview.push(session, &summary, &findings);
        if let Some(page) = &mut self.page {
            page.session(number, session, &summary, &findings)?;
        }
        if self.asked.json {
            output::json(&Told { session, summary: &summary, findings: &findings });
            return Ok(());
        }
        if !findings.is_empty() || self.asked.all || self.is_live {
            let text = dialogue::text(number, session, &summary, &findings, output::colour());
            if self.is_live {
                output::put_text(text);
                return Ok(());
            }
            return self.dialogues.write_all(text.as_bytes()).map_err(cannot_write);
        }
        self.only = (number == 1)
            .then(|| dialogue::text(1, session, &summary, &findings, output::colour()));
        Ok(())
    }

    fn finish(mut self, opened: &[evidence::Opened]) -> Result<(), Problem> {
        if let Some(page) = self.page.take() {
            page.finish(&self.overview, opened)?;
        }
        if self.asked.json {
            opened.iter().for_each(output::json);
            return Ok(());
        }
        output::put_text(self.overview.text(self.asked.all));
        output::put_text(self.records.text());
        if let Some(only) = self.only.filter(|_| self.overview.count() == 1 && !self.is_live) {
            output::put_text(only);
        }
        self.dialogues.rewind().map_err(cannot_write)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match self.dialogues.read(&mut buffer).map_err(cannot_write)? {
                0 => break,
                count => output::put(&buffer[..count]),
            }
        }
        for opened in opened {
            for problem in &opened.problems {
                eprintln!("{}: {problem}", opened.name);
            }
        }
        Ok(())
    }
}

#[allow(clippy::needless_pass_by_value, reason = "what `map_err` gives")]
fn cannot_write(error: std::io::Error) -> Problem {
    Problem::new(format!("cannot write the dialogues: {error}"))
}
