//! One mail transaction: the envelope commands, their replies, and what becomes of each recipient.
//!
//! | next hop offers         | what is written when                                                    |
//! |-------------------------|-------------------------------------------------------------------------|
//! | nothing                 | each command after the reply to the one before                          |
//! | PIPELINING              | MAIL, all RCPT and DATA as one group (RFC 2920), content after the 354  |
//! | PIPELINING and CHUNKING | MAIL and all RCPT as one group, `BDAT n LAST` with the content after it |
//!
//! Where a route has us use XEXCH50, it comes behind the replies to RCPT, and DATA or BDAT behind its own. Nothing
//! hangs on it: refused, the message goes on without it.
//!
//! BDAT waits for the replies to RCPT though RFC 3030 lets it join the group: it takes no round trip
//! more than DATA with its 354, no content is sent for nobody, and where a box swallowed the envelope,
//! the content isn't thrown after it.

use std::{sync::Arc, time::Duration};

use super::{
    Awaited, Client, Features, Framing, Output, Protocol, State,
    content::Framer,
    parameters::{self, Terms},
    progress::{Progress, Step},
};
use crate::{
    envelope::{BodyType, Envelope},
    outcome::{Cause, Outcome, Stage, Trouble},
    reply::parse::Heard,
    status::EnhancedStatus,
};

/// A message to be handed over.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The paths and their DSN parameters. All its recipients are tried.
    pub envelope: Arc<Envelope>,
    /// What the content holds as it will be sent (after a conversion, that is).
    pub body: BodyType,
    /// The header section can't be sent without SMTPUTF8. Addresses that need it are found here.
    pub smtputf8: bool,
    /// Octets of content, exactly: BDAT announces them, SIZE declares them.
    pub size: u64,
}

impl Transaction {
    /// The message of that envelope, unconverted.
    pub fn new(envelope: Arc<Envelope>, size: u64) -> Self {
        let (body, smtputf8) = (envelope.body, envelope.smtputf8);
        Self { envelope, body, smtputf8, size }
    }
}

impl Client {
    /// Begins a transaction; to be called when [`is_reusable`](Self::is_reusable). What can't be sent to
    /// this next hop at all is `Finished` without a word to it, and the session stays as it was.
    pub fn begin(&mut self, now: Duration, transaction: Transaction) {
        self.wire.now = now;
        let count = transaction.envelope.recipients.len();
        if !self.is_reusable() {
            return self.begun_too_late(count);
        }
        self.transactions += 1;
        self.wire.transcript.truncate(self.opened);
        self.used = self.used.of(Features::EHLO.with(Features::STARTTLS).with(Features::AUTH));
        if let Err((status, text)) = parameters::check(&transaction, &self.terms()) {
            self.wire.note(&text);
            let cause = Cause { stage: Stage::Mail, trouble: Trouble::Local(status, text) };
            return self.outputs.push_back(Output::Finished(vec![Outcome::Failed(cause); count]));
        }
        let unfinished = matches!(self.state, State::Ready { unfinished: true, .. });
        self.used = self.used.with(parameters::dispensable(&transaction, self.usable()));
        let progress = Progress::new(transaction, &self.terms(), self.limits(), unfinished);
        self.state = State::Transacting(progress);
        self.proceed();
        self.rearm();
    }

