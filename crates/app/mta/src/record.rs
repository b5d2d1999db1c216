//! What happens, written into the evidence log: the one place where sessions and attempts become
//! entries.

use std::{borrow::Cow, time::Duration};

use smtp::{Address, Attempt, ForwardPath, Party, Reply, Stage, Timestamp, server::Server};
use spool::{JobId, MessageId, Receipt};

use crate::{
    evidence::{
        Attempted, Client, Decided, Decision, Entry, Kind, Learned, Log, Origin, Received, Refused,
    },
    queue::Taken,
    session::judge,
};

/// The evidence log's pen. Without a log (switched off) it writes nothing.
pub struct Recorder {
    /// The log itself, for queries.
    pub log: Option<Log>,
}

impl Recorder {
    /// A message is ours, and its client is about to be told so.
    pub fn received(
        &self,
        at: Timestamp,
        listener: &str,
        message: MessageId,
        machine: &Server<Receipt>,
        message_id: Option<&str>,
        size: u64,
    ) {
        let Some(log) = &self.log else { return };
        let Some(envelope) = machine.envelope() else { return };
        log.record(&Entry {
            at,
            kind: Kind::Received(Received {
                message,
                origin: Origin::Client(client(listener, machine)),
                envelope: Cow::Borrowed(envelope),
                message_id: message_id.map(Cow::Borrowed),
                size,
                transcript: Cow::Owned(machine.transaction_transcript()),
            }),
        });
    }

    /// A client was told no; `because` is what policy found.
    #[allow(clippy::too_many_arguments)]
    pub fn refused(
        &self,
        at: Timestamp,
        listener: &str,
        machine: &Server<Receipt>,
        stage: Stage,
        reply: &Reply,
        forward_path: Option<&ForwardPath>,
        because: Option<&judge::Refused>,
    ) {
        let Some(log) = &self.log else { return };
        let transcript = transcript(machine, because);
        let envelope = machine.envelope();
        let all = envelope
            .iter()
            .flat_map(|e| &e.recipients)
            .map(|r| Cow::Borrowed(r.forward_path.as_str()));
        let recipients = match forward_path {
            Some(path) => vec![Cow::Borrowed(path.as_str())],
            None => all.collect(),
        };
        let refused = || because.and_then(|because| because.reverse_path.as_ref());
        let reverse_path = envelope.map(|envelope| &envelope.reverse_path).or_else(refused);
        let reverse_path = reverse_path.map(|path| match path {
            Some(path) => Cow::Borrowed(path.as_str()),
            None => Cow::Borrowed(""),
        });
        log.record(&Entry {
            at,
            kind: Kind::Refused(Refused {
                client: client(listener, machine),
                stage,
                reverse_path,
                recipients,
                message_id: None,
                reply: Cow::Borrowed(reply),
                rule: Cow::Borrowed(
                    because.map_or_else(|| rule(reply), |because| because.refusal.rule),
                ),
                transcript: Cow::Owned(transcript),
            }),
        });
    }

    /// A login was refused.
    pub fn login_refused(
        &self,
        at: Timestamp,
        listener: &str,
        machine: &Server<Receipt>,
        user: Option<&str>,
        reply: &Reply,
        because: Option<&judge::Refused>,
    ) {
        let Some(log) = &self.log else { return };
        let transcript = transcript(machine, because);
        let client = Client { user: user.map(Cow::Borrowed), ..client(listener, machine) };
        log.record(&Entry {
            at,
            kind: Kind::Refused(Refused {
                client,
                stage: Stage::Auth,
                reverse_path: None,
                recipients: Vec::new(),
                message_id: None,
                reply: Cow::Borrowed(reply),
                rule: Cow::Borrowed(because.map_or("protocol", |because| because.refusal.rule)),
                transcript: Cow::Owned(transcript),
            }),
        });
    }

