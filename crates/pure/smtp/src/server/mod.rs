//! The server machine: one SMTP connection as a value (RFC 5321).
//!
//! It reads octets and writes replies, the envelope, the content and the transcript; it asks its
//! driver what only policy or storage can know. The driver's loop:
//!
//! 1. [`Server::feed`] what was read. It returns how much was used; keep the rest.
//! 2. [`Server::poll`] until `None`; answer a question with [`Server::answer`], then poll again.
//! 3. Take [`Server::content`] off whenever there is much of it.
//! 4. While there is a rest and no question is open, feed it. Else send [`Server::replies`], clear
//!    them, read on. Send them before any other wait, too.
//!
//! | state          | input is               | leaves by                                         |
//! | ready          | commands               | MAIL asked -> mail; AUTH -> authenticating        |
//! | authenticating | one line of SASL       | done or refused -> ready                          |
//! | mail           | commands               | DATA -> data; BDAT -> chunks; RSET, EHLO -> ready |
//! | data           | content                | CRLF.CRLF -> keeping; a fault in it -> ready      |
//! | chunks         | content, then commands | LAST's end -> keeping; RSET, EHLO -> ready        |
//! | keeping        | nothing: Keep is asked | answered -> ready                                 |
//! | turned away    | commands: all but QUIT get 503 | QUIT, silence -> closed             |
//! | handshake      | nothing                | TLS established -> ready, EHLO forgotten          |
//! | closed         | thrown away            | -                                                 |
//!
//! While a question is open no input is taken, whatever the state. There is one way to the `250`
//! after content: [`Answer::Kept`] with a [`Proof`].
//!
//! The files: `line` cuts command lines, `command` (this folder's) carries them out, `transaction` is
//! MAIL to DATA, `content` reads content, `authenticate` is AUTH, `voice` says and writes down,
//! `ending` closes.

mod authenticate;
mod commands;
mod content;
mod dialogue;
mod ending;
mod extended;
mod line;
mod offer;
mod state;
mod transaction;
mod voice;

pub use dialogue::{Answer, BareLineEnd, Event, Output, Question, Sasl, SaslAnswer};
pub use offer::{AuthOffer, LineEndings, Offer, Peer, Protocol, Timeouts};

use std::{collections::VecDeque, marker::PhantomData, sync::Arc, time::Duration};

use bytes::BytesMut;
use sasl::Mechanisms;

use self::{
    line::LineBuffer,
    state::{Asked, Counts, Facts, State, Swallow},
    voice::Voice,
};
use crate::{
    envelope::Envelope,
    extension::{Features, Ground, xforward::Origin},
    reply::{Proof, Reply},
    transcript::{TlsFacts, Transcript},
};

/// Progress within content that moves the deadline on: one octet now and then is none.
const BLOCK_LENGTH: usize = 512;
/// How long a client that is not let in may take to say QUIT: it has no right to a place here.
const TURNED_AWAY_WAIT: Duration = Duration::from_secs(10);

/// One connection. See the module for how it is driven.
pub struct Server<P: Proof> {
    offer: Arc<Offer>,
    peer: Peer,
    tls: Option<Box<TlsFacts>>,
    facts: Facts,
    counts: Counts,
    state: State,
    asked: Option<Asked>,
    /// Octets on their way that belong to a command and to no content.
    swallow: Option<Swallow>,
    line: LineBuffer,
    voice: Voice,
    content: BytesMut,
    outputs: VecDeque<Output>,
    /// The deadline counts from here.
    since: Duration,
    /// Octets of content since then.
    block: usize,
    ending: ending::Ending,
    /// The last AUTH was refused or failed: unknown lines may be what is left of it.
    auth_refused: bool,
    proof: PhantomData<fn(P)>,
}

impl<P: Proof> Server<P> {
    /// A connection that was just accepted; the `220` greeting is the first of its replies. A driver
    /// that looks for clients that talk too early waits before it sends it.
    pub fn new(offer: Arc<Offer>, peer: Peer, now: Duration) -> Self {
        let greeting = Reply::greeting(&offer.hostname, &offer.banner);
        let mut server = Self::silent(offer, peer, now);
        server.voice.say(now, &greeting);
        server.voice.end_opening();
        server
    }