    fn terms(&self) -> Terms<'_> {
        let keywords = self.extensions.iter();
        let mut listed = keywords.filter(|(k, _)| k.eq_ignore_ascii_case("NO-SOLICITING"));
        let verified = self.tls.as_ref().is_some_and(|tls| tls.verified.is_ok());
        Terms {
            usable: self.usable(),
            size_max: self.size_max(),
            verified,
            protocol: self.plan.protocol,
            deliver_by_min: self.extensions.deliver_by_min(),
            no_soliciting: listed.next().map_or("", |(_, classes)| classes),
        }
    }

    /// The session ended before the driver came to read that it was ready (or the driver is wrong).
    fn begun_too_late(&mut self, count: usize) {
        let trouble = match self.state {
            State::Closed | State::Quitting => Trouble::Closed,
            _ => {
                let text = "a transaction was begun in a session that is not ready".to_owned();
                Trouble::Local(EnhancedStatus::new(4, 3, 5), text)
            }
        };
        let outcome = Outcome::Deferred(Cause { stage: Stage::Mail, trouble });
        // Nothing comes behind `Close`.
        let closing = self.outputs.back() == Some(&Output::Close);
        let place = self.outputs.len() - usize::from(closing);
        self.outputs.insert(place, Output::Finished(vec![outcome; count]));
    }

    /// Writes what can be written now, or ends the transaction if all is decided.
    pub(super) fn proceed(&mut self) {
        let State::Transacting(progress) = &mut self.state else { return };
        if matches!(progress.step, Step::Envelope) {
            progress.write(&mut self.wire);
            if self.wire.awaited.len() > 1 {
                self.used = self.used.with(Features::PIPELINING);
            }
            if self.wire.awaited.front() == Some(&Awaited::Properties) {
                self.used = self.used.with(Features::XEXCH50);
            }
            if progress.wants_bdat_content() {
                // BDAT has no reply before the content.
                self.used = self.used.with(Features::CHUNKING);
                return self.ask_for_content(Framing::Bdat);
            }
        }
        if self.wire.awaited.is_empty() && !matches!(progress.step, Step::Content(_)) {
            self.finish();
        }
    }

    fn ask_for_content(&mut self, framing: Framing) {
        if let State::Transacting(progress) = &mut self.state {
            progress.step = Step::Content(Framer::new(framing));
            self.outputs.push_back(Output::Content(framing));
        }
    }

    fn finish(&mut self) {
        let ready = State::Ready { unfinished: false, secret: false };
        if let State::Transacting(progress) = std::mem::replace(&mut self.state, ready) {
            // A transaction that ended before its content is still open at the peer (RFC 5321 section
            // 4.1.4): the next one, if there is any, begins with RSET.
            let unfinished = progress.is_open_at_peer();
            self.state = State::Ready { unfinished, secret: false };
            self.outputs.push_back(Output::Finished(progress.end(None)));
        }
    }

    /// A reply of the envelope or after the content.
    pub(super) fn hear_in_transaction(&mut self, awaited: Awaited, heard: &Heard<'_>) {
        let stage = awaited.stage();
        let asks = matches!(awaited, Awaited::Data | Awaited::Properties);
        if heard.is_intermediate() != asks && (heard.is_intermediate() || heard.is_positive()) {
            // 354 to anything else, or 250 to DATA or XEXCH50, which is no permission to send.
            return self.misunderstood(stage, heard);
        }
        let State::Transacting(progress) = &mut self.state else { return };
        match awaited {
            Awaited::Reset if !heard.is_positive() => {
                return self.give_up(stage, Trouble::Reply(heard.to_reply()));
            }
            Awaited::Reset => {}
            Awaited::Mail => progress.hear_mail(heard),
            Awaited::Rcpt(number) => progress.hear_rcpt(number, heard),
            Awaited::Properties if heard.is_intermediate() => return self.wire.say_properties(),
            Awaited::Properties | Awaited::PropertiesSent if !heard.is_positive() => {
                self.note_refusal(Features::XEXCH50, heard.to_reply());
            }
            Awaited::PropertiesSent => {}
            Awaited::Data if heard.is_intermediate() => return self.hear_go_ahead(),
            Awaited::EndOfDataFor(number) => progress.decide(number, stage, heard),
            _ => progress.decide_rest(stage, heard),
        }
        self.proceed();
    }

    /// 354. It may come although every recipient was refused, as DATA went out in the group.
    fn hear_go_ahead(&mut self) {
        let State::Transacting(progress) = &mut self.state else { return };
        if progress.has_accepted() {
            return self.ask_for_content(Framing::Dot);
        }
        // RFC 2920 section 3.1: the lone dot at once, and whatever the reply, nobody got anything.
        self.wire.say_dot();
        progress.step = Step::Verdict;
        match self.plan.protocol {
            Protocol::Smtp => self.wire.awaited.push_back(Awaited::EndOfData),
            // RFC 2033 has no reply for no recipient: how many come can't be known.
            Protocol::Lmtp => {
                self.finish();
                self.close();
            }
        }
    }
}
