//! `why`, asked of the running transfer agent: its evidence, and its queue as it is now.

use std::sync::Arc;

use crate::{
    queue::{Place, Queue, View},
    why::{self, QueuedView, Subject, Why},
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The question.
    #[error(transparent)]
    Unclear(#[from] why::UnclearSubject),
    /// The evidence log is switched off.
    #[error("no evidence is kept: `evidence.on` is false in the configuration")]
    NoEvidence,
    /// The search broke.
    #[error("the evidence log can't be searched: {0}")]
    Broken(String),
}

/// The answer. Whoever asked makes text of it, for only there is a terminal.
pub async fn explain(queue: &Arc<Queue>, subject: &str) -> Result<Why, NoAnswer> {
    let (queue, subject) = (queue.clone(), subject.to_owned());
    let asked = move || {
        let log = queue.context.evidence.log.as_ref().ok_or(NoAnswer::NoEvidence)?;
        // What happened a moment ago is what one asks about.
        log.flush();
        let now = queue.context.world.clock.now();
        Ok(why::ask(&subject, log, &|subject| Some(queued(&queue, subject)), now)?)
    };
    // It reads files.
    tokio::task::spawn_blocking(asked)
        .await
        .unwrap_or_else(|error| Err(NoAnswer::Broken(error.to_string())))
}

fn queued(queue: &Queue, subject: &Subject) -> Vec<QueuedView> {
    let concerns = |view: &View| {
        let carried = view.carried();
        let envelope = &carried.envelope;
        match subject {
            Subject::Message(id) => view.id.message == *id,
            Subject::Job(id) => view.id == *id,
            Subject::Domain(domain) => {
                let own = envelope.reverse_path.as_ref().map(|path| path.domain());
                view.lane.eq_ignore_ascii_case(domain)
                    || own.is_some_and(|own| own.eq_ignore_ascii_case(domain))
            }
            Subject::Address(address) => {
                let reverse_path = envelope.reverse_path.as_ref().map(|path| path.as_str());
                let mut all =
                    envelope.recipients.iter().map(|r| r.forward_path.as_str()).chain(reverse_path);
                all.any(|known| known.eq_ignore_ascii_case(address))
            }
            Subject::MessageId(id) => carried.message_id.as_deref() == Some(id),
            // The queue does not know where its jobs came from; the evidence does.
            Subject::Client(_) => false,
        }
    };
    queue.views(concerns).iter().map(|view| shown(queue, view)).collect()
}

fn shown(queue: &Queue, view: &View) -> QueuedView {
    let config = queue.context.config();
    let carried = view.carried();
    let envelope = &carried.envelope;
    QueuedView {
        id: view.id,
        lane: view.lane.to_string(),
        reverse_path: envelope.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default(),
        recipients: envelope.recipients.iter().map(|r| r.forward_path.to_string()).collect(),
        came: view.arrived,
        attempts: view.attempts,
        due: view.due,
        gives_up: Some(view.arrived.after(config.retry(config.route(&view.lane)).give_up)),
        held: view.place == Place::Held,
        active: view.place == Place::Busy,
        last: carried.last.as_ref().map(|last| last.cause.trouble.to_string()),
        next_hop: queue.route_of(view).into_iter().next(),
    }
}
