//! Delivery to a program: the content on its standard input, its exit status as the outcome.
//!
//! | status (sysexits.h)                  | outcome                        |
//! |--------------------------------------|--------------------------------|
//! | 0                                    | delivered                      |
//! | 75 TEMPFAIL, 71 OSERR, 74 IOERR      | deferred, 4.3.0                |
//! | 67 NOUSER                            | failed, 5.1.1                  |
//! | 68 NOHOST                            | failed, 5.1.2                  |
//! | 65 DATAERR                           | failed, 5.6.0                  |
//! | 73 CANTCREAT                         | failed, 5.2.0                  |
//! | 76 PROTOCOL                          | failed, 5.5.0                  |
//! | 77 NOPERM                            | failed, 5.7.0                  |
//! | 78 CONFIG                            | failed, 5.3.5                  |
//! | any other                            | failed, 5.3.0                  |
//! | a signal, out of time, not started   | deferred, 4.3.0 or 4.3.5       |
//!
//! Where the output begins with an enhanced status of the same class, that one counts. The output is
//! kept as evidence and told as the reason.

use std::{io, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use smtp::{
    Cause, EnhancedStatus, Outcome, Party, Recipient, Reply, ReversePath, Stage, Transcript,
    Trouble,
};
use world::{
    World,
    process::{Ended, How, Input, Program, RunError},
};

use crate::content::Content;

/// What is read at once of content that is not in memory.
const PIECE: usize = 256 * 1024;
/// Lines of output that evidence keeps.
const LINES_MAX: usize = 40;

/// One message for one recipient.
pub struct Delivery<'a> {
    /// For `Return-Path:`.
    pub reverse_path: &'a ReversePath,
    /// For `Delivered-To:`.
    pub recipient: &'a Recipient,
    /// What the program gets.
    pub content: &'a dyn Content,
    /// Lines end in LF instead of CRLF.
    pub unix_lines: bool,
    /// Those two fields stand in front.
    pub trace_fields: bool,
}

/// Runs the program to its end. The transcript tells what it wrote and how it ended.
pub async fn deliver(
    world: &World,
    program: &Program,
    mail: &Delivery<'_>,
) -> (Outcome, Transcript) {
    let began = tokio::time::Instant::now();
    let mut transcript = Transcript::default();
    let mut note = |text: String| transcript.record(began.elapsed(), Party::Note, text);
    note(format!("running {} {}", program.path.display(), program.arguments.join(" ")));
    let mut source = Source { mail, offset: 0, head: mail.trace_fields, cr: false };
    let ended = world.run(program, &mut source).await;
    if let Ok(ended) = &ended {
        for line in lines(&ended.output).into_iter().take(LINES_MAX) {
            note(format!("it wrote: {line}"));
        }
    }
    let outcome = judge(program, ended);
    note(match &outcome {
        Outcome::Relayed(_) => "it ended with status 0".to_owned(),
        Outcome::Deferred(cause) | Outcome::Failed(cause) => cause.trouble.to_string(),
    });
    (outcome, transcript)
}

fn judge(program: &Program, ended: Result<Ended, RunError>) -> Outcome {
    let name = program.path.display();
    let deferred = |detail: u16, text: String| {
        let trouble = Trouble::Local(EnhancedStatus::new(4, 3, detail), text);
        Outcome::Deferred(Cause { stage: Stage::Mailbox, trouble })
    };
    let Ended { how, output } = match ended {
        Ok(ended) => ended,
        Err(error) => {
            let why = std::error::Error::source(&error)
                .map_or_else(String::new, |source| format!(": {source}"));
            return deferred(5, format!("{error}{why}"));
        }
    };
    let said = lines(&output).into_iter().next();
    let tail = said.as_ref().map_or_else(String::new, |said| format!(": {said}"));
    match how {
        How::Status(0) => Outcome::Relayed(Reply::new(250, (2, 0, 0), format!("taken by {name}"))),
        How::TimedOut => {
            deferred(0, format!("{name} did not end in {}{tail}", seconds(program.timeout)))
        }
        How::Signal(signal) => deferred(0, format!("{name} was ended by signal {signal}{tail}")),
        How::Status(status) => by_status(&name.to_string(), status, said, &tail),
    }
}

