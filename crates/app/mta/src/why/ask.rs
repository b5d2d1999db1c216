//! Looking up what a question needs.

use std::collections::BTreeSet;

use smtp::Timestamp;
use spool::MessageId;

use super::{QueuedView, Row, State, Story, Subject, UnclearSubject, Why, refusal, story};
use crate::evidence::{Entry, Kind, Log, Order};

/// Rows of a summary.
const ROWS_MAX: usize = 20;
/// Entries that are looked at for a summary.
const ENTRIES_MAX: usize = 2_000;
/// Entries of one message: some weeks of attempts.
const STORY_MAX: usize = 1_000;

/// Answers `text`: a queue id, an address, a domain or a Message-ID. Blocks on the disk.
///
/// `queue` gives the queued jobs that a subject concerns (for a Message-ID, which the queue may not
/// know, none); `None` if the queue cannot be asked, as when the server does not run.
pub fn ask(
    text: &str,
    log: &Log,
    queue: &dyn Fn(&Subject) -> Option<Vec<QueuedView>>,
    now: Timestamp,
) -> Result<Why, UnclearSubject> {
    let inquiry = Inquiry { log, queue };
    let mut why = Why {
        subject: text.trim().to_owned(),
        asked: now,
        rows: Vec::new(),
        more: false,
        stories: Vec::new(),
    };
    for subject in Subject::readings(text)? {
        match subject {
            Subject::Message(id) => why.stories.extend(inquiry.message(id, None)),
            Subject::Job(id) => why.stories.extend(inquiry.message(id.message, Some(id.part))),
            _ => inquiry.several(&subject, &mut why),
        }
        if !why.stories.is_empty() {
            break;
        }
    }
    Ok(why)
}

struct Inquiry<'i> {
    log: &'i Log,
    queue: &'i dyn Fn(&Subject) -> Option<Vec<QueuedView>>,
}

impl Inquiry<'_> {
    fn message(&self, id: MessageId, part: Option<u16>) -> Option<Story> {
        let entries = self.log.find(&Subject::Message(id).key(), Order::OldestFirst, STORY_MAX);
        let queued = (self.queue)(&Subject::Message(id));
        if entries.is_empty() && queued.as_ref().is_none_or(Vec::is_empty) {
            return None;
        }
        Some(story(id, part, &entries, queued.as_deref()))
    }

    fn several(&self, subject: &Subject, why: &mut Why) {
        let entries = self.log.find(&subject.key(), Order::NewestFirst, ENTRIES_MAX);
        let queued = (self.queue)(subject).unwrap_or_default();
        let mut seen = BTreeSet::new();
        let mut stories = Vec::new();
        // What is in the queue comes first, even if its evidence has been dropped.
        let mut waiting: Vec<&QueuedView> = queued.iter().collect();
        waiting.sort_by_key(|view| std::cmp::Reverse(view.came));
        for view in waiting.iter().take(ROWS_MAX) {
            if seen.insert(view.id.message) {
                stories.extend(self.message(view.id.message, None));
            }
        }
        for entry in &entries {
            if stories.len() > ROWS_MAX {
                break;
            }
            match &entry.kind {
                Kind::Refused(refused) => stories.push(refusal(entry.at, refused)),
                _ => {
                    if let Some(id) = message_of(entry).filter(|id| seen.insert(*id)) {
                        stories.extend(self.message(id, None));
                    }
                }
            }
        }
        why.more = stories.len() > ROWS_MAX;
        stories.sort_by_key(|story| std::cmp::Reverse(came(story)));
        stories.truncate(ROWS_MAX);
        if stories.len() > 1 {
            why.rows = stories.iter().map(row).collect();
        }
        let troubled = stories.iter().position(|story| story.state.is_trouble()).unwrap_or(0);
        why.stories.extend(stories.into_iter().nth(troubled));
    }
}

fn message_of(entry: &Entry<'_>) -> Option<MessageId> {
    match &entry.kind {
        Kind::Received(received) => Some(received.message),
        Kind::Attempted(attempted) => Some(attempted.job.message),
        Kind::Decided(decided) => Some(decided.job.message),
        Kind::Learned(learned) => learned.job.map(|job| job.message),
        Kind::Refused(_) => None,
    }
}

/// When a message came, or the first thing that is still known of it.
fn came(story: &Story) -> Timestamp {
    let first = story.steps.first().map(|step| step.at());
    story.came.as_ref().map(|coming| coming.at).or(first).unwrap_or_default()
}

fn row(story: &Story) -> Row {
    let decisive = story.recipients.iter().find(|recipient| recipient.state == story.state);
    let said = decisive.and_then(|recipient| recipient.said.clone());
    let refused = story.steps.iter().find_map(|step| match step {
        super::Step::Refusal { reply, .. } if story.state == State::Refused => Some(reply.clone()),
        _ => None,
    });
    Row {
        id: story.id.clone(),
        came: came(story),
        reverse_path: story.reverse_path.clone(),
        recipients: story.recipients.iter().map(|recipient| recipient.address.clone()).collect(),
        state: story.state,
        said: said.or(refused).unwrap_or_default(),
    }
}
