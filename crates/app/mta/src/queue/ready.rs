//! A site's due jobs: by priority (RFC 6710), and first come first served among equals.

use std::collections::{BTreeMap, VecDeque};

use spool::JobId;

/// The list. Nearly all mail has the same priority, so nearly always this is one queue.
#[derive(Debug, Default)]
pub struct Ready {
    /// By priority; no list in it is empty.
    lists: BTreeMap<i8, VecDeque<JobId>>,
}

impl Ready {
    /// Adds a job behind those of its priority.
    pub fn push(&mut self, priority: i8, id: JobId) {
        self.lists.entry(priority).or_default().push_back(id);
    }

    /// The next one: the oldest of the highest priority.
    pub fn pop(&mut self) -> Option<JobId> {
        let mut highest = self.lists.last_entry()?;
        let id = highest.get_mut().pop_front();
        if highest.get().is_empty() {
            highest.remove();
        }
        id
    }

    /// Takes one out, wherever it stands.
    pub fn remove(&mut self, id: JobId) {
        self.lists.retain(|_, list| {
            list.retain(|&other| other != id);
            !list.is_empty()
        });
    }

    /// Takes all out, in their order.
    pub fn take_all(&mut self) -> Vec<JobId> {
        std::mem::take(&mut self.lists).into_values().rev().flatten().collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use spool::MessageId;

    use super::*;

    fn job(number: u64) -> JobId {
        JobId { message: MessageId(number), part: 0 }
    }

    #[test]
    fn the_higher_first_then_the_older() {
        let mut ready = Ready::default();
        for (number, priority) in [(1, 0), (2, -3), (3, 4), (4, 0), (5, 4)] {
            ready.push(priority, job(number));
        }
        ready.remove(job(4));
        let order: Vec<_> = std::iter::from_fn(|| ready.pop()).collect();
        assert_eq!(order, [job(3), job(5), job(1), job(2)]);
        assert!(ready.is_empty());
        for (number, priority) in [(1, 0), (2, 9)] {
            ready.push(priority, job(number));
        }
        assert_eq!(ready.take_all(), [job(2), job(1)]);
    }
}
