//! A driver of the server machine without a socket, with the policy that tests/golden/README.md
//! states.

#![allow(dead_code)] // each test uses its part

use std::{collections::VecDeque, net::Ipv4Addr, sync::Arc, time::Duration};

use sasl::{Mechanism, Mechanisms};
use smtp::{
    Proof, Recipient, Reply, Timestamp, TlsFacts,
    extension::{Features, TABLE, etrn::Node},
    server::{
        Answer, AuthOffer, LineEndings, Offer, Output, Peer, Protocol, Question, Sasl, SaslAnswer,
        Server,
    },
};

use super::{pages::Entry, sasl_driver::Login};

/// Stands for the spool's.
pub struct Receipt(String);

impl Proof for Receipt {
    fn queue_id(&self) -> &str {
        &self.0
    }
}

/// A session.
pub struct Driver {
    pub server: Server<Receipt>,
    now: Duration,
    /// Questions that the page has, with its answers.
    expected: VecDeque<(String, Option<Reply>)>,
    /// Questions that were asked since.
    asked: Vec<String>,
    events: Vec<String>,
    kept: Option<Vec<u8>>,
    /// Every content that was kept, in order.
    pub all_kept: Vec<Vec<u8>>,
    /// Of each of them the reverse-path and the forward-paths.
    pub all_envelopes: Vec<(String, Vec<String>)>,
    messages: usize,
    closed: bool,
    starting_tls: bool,
    login: Login,
    /// Whether the policy is in the mood for the next questions; beyond the last one it is.
    pub moods: VecDeque<bool>,
}

pub fn tls_facts() -> TlsFacts {
    TlsFacts {
        bindable: true,
        version: "TLSv1.3".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
        server_name: None,
        verified: Err("not asked for".into()),
        certificate: Vec::new(),
    }
}

/// The time of day when a page begins: 2026-11-20T10:00:00Z.
const ORIGIN: Timestamp = Timestamp(1_795_168_800_000);

/// The offer of a page's variant.
pub fn offer(words: &[String]) -> Offer {
    let mut offer = Offer::new("mx.example.test");
    offer.size_max = Some(1_000);
    offer.recipients_max = 3;
    offer.errors_max = 5;
    offer.refusals_max = 4;
    offer.auth_failures_max = 2;
    offer.command_length_max = 1_100;
    offer.discard_length_max = 20_000;
    for word in words {
        match word.as_str() {
            "tls" => offer.tls_available = true,
            "tls-only" => (offer.tls_available, offer.tls_required) = (true, true),
            "submission" | "implicit" => {
                offer.tls_available = true;
                offer.auth = AuthOffer::inside_tls(Mechanisms::BY_PASSWORD);
                offer.auth_required = true;
            }
            "every-mechanism" => {
                offer.tls_available = true;
                offer.auth = AuthOffer::always(Mechanisms::that(|_| true));
            }
            "other-names" => {
                offer.auth_names = vec![("SPA".into(), Mechanism::Ntlm)];
            }
            "auth" => offer.auth = AuthOffer::always(Mechanisms::BY_PASSWORD),
            "plain" => offer.features = Features::NONE,
            // Every keyword there is.
            "everything" => {
                offer.features =
                    TABLE.iter().fold(Features::NONE, |all, row| all.with(row.feature));
                offer.tls_available = true;
                offer.auth = AuthOffer::always(Mechanisms::BY_PASSWORD);
                offer.expn = true;
                offer.deliver_by_min = 60;
                offer.future_release_max = 86_400;
                offer.priority_max = 3;
                offer.no_soliciting = "net.example:ADV".into();
            }
            // For a client that nothing is granted to.
            "stranger" => {}
            // For one that is not let in.
            "denied" => {}
            "lmtp" => offer.protocol = Protocol::Lmtp,
            "one-message" => offer.transactions_max = Some(1),
            "no-vrfy" => offer.vrfy = false,
            "normalize" => offer.line_endings = LineEndings::Normalize,
            "continued" => {}
            other => panic!("no such variant: {other}"),
        }
    }
    offer
}