/// The table above.
fn by_status(name: &str, status: i32, said: Option<String>, tail: &str) -> Outcome {
    let (class, subject, detail, word) = match status {
        65 => (5, 6, 0, "EX_DATAERR"),
        67 => (5, 1, 1, "EX_NOUSER"),
        68 => (5, 1, 2, "EX_NOHOST"),
        71 => (4, 3, 0, "EX_OSERR"),
        73 => (5, 2, 0, "EX_CANTCREAT"),
        74 => (4, 3, 0, "EX_IOERR"),
        75 => (4, 3, 0, "EX_TEMPFAIL"),
        76 => (5, 5, 0, "EX_PROTOCOL"),
        77 => (5, 7, 0, "EX_NOPERM"),
        78 => (5, 3, 5, "EX_CONFIG"),
        64 => (5, 3, 0, "EX_USAGE"),
        66 => (5, 3, 0, "EX_NOINPUT"),
        69 => (5, 3, 0, "EX_UNAVAILABLE"),
        70 => (5, 3, 0, "EX_SOFTWARE"),
        72 => (5, 3, 0, "EX_OSFILE"),
        _ => (5, 3, 0, ""),
    };
    let own = said.as_deref().and_then(|said| said.split(' ').next()?.parse().ok());
    let known = EnhancedStatus::new(class, subject, detail);
    let enhanced = own.filter(|own: &EnhancedStatus| own.class == class).unwrap_or(known);
    let word = if word.is_empty() { String::new() } else { format!(" ({word})") };
    let trouble =
        Trouble::Local(enhanced, format!("{name} ended with status {status}{word}{tail}"));
    let cause = Cause { stage: Stage::Mailbox, trouble };
    if class == 4 { Outcome::Deferred(cause) } else { Outcome::Failed(cause) }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

/// The output as lines, without what would steer a terminal.
fn lines(output: &[u8]) -> Vec<String> {
    const LINE_MAX: usize = 300;
    String::from_utf8_lossy(output)
        .lines()
        .map(|line| line.trim_end().chars().take(LINE_MAX))
        .map(|line| line.map(|c| if c.is_control() { ' ' } else { c }).collect::<String>())
        .filter(|line| !line.is_empty())
        .collect()
}

/// The message, piece by piece.
struct Source<'a> {
    mail: &'a Delivery<'a>,
    offset: u64,
    /// The fields in front are still to come.
    head: bool,
    /// The piece before ended in a CR.
    cr: bool,
}

#[async_trait]
impl Input for Source<'_> {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let piece = if std::mem::take(&mut self.head) {
            crate::maildir::trace_fields(self.mail.reverse_path, self.mail.recipient)
        } else if self.offset >= self.mail.content.len() {
            return Ok(self.cr.then(|| {
                self.cr = false;
                Bytes::from_static(b"\r")
            }));
        } else {
            let piece = self.mail.content.read(self.offset, PIECE).await?;
            if piece.is_empty() {
                let text = "the content ends too early";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            self.offset += piece.len() as u64;
            piece
        };
        Ok(Some(if self.mail.unix_lines { self.without_cr(&piece) } else { piece }))
    }
}

impl Source<'_> {
    /// CRLF becomes LF; a CR alone stays.
    fn without_cr(&mut self, piece: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(piece.len() + 1);
        for &octet in piece {
            if std::mem::take(&mut self.cr) && octet != b'\n' {
                out.push(b'\r');
            }
            match octet {
                b'\r' => self.cr = true,
                octet => out.push(octet),
            }
        }
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses() {
        let program = Program {
            path: "/bin/p".into(),
            arguments: Vec::new(),
            environment: Default::default(),
            directory: "/".into(),
            user: None,
            timeout: Duration::from_secs(9),
            output_max: 100,
        };
        for (how, output, expected) in [
            (How::Status(0), "x", "250 2.0.0 taken by /bin/p"),
            (How::Status(75), "", "deferred 4.3.0 /bin/p ended with status 75 (EX_TEMPFAIL)"),
            (How::Status(74), "", "deferred 4.3.0 /bin/p ended with status 74 (EX_IOERR)"),
            (
                How::Status(67),
                "\x1b[2Jno such user\nx",
                "failed 5.1.1 /bin/p ended with status 67 (EX_NOUSER):  [2Jno such user",
            ),
            (How::Status(68), "", "failed 5.1.2 /bin/p ended with status 68 (EX_NOHOST)"),
            (How::Status(77), "", "failed 5.7.0 /bin/p ended with status 77 (EX_NOPERM)"),
            (
                How::Status(69),
                "5.2.2 mailbox full",
                "failed 5.2.2 /bin/p ended with status 69 (EX_UNAVAILABLE): 5.2.2 mailbox full",
            ),
            // The class is the status's own.
            (
                How::Status(75),
                "5.2.2 mailbox full",
                "deferred 4.3.0 /bin/p ended with status 75 (EX_TEMPFAIL): 5.2.2 mailbox full",
            ),
            (How::Status(1), "", "failed 5.3.0 /bin/p ended with status 1"),
            (How::Signal(11), "", "deferred 4.3.0 /bin/p was ended by signal 11"),
            (How::TimedOut, "so far", "deferred 4.3.0 /bin/p did not end in 9s: so far"),
        ] {
            let ended = Ended { how, output: output.into() };
            let found = match judge(&program, Ok(ended)) {
                Outcome::Relayed(reply) => reply.to_string(),
                Outcome::Deferred(cause) => {
                    format!("deferred {} {}", cause.status(false), cause.trouble)
                }
                Outcome::Failed(cause) => {
                    format!("failed {} {}", cause.status(true), cause.trouble)
                }
            };
            assert_eq!(found, expected);
        }
    }
}
