//! `mailwright explain`: what a reply, a report, a dialogue or a log says, and what to do about it.

mod recognise;
mod sequence;
mod several;
mod show;
mod source;

use std::{io::IsTerminal, path::Path, process::ExitCode};

use clap::Args;

use super::send::{EX_USAGE, Failed};
use crate::{output, problem::Problem};
use recognise::Exhibit;
use source::Source;

/// Nothing in the input that could be explained (`EX_DATAERR`).
const EX_DATAERR: u8 = 65;
/// A file that can't be read (`EX_NOINPUT`).
const EX_NOINPUT: u8 = 66;

/// Explain a reply, a non-delivery report, a dialogue or log lines
///
/// What it is shows by itself: a code (503), a status (5.7.1), a whole reply, a non-delivery report
/// (NDR, bounce) as a file or only its text, a pasted dialogue, or lines of a mail server's log.
/// Of a mailbox file (mbox) or a folder (Maildir) each message is told on its own, in short.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailwright explain 503
  mailwright explain \"550 5.7.1 192.0.2.1 is listed by zen.spamhaus.org\"
  mailwright explain undelivered.eml
  mailwright explain ~/Maildir/.Bounces
  xclip -o | mailwright explain
  mailwright explain --sequence RCPT

Exit status: 0 explained, 64 wrong arguments, 65 nothing in it that could be explained, 66 a file can't be read.")]
pub struct Explain {
    /// Files or folders, or a code, a status or a reply; standard input without any (or with -)
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
        let mut several = several::Several::default();
        let (width, colour) = (output::prose_width(), output::colour());
        for source in self.sources()? {
            source.each(&mut |item| {
                let exhibit = recognise::exhibit(&item.octets);
                let is_something = !matches!(exhibit, Exhibit::Nothing);
                explained |= is_something;
                match (self.json, item.is_one_of_many) {
                    (true, _) => several::json(&item, &exhibit),
                    (false, true) => {
                        output::put_text(several.page(&item, &exhibit, width, colour));
                    }
                    (false, false) => {
                        let page = show::page(&item.name, &exhibit, width, colour);
                        output::put_text(page);
                    }
                }
            })?;
        }
        if !self.json {
            output::put_text(several.end());
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

    /// What was named, to be read when its turn comes.
    fn sources(&self) -> Result<Vec<Source>, Failed> {
        let is_there = |name: &String| name == "-" || Path::new(name).exists();
        if self.what.is_empty() {
            if std::io::stdin().is_terminal() {
                eprintln!("paste what is to be explained, then end with Ctrl-D");
            }
            return Ok(vec![Source::StandardInput]);
        }
        if self.what.iter().all(is_there) {
            return Ok(self.what.iter().map(|name| Source::named(name)).collect());
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
        Ok(vec![Source::Typed(typed)])
    }
}

/// One word that ends like a file's name or has a path: no reply does.
fn looks_like_a_file(word: &str) -> bool {
    let ends = [".eml", ".msg", ".txt", ".log", ".mbox"];
    let is_word = !word.contains(char::is_whitespace);
    is_word && (ends.iter().any(|end| word.ends_with(end)) || word.starts_with(['/', '.', '~']))
}
