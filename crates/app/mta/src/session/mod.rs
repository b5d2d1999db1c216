//! One SMTP connection to us: drives [`smtp::server::Server`] over a [`Wire`].
//!
//! The machine asks, this module answers: from the configuration ([`judge`]) at once, from the spool
//! ([`keep`]) and the password hashes when they are done. While nothing is said the connection owns no
//! buffer: octets are read into the thread's own, and only what the machine can't use yet is kept.

mod inform;
pub mod judge;
mod keep;
mod kerberos;
mod login;
mod next_hop;

use std::{cell::RefCell, io, pin::pin, sync::Arc, time::Duration};

use policy::Refusal;
use smtp::{
    Reply,
    extension::xclient::Claim,
    server::{Answer, Event, Output, Question, Server},
};
use spool::Receipt;
use tokio::{io::AsyncWriteExt, sync::watch, time::Instant};
use transport::Wire;

use self::{
    judge::Manners,
    keep::{Keeping, Refused},
    login::Login,
};
use crate::{
    listen::{Census, Door, Full, Place},
    queue::{self, Queue},
};

/// Content over this many octets goes to disk as it comes.
const CONTENT_IN_MEMORY_MAX: usize = 256 * 1024;
/// The thread's read buffer, shared by its connections one read at a time.
const READ_LENGTH: usize = 64 * 1024;
/// Octets that the machine could not use yet; beyond them the socket is the buffer.
const PENDING_MAX: usize = 128 * 1024;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_LENGTH].into_boxed_slice());
}

/// A connection and all that it needs.
pub struct Session {
    queue: Arc<Queue>,
    census: Arc<Census>,
    /// The place of whom a proxy named (XCLIENT); the proxy keeps its own.
    named: Option<Place>,
    door: Arc<Door>,
    /// None only while a TLS handshake is under way.
    wire: Option<Wire>,
    machine: Server<Receipt>,
    began: Instant,
    /// Read, but not yet used by the machine.
    pending: Vec<u8>,
    keeping: Keeping,
    manners: Manners,
    login: Login,
    /// Why the last question was answered with a no: the event that follows tells it.
    refused: Option<judge::Refused>,
    /// ATRN was granted for these: the roles are to be swapped.
    reversed: Option<Vec<Box<str>>>,
    ended: bool,
}

impl Session {
    /// A connection that was accepted at `door`; `machine` has its greeting ready.
    pub fn new(
        queue: Arc<Queue>,
        census: Arc<Census>,
        door: Arc<Door>,
        wire: Wire,
        machine: Server<Receipt>,
        began: Instant,
    ) -> Self {
        let keeping = Keeping::default();
        Self {
            queue,
            census,
            named: None,
            door,
            wire: Some(wire),
            machine,
            began,
            pending: Vec::new(),
            keeping,
            manners: Manners::default(),
            login: Login::default(),
            refused: None,
            reversed: None,
            ended: false,
        }
    }

    /// Talks until the end. `closing` becomes true when the transfer agent stops.
    pub async fn run(mut self, mut closing: watch::Receiver<bool>) {
        let mut alarm = pin!(tokio::time::sleep_until(self.alarm_time()));
        let mut told = false;
        loop {
            if let Err(error) = self.work().await {
                tracing::debug!(client = %self.machine.peer().address, %error, "connection lost");
                return;
            }
            if let Some(domains) = self.reversed.take() {
                if let Some(wire) = self.wire.take() {
                    queue::fetched(self.queue, wire, self.machine.tls(), &domains).await;
                }
                return;
            }
            if self.ended {
                if let Some(wire) = &mut self.wire {
                    // The client may have been faster: nothing hangs on it.
                    let _closed = wire.close().await;
                }
                return;
            }
            tokio::select! {
                biased;
                ready = readable(&mut self.wire) => {
                    if ready.is_err() || self.read().is_err() {
                        self.machine.closed_by_peer(self.began.elapsed());
                        self.ended = true;
                    }
                }
                () = alarm.as_mut() => {
                    // The deadline moves with each command; the alarm is set anew only when it rings.
                    let due = self.alarm_time();
                    if due <= Instant::now() {
                        self.machine.expire(self.began.elapsed());
                    }
                    let due = self.alarm_time().max(Instant::now() + Duration::from_millis(1));
                    alarm.as_mut().reset(due);
                }
                changed = closing.changed(), if !told => {
                    told = changed.is_err() || *closing.borrow();
                    if told {
                        self.machine.shut_down(self.began.elapsed());
                    }
                }
            }
        }
    }

