//! The session itself: takes lines, and sends them or does what they order.

use std::{io, time::Duration};

use diagnose::{
    sequence::State,
    session::{Ending, Event, Party},
};
use transport::ClientTls;

use super::{
    line::{self, ORDERS, Order, Typed},
    link::Link,
    mistakes,
    progress::{Progress, Sent},
    record::Record,
    typing::{Given, Typist},
};

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
    pub(super) lines: Vec<Vec<u8>>,
    /// A reply came since the last hint.
    pub(super) has_heard: bool,
    /// STARTTLS was accepted: the handshake comes before anything else.
    pub(super) begins_tls: bool,
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
            // The server takes whatever comes for the chunk.
            Ok(Typed::Say(_) | Typed::Insist(_) | Typed::Nothing) if self.owes_chunk() => {
                self.chunk(typed.to_vec()).await;
            }
            Ok(Typed::Nothing) => {}
            Ok(Typed::Say(line)) => self.say(line, false).await,
            Ok(Typed::Insist(line)) => self.say(line, true).await,
            Ok(Typed::Order(order)) => {
                let begins = begins_with(&order);
                if begins.is_none_or(|command| self.may_go(command.as_bytes(), typed)) {
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

    fn help(&mut self) {
        let row = |(form, about): &(&str, &str)| format!("  {form:<33} {about}\n");
        let page: String = ORDERS.iter().map(row).collect();
        self.record.page(&page);
    }
}

/// The command that an order begins with, where that may be a mistake.
fn begins_with(order: &Order) -> Option<String> {
    Some(match order {
        Order::StartTls => "STARTTLS".to_owned(),
        Order::Auth { mechanism, .. } => format!("AUTH {mechanism}"),
        Order::Data(_) => "DATA".to_owned(),
        Order::Bdat(..) => "BDAT 0 LAST".to_owned(),
        _ => return None,
    })
}
