//! One mail transaction: the envelope commands, their replies, and what becomes of each recipient.
//!
//! | next hop offers         | what is written when                                                    |
//! |-------------------------|-------------------------------------------------------------------------|
//! | nothing                 | each command after the reply to the one before                          |
//! | PIPELINING              | MAIL, all RCPT and DATA as one group (RFC 2920), content after the 354  |
//! | PIPELINING and CHUNKING | MAIL and all RCPT as one group, `BDAT n LAST` with the content after it |
//!
//! BDAT waits for the replies to RCPT though RFC 3030 lets it join the group: it takes no round trip
//! more than DATA with its 354, no content is sent for nobody, and where a box swallowed the envelope,
//! the content isn't thrown after it.

use std::{sync::Arc, time::Duration};

use super::{
    Awaited, Client, Features, Framing, Output, State, content::Framer, parameters, wire::Wire,
};
use crate::{
    envelope::{BodyType, Envelope},
    outcome::{Cause, Outcome, Stage, Trouble},
    reply::parse::Heard,
    status::EnhancedStatus,
};

/// So many commands of a group are under way at most. A peer that answers while we still write must
/// find its replies taken, or both stand still (RFC 2920 section 3.1): this much fits into the buffers
/// between us.
const GROUP_MAX: usize = 64;

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

/// A transaction under way.
pub(super) struct Progress {
    pub(super) transaction: Transaction,
    pub(super) step: Step,
    /// One for each recipient.
    fates: Vec<Fate>,
    usable: Features,
    framing: Framing,
    mail: Mail,
    /// RSET comes first.
    reset_due: bool,
    /// So many recipients were named to the peer, or skipped.
    named: usize,
    accepted: usize,
    /// DATA or BDAT was written.
    data_asked: bool,
}

pub(super) enum Step {
    Envelope,
    Content(Framer),
    /// The replies after the content.
    Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mail {
    Unasked,
    Asked,
    Accepted,
    Refused,
}

enum Fate {
    Open,
    Accepted,
    Decided(Outcome),
}

impl Client {
    /// Begins a transaction; to be called when [`is_reusable`](Self::is_reusable). What can't be sent to
    /// this next hop at all is `Finished` without a word to it, and the session stays as it was.
    pub fn begin(&mut self, now: Duration, transaction: Transaction) {
        self.wire.now = now;
        let count = transaction.envelope.recipients.len();
        if !self.is_reusable() {
            let text = "a transaction was begun in a session that is not ready".to_owned();
            let trouble = Trouble::Local(EnhancedStatus::new(4, 3, 5), text);
            let outcome = Outcome::Deferred(Cause { stage: Stage::Mail, trouble });
            return self.outputs.push_back(Output::Finished(vec![outcome; count]));
        }
        self.transactions += 1;
        self.wire.transcript.truncate(self.opened);
        self.used = self.used.of(Features::EHLO.with(Features::STARTTLS).with(Features::AUTH));
        let usable = self.usable();
        if let Err((status, text)) =
            parameters::check(&transaction, usable, self.extensions.size_max())
        {
            self.wire.note(&text);
            let cause = Cause { stage: Stage::Mail, trouble: Trouble::Local(status, text) };
            return self.outputs.push_back(Output::Finished(vec![Outcome::Failed(cause); count]));
        }
        let unfinished = matches!(self.state, State::Ready { unfinished: true, .. });
        self.state = State::Transacting(Progress::new(transaction, usable, unfinished));
        self.proceed();
        self.rearm();
    }

