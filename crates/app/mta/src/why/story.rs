//! From the entries about one message to its story.

use std::collections::BTreeMap;

use diagnose::Finding;
use smtp::{Attempt, Outcome, Timestamp};
use spool::MessageId;

use super::{
    AttemptStep, Coming, QueuedView, RecipientState, Report, State, Step, Story, Verdict, clauses,
    dialogue::lines,
};
use crate::evidence::{Attempted, Decided, Decision, Entry, Kind, Origin, Received, Refused};

/// More recipients than this are not examined one by one: the findings repeat themselves.
const EXAMINED_MAX: usize = 50;

/// The story of a message, or of one job of it (`part`).
///
/// `entries` are those about the message, oldest first. `queued` are its jobs as the queue has them
/// now; `None` if the queue could not be asked, so that nothing is concluded from its silence.
pub fn story(
    message: MessageId,
    part: Option<u16>,
    entries: &[Entry<'_>],
    queued: Option<&[QueuedView]>,
) -> Story {
    let mut teller = Teller::new(message, part);
    for entry in entries {
        teller.take(entry);
    }
    for view in queued.into_iter().flatten() {
        teller.take_view(view);
    }
    teller.finish(queued.is_some())
}

/// The story of mail that we refused: its one entry has it all.
pub fn refusal(at: Timestamp, refused: &Refused<'_>) -> Story {
    let said = clauses::clean(&refused.reply.to_string());
    let recipient = |path: &std::borrow::Cow<'_, str>| RecipientState {
        address: clauses::clean(path),
        state: State::Refused,
        at: Some(at),
        next_hop: None,
        said: Some(said.clone()),
    };
    let last = refused.transcript.lines().enumerate();
    let last =
        last.filter(|(_, line)| line.by == smtp::Party::Server).map(|(index, _)| index).last();
    let asked = refused.transcript.lines().enumerate().take(last.unwrap_or(0));
    let asked =
        asked.filter(|(_, line)| line.by == smtp::Party::Client).map(|(index, _)| index).last();
    Story {
        id: None,
        state: State::Refused,
        reverse_path: refused.reverse_path.as_deref().map(clauses::clean),
        recipients: refused.recipients.iter().map(recipient).collect(),
        came: Some(Coming {
            at,
            from: clauses::client(&refused.client),
            size: None,
            message_id: refused.message_id.as_deref().map(clauses::clean),
        }),
        findings: Vec::new(),
        steps: vec![Step::Refusal {
            at,
            stage: refused.stage.to_string(),
            reply: said.clone(),
            rule: refused.rule.to_string(),
            dialogue: lines(&refused.transcript, last.as_slice(), asked.as_slice()),
        }],
        reports: Vec::new(),
        due: None,
        gives_up: None,
        next_hop: None,
    }
}

/// What is known of a recipient while the story is being told.
struct Known {
    state: RecipientState,
    /// What it was before an operator held it.
    before_hold: State,
    /// Belongs to the job that was asked for.
    of_job: bool,
    finding: Option<Finding>,
}

struct Teller {
    message: MessageId,
    part: Option<u16>,
    reverse_path: Option<String>,
    came: Option<Coming>,
    order: Vec<String>,
    known: BTreeMap<String, Known>,
    steps: Vec<Step>,
    queued: Vec<String>,
    reports: Vec<Report>,
    due: Option<Timestamp>,
    gives_up: Option<Timestamp>,
    next_hop: Option<String>,
}

impl Teller {
    fn new(message: MessageId, part: Option<u16>) -> Self {
        Self {
            message,
            part,
            reverse_path: None,
            came: None,
            order: Vec::new(),
            known: BTreeMap::new(),
            steps: Vec::new(),
            queued: Vec::new(),
            reports: Vec::new(),
            due: None,
            gives_up: None,
            next_hop: None,
        }
    }

    fn is_ours(&self, job: spool::JobId) -> bool {
        job.message == self.message && self.part.is_none_or(|part| part == job.part)
    }

    fn take(&mut self, entry: &Entry<'_>) {
        match &entry.kind {
            Kind::Received(received) if received.message == self.message => {
                self.received(entry.at, received);
            }
            Kind::Attempted(attempted) if self.is_ours(attempted.job) => {
                self.attempted(entry.at, attempted);
            }
            Kind::Decided(decided) if self.is_ours(decided.job) => self.decided(entry.at, decided),
            Kind::Learned(learned) if learned.job.is_some_and(|job| self.is_ours(job)) => {
                self.note(entry.at, clauses::lesson(learned));
            }
            // The report that this message caused, or the message that this report is about.
            _ => {}
        }
    }