    /// A refusal instead of a greeting: a `421`, such as [`Reply::too_many_connections`], and closes; or a
    /// `554`, after which QUIT is waited for, not for long (RFC 5321 section 3.1).
    pub fn refuse(offer: Arc<Offer>, peer: Peer, reply: Reply, now: Duration) -> Self {
        let mut server = Self::silent(offer, peer, now);
        server.turn_away(now, &reply);
        server
    }

    fn silent(offer: Arc<Offer>, peer: Peer, now: Duration) -> Self {
        let plain = !offer.features.has(Features::ENHANCEDSTATUSCODES);
        Self {
            offer,
            peer,
            tls: None,
            facts: Facts::default(),
            counts: Counts::default(),
            state: State::Ready,
            asked: None,
            swallow: None,
            line: LineBuffer::default(),
            voice: Voice::new(plain),
            content: BytesMut::new(),
            outputs: VecDeque::new(),
            since: now,
            block: 0,
            ending: ending::Ending::default(),
            auth_refused: false,
            proof: PhantomData,
        }
    }

    /// Takes octets that the client sent, as many as it can use now, and returns their number.
    ///
    /// It stops early when a question is open. What stands behind STARTTLS is thrown away here, and
    /// whatever comes after the end of the session too: that counts as used.
    pub fn feed(&mut self, now: Duration, octets: &[u8]) -> usize {
        self.voice.rest();
        let mut used = 0;
        while used < octets.len() && self.wants_input() {
            used += self.take(now, &octets[used..]);
        }
        match self.state {
            // RFC 3207 section 4.2: whoever put it there, it is not what TLS protects.
            State::Handshake if used < octets.len() => {
                self.discard_plaintext(now, octets.len() - used);
                octets.len()
            }
            State::Closed => octets.len(),
            _ => used,
        }
    }

    /// Takes one thing: a line, or some content.
    fn take(&mut self, now: Duration, octets: &[u8]) -> usize {
        if self.swallow.is_some() {
            self.swallow_chunk(now, octets)
        } else if self.state.is_in_content() {
            self.take_content(now, octets)
        } else {
            self.take_line(now, octets)
        }
    }

    /// Answers the open question.
    ///
    /// # Panics
    /// When no question is open, or another one than this is an answer to.
    pub fn answer(&mut self, now: Duration, answer: Answer<P>) {
        let asked = self.asked.take().expect("an answer needs an open question");
        self.since = now;
        match (asked, answer) {
            (Asked::Sasl(mechanism), Answer::Sasl(answer)) => {
                self.sasl_answered(now, mechanism, answer);
            }
            (Asked::ReversePath, Answer::Go(result)) => self.reverse_path_answered(now, result),
            (Asked::Recipient(recipient), Answer::Go(result)) => {
                self.recipient_answered(now, recipient, result);
            }
            (Asked::Verify { utf8 }, Answer::Verified(reply)) => {
                self.verified(now, &reply, utf8);
            }
            (Asked::Reverse, Answer::Reverse(result)) => self.reversed(now, result),
            (Asked::Client(claim), Answer::Client { peer, refused }) => {
                self.client_named(now, *claim, *peer, refused);
            }
            (Asked::BeginData, Answer::Go(result)) => self.begin_data(now, result),
            (Asked::BeginChunks(chunk), Answer::Go(result)) => {
                self.begin_chunks(now, chunk, result.err());
            }
            (Asked::Keep, Answer::Kept(result)) => self.kept(now, result),
            (asked, _) => panic!("the open question is {asked:?}, and the answer is to another"),
        }
        self.settle(now);
    }

    /// What the driver has to do. Call until `None` after each of the others.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Server::expire`]; `None` while the client is not waited for.
    pub fn deadline(&self) -> Option<Duration> {
        let timeouts = &self.offer.timeouts;
        let wait = match self.state {
            State::Closed => return None,
            _ if self.asked.is_some() => return None,
            State::TurnedAway => timeouts.command.min(TURNED_AWAY_WAIT),
            State::Handshake => timeouts.tls,
            _ if self.state.is_in_content() || self.swallow.is_some() => timeouts.content,
            _ => timeouts.command,
        };
        Some(self.since + wait)
    }

    /// While false, leave octets in the socket: the full window is our backpressure.
    pub fn wants_input(&self) -> bool {
        self.asked.is_none() && !matches!(self.state, State::Handshake | State::Closed)
    }

    /// What is to be sent: write it, then clear it. Replies to a pipelined batch gather here.
    pub fn replies(&mut self) -> &mut Vec<u8> {
        &mut self.voice.replies
    }