    fn alarm_time(&self) -> Instant {
        const NEVER: Duration = Duration::from_secs(24 * 3600);
        match self.machine.deadline() {
            Some(deadline) => self.began + deadline,
            None => Instant::now() + NEVER,
        }
    }

    /// Reads once and feeds the machine; keeps what it can't use yet.
    fn read(&mut self) -> io::Result<()> {
        let Self { wire, machine, pending, began, ended, manners, .. } = self;
        let Some(wire) = wire else { return Err(io::ErrorKind::NotConnected.into()) };
        READ.with_borrow_mut(|buffer| match wire.try_read(buffer) {
            Ok(0) => {
                machine.closed_by_peer(began.elapsed());
                *ended = true;
                Ok(())
            }
            Ok(length) => {
                let octets = &buffer[..length];
                manners.ahead |= is_ahead(machine, pending, octets);
                let used =
                    if pending.is_empty() { machine.feed(began.elapsed(), octets) } else { 0 };
                pending.extend_from_slice(&octets[used..]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        })
    }

    /// Does all that can be done without new octets: answers, replies, TLS, content to disk.
    async fn work(&mut self) -> io::Result<()> {
        loop {
            while let Some(output) = self.machine.poll() {
                match output {
                    Output::Ask(question) => self.answer(question).await?,
                    Output::StartTls => self.start_tls().await?,
                    Output::Event(event) => {
                        if matches!(event, Event::AuthenticationAborted { .. }) {
                            self.login.abort().await;
                        }
                        if matches!(event, Event::Aborted { .. } | Event::ContentRefused { .. }) {
                            self.keeping.drop_staged();
                        }
                        let refused = self.refused.as_ref();
                        self.door.report(&self.queue, &self.machine, &event, refused);
                    }
                    Output::Close => {
                        self.flush().await?;
                        self.ended = true;
                        return Ok(());
                    }
                    Output::Reverse(domains) => {
                        self.flush().await?;
                        // Sent before our reply came: nobody can say any more as whom.
                        self.pending.clear();
                        self.reversed = Some(domains);
                        return Ok(());
                    }
                }
            }
            if self.machine.content().len() >= CONTENT_IN_MEMORY_MAX {
                self.keeping.spill(&self.queue, &mut self.machine).await;
            }
            if self.pending.is_empty() || !self.machine.wants_input() {
                break;
            }
            let used = self.machine.feed(self.began.elapsed(), &self.pending);
            self.pending.drain(..used);
            if self.pending.is_empty() && self.pending.capacity() > 1024 {
                self.pending = Vec::new();
            }
            if used == 0 && self.pending.len() > PENDING_MAX {
                return Err(io::Error::other("the client sent far ahead of our replies"));
            }
        }
        self.flush().await
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.machine.replies().is_empty() {
            return Ok(());
        }
        let patience = self.door.write_timeout;
        let Some(wire) = &mut self.wire else { return Err(io::ErrorKind::NotConnected.into()) };
        let replies = std::mem::take(self.machine.replies());
        let wrote = tokio::time::timeout(patience, async {
            wire.write_all(&replies).await?;
            wire.flush().await
        });
        match wrote.await {
            Ok(result) => result?,
            Err(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client does not read our replies",
                ));
            }
        }
        // The buffer goes back, so that the next reply needs no allocation.
        let mut replies = replies;
        replies.clear();
        if replies.capacity() <= 1024 && self.machine.replies().is_empty() {
            *self.machine.replies() = replies;
        }
        Ok(())
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        self.flush().await?;
        // Whatever was sent in clear behind STARTTLS must not be taken for what came under TLS.
        self.pending.clear();
        // Nor who signed in before it (RFC 3207 section 4.2).
        self.login = Login::default();
        let Some(identity) = self.door.tls.clone() else {
            return Err(io::Error::other("STARTTLS without a certificate"));
        };
        let now = self.began.elapsed();
        let Some(Ok(stream)) = self.wire.take().map(Wire::into_stream) else {
            return Err(io::Error::other("STARTTLS under TLS"));
        };
        let handshake = transport::tls::accept(stream, &identity);
        let accepted = tokio::time::timeout(self.door.limits.handshake_wait, handshake).await;
        match accepted {
            Ok(Ok((wire, facts))) => {
                self.wire = Some(wire);
                self.machine.tls_established(self.began.elapsed(), facts);
            }
            Ok(Err(why)) => self.machine.tls_failed(now, &why),
            Err(_) => self.machine.tls_failed(now, "no handshake in time"),
        }
        Ok(())
    }