    fn received(&mut self, at: Timestamp, received: &Received<'_>) {
        let path = received.envelope.reverse_path.as_ref();
        self.reverse_path = Some(path.map_or(String::new(), |path| clauses::clean(path.as_str())));
        let from = match &received.origin {
            Origin::Client(client) => clauses::client(client),
            Origin::Dsn { about } => format!("this server: it is the report about {about}"),
        };
        let message_id = received.message_id.as_deref().map(clauses::clean);
        self.came = Some(Coming { at, from, size: Some(received.size), message_id });
        for recipient in &received.envelope.recipients {
            self.recipient(recipient.forward_path.as_str());
        }
    }

    fn recipient(&mut self, address: &str) -> &mut Known {
        if !self.known.contains_key(address) {
            self.order.push(address.to_owned());
        }
        self.known.entry(address.to_owned()).or_insert_with(|| Known {
            state: RecipientState {
                address: clauses::clean(address),
                state: State::Waiting,
                at: None,
                next_hop: None,
                said: None,
            },
            before_hold: State::Waiting,
            of_job: false,
            finding: None,
        })
    }

    fn attempted(&mut self, at: Timestamp, attempted: &Attempted<'_>) {
        let attempt = &*attempted.attempt;
        let (mut decisive, mut commands) = (Vec::new(), Vec::new());
        let mut outcomes = Vec::with_capacity(attempt.outcomes.len());
        let is_relayed = |outcome: &Outcome| matches!(outcome, Outcome::Relayed(_));
        let all_relayed = attempt.outcomes.iter().all(|(_, outcome)| is_relayed(outcome));
        for (index, (path, outcome)) in attempt.outcomes.iter().enumerate() {
            let finding = (index < EXAMINED_MAX).then(|| diagnose::examine(attempt, path));
            if let Some(finding) = finding.as_ref().filter(|_| all_relayed || !is_relayed(outcome))
            {
                decisive.extend(finding.line);
                commands.extend(finding.command);
            }
            let (state, said) = outcome_words(outcome);
            let known = self.recipient(path.as_str());
            known.state.state = state;
            known.state.at = Some(at);
            known.state.next_hop = is_replied(outcome).then(|| clauses::clean(&attempt.next_hop));
            known.state.said = Some(said);
            known.of_job = true;
            known.finding = finding.filter(|_| state != State::Relayed).map(cleaned);
            outcomes.push(known.state.clone());
        }
        self.due = attempted.next;
        self.steps.push(Step::Attempt(AttemptStep {
            job: attempted.job.to_string(),
            at,
            number: attempted.number,
            took: u64::try_from(attempted.took.as_millis()).unwrap_or(u64::MAX),
            next_hop: clauses::clean(&attempt.next_hop),
            address: attempt.address.clone(),
            route: attempt.route.iter().map(|line| clauses::clean(line)).collect(),
            tls: attempt.tls.as_ref().map(clauses::tls),
            outcomes,
            summary: summary(attempt),
            dialogue: lines(&attempt.transcript, &decisive, &commands),
        }));
    }

    fn decided(&mut self, at: Timestamp, decided: &Decided<'_>) {
        if let Decision::DsnSent { dsn, to, kind } = &decided.decision {
            self.reports.push(Report {
                at,
                id: dsn.to_string(),
                to: clauses::clean(to.as_str()),
                kind: clauses::dsn_kind(*kind).to_owned(),
            });
        }
        self.note(at, clauses::decision(decided));
        let concerned: Vec<String> = match &*decided.recipients {
            [] => self.order.clone(),
            paths => paths.iter().map(|path| path.as_str().to_owned()).collect(),
        };
        for address in concerned {
            let known = self.recipient(&address);
            let before = known.state.state;
            if !is_open(before) {
                continue;
            }
            let (after, said) = match &decided.decision {
                Decision::Held => (State::Held, None),
                Decision::Released | Decision::RetryNow if before == State::Held => {
                    (known.before_hold, None)
                }
                Decision::Removed => (State::Removed, Some("removed by an operator")),
                Decision::Bounced => (State::Failed, Some("given up by an operator")),
                Decision::Expired { .. } => (State::Failed, None),
                _ => continue,
            };
            if after == State::Held && before != State::Held {
                known.before_hold = before;
            }
            known.of_job = true;
            known.state.state = after;
            known.state.at = Some(at);
            if let Some(said) = said {
                known.state.said.get_or_insert_with(|| said.to_owned());
            }
        }
    }

    fn note(&mut self, at: Timestamp, text: String) {
        self.steps.push(Step::Note { at, text });
    }

