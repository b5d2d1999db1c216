//! How a session ends: QUIT, silence, too many errors, the other end gone, the server going, TLS.

use std::time::Duration;

use super::{Event, Output, Server, state::State};
use crate::{
    reply::{Proof, Reply},
    transcript::TlsFacts,
};

/// What is to happen when what is going on now is over.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// The server stops.
    shutting_down: bool,
    /// The client sends no more.
    peer_gone: bool,
}

impl<P: Proof> Server<P> {
    /// After [`Output::StartTls`]: the handshake is done. Nothing said before counts any more
    /// (RFC 3207 section 4.2).
    pub fn tls_established(&mut self, now: Duration, facts: TlsFacts) {
        if !matches!(self.state, State::Handshake) {
            return;
        }
        let note = format!("TLS established: {} with {}", facts.version, facts.cipher);
        self.voice.note(now, note);
        self.voice.end_opening();
        self.tls = Some(Box::new(facts));
        self.facts = super::Facts::default();
        self.auth_refused = false;
        self.state = State::Ready;
        self.since = now;
        self.settle(now);
    }

    /// After [`Output::StartTls`]: the handshake failed. The session is over.
    pub fn tls_failed(&mut self, now: Duration, why: &str) {
        if matches!(self.state, State::Handshake) {
            self.voice.note(now, format!("TLS handshake failed: {why}"));
            self.report(Event::TlsFailed { why: why.to_owned() });
            self.close();
        }
    }

    /// The client sends no more, and all that it sent has been fed and used. If a question is open its
    /// answer still gets its reply.
    pub fn closed_by_peer(&mut self, now: Duration) {
        self.ending.peer_gone = true;
        self.settle(now);
    }

    /// [`Server::deadline`] has passed.
    pub fn expire(&mut self, now: Duration) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        self.report(Event::Idle);
        if matches!(self.state, State::Handshake) {
            self.voice.note(now, "no TLS handshake in time");
            self.close();
        } else {
            self.say_and_close(now, &Reply::idle_too_long());
        }
    }

    /// Ends the session with `421 4.3.2`: at once, or when the content that is on its way or the open
    /// question has had its reply.
    pub fn shut_down(&mut self, now: Duration) {
        self.ending.shutting_down = true;
        self.settle(now);
    }

    /// Goes, if that was asked for and nothing is under way.
    pub(super) fn settle(&mut self, now: Duration) {
        if self.asked.is_some() || matches!(self.state, State::Closed) {
            return;
        }
        if self.ending.peer_gone {
            self.voice.note(now, "closed by the client");
            self.report(Event::ClosedByPeer);
            self.close();
        } else if self.ending.shutting_down
            && self.swallow.is_none()
            && !self.state.is_in_content()
            && !matches!(self.state, State::Handshake)
        {
            self.say_and_close(now, &Reply::shutting_down());
        }
    }

    pub(super) fn discard_plaintext(&mut self, now: Duration, length: usize) {
        self.voice.note(now, format!("{length} octets in clear behind STARTTLS thrown away"));
        self.report(Event::PlaintextDiscarded { length });
    }

    pub(super) fn say_and_close(&mut self, now: Duration, reply: &Reply) {
        self.voice.say(now, reply);
        self.close();
    }

    /// The client is not let in. With `421` the connection ends; else RFC 5321 section 3.1 has the server
    /// wait for QUIT.
    pub(super) fn turn_away(&mut self, now: Duration, reply: &Reply) {
        if !reply.is_permanent() {
            return self.say_and_close(now, reply);
        }
        self.voice.say(now, reply);
        self.voice.end_opening();
        self.state = State::TurnedAway;
    }

    fn close(&mut self) {
        self.end_transaction();
        self.state = State::Closed;
        self.swallow = None;
        self.line = super::LineBuffer::default();
        self.outputs.push_back(Output::Close);
    }

    /// Drops the transaction without its message, if there is one.
    pub(super) fn end_transaction(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Ready);
        if let Some(transaction) = state.transaction() {
            let recipients = transaction.envelope.recipients.len();
            self.report(Event::Aborted { recipients, length: state.content_length() });
            self.forget_content();
            self.facts.origin = None;
        }
        self.voice.end_transaction();
    }

    /// Content that nobody took is dropped, and a big buffer given back.
    pub(super) fn forget_content(&mut self) {
        self.content.clear();
        if self.content.capacity() > super::BLOCK_LENGTH * 8 {
            self.content = bytes::BytesMut::new();
        }
    }
}