    async fn answer(&mut self, question: Question) -> io::Result<()> {
        let answer = match question {
            Question::ReversePath => {
                let Self { queue, door, machine, manners, login, .. } = self;
                let judged = judge::reverse_path(queue, door, machine, *manners, login.account());
                Answer::Go(self.noted(judged))
            }
            Question::Recipient(recipient) => {
                // A lookup may take its time: what was answered before it is said now.
                self.flush().await?;
                let Self { queue, door, machine, manners, .. } = self;
                let judged = judge::recipient(queue, door, machine, *manners, &recipient).await;
                Answer::Go(self.noted(judged))
            }
            Question::Begin => {
                let judged = judge::begin(&self.queue, &self.machine);
                Answer::Go(self.noted(judged))
            }
            Question::Verify(text) => {
                Answer::Verified(inform::verify(&self.queue, &self.door, &text))
            }
            Question::Expand(text) => {
                Answer::Verified(inform::expand(&self.queue, &self.door, &text))
            }
            Question::StartQueue(node) => {
                Answer::Verified(self.queue.start(&node, self.machine.peer().address))
            }
            Question::Reverse(domains) => {
                Answer::Reverse(inform::reverse(&self.queue, self.machine.user(), &domains))
            }
            Question::Client(claim) => return self.introduce(&claim),
            Question::Sasl(step) => {
                self.flush().await?;
                let outcome = {
                    let Self { queue, door, machine, login, wire, .. } = self;
                    let certificate = wire.as_ref().and_then(Wire::client_certificate);
                    let bindings = wire.as_ref().map(Wire::bindings).unwrap_or_default();
                    let at = login::At { queue, door, machine, certificate, bindings };
                    login.step(&at, step).await
                };
                self.refused =
                    outcome.refusal.map(|refusal| judge::Refused { refusal, reverse_path: None });
                Answer::Sasl(outcome.answer)
            }
            Question::Keep => {
                let Self { queue, door, machine, keeping, login, .. } = self;
                let kept = keeping.keep(queue, door, machine, login.account()).await;
                Answer::Kept(kept.map_err(|refused| match refused {
                    Refused::Plainly(reply) => reply,
                    Refused::By(refusal) => {
                        let reply = refusal.reply.clone();
                        self.refused = Some(judge::Refused { refusal, reverse_path: None });
                        reply
                    }
                }))
            }
        };
        self.machine.answer(self.began.elapsed(), answer);
        Ok(())
    }

    /// A proxy has said whom it speaks for: who is not let in when he comes himself, isn't so either.
    fn introduce(&mut self, claim: &Claim) -> io::Result<()> {
        let Self { queue, census, named, door, machine, login, began, .. } = self;
        let peer = inform::client(door, machine.peer(), claim);
        let context = &queue.context;
        let address = peer.address.ip();
        let full = match address {
            // A proxy may say the rest of him in another command; and of an unknown one nothing is counted.
            _ if address == machine.peer().address.ip() => None,
            _ if address.is_unspecified() => None,
            _ => {
                *named = None;
                let place =
                    census.stand_by(address, &door.limits).map(|place| *named = Some(place));
                place.err().map(Full::refusal)
            }
        };
        let case = door.case(&context.config(), address);
        let refusal = full.or_else(|| context.policy.connection(&case).refusal);
        let refused = refusal.as_ref().map(|refusal| refusal.reply.clone());
        machine.answer(began.elapsed(), Answer::Client { peer, refused });
        login.is_elsewhere(door, machine.user());
        if let Some(refusal) = refusal {
            door.report_turned_away(
                queue,
                machine,
                &judge::Refused { refusal, reverse_path: None },
            );
        }
        Ok(())
    }

    /// Keeps why it is a no, for the event that the machine makes of it.
    fn noted(&mut self, judged: Result<(), Refusal>) -> Result<(), Reply> {
        let reverse_path = self.machine.envelope().map(|envelope| envelope.reverse_path.clone());
        self.refused = judged.err().map(|refusal| judge::Refused { refusal, reverse_path });
        match &self.refused {
            Some(refused) => Err(refused.refusal.reply.clone()),
            None => Ok(()),
        }
    }
}

/// Whether a client that has not had our reply to EHLO sends more than one line: RFC 2920 section 3.1
/// has it wait.
fn is_ahead(machine: &Server<Receipt>, pending: &[u8], octets: &[u8]) -> bool {
    let more = || memchr::memchr(b'\n', octets).is_some_and(|end| end + 1 < octets.len());
    machine.helo().is_none() && machine.wants_input() && pending.is_empty() && more()
}

async fn readable(wire: &mut Option<Wire>) -> io::Result<()> {
    match wire {
        Some(wire) => wire.readable().await,
        None => Err(io::ErrorKind::NotConnected.into()),
    }
}