impl Driver {
    pub fn new(words: &[String]) -> Self {
        let tls = words.iter().any(|word| word == "implicit").then(tls_facts);
        let peer = Peer {
            address: ([192, 0, 2, 1], 40_000).into(),
            local: ([192, 0, 2, 25], 25).into(),
            tls,
            granted: match words.iter().any(|word| word == "stranger") {
                true => Features::NONE,
                false => Features::GUARDED,
            },
            origin: ORIGIN,
        };
        let (offer, now) = (Arc::new(offer(words)), Duration::ZERO);
        let server = match words.iter().any(|word| word == "denied") {
            true => Server::refuse(offer, peer, Reply::client_denied(), now),
            false => Server::new(offer, peer, now),
        };
        Self {
            server,
            now: Duration::ZERO,
            expected: VecDeque::new(),
            asked: Vec::new(),
            events: Vec::new(),
            kept: None,
            all_kept: Vec::new(),
            all_envelopes: Vec::new(),
            messages: 0,
            closed: false,
            starting_tls: false,
            login: Login::default(),
            moods: VecDeque::new(),
        }
    }

    pub fn drop_greeting(&mut self) {
        self.server.replies().clear();
    }

    /// Feeds octets in pieces, as a socket would have them.
    pub fn send(&mut self, octets: &[u8], piece: usize) {
        for piece in octets.chunks(piece.min(octets.len().max(1))) {
            self.feed(piece);
        }
    }

    fn feed(&mut self, octets: &[u8]) {
        self.now += Duration::from_millis(1);
        let mut rest = octets;
        if self.starting_tls {
            return self.inject(octets);
        }
        while !rest.is_empty() {
            let used = self.server.feed(self.now, rest);
            rest = &rest[used..];
            let went_on = self.drain();
            assert!(used > 0 || went_on, "the machine is stuck at {:?}", rest.escape_ascii());
        }
    }

    /// What comes between STARTTLS and the handshake is thrown away: no word is said of it, nobody is asked
    /// about it, and it is not there afterwards (RFC 3207 section 6).
    fn inject(&mut self, octets: &[u8]) {
        let said = self.server.replies().len();
        assert_eq!(
            self.server.feed(self.now, octets),
            octets.len(),
            "kept for after the handshake"
        );
        while let Some(output) = self.server.poll() {
            let Output::Event(event) = output else { panic!("{output:?} of injected text") };
            self.events.push(format!("{event:?}"));
        }
        assert_eq!(self.server.replies().len(), said, "injected text is answered");
    }

    /// Does what the machine wants; whether it wanted anything.
    fn drain(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.server.poll() {
            any = true;
            match output {
                Output::Ask(question) => self.reply_to(question),
                Output::StartTls => self.starting_tls = true,
                Output::Event(event) => self.events.push(format!("{event:?}")),
                Output::Close => (self.closed, self.starting_tls) = (true, false),
                Output::Reverse(domains) => {
                    self.events.push(format!("Reverse {}", domains.join(",")));
                    self.closed = true;
                }
            }
        }
        any
    }

    fn reply_to(&mut self, question: Question) {
        let text = self.text_of(&question);
        let of_page = match self.expected.iter().position(|(expected, _)| *expected == text) {
            Some(at) => self.expected.remove(at).and_then(|(_, reply)| reply),
            None => None,
        };
        self.asked.push(text);
        let of_page = match self.moods.pop_front() {
            Some(false) if of_page.is_none() => Some(Reply::local_error()),
            _ => of_page,
        };
        let said = self.server.replies().len();
        let is_keep = matches!(question, Question::Keep);
        let answer = match question {
            Question::Verify(_) => Answer::Verified(of_page.unwrap_or_else(Reply::not_verified)),
            Question::Expand(_) => Answer::Verified(of_page.unwrap_or_else(Reply::not_expanded)),
            Question::StartQueue(_) => {
                Answer::Verified(of_page.unwrap_or_else(Reply::no_such_node))
            }
            Question::Reverse(domains) => {
                assert!(self.server.user().is_some(), "mail is handed to nobody in particular");
                let ours = domains.iter().all(|domain| **domain == *"example.test");
                let refusal = (!ours).then(Reply::reversal_refused);
                Answer::Reverse(of_page.or(refusal).map_or(Ok(domains), Err))
            }
            Question::Client(claim) => {
                assert!(self.server.features().has(Features::XCLIENT), "a stranger names himself");
                let mut peer = self.server.peer().clone();
                peer.granted = Features::NONE;
                if let Some(address) = claim.address {
                    peer.address.set_ip(address.unwrap_or(Ipv4Addr::UNSPECIFIED.into()));
                }
                Answer::Client { peer: Box::new(peer), refused: of_page }
            }
            Question::Keep => Answer::Kept(self.keep(of_page)),
            Question::Sasl(step) => Answer::Sasl(self.sign_in(step)),
            Question::Recipient(recipient) => {
                Answer::Go(of_page.or(self.refusal_of(&recipient)).map_or(Ok(()), Err))
            }
            Question::ReversePath | Question::Begin => Answer::Go(of_page.map_or(Ok(()), Err)),
        };
        let kept = matches!(answer, Answer::Kept(Ok(_)));
        self.server.answer(self.now, answer);
        if is_keep {
            // RFC 5321 section 6.1: with this word the message is ours; without a proof it is not said.
            let reply = &self.server.replies()[said..];
            assert_eq!(reply.starts_with(b"250"), kept, "{}", reply.escape_ascii());
        }
    }