    /// Content received so far and not yet taken, as it will be relayed: without the dots of
    /// transparency. To be split off at any time.
    pub fn content(&mut self) -> &mut BytesMut {
        &mut self.content
    }

    /// Octets of this transaction's content so far, taken or not.
    pub fn content_length(&self) -> u64 {
        self.state.content_length()
    }

    /// All that was said, as far as it is kept: the lines of former transactions are dropped when the
    /// next command comes.
    pub fn transcript(&self) -> &Transcript {
        &self.voice.transcript
    }

    /// The session's opening (greeting, EHLO, TLS, AUTH) and the lines of this transaction, or of the
    /// one that just ended.
    pub fn transaction_transcript(&self) -> Transcript {
        self.voice.evidence()
    }

    /// The transaction's envelope; while [`Question::ReversePath`] is open, the one to be.
    pub fn envelope(&self) -> Option<&Envelope> {
        self.state.transaction().map(|transaction| &transaction.envelope)
    }

    /// Who is at the other end. Its `tls` is that of implicit TLS; see [`Server::tls`].
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What the listener offers.
    pub fn offer(&self) -> &Arc<Offer> {
        &self.offer
    }

    /// What of the offer is for this client.
    pub fn features(&self) -> Features {
        let granted = match self.facts.introducing {
            true => self.peer.granted.with(Features::XCLIENT),
            false => self.peer.granted,
        };
        let guarded = Features::GUARDED.without(granted);
        self.offer.features.without(guarded)
    }

    /// The SASL mechanisms that this client is offered now.
    pub fn mechanisms(&self) -> Mechanisms {
        self.ground(&self.offer, self.since).mechanisms()
    }

    /// Where the next message, or this one, came from, in the words of a trusted filter's client.
    pub fn origin(&self) -> Option<&Origin> {
        self.facts.origin.as_deref()
    }

    /// How things stand for whoever asks what is offered. `offer` is the machine's own.
    fn ground<'o>(&self, offer: &'o Offer, now: Duration) -> Ground<'o> {
        Ground {
            offer,
            features: self.features(),
            tls: self.tls().is_some(),
            bindable: self.tls().is_some_and(|tls| tls.bindable),
            certificate: self.tls().is_some_and(|facts| !facts.certificate.is_empty()),
            authenticated: self.facts.user.is_some(),
            now: self.peer.origin.after(now),
        }
    }

    /// The argument of the last EHLO, HELO or LHLO.
    pub fn helo(&self) -> Option<&str> {
        self.facts.helo.as_ref().map(|helo| &*helo.name)
    }

    /// The TLS session, implicit or by STARTTLS.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.tls.as_deref().or(self.peer.tls.as_ref())
    }

    /// The authenticated identity.
    pub fn user(&self) -> Option<&str> {
        self.facts.user.as_deref()
    }

    /// The word for Received's WITH clause (RFC 3848; RFC 6531 section 4.3).
    pub fn protocol(&self) -> &'static str {
        let utf8 = self.envelope().is_some_and(|envelope| envelope.smtputf8);
        let extended = self.facts.helo.as_ref().is_some_and(|helo| helo.extended);
        let secured = (self.tls().is_some(), self.user().is_some());
        if self.offer.protocol == Protocol::Lmtp {
            return match (utf8, secured) {
                (false, (false, false)) => "LMTP",
                (false, (true, false)) => "LMTPS",
                (false, (false, true)) => "LMTPA",
                (false, (true, true)) => "LMTPSA",
                (true, (false, false)) => "UTF8LMTP",
                (true, (true, false)) => "UTF8LMTPS",
                (true, (false, true)) => "UTF8LMTPA",
                (true, (true, true)) => "UTF8LMTPSA",
            };
        }
        match (extended, utf8, secured.0, secured.1) {
            // There is no registered word for HELO inside TLS.
            (false, ..) => "SMTP",
            (true, false, false, false) => "ESMTP",
            (true, false, true, false) => "ESMTPS",
            (true, false, false, true) => "ESMTPA",
            (true, false, true, true) => "ESMTPSA",
            (true, true, false, false) => "UTF8SMTP",
            (true, true, true, false) => "UTF8SMTPS",
            (true, true, false, true) => "UTF8SMTPA",
            (true, true, true, true) => "UTF8SMTPSA",
        }
    }

    fn ask(&mut self, question: Question, asked: Asked) {
        self.asked = Some(asked);
        self.outputs.push_back(Output::Ask(question));
    }

    fn report(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
