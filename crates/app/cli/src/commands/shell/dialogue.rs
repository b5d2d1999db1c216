//! The session itself: takes lines, sends them, hears the replies, and says what they mean.

use std::{io, time::Duration};

use diagnose::{
    sequence::State,
    session::{Ending, Event, Party},
};
use smtp::{Reply, TlsFacts, reply::parse::ReplyReader};
use transport::ClientTls;

use super::{
    advice,
    line::{self, ORDERS, Order, Typed},
    link::{Came, Link},
    mistakes,
    progress::{Progress, Sent},
    record::Record,
    typing::{Given, Typist},
};

/// How long a server may take to close after its reply to QUIT.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// Lines of one reply that are understood; the others are shown only.
const REPLY_LINES_MAX: usize = 1_000;

/// One session.
pub struct Dialogue {
    pub link: Link,
    pub progress: Progress,
    pub record: Record,
    pub typist: Typist,
    pub tls: ClientTls,
    /// The server's name, for TLS.
    pub name: String,
    /// How long a reply may take.
    pub timeout: Duration,
    /// Whether replies are explained.
    pub explains: bool,
    /// The first reply of 4yz or 5yz.
    pub refusal: Option<u16>,
    /// Whether the connection ended otherwise than after QUIT or by us, or a reply did not come.
    pub is_broken: bool,
    /// What was last kept back because of a mistake.
    withheld: Option<Vec<u8>>,
    /// Lines that wait for `:end`.
    group: Option<Vec<Vec<u8>>>,
    /// Content that is being typed.
    pub(super) content: Option<super::content::Typed>,
    /// Octets that the server takes for content because BDAT or XEXCH50 announced them.
    pub(super) owed: u64,
    /// The reply that is coming in.
    lines: Vec<Vec<u8>>,
    /// A reply came since the last hint.
    has_heard: bool,
    /// STARTTLS was accepted: the handshake comes before anything else.
    begins_tls: bool,
}

/// A reply that something asked for.
pub struct Heard {
    pub code: u16,
    /// The text of its last line.
    pub text: String,
}

impl Dialogue {
    pub fn new(link: Link, record: Record, typist: Typist, tls: ClientTls, name: String) -> Self {
        Self {
            link,
            progress: Progress::new(false),
            record,
            typist,
            tls,
            name,
            timeout: Duration::from_secs(300),
            explains: true,
            refusal: None,
            is_broken: false,
            withheld: None,
            group: None,
            content: None,
            owed: 0,
            lines: Vec::new(),
            has_heard: false,
            begins_tls: false,
        }
    }

    /// Until the script, the person or the server ends it.
    pub async fn run(&mut self) {
        self.replies().await;
        while self.link.is_open() {
            self.hint();
            let prompt = self.prompt();
            let given = tokio::select! {
                biased;
                came = self.link.came() => {
                    self.take(came);
                    continue;
                }
                given = self.typist.line(&prompt, &self.progress) => given,
            };
            let goes_on = match given {
                Given::Line(typed) => self.typed(&typed).await,
                Given::End => false,
                Given::Trouble(why) => {
                    self.record.aside(&why);
                    self.is_broken = true;
                    false
                }
            };
            if !goes_on {
                break;
            }
        }
        self.finish().await;
    }

    async fn finish(&mut self) {
        if let Some(group) = self.group.take()
            && !group.is_empty()
        {
            self.record.aside(&format!(
                "{} lines behind `:pipeline` were not sent: `:end` is missing",
                group.len()
            ));
        }
        self.content_ends(false);
        if self.link.is_open() {
            self.record.note(Party::Client, Event::Closed, "closing connection");
            self.link.close().await;
        }
        self.typist.settle().await;
    }

    fn prompt(&self) -> String {
        match &self.group {
            Some(group) => format!("pipeline({})", group.len()),
            None => self.progress.prompt(),
        }
    }

    /// One line of the person or the script. Gives whether to go on.
    async fn typed(&mut self, typed: &[u8]) -> bool {
        if self.progress.state == State::Content && self.group.is_none() {
            self.content_typed(typed).await;
            return true;
        }
        match line::read(typed) {
            Ok(Typed::Nothing) => {}
            Ok(Typed::Say(line)) => self.say(line, false).await,
            Ok(Typed::Insist(line)) => self.say(line, true).await,
            Ok(Typed::Order(order)) => {
                let begins = begins_with(&order);
                if begins.is_none_or(|command| self.may_go(command, typed)) {
                    return self.order(order).await;
                }
            }
            Err(why) => {
                self.record.aside(&why);
                self.is_broken |= !self.typist.is_person;
            }
        }
        self.progress.state != State::Closed
    }

