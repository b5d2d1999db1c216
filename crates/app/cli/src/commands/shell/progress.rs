//! How far the session has come, by what was sent and what was answered. No input or output.

use std::collections::VecDeque;

use diagnose::sequence::{self, State};

/// Addresses that are kept for completion.
const ADDRESSES_MAX: usize = 200;

/// What is known of a session while it goes on.
#[derive(Clone, Debug)]
pub struct Progress {
    /// After the last reply.
    pub state: State,
    /// Whether TLS stands.
    pub tls: bool,
    /// Whether a login was accepted.
    pub logged_in: bool,
    /// What EHLO listed, a line each, without the first; empty before it.
    pub offers: Vec<String>,
    /// Addresses used before, the newest last.
    pub addresses: Vec<String>,
    /// What was sent and has no reply yet, oldest first.
    pending: VecDeque<Sent>,
    is_lmtp: bool,
    recipients: usize,
}

/// What a reply is due for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The connection.
    Connection,
    /// A command: its verb in capitals, and whether `LAST` stands at its end.
    Command { verb: String, is_last: bool },
    /// A line of a SASL exchange.
    Response,
    /// The content's final dot.
    Dot,
}

impl Sent {
    /// What a command line is.
    pub fn command(line: &[u8]) -> Self {
        let words = String::from_utf8_lossy(line).to_ascii_uppercase();
        let mut words = words.split_ascii_whitespace();
        let verb = words.next().unwrap_or_default().to_owned();
        Self::Command { verb, is_last: words.next_back() == Some("LAST") }
    }

    /// The row in the table of the order of commands.
    pub fn step(&self) -> Option<&'static sequence::Step> {
        sequence::of(match self {
            Self::Connection => "connect",
            Self::Command { verb, .. } => verb,
            Self::Response => "response",
            Self::Dot => "content",
        })
    }
}

impl Progress {
    /// Connected; the greeting is due.
    pub fn new(tls: bool) -> Self {
        Self {
            state: State::Connected,
            tls,
            logged_in: false,
            offers: Vec::new(),
            addresses: Vec::new(),
            pending: VecDeque::from([Sent::Connection]),
            is_lmtp: false,
            recipients: 0,
        }
    }

    /// Something was sent that has a reply.
    pub fn sent(&mut self, sent: Sent) {
        // LMTP answers the content once for each recipient (RFC 2033 section 4.2).
        let ends_content = sent == Sent::Dot
            || matches!(&sent, Sent::Command { verb, is_last: true } if verb == "BDAT");
        let replies = if self.is_lmtp && ends_content { self.recipients.max(1) } else { 1 };
        self.pending.extend(std::iter::repeat_n(sent, replies));
    }

    /// Remembers the address between `<` and `>`.
    pub fn remember_addresses(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let Some((_, rest)) = line.split_once('<') else { return };
        let Some((address, _)) = rest.split_once('>') else { return };
        if address.is_empty() || address.chars().any(char::is_control) {
            return;
        }
        self.addresses.retain(|known| known != address);
        if self.addresses.len() == ADDRESSES_MAX {
            self.addresses.remove(0);
        }
        self.addresses.push(address.to_owned());
    }

    /// Whether a reply is due.
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Nobody waits for replies any more.
    pub fn give_up_waiting(&mut self) {
        self.pending.clear();
    }

    /// A complete reply: its code, and the texts of its lines. Gives what it answers; `None` if nothing
    /// asked for it.
    pub fn heard(&mut self, code: u16, texts: &[String]) -> Option<Sent> {
        // 421 comes whenever the server wants to close (RFC 5321 section 3.8), and is the last then.
        let sent = self.pending.pop_front()?;
        let before = self.state;
        self.state = after(before, &sent, code);
        let Sent::Command { verb, .. } = &sent else {
            self.logged_in |= sent == Sent::Response && code / 100 == 2;
            return Some(sent);
        };
        match (verb.as_str(), code / 100) {
            ("EHLO" | "LHLO", 2) => {
                self.offers = texts.iter().skip(1).cloned().collect();
                self.is_lmtp = verb == "LHLO";
            }
            ("HELO", 2) | ("STARTTLS", 2) | ("XCLIENT", 2) => self.offers.clear(),
            ("AUTH", 2) => self.logged_in = true,
            ("MAIL", 2) => self.recipients = 0,
            ("RCPT", 2) => self.recipients += 1,
            _ => {}
        }
        Some(sent)
    }

    /// The state once everything that waits for a reply has been accepted.
    pub fn expected(&self) -> State {
        let accepted = |sent: &Sent| match sent.step() {
            Some(step) if !step.intermediate.is_empty() => step.intermediate[0],
            _ => 250,
        };
        self.pending.iter().fold(self.state, |state, sent| after(state, sent, accepted(sent)))
    }

    /// Whether EHLO listed that keyword.
    pub fn offers(&self, keyword: &str) -> bool {
        self.offered(keyword).is_some()
    }

