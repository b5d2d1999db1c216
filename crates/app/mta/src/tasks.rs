//! The tasks of one transfer agent, so that they can be counted, awaited and, when the simulated
//! machine loses power, stopped at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

/// A set of tasks. One that panics ends alone; the panic hook has logged it.
#[derive(Default)]
pub struct Tasks(Mutex<JoinSet<()>>);

impl Tasks {
    /// Starts one.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut set = self.lock();
        while set.try_join_next().is_some() {}
        set.spawn(task);
    }

    /// How many run.
    pub fn len(&self) -> usize {
        let mut set = self.lock();
        while set.try_join_next().is_some() {}
        set.len()
    }

    /// Whether none runs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stops all where they stand.
    pub fn abort(&self) {
        self.lock().abort_all();
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