    async fn order(&mut self, order: Order) -> bool {
        match order {
            Order::StartTls => self.say(b"STARTTLS".to_vec(), true).await,
            Order::Auth { mechanism, user } => self.log_in(mechanism, &user).await,
            Order::Data(file) => self.data(&file).await,
            Order::Bdat(file, chunk) => self.bdat(&file, chunk).await,
            Order::Raw(octets) => self.raw(&octets).await,
            Order::Wait(span) => self.wait(span).await,
            Order::Transcript(file) => {
                let said = match self.record.write_into(&file) {
                    Ok(()) => format!("the transcript goes into {}", file.display()),
                    Err(error) => {
                        self.failed(format!("cannot write `{}`: {error}", file.display()))
                    }
                };
                self.record.aside(&said);
            }
            Order::Hex => {
                let is_on = self.record.toggle_hex();
                self.record.aside(if is_on {
                    "octets are shown"
                } else {
                    "octets are no longer shown"
                });
            }
            Order::Pipeline => {
                self.group.get_or_insert_default();
                self.record.aside("lines are collected; `:end` sends them at once");
            }
            Order::End => self.send_group().await,
            Order::Help => self.help(),
            Order::Quit => {
                self.say(b"QUIT".to_vec(), true).await;
                return false;
            }
        }
        self.progress.state != State::Closed
    }

    /// What went wrong with an order: in a script the session counts as broken.
    pub(super) fn failed(&mut self, why: String) -> String {
        self.is_broken |= !self.typist.is_person;
        why
    }

    /// A line for the server, unless a person might not have meant it.
    async fn say(&mut self, line: Vec<u8>, insists: bool) {
        if !insists && !self.may_go(&line, &line) {
            return;
        }
        self.withheld = None;
        if let Some(group) = &mut self.group {
            group.push(line);
            return;
        }
        let is_typed = self.typist.is_person;
        self.send_line(&line, is_typed).await;
        self.replies().await;
        self.after_quit().await;
    }

    /// Points a mistake out; a person has to type the same once more then, before it goes.
    fn may_go(&mut self, command: &[u8], typed: &[u8]) -> bool {
        let is_again = self.withheld.take().is_some_and(|withheld| withheld == typed);
        let Some(mistake) = self.mistake(command).filter(|_| !is_again) else { return true };
        self.record.aside(&mistake);
        if self.typist.is_person {
            self.record.aside("not sent; the same once more sends it");
            self.withheld = Some(typed.to_vec());
        }
        !self.typist.is_person
    }

    /// What is wrong with it, where a group that is being collected counts as accepted.
    fn mistake(&self, line: &[u8]) -> Option<String> {
        let mut progress = self.progress.clone();
        for line in self.group.iter().flatten() {
            progress.sent(Sent::command(line));
        }
        mistakes::find(line, &progress)
    }

    async fn send_group(&mut self) {
        let Some(group) = self.group.take() else {
            self.record.aside("`:end` ends what `:pipeline` began");
            return;
        };
        let mut octets = Vec::new();
        for line in &group {
            self.expect(line, false);
            octets.extend_from_slice(line);
            octets.extend_from_slice(b"\r\n");
        }
        self.send(&octets).await;
        self.replies().await;
        self.after_quit().await;
    }

    /// Sends a line and notes that its reply is due.
    pub(super) async fn send_line(&mut self, line: &[u8], is_typed: bool) {
        self.expect(line, is_typed);
        let mut octets = line.to_vec();
        octets.extend_from_slice(b"\r\n");
        self.send(&octets).await;
    }

    /// Records a line that is about to be sent, and that a reply is due.
    fn expect(&mut self, line: &[u8], is_typed: bool) {
        if self.progress.expected() == State::Sasl {
            self.record.response();
            self.progress.sent(Sent::Response);
            return;
        }
        self.record.command(line, Ending::Crlf, is_typed);
        self.progress.remember_addresses(line);
        self.progress.sent(Sent::command(line));
        self.owed += super::content::announced(line);
    }

    pub(super) async fn send(&mut self, octets: &[u8]) {
        let sent = tokio::time::timeout(self.timeout, self.link.send(octets)).await;
        let error = match sent {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        // What the server said before it broke off is still to be heard.
        self.record.note(Party::Note, Event::Remark, &format!("not all was sent: {error}"));
        self.is_broken = true;
    }

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
    fn hint(&mut self) {
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
    fn take(&mut self, came: Came) -> Option<Heard> {
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
        self.has_heard = true;
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

    async fn wait(&mut self, span: Duration) {
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
    async fn after_quit(&mut self) {
        if self.progress.state == State::Closed {
            self.wait(CLOSE_MAX).await;
        }
    }

    fn help(&mut self) {
        let row = |(form, about): &(&str, &str)| format!("  {form:<33} {about}\n");
        let page: String = ORDERS.iter().map(row).collect();
        self.record.page(&page);
    }
}

/// The command that an order begins with, where that may be a mistake.
fn begins_with(order: &Order) -> Option<&'static [u8]> {
    match order {
        Order::StartTls => Some(b"STARTTLS"),
        Order::Auth { mechanism, .. } => Some(mechanism.command().as_bytes()),
        Order::Data(_) => Some(b"DATA"),
        Order::Bdat(..) => Some(b"BDAT 0 LAST"),
        _ => None,
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
