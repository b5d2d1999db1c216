//! `mailwright shell`: the raw SMTP session that people do by telnet, made humane.

mod advice;
mod complete;
mod content;
mod dialogue;
mod hearing;
mod history;
mod line;
mod link;
mod login;
mod mistakes;
mod progress;
mod record;
#[cfg(test)]
mod tests;
mod typing;

use std::{io::IsTerminal, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use diagnose::session::{Event, Party};
use transport::ClientTls;
use world::{Net, World, dns::real::Settings};

use super::send::{EX_CONFIG, EX_NOHOST, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE, Failed};
use crate::{output, outside, problem::Problem, server::block_on};
use dialogue::Dialogue;
use link::Link;
use record::{Record, Screen};
use typing::Typist;

/// An order of a script failed, or the session broke off (`EX_PROTOCOL`).
const EX_PROTOCOL: u8 = 76;

/// Talk SMTP by hand: with completion, explanations, STARTTLS and login
///
/// What is typed goes to the server; lines with a colon in front are orders, `:help` lists them. In a pipe
/// it reads a script and writes the transcript, and waits for the reply to each line before it sends the next.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailwright shell mx.example.com
  mailwright shell --tls mail.example.com:465
  printf 'EHLO me.example\\nMAIL FROM:<>\\nRCPT TO:<bob@example.com>\\nQUIT\\n' | mailwright shell mx.example.com

Exit status, by the first reply that refuses: 75 for 4yz, 69 for 5yz. Else 76 if the session broke off or \
a line of a script could not be carried out, 0 if not. 64 wrong arguments, 68 no such host, 75 no connection, 78 no TLS \
or no transcript file.")]
pub struct Shell {
    /// Server, and port if it is not 25 (with --tls: 465)
    #[arg(value_name = "HOST[:PORT]")]
    server: String,
    /// TLS from the first octet
    #[arg(long)]
    tls: bool,
    /// Write what is said into that file
    #[arg(long, value_name = "FILE")]
    transcript: Option<PathBuf>,
    /// How long to wait for a reply, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// No explanations, hints and findings: the transcript only
    #[arg(long, short)]
    quiet: bool,
}

impl Shell {
    /// The exit status tells whether anything was refused.
    pub fn run(self) -> Result<ExitCode, Failed> {
        let failed = |problem| Failed { problem, status: EX_CONFIG };
        let world = outside::world(&Settings::default()).map_err(failed)?;
        let is_person = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let (typist, screen) = if is_person {
            Typist::terminal().map_err(|error| {
                failed(Problem::new(format!("cannot use the terminal: {error}")))
            })?
        } else {
            let input = std::io::BufReader::new(std::io::stdin());
            let screen = typing::pipe(Box::new(std::io::stdout()));
            (Typist::script(Box::new(input)), screen)
        };
        let talked = block_on(async { Ok(self.talk(&world, typist, screen).await) });
        talked.map_err(failed)?.map(ExitCode::from)
    }

    /// The whole session; gives the exit status.
    async fn talk(&self, world: &World, typist: Typist, screen: Screen) -> Result<u8, Failed> {
        let failed = |problem| Failed { problem, status: EX_CONFIG };
        let tls = ClientTls::new(world).map_err(|error| failed(Problem::from_error(&error)))?;
        // A terminal shows no control characters of others; a file or a pipe has all octets.
        let is_raw = !std::io::stdout().is_terminal();
        let mut record = Record::new(screen, is_raw, output::colour());
        if let Some(file) = &self.transcript {
            record.write_into(file).map_err(|error| {
                failed(Problem::new(format!("cannot write `{}`: {error}", file.display())))
            })?;
        }
        let (name, link) = self.connect(&world.net, &mut record).await?;
        let mut dialogue = Dialogue::new(link, record, typist, tls, name);
        dialogue.timeout = Duration::from_secs(self.timeout);
        dialogue.explains = !self.quiet;
        if self.tls {
            dialogue.encrypt().await;
        }
        dialogue.run().await;
        if !self.quiet {
            dialogue.record.findings();
        }
        if let Some(trouble) = dialogue.record.trouble() {
            return Err(Failed { problem: Problem::new(trouble), status: EX_PROTOCOL });
        }
        Ok(match dialogue.refusal {
            Some(400..500) => EX_TEMPFAIL,
            Some(_) => EX_UNAVAILABLE,
            None if dialogue.is_broken => EX_PROTOCOL,
            None => 0,
        })
    }

    async fn connect(&self, net: &Net, record: &mut Record) -> Result<(String, Link), Failed> {
        let port = if self.tls { 465 } else { 25 };
        let (host, port) = place(&self.server, port)
            .map_err(|why| Failed { problem: Problem::new(why), status: EX_USAGE })?;
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), port))
            .await
            .map_err(|error| Failed {
                problem: Problem::new(format!("cannot find `{host}`: {error}")),
                status: EX_NOHOST,
            })?
            .collect();
        let timeout = Duration::from_secs(self.timeout.min(60));
        match Link::connect(net, &addresses, timeout).await {
            Ok((link, to)) => {
                record.ends(link.local(), to, &host);
                let text = format!("Connected to {host} ({}) port {port}", to.ip());
                record.note(Party::Client, Event::Connected, &text);
                Ok((host, link))
            }
            Err((to, error)) => {
                let text = format!("failed to connect to {to}: {error}");
                record.note(Party::Client, Event::NotConnected, &text);
                let problem = Problem::new(format!("cannot connect to {host} at {to}: {error}"))
                    .help("`mailwright mx DOMAIN` tells who takes mail for a domain");
                Err(Failed { problem, status: EX_TEMPFAIL })
            }
        }
    }
}

/// `host`, `host:port`, `192.0.2.1:25`, `2001:db8::1`, `[2001:db8::1]:25`.
fn place(text: &str, port: u16) -> Result<(String, u16), String> {
    let wrong = || format!("`{text}` is no HOST[:PORT] such as mx.example.com:587");
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok((bare.to_owned(), port));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
        None => (text, port),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_wrong = host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/');
    if is_wrong { Err(wrong()) } else { Ok((host.to_owned(), port)) }
}
