//! DSNs of our own making: to whom, about whom, with what of the original.
//!
//! Never to a null reverse-path (RFC 5321 section 6.1). When a DSN itself can't be delivered, that is a
//! double bounce: dropped with an event, or told to the postmaster, as configured; what can't reach the
//! postmaster either ends there.

use std::sync::Arc;

use bytes::Bytes;
use message::dsn::{self, Dsn, Explanation, Fate, Original, Report};
use smtp::{
    Address, Attempt, ByMode, Cause, EnhancedStatus, Envelope, Outcome, Recipient, Reply, Stage,
    Timestamp, Trouble,
};
use spool::{Arrival, KeepError, NewContent};
use transport::Features;

use crate::{
    carried::Carried,
    config::{Compiled, DoubleBounce},
    context::Context,
    evidence::{Decision, DsnKind},
    intake,
    kept::Kept,
    queue::{Taken, Way},
};

/// Originals up to this size are copied into the DSN in memory, bigger ones go by disk.
const KEPT_IN_MEMORY_MAX: u64 = 256 * 1024;
/// As much of an original is read for its header section.
const HEADER_READ_MAX: usize = 128 * 1024;
/// Pieces in which a big original is copied.
const PIECE: usize = 256 * 1024;

/// What is to be told of a recipient.
/// In the order of how bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// For good.
    Failed,
    /// Deferred for too long.
    Expired,
    /// Deferred, and still being tried.
    Delayed,
    /// The next hop has it and sends no DSNs.
    Relayed,
    /// In the mailbox.
    Delivered,
}

/// One recipient's news.
#[derive(Clone, Debug)]
pub struct Told {
    /// Who.
    pub recipient: Recipient,
    /// What.
    pub action: Action,
    /// How it came to that.
    pub outcome: Outcome,
    /// With all its evidence.
    pub attempt: Arc<Attempt>,
    /// What the next hop knew that took it over.
    pub passed_on: Features,
}

impl Told {
    /// News of `recipient` from `attempt`.
    pub fn new(
        recipient: &Recipient,
        action: Action,
        outcome: &Outcome,
        attempt: &Arc<Attempt>,
    ) -> Self {
        Self {
            recipient: recipient.clone(),
            action,
            outcome: outcome.clone(),
            attempt: attempt.clone(),
            passed_on: Features::NONE,
        }
    }

    /// The same of a next hop that knew that much.
    pub fn passed_on(self, passed_on: Features) -> Self {
        Self { passed_on, ..self }
    }
}

/// A DSN that is ready to be kept.
pub struct Notice {
    /// To whom.
    pub to: Address,
    /// What it reports.
    pub kind: DsnKind,
    /// About whom.
    pub about: Vec<Address>,
    /// Its jobs, as the queue wants them once it is kept.
    pub carried: Vec<Arc<Carried>>,
    envelope: Envelope,
    dsn: Dsn,
    message_id: Option<Box<str>>,
    original: Kept,
}