    /// What EHLO says behind a keyword; for `AUTH` also where it is written `AUTH=`.
    pub fn offered(&self, keyword: &str) -> Option<&str> {
        self.offers.iter().find_map(|offer| {
            let (word, rest) = offer.split_once([' ', '=']).unwrap_or((offer, ""));
            word.trim_end().eq_ignore_ascii_case(keyword).then_some(rest)
        })
    }

    /// What the prompt shows: `mail`, `ready+tls+login`.
    pub fn prompt(&self) -> String {
        let state = name(self.state);
        let tls = if self.tls { "+tls" } else { "" };
        let login = if self.logged_in { "+login" } else { "" };
        format!("{state}{tls}{login}")
    }
}

/// A state in a word.
pub fn name(state: State) -> &'static str {
    match state {
        State::Connected => "connected",
        State::Greeted => "greeted",
        State::Ready => "ready",
        State::Mail => "mail",
        State::Recipients => "recipients",
        State::Content => "content",
        State::Chunks => "chunks",
        State::Sasl => "sasl",
        State::Closed => "closed",
    }
}

/// The state after a reply of that code.
fn after(state: State, sent: &Sent, code: u16) -> State {
    let verb = match sent {
        Sent::Connection => return State::Greeted,
        Sent::Dot => return State::Ready,
        Sent::Response if code / 100 == 3 => return State::Sasl,
        Sent::Response => return State::Ready,
        Sent::Command { verb, .. } => verb.as_str(),
    };
    match (verb, code / 100) {
        ("DATA", 3) => State::Content,
        ("AUTH" | "X-EXPS", 3) => State::Sasl,
        ("XCLIENT", 2) => State::Greeted,
        // Before EHLO there is nothing that RSET could lead to.
        ("RSET", 2) if state == State::Greeted => state,
        ("DATA" | "XEXCH50", _) => state,
        ("BDAT" | "BURL", 2) if matches!(sent, Sent::Command { is_last: true, .. }) => State::Ready,
        (_, 2) => sent.step().and_then(|step| step.leads).unwrap_or(state),
        _ => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_step_by_step() {
        let mut progress = Progress::new(false);
        progress.heard(220, &[]);
        for (line, code, state) in [
            ("RSET", 250, State::Greeted),
            ("EHLO a.test", 250, State::Ready),
            ("RCPT TO:<b@b.test>", 503, State::Ready),
            ("mail from:<>", 250, State::Mail),
            ("rcpt to:<x@b.test>", 550, State::Mail),
            ("rcpt to:<b@b.test>", 250, State::Recipients),
            ("BDAT 5", 250, State::Chunks),
            ("BDAT 5 last", 250, State::Ready),
            ("AUTH LOGIN", 334, State::Sasl),
        ] {
            progress.sent(Sent::command(line.as_bytes()));
            progress.heard(code, &["a.test".into(), "SIZE 10".into(), "AUTH=LOGIN PLAIN".into()]);
            assert_eq!(progress.state, state, "{line}");
        }
        assert_eq!(progress.offered("auth"), Some("LOGIN PLAIN"));
        assert!(!progress.offers("CHUNKING"));
        progress.sent(Sent::Response);
        progress.heard(235, &[]);
        assert_eq!(progress.prompt(), "ready+login");
        assert_eq!(progress.heard(421, &[]), None, "nothing asked for it");
    }

    #[test]
    fn what_is_on_its_way_counts_for_what_may_come_next() {
        let mut progress = Progress::new(false);
        progress.heard(220, &[]);
        for line in ["EHLO a.test", "MAIL FROM:<>", "RCPT TO:<b@b.test>", "DATA"] {
            progress.sent(Sent::command(line.as_bytes()));
        }
        assert_eq!((progress.state, progress.expected()), (State::Greeted, State::Content));
    }

    #[test]
    fn lmtp_answers_content_for_each_recipient() {
        let mut progress = Progress::new(false);
        progress.heard(220, &[]);
        for (line, code) in [
            ("LHLO a", 250),
            ("MAIL FROM:<>", 250),
            ("RCPT TO:<b>", 250),
            ("RCPT TO:<c>", 250),
            ("DATA", 354),
        ] {
            progress.sent(Sent::command(line.as_bytes()));
            progress.heard(code, &[]);
        }
        progress.sent(Sent::Dot);
        progress.heard(250, &[]);
        assert!(progress.is_waiting());
        progress.heard(250, &[]);
        assert!(!progress.is_waiting());
    }

    #[test]
    fn addresses_are_remembered_once() {
        let mut progress = Progress::new(false);
        for line in
            ["MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>", "MAIL FROM:<a@a.test>", "MAIL FROM:<>"]
        {
            progress.remember_addresses(line.as_bytes());
        }
        assert_eq!(progress.addresses, ["b@b.test", "a@a.test"]);
    }
}
