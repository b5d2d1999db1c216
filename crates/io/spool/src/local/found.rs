//! The queue as it is handed over at start: read job by job, so that a million of them are never in
//! memory twice.

use std::{fmt, sync::Arc};

use super::{Shared, content::LocalContent, queue::Queue};
use crate::{Content, Found, MessageId};

/// What opening found queued, by id. Gives back memory as it is read.
pub struct FoundJobs {
    shared: Arc<Shared>,
    queue: Queue,
    next: usize,
    /// Jobs of one message share its content.
    content: Option<(MessageId, Arc<dyn Content>)>,
}

impl FoundJobs {
    pub(super) fn new(shared: Arc<Shared>, queue: Queue) -> Self {
        Self { shared, queue, next: 0, content: None }
    }

    /// How many jobs are left to be read.
    pub fn len(&self) -> usize {
        self.queue.jobs().len() - self.next
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn content(&mut self, id: MessageId, size: u64) -> Arc<dyn Content> {
        match &self.content {
            Some((known, content)) if *known == id => content.clone(),
            _ => {
                let content: Arc<dyn Content> =
                    Arc::new(LocalContent::new(self.shared.clone(), id, size, None));
                self.content = Some((id, content.clone()));
                content
            }
        }
    }
}

impl Iterator for FoundJobs {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let queued = *self.queue.jobs().get(self.next)?;
            self.next += 1;
            let message = self.queue.message(&queued);
            let job = self.queue.job(&queued);
            self.queue.forget(&queued);
            // Both were read when the queue was settled: neither is ever missing here.
            if let (Some(message), Some(job)) = (message, job) {
                let content = self.content(message.id, message.size);
                return Some(Found { job, at: message.at, content });
            }
        }
    }
}

impl fmt::Debug for FoundJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FoundJobs({} left)", self.len())
    }
}
