//! A witness of one session: it sees the octets that the client sends and the replies that come back, and
//! nothing of the server. From these alone it reckons what the client was promised (RFC 5321 sections 3.3 and
//! 4.1, RFC 3030, RFC 2033, RFC 4954, RFC 3207): which messages were taken, of whom, for whom, and each octet
//! of them; whether inside TLS, and after a login.
//!
//! It is small because it trusts replies: what a command may be is the server's to say, what follows from its
//! `250` is not.

use std::collections::VecDeque;

/// A message that the client was told is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    pub reverse_path: String,
    pub recipients: Vec<String>,
    pub content: Vec<u8>,
    pub by_user: bool,
}

/// What has to hold for the session, as its listener is configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    pub lmtp: bool,
    pub tls_from_the_start: bool,
    pub needs_tls: bool,
    pub needs_user: bool,
    /// Nobody may speak for others by XCLIENT, or start queues.
    pub is_stranger: bool,
}

/// What the next reply is to.
#[derive(Debug, PartialEq)]
enum Awaited {
    Greeting,
    Command,
    /// A response of AUTH.
    Response,
    /// Of DATA.
    Content,
    /// The octets that XEXCH50 announced.
    Blob(usize),
    /// LMTP: so many more replies to one content, of which the first was like that.
    MoreOf(usize),
    Handshake,
    Nothing,
}

/// What a client has said next.
enum Line {
    None,
    Whole(Vec<u8>),
    BareLf,
}

pub struct Witness {
    terms: Terms,
    awaited: Awaited,
    octets: VecDeque<u8>,
    /// Octets of a chunk that was answered before they came.
    skip: usize,
    is_thrown_away: bool,
    in_tls: bool,
    is_user: bool,
    /// The last command was XCLIENT.
    is_named: bool,
    reverse_path: Option<String>,
    recipients: Vec<String>,
    chunks: Vec<u8>,
    /// A chunk was refused: nothing may come of this transaction any more (RFC 3030 section 2).
    is_spoiled: bool,
    pub promises: Vec<Promise>,
}