    fn sign_in(&mut self, step: Sasl) -> SaslAnswer {
        let (asked, answer) = self.login.step(step);
        for text in asked {
            if let Some(at) = self.expected.iter().position(|(expected, _)| *expected == text) {
                self.expected.remove(at);
            }
            self.asked.push(text);
        }
        answer
    }

    fn keep(&mut self, refusal: Option<Reply>) -> Result<Receipt, Reply> {
        let envelope = self.server.envelope().expect("content belongs to a transaction");
        assert!(!envelope.recipients.is_empty(), "content without a recipient");
        let foreign = |recipient: &Recipient| self.refusal_of(recipient).is_some();
        assert!(!envelope.recipients.iter().any(foreign), "relayed for a stranger");
        let secured = self.server.tls().is_some();
        assert!(secured || !self.server.offer().tls_required, "accepted in clear");
        assert!(secured || !envelope.require_tls, "REQUIRETLS was promised in clear");
        let may = self.server.user().is_some() || !self.server.offer().auth_required;
        assert!(may, "accepted without AUTH");
        let offer = self.server.offer();
        assert!(envelope.recipients.len() <= offer.recipients_max, "too many recipients");
        assert!(offer.size_max.is_none_or(|most| self.server.content_length() <= most), "too big");
        let reverse_path = envelope.reverse_path.as_ref().map_or("", |path| path.as_str());
        let recipients = envelope.recipients.iter().map(|to| to.forward_path.to_string());
        let envelope = (reverse_path.to_owned(), recipients.collect());
        let content = self.server.content().split().to_vec();
        assert_eq!(content.len() as u64, self.server.content_length());
        match refusal {
            Some(reply) => Err(reply),
            None => {
                self.all_kept.push(content.clone());
                self.all_envelopes.push(envelope);
                self.kept = Some(content);
                self.messages += 1;
                Ok(Receipt(format!("Q{}", self.messages)))
            }
        }
    }

    fn refusal_of(&self, recipient: &Recipient) -> Option<Reply> {
        let path = &recipient.forward_path;
        let ours = path.domain().is_empty() || path.domain().eq_ignore_ascii_case("example.test");
        match () {
            () if ours && path.local_part_unquoted() == "nobody" => Some(Reply::no_such_mailbox()),
            () if ours || self.server.user().is_some() => None,
            () => Some(Reply::relaying_denied()),
        }
    }

