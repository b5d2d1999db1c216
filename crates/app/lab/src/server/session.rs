//! One session of a misbehaving server.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::net::Stream;

use super::Shared;
use crate::{
    scenario::{On, Then},
    words,
};

/// What is kept of a content, to be written into a file.
const CONTENT_MAX: usize = 64 << 20;
/// How long a closed connection is read on.
const LINGER_MAX: Duration = Duration::from_secs(5);

pub struct Session {
    shared: Arc<Shared>,
    number: u32,
    stream: Stream,
    buffer: Vec<u8>,
    /// How often each verb was said.
    times: HashMap<String, u32>,
    state: State,
}

/// How far the dialogue has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing yet, or after a message.
    Idle,
    /// MAIL was accepted.
    Mail,
    /// So was at least one recipient.
    Rcpt,
}

/// Whether the session goes on.
enum Goes {
    On,
    Ends,
}

impl Session {
    pub fn new(shared: Arc<Shared>, number: u32, stream: Stream) -> Self {
        let (buffer, times) = (Vec::new(), HashMap::new());
        Self { shared, number, stream, buffer, times, state: State::Idle }
    }

    /// To its end. What goes wrong on the wire ends it: that is the other side's to notice.
    pub async fn run(mut self) {
        if let Err(error) = self.talk().await {
            tracing::debug!(session = self.number, %error, "lab session broke off");
        }
    }