impl Witness {
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            awaited: Awaited::Greeting,
            octets: VecDeque::new(),
            skip: 0,
            is_thrown_away: false,
            in_tls: terms.tls_from_the_start,
            is_user: false,
            is_named: false,
            reverse_path: None,
            recipients: Vec::new(),
            chunks: Vec::new(),
            is_spoiled: false,
            promises: Vec::new(),
        }
    }

    /// The client sends.
    pub fn sent(&mut self, octets: &[u8]) {
        if !matches!(self.awaited, Awaited::Handshake | Awaited::Nothing) {
            self.octets.extend(octets);
        }
    }

    /// The handshake is done: what was said before it was said by nobody (RFC 3207 section 4.2).
    pub fn has_tls(&mut self) {
        assert_eq!(self.awaited, Awaited::Handshake, "TLS without STARTTLS");
        (self.in_tls, self.is_user, self.awaited) = (true, false, Awaited::Command);
        self.octets.clear();
        self.forget();
    }

    /// Nothing more is said that counts.
    pub fn is_over(&mut self) {
        self.awaited = Awaited::Nothing;
        self.octets.clear();
    }

    /// Lines of replies, as they come.
    ///
    /// # Panics
    /// A promise is not what may be promised.
    pub fn heard(&mut self, lines: &[String]) {
        for line in lines.iter().filter(|line| line.as_bytes().get(3) != Some(&b'-')) {
            let code: u16 = line.get(..3).and_then(|code| code.parse().ok()).expect("a code");
            if code == 421 {
                return self.is_over();
            }
            self.reply(code, line);
        }
    }

    fn reply(&mut self, code: u16, reply: &str) {
        match std::mem::replace(&mut self.awaited, Awaited::Command) {
            Awaited::Greeting if code == 220 => {}
            Awaited::Greeting => self.is_over(),
            Awaited::Command => self.command(code, reply),
            Awaited::Response => {
                let line = self.command_line();
                assert!(matches!(line, Line::Whole(_)) || code >= 500, "to a response: {reply}");
                self.login(code);
            }
            Awaited::Blob(length) => {
                assert!(
                    self.octets.len() >= length,
                    "a reply before the octets have come: {reply}"
                );
                self.octets.drain(..length);
            }
            Awaited::Content => {
                let content = self.content().expect("a reply to a content without end");
                self.ended(code, content);
            }
            Awaited::MoreOf(left) => {
                if left > 1 {
                    self.awaited = Awaited::MoreOf(left - 1);
                }
            }
            Awaited::Handshake => panic!("a reply instead of a handshake: {reply}"),
            Awaited::Nothing => panic!("a reply after the end: {reply}"),
        }
    }

    fn command(&mut self, code: u16, reply: &str) {
        let skipped = self.skip.min(self.octets.len());
        self.octets.drain(..skipped);
        self.skip -= skipped;
        let line = match self.command_line() {
            Line::Whole(line) => line,
            // Half of the world would take it for a line, the other half for a piece of one.
            Line::BareLf => return assert!(code >= 500, "a bare LF: {reply}"),
            // What is no line at all, such as a TLS handshake, may be refused at once; then that is the end.
            Line::None => {
                assert!(code >= 500, "a reply to nothing: {reply}");
                return self.is_over();
            }
        };
        if line.iter().any(u8::is_ascii_control) || std::str::from_utf8(&line).is_err() {
            // No command (RFC 5321 section 4.1.2): it announces nothing either.
            return assert!(code >= 500, "{}: {reply}", line.escape_ascii());
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let upper = text.to_ascii_uppercase();
        let verb = upper.split([' ', '\t']).next().unwrap_or_default();
        let good = (200..300).contains(&code);
        let was_named = std::mem::take(&mut self.is_named);
        match verb {
            "EHLO" | "HELO" | "LHLO" | "RSET" if good => self.forget(),
            "MAIL" if good => self.mail(&text),
            "RCPT" if good => {
                assert!(self.reverse_path.is_some(), "{text}: {reply}, without a transaction");
                self.recipients.push(path(&text));
            }
            "DATA" if code == 354 => {
                assert!(!self.recipients.is_empty(), "{reply}, without recipients");
                self.awaited = Awaited::Content;
            }
            "DATA" => assert!(!good, "{text}: {reply}"),
            "BDAT" => self.chunk(&upper, code, reply),
            "AUTH" | "X-EXPS" => self.login(code),
            "STARTTLS" | "TLS" | "X-ANONYMOUSTLS" if code == 220 => {
                assert!(!self.in_tls, "{text}: {reply}, inside TLS");
                self.octets.clear();
                self.awaited = Awaited::Handshake;
            }
            "XEXCH50" if code == 354 => {
                // How many spaces there are is the server's affair.
                let length = upper.split_ascii_whitespace().nth(1);
                let length = length.and_then(|length| length.parse().ok());
                self.awaited = Awaited::Blob(length.expect("it said how many"));
            }
            "XCLIENT" if good => {
                assert!(!self.terms.is_stranger, "{text}: {reply}, to a stranger");
                // The proxy's word counts, which may come in several commands; his own login does not.
                self.is_user &= was_named;
                if upper.contains("LOGIN=") {
                    self.is_user = !upper.contains("LOGIN=[UNAVAILABLE]");
                }
                self.is_named = true;
                self.forget();
            }
            "ETRN" => assert!(!good || !self.terms.is_stranger, "{text}: {reply}, to a stranger"),
            "ATRN" if good => {
                assert!(self.is_user, "{text}: {reply}, to nobody in particular");
                self.is_over();
            }
            "TURN" => assert!(!good, "{text}: {reply}"),
            "QUIT" if good => self.is_over(),
            _ => {}
        }
    }

    fn mail(&mut self, text: &str) {
        let terms = self.terms;
        assert!(self.in_tls || !terms.needs_tls, "in clear: {text}");
        assert!(self.is_user || !terms.needs_user, "without a login: {text}");
        assert!(self.reverse_path.is_none(), "within a transaction: {text}");
        self.forget();
        self.reverse_path = Some(path(text));
    }

    fn login(&mut self, code: u16) {
        match code {
            334 => self.awaited = Awaited::Response,
            235 => self.is_user = true,
            _ => {}
        }
    }

    fn chunk(&mut self, upper: &str, code: u16, reply: &str) {
        let mut words = upper.split(' ').skip(1);
        let is_number = |word: &&str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_digit());
        let length = words.next().filter(is_number).and_then(|word| word.parse::<usize>().ok());
        let Some(length) = length else {
            // Nothing was announced, and something is missing now.
            self.is_spoiled |= self.reverse_path.is_some() && !self.recipients.is_empty();
            return assert_ne!(code, 250, "{upper}: {reply}");
        };
        let last = words.next();
        let is_right = matches!(last, None | Some("LAST")) && words.next().is_none();
        let come = length.min(self.octets.len());
        let octets: Vec<u8> = self.octets.drain(..come).collect();
        self.skip = length - come;
        // Where there is no BDAT, nothing is begun by it.
        let is_begun = self.reverse_path.is_some() && !self.recipients.is_empty() && code != 502;
        if code == 250 {
            assert!(is_right && self.skip == 0, "{upper}: {reply}, before all of it has come");
            assert!(is_begun && !self.is_spoiled, "{upper}: {reply}, with nothing to belong to");
            self.chunks.extend(octets);
        } else if is_begun {
            self.is_spoiled = true;
        }
        if is_right && is_begun && last.is_some() {
            let content = std::mem::take(&mut self.chunks);
            self.ended(code, content);
        }
    }

    /// The reply to all of a content; with LMTP, the first of them.
    fn ended(&mut self, code: u16, content: Vec<u8>) {
        let recipients = std::mem::take(&mut self.recipients);
        let count = recipients.len();
        let reverse_path = self.reverse_path.take().expect("there is a transaction");
        if code == 250 {
            let by_user = self.is_user;
            self.promises.push(Promise { reverse_path, recipients, content, by_user });
        }
        self.forget();
        if self.terms.lmtp && count > 1 {
            self.awaited = Awaited::MoreOf(count - 1);
        }
    }

    fn forget(&mut self) {
        self.reverse_path = None;
        self.recipients.clear();
        self.chunks.clear();
        self.is_spoiled = false;
    }

    /// The next line: a command, or a response of AUTH. Only CRLF ends one.
    fn command_line(&mut self) -> Line {
        if self.is_thrown_away {
            // The rest of a line that has been answered.
            self.is_thrown_away = self.line().is_none();
        }
        let octets = self.octets.make_contiguous();
        let end = octets.windows(2).position(|two| two == b"\r\n");
        let feed = octets.iter().position(|&octet| octet == b'\n');
        match (end, feed) {
            (Some(end), Some(feed)) if feed > end => self.line().map_or(Line::None, Line::Whole),
            (_, Some(_)) => {
                self.is_thrown_away = self.line().is_none();
                Line::BareLf
            }
            (_, None) => Line::None,
        }
    }

    /// The next line of a content, without its CRLF.
    fn line(&mut self) -> Option<Vec<u8>> {
        let octets = self.octets.make_contiguous();
        let length = octets.windows(2).position(|two| two == b"\r\n")?;
        let line = octets[..length].to_vec();
        self.octets.drain(..length + 2);
        Some(line)
    }

    /// Lines up to the one with nothing but a dot, without the dots that were put in front.
    fn content(&mut self) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let line = self.line()?;
            if line == b"." {
                return Some(content);
            }
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            content.extend_from_slice(b"\r\n");
        }
    }
}

/// What stands between the angle brackets.
fn path(line: &str) -> String {
    let from = line.find('<').map_or(line.len(), |at| at + 1);
    line[from..].split('>').next().unwrap_or_default().to_owned()
}