    fn text_of(&self, question: &Question) -> String {
        let path = |path: Option<&str>| format!("<{}>", path.unwrap_or_default());
        match question {
            Question::Sasl(Sasl::Begin { mechanism, .. }) => format!("begin {mechanism}"),
            Question::Sasl(Sasl::Response(_)) => "response".into(),
            Question::ReversePath => {
                let envelope = self.server.envelope().expect("a transaction to be");
                let text = envelope.reverse_path.as_ref().map(|address| address.as_str());
                format!("reverse-path {}", path(text))
            }
            Question::Recipient(it) => {
                format!("recipient {}", path(Some(it.forward_path.as_str())))
            }
            Question::Verify(text) => format!("verify {text}"),
            Question::Expand(text) => format!("expand {text}"),
            Question::StartQueue(Node::Domain(domain)) => format!("start {domain}"),
            Question::StartQueue(Node::WithSubdomains(domain)) => {
                format!("start {domain} and below")
            }
            Question::StartQueue(Node::Queue(queue)) => format!("start queue {queue}"),
            Question::Reverse(domains) => {
                format!("reverse {}", domains.join(",")).trim_end().to_owned()
            }
            Question::Client(claim) => match claim.address {
                Some(Some(address)) => format!("client {address}"),
                Some(None) => "client without an address".to_owned(),
                None => "client".into(),
            },
            Question::Begin => "begin".into(),
            Question::Keep => {
                let length = self.server.content_length();
                format!("keep {length} octets with {}", self.server.protocol())
            }
        }
    }

    pub fn tls(&mut self) {
        assert!(std::mem::take(&mut self.starting_tls), "nobody asked for TLS");
        self.server.tls_established(self.now, tls_facts());
        // RFC 3207 section 4.2: of before TLS nothing is left.
        let server = &mut self.server;
        assert!(server.helo().is_none() && server.envelope().is_none() && server.user().is_none());
        assert!(server.content().is_empty() && server.origin().is_none());
        self.drain();
    }

    pub fn tls_if_asked(&mut self) {
        if self.starting_tls {
            self.tls();
        }
    }

    pub fn awaits_tls(&self) -> bool {
        self.starting_tls
    }

    pub fn tls_failed(&mut self) {
        assert!(std::mem::take(&mut self.starting_tls), "nobody asked for TLS");
        self.server.tls_failed(self.now, "no common version");
        self.drain();
    }

    /// Until the deadline, if there is one.
    pub fn silence_if_awaited(&mut self) {
        if self.server.deadline().is_some() {
            self.silence();
        }
    }

    pub fn silence(&mut self) {
        self.now = self.server.deadline().expect("the client is waited for");
        self.server.expire(self.now);
        self.drain();
    }

    pub fn client_closes(&mut self) {
        self.server.closed_by_peer(self.now);
        self.drain();
    }

    pub fn shut_down(&mut self) {
        self.server.shut_down(self.now);
        self.drain();
    }

    /// Takes the `Q` and `A` lines of a page.
    pub fn expect_questions(&mut self, entries: &[Entry]) {
        self.asked.clear();
        for entry in entries {
            match entry.mark.as_str() {
                "Q:" => self.expected.push_back((entry.text.clone(), None)),
                "A:" => {
                    let (_, reply) = self.expected.back_mut().expect("an A line follows a Q line");
                    *reply = Some(reply_of(&entry.text));
                }
                _ => {}
            }
        }
    }

    /// Every `Q` line was asked.
    pub fn check_questions(&mut self, place: &str) {
        let (expected, asked) = (&self.expected, &self.asked);
        assert!(expected.is_empty(), "{place}: not asked: {expected:?}\nbut: {asked:?}");
    }

    pub fn take_replies(&mut self) -> Vec<String> {
        let octets = std::mem::take(self.server.replies());
        let text = String::from_utf8(octets).expect("replies are UTF-8");
        assert!(text.is_empty() || text.ends_with("\r\n"), "{text:?}");
        let lines: Vec<_> = text.split_terminator("\r\n").map(str::to_owned).collect();
        for line in &lines {
            // RFC 5321 section 4.5.3.1.5
            assert!(line.len() <= 510 && !line.contains(['\r', '\n']), "{line:?}");
        }
        lines
    }

    pub fn take_kept(&mut self) -> Option<Vec<u8>> {
        self.kept.take()
    }

    pub fn take_events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

/// `550 5.7.1 text`, as a reply.
fn reply_of(text: &str) -> Reply {
    let (code, rest) = text.split_once(' ').expect("a code and a text");
    let (status, rest) = rest.split_once(' ').expect("an enhanced status and a text");
    let status: smtp::EnhancedStatus = status.parse().expect("an enhanced status");
    let code = code.parse().expect("a code");
    Reply::new(code, (status.class, status.subject, status.detail), rest.to_owned())
}
