//! Somebody who holds, releases, removes, returns and reroutes what is queued, and changes the
//! configuration: at any moment, so that crashes fall into it.

use std::{sync::Arc, time::Duration};

use mta::{
    Agent,
    config::Config,
    queue::{Action, Place, View},
};
use tokio::time::sleep;

use super::{host::Running, ledger::Ledger};

/// A next hop that takes everything.
const GOOD: &str = "[10.0.5.1]:25";

/// One host, and who works on it.
pub struct Operator {
    pub name: &'static str,
    pub running: Running,
    pub ledger: Ledger,
    pub random: fastrand::Rng,
    /// The configurations that are changed between.
    pub configs: Vec<Config>,
}

impl Operator {
    /// Works until `until`, in milliseconds since the world began; then releases what is held, until
    /// `last`, for a crash may undo it.
    pub async fn work(mut self, until: u64, last: u64) {
        while self.ledger.now() < last {
            sleep(Duration::from_secs(self.random.u64(300..9_000))).await;
            let Some(agent) = self.running.agent() else { continue };
            let views = agent.queue.views(|_| true);
            let held = views.iter().filter(|view| view.place == Place::Held);
            if self.ledger.now() >= until || self.random.u32(..4) == 0 {
                held.for_each(|view| self.order(&agent, view, Action::Release));
            } else if self.random.u32(..4) == 0 {
                self.reload(&agent);
            } else if let Some(view) = self.random.choice(&views) {
                let action = self.action(view);
                self.order(&agent, view, action);
            }
        }
    }

    /// A report is never removed: whom it was to tell would not know.
    fn action(&mut self, view: &View) -> Action {
        let is_report = view.carried().envelope.reverse_path.is_none();
        match self.random.u32(..if is_report { 8 } else { 9 }) {
            0..3 => Action::Hold,
            3 => Action::Release,
            4 => Action::Retry,
            5 | 6 => Action::Reroute(GOOD.to_owned()),
            7 => Action::Bounce("the postmaster's mood".to_owned()),
            _ => Action::Remove,
        }
    }

    /// In a task of the agent's, as an order that comes by its socket: a crash ends it where it stands.
    fn order(&self, agent: &Arc<Agent>, view: &View, action: Action) {
        let recipients: Vec<String> = view
            .carried()
            .envelope
            .recipients
            .iter()
            .map(|recipient| recipient.forward_path.to_string())
            .collect();
        self.ledger.note(&format!("{}: {action:?} of {} for {recipients:?}", self.name, view.id));
        let mut inner = self.ledger.lock();
        match action {
            Action::Remove => inner.removed.extend(recipients.clone()),
            Action::Reroute(_) => {
                inner.rerouted.extend(recipients.clone());
                inner.rushed.extend(recipients.clone());
            }
            Action::Release | Action::Retry => inner.rushed.extend(recipients.clone()),
            Action::Bounce(_) => inner.bounced.extend(recipients.clone()),
            Action::Hold => {}
        }
        drop(inner);
        let (queue, ledger, id, name) =
            (agent.queue.clone(), self.ledger.clone(), view.id, self.name);
        agent.queue.context.tasks.spawn(async move {
            let done = queue.operate(id, &action, "the operator").await;
            ledger.note(&format!("{name}: {action:?} of {id}: {done:?}"));
            if done.is_err() {
                let mut inner = ledger.lock();
                recipients.iter().for_each(|recipient| drop(inner.removed.take(recipient)));
            }
        });
    }

    fn reload(&mut self, agent: &Arc<Agent>) {
        let Some(config) = self.random.choice(&self.configs).cloned() else { return };
        let (own, ledger, name) = (agent.clone(), self.ledger.clone(), self.name);
        agent.queue.context.tasks.spawn(async move {
            let done = own.reload(config).await.map_err(|error| error.to_string());
            ledger.note(&format!("{name} is reloaded: {done:?}"));
        });
    }
}