    /// We wrote a message of our own.
    pub fn dsn(
        &self,
        at: Timestamp,
        message: MessageId,
        about: JobId,
        envelope: &smtp::Envelope,
        message_id: Option<&str>,
        size: u64,
    ) {
        let Some(log) = &self.log else { return };
        log.record(&Entry {
            at,
            kind: Kind::Received(Received {
                message,
                origin: Origin::Dsn { about },
                envelope: Cow::Borrowed(envelope),
                message_id: message_id.map(Cow::Borrowed),
                size,
                transcript: Cow::Owned(smtp::Transcript::default()),
            }),
        });
    }

    /// A next hop was tried.
    pub fn attempted(
        &self,
        at: Timestamp,
        job: &Taken,
        took: Duration,
        attempt: &Attempt,
        next: Option<Timestamp>,
    ) {
        let Some(log) = &self.log else { return };
        log.record(&Entry {
            at,
            kind: Kind::Attempted(Attempted {
                job: job.id,
                revision: job.revision,
                number: job.attempts + 1,
                lane: Cow::Borrowed(&job.lane),
                took,
                attempt: Cow::Borrowed(attempt),
                next,
            }),
        });
    }

    /// Something was decided about a job; `by` is the operator, if it was one.
    pub fn decided(
        &self,
        at: Timestamp,
        job: JobId,
        by: Option<&str>,
        recipients: &[ForwardPath],
        decision: Decision<'_>,
    ) {
        let Some(log) = &self.log else { return };
        let by = by.map(Cow::Borrowed);
        let decided = Decided { job, by, recipients: Cow::Borrowed(recipients), decision };
        log.record(&Entry { at, kind: Kind::Decided(decided) });
    }

    /// Later attempts at a site will go otherwise.
    pub fn learned(
        &self,
        at: Timestamp,
        site: &str,
        job: &Taken,
        change: &str,
        because: &str,
        until: Timestamp,
    ) {
        let Some(log) = &self.log else { return };
        log.record(&Entry {
            at,
            kind: Kind::Learned(Learned {
                site: Cow::Borrowed(site),
                job: Some(job.id),
                lane: Cow::Borrowed(&job.lane),
                change: Cow::Borrowed(change),
                because: Cow::Borrowed(because),
                until,
            }),
        });
    }
}

fn client<'a>(listener: &'a str, machine: &'a Server<Receipt>) -> Client<'a> {
    Client {
        address: machine.peer().address,
        listener: Cow::Borrowed(listener),
        helo: machine.helo().map(Cow::Borrowed),
        tls: machine.tls().map(Cow::Borrowed),
        user: machine.user().map(Cow::Borrowed),
    }
}

/// What of ours made us say it, in a word that stays the same.
fn rule(reply: &Reply) -> &'static str {
    let status = reply.status.map(|status| (status.subject, status.detail));
    match (reply.code, status) {
        (_, Some((1, 1))) => "mailbox",
        (550 | 554 | 454, Some((7, 1))) => "relay",
        (530, _) => "authentication required",
        (452, Some((3, 1))) => "disk space",
        (452, _) => "limits",
        (552, _) => "size",
        (554, Some((4, 6))) => "hop count",
        _ => "protocol",
    }
}

/// A recipient list for [`Recorder::decided`].
pub fn paths(recipients: &[smtp::Recipient]) -> Vec<Address> {
    recipients.iter().map(|recipient| recipient.forward_path.clone()).collect()
}

/// What was said in the transaction, and the rule that refused it.
fn transcript(machine: &Server<Receipt>, because: Option<&judge::Refused>) -> smtp::Transcript {
    let mut transcript = machine.transaction_transcript();
    if let Some(because) = because {
        let at = transcript.lines().last().map_or(Duration::ZERO, |line| line.at);
        let note = format!("{}: {}", because.refusal.rule, because.refusal.why);
        transcript.record(at, Party::Note, note);
    }
    transcript
}