    async fn talk(&mut self) -> io::Result<()> {
        let script = &self.shared.script;
        let greeting = format!("220 {} {}", script.name, script.greeting);
        if matches!(self.answer("CONNECT", "", &[greeting.as_str()]).await?, Goes::Ends) {
            return Ok(());
        }
        while let Some(line) = self.line().await? {
            let verb = words::verb(&line);
            let argument = String::from_utf8_lossy(words::trimmed(&line)).into_owned();
            if matches!(self.command(&verb, &argument).await?, Goes::Ends) {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn command(&mut self, verb: &str, line: &str) -> io::Result<Goes> {
        let ehlo = self.ehlo();
        let usual: Vec<&str> = match (verb, self.state) {
            ("EHLO", _) => ehlo.iter().map(String::as_str).collect(),
            ("HELO", _) => vec!["250 lab.test"],
            ("MAIL", State::Idle) => vec!["250 2.1.0 sender ok"],
            ("MAIL", _) => vec!["503 5.5.1 there is a transaction already"],
            ("RCPT", State::Mail | State::Rcpt) => vec!["250 2.1.5 recipient ok"],
            ("RCPT", State::Idle) => vec!["503 5.5.1 need MAIL first"],
            ("DATA", State::Rcpt) => vec!["354 end with a line of a single dot"],
            ("DATA" | "BDAT", _) if self.state != State::Rcpt => vec!["503 5.5.1 need RCPT first"],
            ("BDAT", _) => vec!["250 2.0.0 chunk ok"],
            ("RSET" | "NOOP", _) => vec!["250 2.0.0 ok"],
            ("VRFY", _) => vec!["252 2.1.5 try it"],
            ("QUIT", _) => vec!["221 2.0.0 bye"],
            ("STARTTLS", _) => vec!["220 2.0.0 go ahead"],
            _ => vec!["500 5.5.2 command not recognized"],
        };
        if verb == "BDAT" {
            // The chunk comes whatever is thought of it.
            let length = words::announced(line.as_bytes());
            self.discard(length).await?;
        }
        let is_last = verb == "BDAT" && line.to_ascii_uppercase().ends_with("LAST");
        let is_script_for = |verb: &str| self.shared.script.on.iter().any(|on| on.command == verb);
        // What is said of a content is said of its last chunk, unless a scenario is about BDAT itself.
        let asked = match () {
            () if verb != "BDAT" || is_script_for("BDAT") => verb,
            () if is_script_for("CONTENT") => "CONTENT",
            () if is_last => "DOT",
            () => verb,
        };
        let (accepted, on) = self.reply(asked, line, &usual).await?;
        match (verb, accepted) {
            ("MAIL", true) => self.state = State::Mail,
            ("RCPT", true) => self.state = State::Rcpt,
            ("EHLO" | "HELO" | "RSET", true) => self.state = State::Idle,
            ("DATA", true) if matches!(on, Goes::On) => return self.content().await,
            ("BDAT", true) if line.to_ascii_uppercase().ends_with("LAST") => {
                self.taken(&[]).await?
            }
            ("QUIT", true) => return Ok(Goes::Ends),
            _ => {}
        }
        Ok(on)
    }

    fn ehlo(&self) -> Vec<String> {
        let script = &self.shared.script;
        let mut lines = vec![script.name.clone()];
        lines.extend(script.offers.iter().cloned());
        let last = lines.len() - 1;
        let numbered = lines.into_iter().enumerate();
        numbered
            .map(|(index, line)| format!("250{}{line}", if index == last { ' ' } else { '-' }))
            .collect()
    }

    async fn content(&mut self) -> io::Result<Goes> {
        let shared = Arc::clone(&self.shared);
        let mid = shared.wanted("CONTENT", "", 1, self.number);
        let mut dot = words::Dot::default();
        let mut content = Vec::new();
        let mut octets = 0;
        loop {
            if let Some(on) = mid.filter(|on| octets >= on.after_octets) {
                return self.perform(on).await;
            }
            if self.buffer.is_empty() && self.fill().await? == 0 {
                return Ok(Goes::Ends);
            }
            let end = dot.end(&self.buffer);
            let taken: Vec<u8> = self.buffer.drain(..end.unwrap_or(self.buffer.len())).collect();
            octets += taken.len() as u64;
            if content.len() < CONTENT_MAX {
                content.extend_from_slice(&taken);
            }
            if end.is_some() {
                break;
            }
        }
        let number = self.shared.accepted.load(Ordering::Relaxed) + 1;
        let usual = format!("250 2.0.0 taken as lab{number}");
        let (accepted, on) = self.reply("DOT", "", &[usual.as_str()]).await?;
        self.state = State::Idle;
        if accepted {
            self.taken(&words::unstuffed(&content)).await?;
        }
        Ok(on)
    }

    async fn taken(&mut self, content: &[u8]) -> io::Result<()> {
        self.state = State::Idle;
        let number = self.shared.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(folder) = &self.shared.into {
            tokio::fs::write(folder.join(format!("lab{number}.eml")), content).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, verb: &str, argument: &str, usual: &[&str]) -> io::Result<Goes> {
        Ok(self.reply(verb, argument, usual).await?.1)
    }

    /// Says what the scenario has for this point, else the usual; whether that was a yes.
    async fn reply(&mut self, verb: &str, line: &str, usual: &[&str]) -> io::Result<(bool, Goes)> {
        let times = self.times.entry(verb.to_owned()).or_default();
        *times += 1;
        let shared = Arc::clone(&self.shared);
        let Some(on) = shared.wanted(verb, line, *times, self.number) else {
            self.say(&lines(usual), Duration::ZERO).await?;
            return Ok((is_yes(usual), Goes::On));
        };
        tokio::time::sleep(on.delay()).await;
        let yes = match (&on.raw, on.lines()) {
            (Some(raw), _) => {
                self.say(raw.as_bytes(), on.drip()).await?;
                is_yes(&[raw])
            }
            (None, Some(reply)) => {
                self.say(&lines(&reply), on.drip()).await?;
                is_yes(&reply)
            }
            // A scenario that only delays, or only ends the connection.
            (None, None) if on.then == Then::Go => {
                self.say(&lines(usual), on.drip()).await?;
                is_yes(usual)
            }
            (None, None) => false,
        };
        Ok((yes, self.end(on.then).await?))
    }

    async fn perform(&mut self, on: &On) -> io::Result<Goes> {
        tokio::time::sleep(on.delay()).await;
        if let Some(reply) = on.lines() {
            self.say(&lines(&reply), on.drip()).await?;
        }
        self.end(on.then).await?;
        Ok(Goes::Ends)
    }

    async fn end(&mut self, then: Then) -> io::Result<Goes> {
        match then {
            Then::Go => return Ok(Goes::On),
            Then::Close => {
                // What the client has still to say is read, lest its octets turn the FIN into a RST and
                // take the last reply with them.
                self.stream.shutdown().await?;
                let drained = async {
                    while self.fill().await? > 0 {
                        self.buffer.clear();
                    }
                    io::Result::Ok(())
                };
                // A client that stays has had its answer.
                let _ = tokio::time::timeout(LINGER_MAX, drained).await;
            }
            Then::Reset => self.stream.reset_on_drop()?,
            Then::Silence => {
                // What comes is read and not answered, until the client has enough.
                self.buffer.clear();
                while self.fill().await? > 0 {
                    self.buffer.clear();
                }
            }
        }
        Ok(Goes::Ends)
    }

    async fn say(&mut self, octets: &[u8], drip: Duration) -> io::Result<()> {
        if drip.is_zero() {
            return self.stream.write_all(octets).await;
        }
        for octet in octets.chunks(1) {
            self.stream.write_all(octet).await?;
            tokio::time::sleep(drip).await;
        }
        Ok(())
    }

    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(length) = words::line_length(&self.buffer) {
                return Ok(Some(self.buffer.drain(..length).collect()));
            }
            if self.fill().await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn discard(&mut self, mut octets: u64) -> io::Result<()> {
        while octets > 0 {
            if self.buffer.is_empty() && self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let here = octets.min(self.buffer.len() as u64);
            self.buffer.drain(..usize::try_from(here).unwrap_or(usize::MAX));
            octets -= here;
        }
        Ok(())
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(16 * 1024);
        self.stream.read_buf(&mut self.buffer).await
    }
}

fn lines(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"]).flatten().copied().collect()
}

fn is_yes(lines: &[&str]) -> bool {
    lines.first().is_some_and(|line| line.starts_with(['2', '3']))
}
