//! The server machine: one SMTP connection as a value (RFC 5321).
//!
//! It reads octets and writes replies, the envelope, the content and the transcript; it asks its
//! driver what only policy or storage can know. The driver's loop:
//!
//! 1. [`Server::feed`] what was read. It returns how much was used; keep the rest.
//! 2. [`Server::poll`] until `None`; answer a question with [`Server::answer`], then poll again.
//! 3. Take [`Server::content`] off whenever there is much of it.
//! 4. When there is no rest (or nothing of it is used), send [`Server::replies`], clear them, read on.
//!    Send them before any wait, too.
//!
//! | state           | input is               | leaves by                                       |
//! | ready           | commands               | MAIL accepted -> mail; AUTH -> authenticating   |
//! | authenticating  | one line of SASL       | done or refused -> ready                        |
//! | mail            | commands               | DATA -> data; BDAT -> chunks; RSET, EHLO -> ready |
//! | data            | content                | CRLF.CRLF -> Keep asked -> ready                |
//! | chunks          | content, then commands | LAST's end -> Keep asked -> ready               |
//! | handshake       | nothing                | TLS established -> ready, EHLO forgotten        |
//! | closed          | thrown away            | -                                               |
//!
//! While a question is open no input is taken, whatever the state. There is one way to the `250`
//! after content: [`Answer::Kept`] with a [`Proof`].

mod dialogue;
mod offer;

pub use dialogue::{Answer, BareLineEnd, Event, Mechanism, Output, Question, Secret};
pub use offer::{AuthOffer, Extensions, LineEndings, Offer, Peer, Timeouts};

use std::{marker::PhantomData, sync::Arc, time::Duration};

use bytes::BytesMut;

use crate::{
    envelope::Envelope,
    reply::{Proof, Reply},
    transcript::{TlsFacts, Transcript},
};

/// One connection. See the module for how it is driven.
pub struct Server<P: Proof> {
    offer: Arc<Offer>,
    peer: Peer,
    replies: Vec<u8>,
    content: BytesMut,
    transcript: Transcript,
    proof: PhantomData<fn(P)>,
}

#[allow(clippy::todo, unused_variables)]
impl<P: Proof> Server<P> {
    /// A connection that was just accepted; the `220` greeting is the first of its replies. A driver
    /// that looks for clients that talk too early waits before it sends it.
    pub fn new(offer: Arc<Offer>, peer: Peer, now: Duration) -> Self {
        todo!()
    }

    /// A refusal instead of a greeting: [`Reply::too_many_connections`], a `554`. Sends it and closes.
    pub fn refuse(offer: Arc<Offer>, peer: Peer, reply: Reply, now: Duration) -> Self {
        todo!()
    }

    /// Takes octets that the client sent, as many as it can use now, and returns their number.
    ///
    /// It stops early when a question is open. What stands behind STARTTLS is thrown away here, and
    /// whatever comes after the end of the session too: that counts as used.
    pub fn feed(&mut self, now: Duration, octets: &[u8]) -> usize {
        todo!()
    }

    /// Answers the open question.
    ///
    /// # Panics
    /// When no question is open, or another one than this is an answer to.
    pub fn answer(&mut self, now: Duration, answer: Answer<P>) {
        todo!()
    }

    /// After [`Output::StartTls`]: the handshake is done. Nothing said before counts any more
    /// (RFC 3207 section 4.2).
    pub fn tls_established(&mut self, now: Duration, facts: TlsFacts) {
        todo!()
    }

    /// After [`Output::StartTls`]: the handshake failed. The session is over.
    pub fn tls_failed(&mut self, now: Duration, why: &str) {
        todo!()
    }

    /// The client sends no more, and all that it sent has been fed and used. If a question is open its
    /// answer still gets its reply.
    pub fn closed_by_peer(&mut self, now: Duration) {
        todo!()
    }

    /// [`Server::deadline`] has passed.
    pub fn expire(&mut self, now: Duration) {
        todo!()
    }

    /// Ends the session with `421 4.3.2`: at once, or when the content that is on its way or the open
    /// question has had its reply.
    pub fn shut_down(&mut self, now: Duration) {
        todo!()
    }

    /// What the driver has to do. Call until `None` after each of the above.
    pub fn poll(&mut self) -> Option<Output> {
        todo!()
    }

    /// When to call [`Server::expire`]; `None` while the client is not waited for.
    pub fn deadline(&self) -> Option<Duration> {
        todo!()
    }

    /// While false, leave octets in the socket: the full window is our backpressure.
    pub fn wants_input(&self) -> bool {
        todo!()
    }

    /// What is to be sent: write it, then clear it. Replies to a pipelined batch gather here.
    pub fn replies(&mut self) -> &mut Vec<u8> {
        todo!()
    }

    /// Content received so far and not yet taken, as it will be relayed: without the dots of
    /// transparency. To be split off at any time.
    pub fn content(&mut self) -> &mut BytesMut {
        todo!()
    }

    /// Octets of this transaction's content so far, taken or not.
    pub fn content_length(&self) -> u64 {
        todo!()
    }

    /// All that was said since the session's opening, as far as it is kept: the lines of former
    /// transactions are dropped when the next command comes.
    pub fn transcript(&self) -> &Transcript {
        todo!()
    }

    /// The session's opening (greeting, EHLO, TLS, AUTH) and the lines of this transaction, or of the
    /// one that just ended.
    pub fn transaction_transcript(&self) -> Transcript {
        todo!()
    }

    /// The transaction's envelope; while [`Question::ReversePath`] is open, the one to be.
    pub fn envelope(&self) -> Option<&Envelope> {
        todo!()
    }

    /// Who is at the other end. Its `tls` is that of implicit TLS; see [`Server::tls`].
    pub fn peer(&self) -> &Peer {
        todo!()
    }

    /// What the listener offers.
    pub fn offer(&self) -> &Offer {
        todo!()
    }

    /// The argument of the last EHLO or HELO.
    pub fn helo(&self) -> Option<&str> {
        todo!()
    }

    /// The TLS session, implicit or by STARTTLS.
    pub fn tls(&self) -> Option<&TlsFacts> {
        todo!()
    }

    /// The authenticated identity.
    pub fn user(&self) -> Option<&str> {
        todo!()
    }

    /// The word for Received's WITH clause (RFC 3848; RFC 6531 section 4.3).
    pub fn protocol(&self) -> &'static str {
        todo!()
    }
}