/// Writes the DSN that a job's news call for; none if there are none, or nobody may be told.
pub async fn compose(context: &Context, job: &Taken, way: &Way, told: &[Told]) -> Option<Notice> {
    let config = context.config();
    let wanted: Vec<&Told> = told.iter().collect();
    if wanted.is_empty() {
        return None;
    }
    let to = match &job.carried.envelope.reverse_path {
        Some(reverse_path) => reverse_path.clone(),
        None => double_bounce(context, job, &wanted)?,
    };
    let content = job.content.clone().or_else(|| context.spool.content(job.id.message))?;
    let original = Kept(content);
    let head = match transport::Content::read(&original, 0, HEADER_READ_MAX).await {
        Ok(head) => head,
        Err(error) => {
            // The report must go out even if the original is damaged: it says so by its absence.
            tracing::error!(id = %job.id, %error, "the original can't be read for its DSN");
            Bytes::new()
        }
    };
    let findings: Vec<_> = wanted.iter().map(|told| explain(told)).collect();
    let now = context.world.clock.now();
    let fates: Vec<_> = wanted
        .iter()
        .zip(&findings)
        .map(|(told, explanation)| fate(told, explanation, job, way, now))
        .collect();
    let unique = format!("{}.{:016x}", job.id, context.world.random.u64());
    let boundary = format!("mw{:016x}{:08x}", context.world.random.u64(), now.0 as u32);
    let report = Report {
        host: &config.config.hostname,
        from: &from(&config),
        to: &to,
        at: now,
        offset: 0,
        unique: &unique,
        boundary: &boundary,
        envelope: &job.carried.envelope,
        deliver_by: job.carried.deliver_by(job.arrived).map(|(at, _)| at),
        content: dsn::Content {
            head: &head,
            length: transport::Content::len(&original),
            whole_length_max: config.config.dsn.return_size_max,
        },
        queue_id: &job.id.to_string(),
        arrived: job.arrived,
        received_from: None,
        fates: &fates,
    };
    let dsn = dsn::write(&report);
    let mut own = Envelope::new(None);
    own.body = dsn.body;
    own.smtputf8 = dsn.smtputf8;
    // RFC 8689 section 5: asked for, where it can be had.
    own.require_tls = job.carried.envelope.require_tls;
    let mut recipient = Recipient::new(to.clone());
    recipient.notify = smtp::Notify::NEVER;
    own.recipients.push(recipient);
    let message_id = Some(format!("<{unique}@{}>", config.config.hostname).into());
    let about = wanted.iter().map(|told| told.recipient.forward_path.clone()).collect();
    let kind = wanted.iter().map(|told| told.action).min().map_or(DsnKind::Failure, Action::kind);
    Some(Notice { to, kind, about, carried: Vec::new(), envelope: own, dsn, message_id, original })
}

/// Whom a double bounce is told to, if anybody.
fn double_bounce(context: &Context, job: &Taken, told: &[&Told]) -> Option<Address> {
    let bad_news = told.iter().any(|told| matches!(told.action, Action::Failed | Action::Expired));
    if !bad_news {
        return None;
    }
    let config = context.config();
    let postmaster = config.postmaster();
    let to_postmaster = told.iter().any(|told| told.recipient.forward_path == *postmaster);
    let action = match config.config.dsn.double_bounce {
        DoubleBounce::Postmaster if !to_postmaster => "told to the postmaster",
        _ => "dropped",
    };
    for told in told {
        tracing::warn!(id = %job.id, to = %told.recipient.forward_path, action, "double bounce");
    }
    let about: Vec<Address> = told.iter().map(|told| told.recipient.forward_path.clone()).collect();
    let why = format!("the reverse-path is null, a report would be a double bounce: {action}");
    let withheld = Decision::DsnWithheld { why: why.into() };
    context.evidence.decided(context.world.clock.now(), job.id, None, &about, withheld);
    (action != "dropped").then(|| postmaster.clone())
}

/// The From field of DSNs.
fn from(config: &Compiled) -> String {
    let configured = config.config.dsn.from.clone();
    configured.unwrap_or_else(|| format!("Mail Delivery System <{}>", config.postmaster()))
}

/// What it means and what to do, from the one table that `why` reads too.
fn explain(told: &Told) -> Option<Explanation> {
    if matches!(told.action, Action::Relayed | Action::Delivered) {
        return None;
    }
    Some(diagnose::examine(&told.attempt, &told.recipient.forward_path).explanation())
}

fn fate<'a>(
    told: &'a Told,
    explanation: &'a Option<Explanation>,
    job: &Taken,
    way: &Way,
    now: Timestamp,
) -> Fate<'a> {
    let action = match told.action {
        Action::Failed | Action::Expired => dsn::Action::Failed,
        Action::Delayed => dsn::Action::Delayed,
        Action::Relayed => dsn::Action::Relayed,
        Action::Delivered => dsn::Action::Delivered,
    };
    // It is returned when its time is over (RFC 2852), or when it is too old.
    let released = job.carried.released(job.arrived);
    let returned = job.carried.deliver_by(job.arrived).filter(|(_, mode)| *mode == ByMode::Return);
    let gives_up = released.after(way.retry.give_up);
    let gives_up = returned.map_or(gives_up, |(at, _)| at.min(gives_up));
    Fate {
        recipient: &told.recipient,
        action,
        status: status(told, job.is_late(now)),
        passed_on: told.passed_on,
        attempt: Some(&told.attempt),
        attempted: Some(now),
        attempts: job.attempts + 1,
        retry_until: (told.action == Action::Delayed).then_some(gives_up),
        explanation: explanation.as_ref(),
    }
}