    /// The queue knows better than the evidence what is now.
    fn take_view(&mut self, view: &QueuedView) {
        if !self.is_ours(view.id) {
            return;
        }
        if self.queued.is_empty() {
            self.due = None;
        }
        for address in &view.recipients {
            let known = self.recipient(address);
            known.of_job = true;
            known.state.state = match () {
                () if view.active => State::Active,
                () if view.held => State::Held,
                () if view.attempts > 0 => State::Deferred,
                () => State::Waiting,
            };
            if let (None, Some(last)) = (&known.state.said, &view.last) {
                known.state.said = Some(clauses::clean(last));
            }
            self.queued.push(address.clone());
        }
        self.reverse_path.get_or_insert_with(|| clauses::clean(&view.reverse_path));
        if !view.held && !view.active {
            self.due = Some(self.due.map_or(view.due, |due| due.min(view.due)));
        }
        self.gives_up = view.gives_up.or(self.gives_up);
        self.next_hop = view.next_hop.clone().or(self.next_hop.take());
    }

    fn finish(mut self, queue_was_asked: bool) -> Story {
        if queue_was_asked {
            for (address, known) in &mut self.known {
                if is_open(known.state.state) && !self.queued.contains(address) {
                    known.state.state = State::Unknown;
                }
            }
        }
        let only_of_job = self.part.is_some() && self.known.values().any(|known| known.of_job);
        let told = |known: &&Known| known.of_job || !only_of_job;
        let known = || self.order.iter().filter_map(|address| self.known.get(address)).filter(told);
        let recipients: Vec<RecipientState> = known().map(|known| known.state.clone()).collect();
        let findings = verdicts(known());
        let state = recipients.iter().map(|recipient| recipient.state).min();
        let open = recipients.iter().any(|recipient| is_open(recipient.state));
        let id = match self.part {
            Some(part) => spool::JobId { message: self.message, part }.to_string(),
            None => self.message.to_string(),
        };
        Story {
            id: Some(id),
            state: state.unwrap_or(State::Unknown),
            reverse_path: self.reverse_path,
            recipients,
            came: self.came,
            findings,
            steps: self.steps,
            reports: self.reports,
            due: self.due.filter(|_| open),
            gives_up: self.gives_up.filter(|_| open),
            next_hop: self.next_hop.filter(|_| open),
        }
    }
}

/// A finding quotes the peer, whose octets must not reach a terminal as they are.
fn cleaned(finding: Finding) -> Finding {
    Finding {
        what: clauses::clean(&finding.what),
        why: clauses::clean(&finding.why),
        remedy: clauses::clean(&finding.remedy),
        next_test: finding.next_test.as_deref().map(clauses::clean),
        ..finding
    }
}

fn is_open(state: State) -> bool {
    matches!(state, State::Held | State::Deferred | State::Waiting | State::Active)
}

/// Findings of those who are in trouble; the same one is told once, for all whom it concerns.
fn verdicts<'k>(known: impl Iterator<Item = &'k Known>) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = Vec::new();
    for known in known {
        let Some(finding) = &known.finding else { continue };
        let address = known.state.address.clone();
        let same = |verdict: &&mut Verdict| {
            let other = &verdict.finding;
            other.rule == finding.rule && other.why == finding.why && other.what == finding.what
        };
        match verdicts.iter_mut().find(same) {
            Some(verdict) => verdict.recipients.push(address),
            None => verdicts.push(Verdict { recipients: vec![address], finding: finding.clone() }),
        }
    }
    verdicts
}

/// Whether it was the next hop's reply that decided.
fn is_replied(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Relayed(_) => true,
        Outcome::Deferred(cause) | Outcome::Failed(cause) => {
            matches!(cause.trouble, smtp::Trouble::Reply(_))
        }
    }
}

fn outcome_words(outcome: &Outcome) -> (State, String) {
    let (state, text) = match outcome {
        Outcome::Relayed(reply) => (State::Relayed, reply.to_string()),
        Outcome::Deferred(cause) => (State::Deferred, cause_words(cause)),
        Outcome::Failed(cause) => (State::Failed, cause_words(cause)),
    };
    (state, clauses::clean(&text))
}

fn cause_words(cause: &smtp::Cause) -> String {
    match cause.trouble {
        smtp::Trouble::Dns(..) | smtp::Trouble::Local(..) => cause.trouble.to_string(),
        _ => format!("{} (at {})", cause.trouble, cause.stage),
    }
}

/// The attempt in a clause: the worst of what happened.
fn summary(attempt: &Attempt) -> String {
    let words = attempt.outcomes.iter().map(|(_, outcome)| outcome_words(outcome));
    words.min_by_key(|(state, _)| *state).map_or_else(|| "nobody was tried".to_owned(), |w| w.1)
}
