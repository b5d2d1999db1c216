//! What became of a job: one transaction or, where the next hop takes only so many recipients at once
//! or so many messages over one connection, several.

use std::sync::Arc;

use smtp::{Attempt, Cause, Envelope, Outcome, Recipient, Stage, Timestamp, Trouble};
use transport::{Features, Learned, Mail, Session};

use super::{Taken, Way};
use crate::{kept::Kept, quirks::Quirk};

/// How a session's share of a job ended.
pub(super) enum Ended {
    /// As the outcomes say.
    Done,
    /// The peer had closed the session before it saw anything of this job: nothing has happened.
    Closed,
    /// The peer takes no more messages over this connection, after so many, and said so by a quirk:
    /// nothing has happened.
    Full(&'static Quirk, Cause, u32),
}

/// Grows by each transaction, until nobody is left.
pub(super) struct Transacted {
    attempt: Option<Attempt>,
    /// What broke.
    pub(super) learned: Learned,
    /// What every next hop that took it on knew: of the features that hand a promise on.
    pub(super) passed_on: Features,
    envelope: Arc<Envelope>,
    /// Recipients of the envelope who were too many, and what was said of them.
    left: Vec<(Recipient, Outcome)>,
}

impl Transacted {
    /// Nothing yet.
    pub(super) fn new(job: &Taken, now: Timestamp) -> Self {
        Self {
            attempt: None,
            learned: Learned::default(),
            passed_on: Features::NONE,
            envelope: job.carried.envelope_at(now, job.arrived),
            left: Vec::new(),
        }
    }

    /// Carries out what is to be done, as far as this session goes. Only one that is `reused` can have
    /// been closed meanwhile.
    pub(super) async fn transact(
        &mut self,
        session: &mut Session,
        way: &Way,
        content: &Kept,
        reused: bool,
    ) -> Ended {
        let mut first = true;
        loop {
            let envelope = self.envelope.clone();
            let before = session.transactions();
            let mut relayed = session.relay(&Mail { envelope, content }).await;
            way.quirks.soften(&mut relayed.outcomes);
            if let Some((quirk, cause)) =
                is_full(way, &relayed.outcomes).filter(|_| before > 0 && first)
            {
                return Ended::Full(quirk, cause.clone(), before);
            }
            if reused && first && was_closed_before_anything(&relayed.outcomes) {
                return Ended::Closed;
            }
            first = false;
            self.learned.reasons.extend(relayed.learned.reasons);
            let usable = session.usable();
            self.passed_on = match &self.attempt {
                Some(_) => self.passed_on.of(usable),
                None => usable,
            };
            let attempt = self.attempt.get_or_insert_with(|| way.attempt_at(session));
            if attempt.transcript.is_empty() {
                attempt.transcript = relayed.transcript;
            } else {
                attempt.transcript.extend(&relayed.transcript);
            }
            // Where some were taken and others were too many, the others go in a further transaction.
            let count = self.envelope.recipients.len();
            let may_repeat = session.is_reusable() || session.is_used_up();
            let repeats = may_repeat && relayed.too_many.len() < count;
            self.left.clear();
            let outcomes = self.envelope.recipients.iter().zip(relayed.outcomes);
            for (index, (recipient, outcome)) in outcomes.enumerate() {
                match repeats && relayed.too_many.contains(&index) {
                    true => self.left.push((recipient.clone(), outcome)),
                    false => attempt.outcomes.push((recipient.forward_path.clone(), outcome)),
                }
            }
            if self.left.is_empty() {
                return Ended::Done;
            }
            let recipients = self.left.iter().map(|(recipient, _)| recipient.clone()).collect();
            self.envelope = Arc::new(Envelope { recipients, ..self.envelope.as_ref().clone() });
            if !session.is_reusable() {
                return Ended::Done;
            }
        }
    }

    /// Whether recipients are left for another connection.
    pub(super) fn has_more(&self) -> bool {
        !self.left.is_empty()
    }

    /// Whether any transaction came about.
    pub(super) fn is_begun(&self) -> bool {
        self.attempt.is_some()
    }

    /// The outcomes so far.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        let so_far = self.attempt.iter().flat_map(|attempt| &attempt.outcomes);
        so_far.map(|(_, outcome)| outcome)
    }

    /// Those who are left share the outcome of an attempt that came to no session.
    pub(super) fn cannot_go_on(&mut self, failed: Attempt) {
        let Some(attempt) = &mut self.attempt else { return };
        attempt.transcript.extend(&failed.transcript);
        let outcome = failed.outcomes.into_iter().next().map(|(_, outcome)| outcome);
        for (_, left) in &mut self.left {
            *left = outcome.clone().unwrap_or_else(|| left.clone());
        }
    }

    /// The whole, with what was said of those who are left.
    pub(super) fn ended(self, way: &Way) -> Attempt {
        let mut attempt = self.attempt.unwrap_or_else(|| way.blank());
        let left = self.left.into_iter();
        attempt.outcomes.extend(left.map(|(recipient, outcome)| (recipient.forward_path, outcome)));
        attempt
    }
}

/// MAIL was refused only because of what went before it.
fn is_full<'o>(way: &Way, outcomes: &'o [Outcome]) -> Option<(&'static Quirk, &'o Cause)> {
    let Outcome::Deferred(cause) = outcomes.first()? else { return None };
    way.quirks.new_connection(cause).map(|quirk| (quirk, cause))
}

/// The peer had closed the kept connection: it did not see this transaction.
fn was_closed_before_anything(outcomes: &[Outcome]) -> bool {
    !outcomes.is_empty()
        && outcomes.iter().all(|outcome| {
            let Outcome::Deferred(Cause { stage: Stage::Mail, trouble }) = outcome else {
                return false;
            };
            match trouble {
                Trouble::Closed | Trouble::Network(_) => true,
                Trouble::Reply(reply) => reply.code == 421,
                _ => false,
            }
        })
}