    /// Writes what can be written now, or ends the transaction if all is decided.
    pub(super) fn proceed(&mut self) {
        let State::Transacting(progress) = &mut self.state else { return };
        if matches!(progress.step, Step::Envelope) {
            progress.write(&mut self.wire);
            if self.wire.awaited.len() > 1 {
                self.used = self.used.with(Features::PIPELINING);
            }
            if progress.data_asked && progress.framing == Framing::Bdat {
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
            let unfinished =
                progress.mail == Mail::Accepted && !matches!(progress.step, Step::Verdict);
            self.state = State::Ready { unfinished, secret: false };
            self.outputs.push_back(Output::Finished(progress.end(None)));
        }
    }

    /// A reply of the envelope or after the content.
    pub(super) fn hear_in_transaction(&mut self, awaited: Awaited, heard: &Heard<'_>) {
        let stage = awaited.stage();
        let data = awaited == Awaited::Data;
        if heard.is_intermediate() != data && (heard.is_intermediate() || heard.is_positive()) {
            // 354 to anything else, or 250 to DATA, which is no permission to send.
            return self.misunderstood(stage, heard);
        }
        let State::Transacting(progress) = &mut self.state else { return };
        match awaited {
            Awaited::Reset if !heard.is_positive() => {
                return self.give_up(stage, Trouble::Reply(heard.to_reply()));
            }
            Awaited::Reset => {}
            Awaited::Mail if heard.is_positive() => progress.mail = Mail::Accepted,
            Awaited::Mail => {
                progress.mail = Mail::Refused;
                progress.decide_rest(stage, heard);
            }
            Awaited::Rcpt(number) => progress.hear_rcpt(number, heard),
            Awaited::Data if heard.is_intermediate() => return self.hear_go_ahead(),
            Awaited::EndOfDataFor(number) => progress.decide(number, stage, heard),
            _ => progress.decide_rest(stage, heard),
        }
        self.proceed();
    }

    /// 354. It may come although every recipient was refused, as DATA went out in the group.
    fn hear_go_ahead(&mut self) {
        let State::Transacting(progress) = &mut self.state else { return };
        if progress.accepted > 0 {
            return self.ask_for_content(Framing::Dot);
        }
        // RFC 2920 section 3.1: the lone dot at once, and whatever the reply, nobody got anything.
        self.wire.say_dot();
        progress.step = Step::Verdict;
        match self.plan.protocol {
            super::Protocol::Smtp => self.wire.awaited.push_back(Awaited::EndOfData),
            // RFC 2033 has no reply for no recipient: how many come can't be known.
            super::Protocol::Lmtp => {
                self.finish();
                self.close();
            }
        }
    }
}

impl Progress {
    fn new(transaction: Transaction, usable: Features, reset_due: bool) -> Self {
        let recipients = &transaction.envelope.recipients;
        let fates = recipients.iter().map(|recipient| {
            match parameters::check_recipient(recipient, usable) {
                Ok(()) => Fate::Open,
                Err((status, text)) => {
                    let cause = Cause { stage: Stage::Rcpt, trouble: Trouble::Local(status, text) };
                    Fate::Decided(Outcome::Failed(cause))
                }
            }
        });
        let fates: Vec<_> = fates.collect();
        // With nobody left to name, nothing is asked at all.
        let named =
            if fates.iter().all(|fate| matches!(fate, Fate::Decided(_))) { fates.len() } else { 0 };
        let mail = if named == fates.len() { Mail::Refused } else { Mail::Unasked };
        let framing = if usable.has(Features::CHUNKING) { Framing::Bdat } else { Framing::Dot };
        Self {
            transaction,
            step: Step::Envelope,
            fates,
            usable,
            framing,
            mail,
            reset_due,
            named,
            accepted: 0,
            data_asked: false,
        }
    }

    /// Writes as many envelope commands as may be under way.
    fn write(&mut self, wire: &mut Wire) {
        let grouped = self.usable.has(Features::PIPELINING);
        let most = if grouped { GROUP_MAX } else { 1 };
        while wire.awaited.len() < most && self.write_next(wire, grouped) {}
    }

    /// Writes the next command, if there is one to be written now.
    fn write_next(&mut self, wire: &mut Wire, grouped: bool) -> bool {
        if self.mail == Mail::Refused {
            return false;
        }
        if self.reset_due {
            self.reset_due = false;
            wire.say(Awaited::Reset, |line| line.extend_from_slice(b"RSET"));
        } else if self.mail == Mail::Unasked {
            self.mail = Mail::Asked;
            wire.say(Awaited::Mail, |line| {
                parameters::write_mail(line, &self.transaction, self.usable)
            });
        } else if let Some(number) = self.next_to_name() {
            let recipient = &self.transaction.envelope.recipients[number];
            wire.say(Awaited::Rcpt(number), |line| {
                parameters::write_rcpt(line, recipient, self.usable)
            });
        } else {
            return self.write_data(wire, grouped);
        }
        true
    }

