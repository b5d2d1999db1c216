//! How far a transaction has come: which envelope command comes next, and who has which verdict.

use super::{
    Awaited, Features, Framing, Limits, Protocol, Transaction,
    content::Framer,
    parameters::{self, Terms, Unfit},
    wire::Wire,
};
use crate::{
    envelope::Recipient,
    extension::xexch50,
    outcome::{Cause, Outcome, Stage, Trouble},
    reply::parse::Heard,
    status::EnhancedStatus,
};

/// So many commands of a group are under way at most. A peer that answers while we still write must
/// find its replies taken, or both stand still (RFC 2920 section 3.1): this much fits into the buffers
/// between us.
const GROUP_MAX: usize = 64;

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
    /// XEXCH50 comes before DATA or BDAT.
    properties_due: bool,
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

/// What is left of the next hop's limits for one transaction (RFC 9422 sections 5.2 and 5.3): who
/// does not fit is put off to another one, without having been named.
struct Room<'e> {
    limits: Limits,
    recipients: u32,
    domains: Vec<&'e str>,
}

impl<'e> Room<'e> {
    fn new(limits: Limits) -> Self {
        Self { limits, recipients: 0, domains: Vec::new() }
    }

    fn take(&mut self, recipient: &'e Recipient) -> Result<(), Unfit> {
        let Limits { rcpt_max, rcpt_domain_max, .. } = self.limits;
        if let Some(most) = rcpt_max.filter(|&most| self.recipients >= most) {
            return Err(too_many(format!("the next hop takes {most} recipients in a transaction")));
        }
        if let Some(most) = rcpt_domain_max {
            let domain = recipient.forward_path.domain();
            let known = self.domains.iter().any(|known| known.eq_ignore_ascii_case(domain));
            if !known && self.domains.len() >= most as usize {
                let text = format!("the next hop takes {most} domains in a transaction");
                return Err(too_many(text));
            }
            if !known {
                self.domains.push(domain);
            }
        }
        self.recipients += 1;
        Ok(())
    }
}

fn too_many(text: String) -> Unfit {
    (Cause::TOO_MANY_RECIPIENTS, text)
}

impl Progress {
    pub(super) fn new(
        transaction: Transaction,
        terms: &Terms<'_>,
        limits: Limits,
        reset_due: bool,
    ) -> Self {
        let Terms { usable, protocol, .. } = *terms;
        let recipients = &transaction.envelope.recipients;
        let mut room = Room::new(limits);
        let fates = recipients.iter().map(|recipient| {
            let cause = |(status, text)| Cause {
                stage: Stage::Rcpt,
                trouble: Trouble::Local(status, text),
            };
            match parameters::check_recipient(recipient, usable, protocol) {
                Err(unfit) => Fate::Decided(Outcome::Failed(cause(unfit))),
                Ok(()) => match room.take(recipient) {
                    Ok(()) => Fate::Open,
                    Err(full) => Fate::Decided(Outcome::Deferred(cause(full))),
                },
            }
        });
        let fates: Vec<_> = fates.collect();
        // With nobody left to name, nothing is asked at all.
        let named =
            if fates.iter().all(|fate| matches!(fate, Fate::Decided(_))) { fates.len() } else { 0 };
        let mail = if named == fates.len() { Mail::Refused } else { Mail::Unasked };
        let properties_due = usable.has(Features::XEXCH50) && protocol == Protocol::Smtp;
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
            properties_due,
            data_asked: false,
        }
    }

    /// Writes as many envelope commands as may be under way.
    pub(super) fn write(&mut self, wire: &mut Wire) {
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
        } else if self.properties_due {
            self.write_properties(wire);
            return false;
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

    /// XEXCH50, once all recipients are answered. DATA can't be in one group with it: what follows it
    /// depends on its reply.
    fn write_properties(&mut self, wire: &mut Wire) {
        if wire.awaited.is_empty() && self.has_accepted() {
            self.properties_due = false;
            wire.say(Awaited::Properties, xexch50::write);
        }
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

    /// Whether BDAT was written: the only command that content follows without a reply.
    pub(super) fn wants_bdat_content(&self) -> bool {
        self.data_asked && self.framing == Framing::Bdat
    }

    /// Whether anybody was accepted.
    pub(super) fn has_accepted(&self) -> bool {
        self.accepted > 0
    }

    /// Whether the peer still has a transaction of ours that no content has ended.
    pub(super) fn is_open_at_peer(&self) -> bool {
        self.mail == Mail::Accepted && !matches!(self.step, Step::Verdict)
    }

    pub(super) fn hear_mail(&mut self, heard: &Heard<'_>) {
        self.mail = if heard.is_positive() { Mail::Accepted } else { Mail::Refused };
        if self.mail == Mail::Refused {
            self.decide_rest(Stage::Mail, heard);
        }
    }

    pub(super) fn accepted_recipients(&self) -> impl Iterator<Item = usize> {
        let accepted = |(_, fate): &(usize, &Fate)| matches!(fate, Fate::Accepted);
        self.fates.iter().enumerate().filter(accepted).map(|(number, _)| number)
    }

    pub(super) fn hear_rcpt(&mut self, number: usize, heard: &Heard<'_>) {
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

    pub(super) fn decide(&mut self, number: usize, stage: Stage, heard: &Heard<'_>) {
        if let Some(fate) = self.fates.get_mut(number)
            && !matches!(fate, Fate::Decided(_))
        {
            *fate = Fate::Decided(outcome(stage, heard));
        }
    }

    /// One reply decides about all that are not yet decided.
    pub(super) fn decide_rest(&mut self, stage: Stage, heard: &Heard<'_>) {
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
