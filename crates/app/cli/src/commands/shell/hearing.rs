//! The replies of a session: waiting for them, showing them, saying what they mean.

use std::time::Duration;

use diagnose::{
    sequence::State,
    session::{Ending, Event, Party},
};
use smtp::{Reply, TlsFacts, reply::parse::ReplyReader};

use super::{advice, dialogue::Dialogue, link::Came, progress::Sent};

/// How long a server may take to close after its reply to QUIT.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// Lines of one reply that are understood; the others are shown only.
const REPLY_LINES_MAX: usize = 1_000;

/// A reply that something asked for.
pub struct Heard {
    pub code: u16,
    /// The text of its last line.
    pub text: String,
}

impl Dialogue {
    /// Waits for every reply that is due, and does the TLS handshake that one may ask for. Gives the last
    /// reply.
    pub(super) async fn replies(&mut self) -> Option<Heard> {
        let mut last = None;
        let mut until = tokio::time::Instant::now() + self.timeout;
        while self.progress.is_waiting() && self.owed == 0 && self.link.is_open() {
            let came = tokio::select! {
                biased;
                came = tokio::time::timeout_at(until, self.link.came()) => came,
                _ = tokio::signal::ctrl_c(), if self.typist.is_person => {
                    self.record.aside("no longer waiting for the reply");
                    self.progress.give_up_waiting();
                    break;
                }
            };
            let Ok(came) = came else {
                let text = format!("no reply in {}", crate::output::span(self.timeout));
                self.record.note(Party::Note, Event::Remark, &text);
                self.progress.give_up_waiting();
                self.is_broken = true;
                break;
            };
            if let Some(heard) = self.take(came) {
                last = Some(heard);
                until = tokio::time::Instant::now() + self.timeout;
            }
            if self.begins_tls {
                self.encrypt().await;
            }
        }
        last
    }

    /// Says what may come next, once after each line that had a reply.
    pub(super) fn hint(&mut self) {
        let is_due = std::mem::take(&mut self.has_heard);
        if is_due
            && self.explains
            && self.typist.is_person
            && let Some(next) = advice::next(&self.progress)
        {
            self.record.aside(&next);
        }
    }

    /// Shows what came; gives the reply that it completes.
    pub(super) fn take(&mut self, came: Came) -> Option<Heard> {
        match came {
            Came::Line(line, ending) => {
                self.record.reply(&line, ending);
                let is_last = is_reply(&line) && line.get(3) != Some(&b'-');
                if self.lines.len() == REPLY_LINES_MAX {
                    self.lines.pop();
                }
                self.lines.push(line);
                is_last.then(|| self.reply())
            }
            Came::End(rest) => {
                if !rest.is_empty() {
                    self.record.reply(&rest, Ending::Missing);
                }
                self.is_broken |= self.progress.state != State::Closed;
                self.record.note(Party::Server, Event::Closed, "connection closed by remote host");
                self.leave();
                None
            }
            Came::Broken { why, is_reset } => {
                let (by, event, text) = match is_reset {
                    true => (Party::Server, Event::Reset, "connection reset by peer".to_owned()),
                    false => (Party::Note, Event::Remark, format!("the connection broke: {why}")),
                };
                self.record.note(by, event, &text);
                self.is_broken = true;
                self.leave();
                None
            }
        }
    }

    fn leave(&mut self) {
        if self.typist.is_at_prompt() {
            self.record.aside("the session is over; Enter ends it here too");
        }
    }

    /// The reply that is complete now.
    fn reply(&mut self) -> Heard {
        let lines = std::mem::take(&mut self.lines);
        let text = |line: &Vec<u8>| {
            String::from_utf8_lossy(line.get(4..).unwrap_or_default()).into_owned()
        };
        let texts: Vec<String> = lines.iter().filter(|line| is_reply(line)).map(text).collect();
        let last = lines.last().map(Vec::as_slice).unwrap_or_default();
        let code = last[..3].iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        let answers = self.progress.heard(code, &texts);
        self.has_heard |= answers.is_some();
        if code >= 400 {
            self.refusal.get_or_insert(code);
        }
        if self.explains && (self.typist.is_person || code >= 400) {
            let reply = parsed(&lines, code);
            advice::explained(&reply, advice::stage(answers.as_ref()))
                .iter()
                .for_each(|line| self.record.aside(line));
        }
        if answers.is_none() {
            self.record.aside("nothing that was sent asked for this");
        }
        self.begins_tls = code == 220 && answers == Some(Sent::command(b"STARTTLS"));
        Heard { code, text: texts.last().cloned().unwrap_or_default() }
    }

    /// TLS begins here.
    pub async fn encrypt(&mut self) {
        self.begins_tls = false;
        match self.link.encrypt(&self.tls, &self.name).await {
            Ok((facts, injected)) => {
                self.progress.tls = true;
                let text = format!("TLS established: {}, {}", facts.version, facts.cipher);
                self.record.note(Party::Client, Event::TlsEstablished, &text);
                about(&facts).iter().for_each(|line| self.record.aside(line));
                if injected > 0 {
                    let text =
                        format!("{injected} octets came in clear behind the 220: thrown away");
                    self.record.note(Party::Note, Event::Remark, &text);
                }
            }
            Err(why) => {
                let text = format!("TLS handshake failed: {why}");
                self.record.note(Party::Note, Event::TlsFailed, &text);
                self.is_broken = true;
            }
        }
    }

    pub(super) async fn wait(&mut self, span: Duration) {
        let until = tokio::time::Instant::now() + span;
        while self.link.is_open() {
            let came = tokio::select! {
                biased;
                came = tokio::time::timeout_at(until, self.link.came()) => came,
                _ = tokio::signal::ctrl_c(), if self.typist.is_person => return,
            };
            match came {
                Ok(came) => {
                    self.take(came);
                }
                Err(_) => return,
            }
        }
    }

    /// After the reply to QUIT the server closes.
    pub(super) async fn after_quit(&mut self) {
        if self.progress.state == State::Closed {
            self.wait(CLOSE_MAX).await;
        }
    }
}

/// Whether it looks like a line of a reply.
fn is_reply(line: &[u8]) -> bool {
    matches!(
        line,
        [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']
            | [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-' | b'\t', ..]
    )
}

/// The reply with its enhanced status; the bare code where its lines contradict each other.
fn parsed(lines: &[Vec<u8>], code: u16) -> Reply {
    let mut reader = ReplyReader::default();
    for line in lines.iter().filter(|line| is_reply(line)) {
        reader.push(line);
        reader.push(b"\r\n");
    }
    match reader.take() {
        Some(Ok(heard)) => heard.to_reply(),
        _ => Reply::bare(code, String::new()),
    }
}

/// What a handshake came to, besides version and cipher.
fn about(facts: &TlsFacts) -> Vec<String> {
    let verified = match &facts.verified {
        Ok(by) => format!("certificate: verified, {by}"),
        Err(why) => format!("certificate: not verified: {why}"),
    };
    std::iter::once(verified).chain(facts.certificate.iter().cloned()).collect()
}