/// `is_late`: BY= has it returned, whatever the last attempt met.
fn status(told: &Told, is_late: bool) -> EnhancedStatus {
    match (&told.outcome, told.action) {
        (Outcome::Deferred(_), Action::Expired) if is_late => EnhancedStatus::new(5, 4, 7),
        (Outcome::Relayed(reply), _) => reply.status.unwrap_or(EnhancedStatus::new(2, 0, 0)),
        (Outcome::Failed(cause), _) => cause.status(true),
        // A transient status tells what was the matter all the time; where there is none, RFC 3463 has
        // 4.4.7 for "delivery time expired".
        (
            Outcome::Deferred(Cause {
                trouble: Trouble::Reply(Reply { status: Some(status), .. }),
                ..
            }),
            _,
        ) => *status,
        (Outcome::Deferred(_), Action::Expired) => EnhancedStatus::new(4, 4, 7),
        (Outcome::Deferred(cause), _) => cause.status(false),
    }
}

impl Action {
    fn kind(self) -> DsnKind {
        match self {
            Self::Failed | Self::Expired => DsnKind::Failure,
            Self::Delayed => DsnKind::Delay,
            Self::Relayed | Self::Delivered => DsnKind::Success,
        }
    }
}

impl Notice {
    /// The DSN's own envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The DSN's own Message-ID.
    pub fn message_id(&self) -> Option<&str> {
        self.message_id.as_deref()
    }

    /// What the spool is to keep. May be asked again, should keeping fail.
    pub async fn arrival(&mut self, context: &Context) -> Result<Arrival, KeepError> {
        let config = context.config();
        let now = context.world.clock.now();
        let intake = intake::sort(&config, &self.envelope, self.message_id.clone(), now);
        self.carried = intake.carried;
        let returned = match self.dsn.original {
            Original::Headers(length) => length,
            Original::Whole => transport::Content::len(&self.original),
        };
        let content = match returned <= KEPT_IN_MEMORY_MAX {
            true => self.assemble(returned).await,
            false => self.stage(context, returned).await?,
        };
        Ok(Arrival {
            id: context.spool.reserve(),
            at: now,
            prefix: Bytes::new(),
            content,
            jobs: intake.jobs,
        })
    }

    async fn assemble(&self, returned: u64) -> NewContent {
        let mut whole = self.dsn.head.clone();
        let mut offset = 0;
        while offset < returned {
            match transport::Content::read(&self.original, offset, (returned - offset) as usize)
                .await
            {
                Ok(piece) if !piece.is_empty() => {
                    offset += piece.len() as u64;
                    whole.extend_from_slice(&piece);
                }
                _ => break,
            }
        }
        whole.extend_from_slice(&self.dsn.tail);
        NewContent::Memory(whole.into())
    }

    async fn stage(&self, context: &Context, returned: u64) -> Result<NewContent, KeepError> {
        let mut staged = context.spool.stage().await?;
        staged.write(self.dsn.head.clone().into()).await?;
        let mut offset = 0;
        while offset < returned {
            let length = PIECE.min((returned - offset) as usize);
            match transport::Content::read(&self.original, offset, length).await {
                Ok(piece) if !piece.is_empty() => {
                    offset += piece.len() as u64;
                    staged.write(piece).await?;
                }
                _ => break,
            }
        }
        staged.write(self.dsn.tail.clone().into()).await?;
        Ok(NewContent::Staged(staged))
    }
}

/// A cause for something that is our own fault or the operator's wish.
pub fn local_cause(class: u8, subject: u16, detail: u16, text: impl Into<String>) -> Cause {
    let status = EnhancedStatus::new(class, subject, detail);
    Cause { stage: Stage::Other, trouble: Trouble::Local(status, text.into()) }
}