    fn next_to_name(&mut self) -> Option<usize> {
        let open =
            self.fates.get(self.named..)?.iter().position(|fate| matches!(fate, Fate::Open))?;
        self.named += open + 1;
        Some(self.named - 1)
    }

    /// DATA as the last of its group, or BDAT once all recipients are answered.
    fn write_data(&mut self, wire: &mut Wire, grouped: bool) -> bool {
        let answered = wire.awaited.is_empty();
        let hopeful = self.accepted > 0 || self.fates.iter().any(|fate| matches!(fate, Fate::Open));
        if self.data_asked || !hopeful {
            return false;
        }
        match self.framing {
            Framing::Dot if answered || grouped => {
                wire.say(Awaited::Data, |line| line.extend_from_slice(b"DATA"));
            }
            Framing::Bdat if answered => parameters::write_bdat(wire, self.transaction.size),
            _ => return false,
        }
        self.data_asked = true;
        self.framing == Framing::Dot
    }

    pub(super) fn accepted_recipients(&self) -> impl Iterator<Item = usize> {
        let accepted = |(_, fate): &(usize, &Fate)| matches!(fate, Fate::Accepted);
        self.fates.iter().enumerate().filter(accepted).map(|(number, _)| number)
    }

    fn hear_rcpt(&mut self, number: usize, heard: &Heard<'_>) {
        if !matches!(self.fates.get(number), Some(Fate::Open)) {
            // MAIL was refused in the same group; that reply counts, not this one.
        } else if heard.is_positive() {
            self.fates[number] = Fate::Accepted;
            self.accepted += 1;
        } else {
            self.decide(number, Stage::Rcpt, heard);
            let Fate::Decided(outcome) = &mut self.fates[number] else { return };
            // RFC 5321 section 4.5.3.1.10: 552 behind accepted ones says "too many recipients", which
            // is temporary, unless its status says that it is about the mailbox.
            if let Outcome::Failed(cause) = outcome
                && self.accepted > 0
                && cause.is_too_many_recipients()
            {
                *outcome = Outcome::Deferred(cause.clone());
            }
        }
    }

    fn decide(&mut self, number: usize, stage: Stage, heard: &Heard<'_>) {
        if let Some(fate) = self.fates.get_mut(number)
            && !matches!(fate, Fate::Decided(_))
        {
            *fate = Fate::Decided(outcome(stage, heard));
        }
    }

    /// One reply decides about all that are not yet decided.
    fn decide_rest(&mut self, stage: Stage, heard: &Heard<'_>) {
        (0..self.fates.len()).for_each(|number| self.decide(number, stage, heard));
    }

    /// What became of each; those without a decision take `cause`.
    pub(super) fn end(self, cause: Option<Cause>) -> Vec<Outcome> {
        let cause = cause.unwrap_or_else(|| {
            let text = "the transaction ended without a reply for this recipient".to_owned();
            let trouble = Trouble::Local(EnhancedStatus::new(4, 3, 5), text);
            Cause { stage: Stage::Other, trouble }
        });
        let permanent = matches!(&cause.trouble, Trouble::Reply(reply) if reply.is_permanent());
        let undecided = || match permanent {
            true => Outcome::Failed(cause.clone()),
            false => Outcome::Deferred(cause.clone()),
        };
        let fates = self.fates.into_iter();
        fates
            .map(|fate| match fate {
                Fate::Decided(outcome) => outcome,
                Fate::Open | Fate::Accepted => undecided(),
            })
            .collect()
    }
}

/// RFC 5321 section 4.3.2: the first digit decides, known code or not.
fn outcome(stage: Stage, heard: &Heard<'_>) -> Outcome {
    let reply = heard.to_reply();
    match reply.code / 100 {
        2 => Outcome::Relayed(reply),
        5 => Outcome::Failed(Cause { stage, trouble: Trouble::Reply(reply) }),
        _ => Outcome::Deferred(Cause { stage, trouble: Trouble::Reply(reply) }),
    }
}
