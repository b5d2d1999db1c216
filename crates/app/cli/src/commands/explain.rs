//! `mailwright explain`: what a reply, a report, a dialogue or a log says, and what to do about it.

mod recognise;
mod sequence;
mod show;

use std::{
    io::{IsTerminal, Read},
    path::Path,
    process::ExitCode,
};

use clap::Args;

use super::send::{EX_USAGE, Failed};
use crate::{output, problem::Problem};
use recognise::Exhibit;

/// Nothing in the input that could be explained (`EX_DATAERR`).
const EX_DATAERR: u8 = 65;
/// A file that can't be read (`EX_NOINPUT`).
const EX_NOINPUT: u8 = 66;
/// Of one input so many octets are read: what returns a longer message tells why before it.
const OCTETS_MAX: u64 = 16 * 1024 * 1024;

/// Explain a reply, a non-delivery report, a dialogue or log lines
///
/// What it is shows by itself: a code (503), a status (5.7.1), a whole reply, a non-delivery report
/// (NDR, bounce) as a file or only its text, a pasted dialogue, or lines of a mail server's log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailwright explain 503
  mailwright explain \"550 5.7.1 192.0.2.1 is listed by zen.spamhaus.org\"
  mailwright explain undelivered.eml
  xclip -o | mailwright explain
  mailwright explain --sequence RCPT

Exit status: 0 explained, 64 wrong arguments, 65 nothing in it that could be explained, 66 a file can't be read.")]
pub struct Explain {
    /// Files, or a code, a status or a reply; standard input without any (or with -)
    #[arg(value_name = "FILE|REPLY")]
    what: Vec<String>,
    /// Show what may follow what in a session, and each command's replies
    #[arg(long, value_name = "COMMAND", num_args = 0..=1, default_missing_value = "", conflicts_with = "what")]
    sequence: Option<String>,
    /// For programs: a line for each recipient or reply
    #[arg(long)]
    json: bool,
}

impl Explain {
    /// The exit status tells whether there was anything to explain.
    pub fn run(self) -> Result<ExitCode, Failed> {
        if let Some(command) = &self.sequence {
            return sequence::run(command, self.json);
        }
        let mut explained = false;
        for (name, octets) in self.inputs()? {
            let exhibit = recognise::exhibit(&octets);
            explained |= !matches!(exhibit, Exhibit::Nothing);
            match self.json {
                true => show::json(&exhibit),
                false => print!(
                    "{}",
                    show::page(&name, &exhibit, output::prose_width(), output::colour())
                ),
            }
        }
        if explained {
            return Ok(ExitCode::SUCCESS);
        }
        let problem = Problem::new("nothing in it that could be explained").help(
            "give a code (503), a status (5.7.1), a reply line, a report with its header section, a dialogue or \
             log lines",
        );
        Err(Failed { problem, status: EX_DATAERR })
    }

    /// Each input with its name (empty for what was typed).
    fn inputs(&self) -> Result<Vec<(String, Vec<u8>)>, Failed> {
        let is_file = |name: &String| name == "-" || Path::new(name).is_file();
        if self.what.is_empty() {
            if std::io::stdin().is_terminal() {
                eprintln!("paste what is to be explained, then end with Ctrl-D");
            }
            return Ok(vec![(String::new(), input("-")?)]);
        }
        if self.what.iter().all(is_file) {
            return self.what.iter().map(|name| Ok((name.clone(), input(name)?))).collect();
        }
        if let Some(missing) = self.what.iter().find(|name| looks_like_a_file(name)) {
            let problem = Problem::new(format!("there is no file `{missing}`"));
            return Err(Failed { problem, status: EX_NOINPUT });
        }
        let typed = self.what.join(" ");
        if typed.trim().is_empty() {
            let problem = Problem::new("nothing to explain was given");
            return Err(Failed { problem, status: EX_USAGE });
        }
        Ok(vec![(String::new(), typed.into_bytes())])
    }
}

/// One word that ends like a file's name or has a path: no reply does.
fn looks_like_a_file(word: &str) -> bool {
    let ends = [".eml", ".msg", ".txt", ".log", ".mbox"];
    let is_word = !word.contains(char::is_whitespace);
    is_word && (ends.iter().any(|end| word.ends_with(end)) || word.starts_with(['/', '.', '~']))
}

fn input(name: &str) -> Result<Vec<u8>, Failed> {
    let mut octets = Vec::new();
    let read = match name {
        "-" => std::io::stdin().lock().take(OCTETS_MAX).read_to_end(&mut octets),
        name => std::fs::File::open(name)
            .and_then(|file| file.take(OCTETS_MAX).read_to_end(&mut octets)),
    };
    match read {
        Ok(_) => Ok(octets),
        Err(error) => {
            let problem = Problem::new(format!("cannot read `{name}`: {error}"));
            Err(Failed { problem, status: EX_NOINPUT })
        }
    }
}
