//! Once a day is over, each domain's report goes where the domain wants it: by mail, to a web server, or
//! both (RFC 8460 section 3).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use smtp::Timestamp;
use tokio::sync::watch;

use super::{Keeper, mail, rua, web};
use crate::queue::Queue;

/// How often counts are written, and a look is taken whether reports are due.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// After midnight, so that not all of the world reports at once (section 4.1 asks for that).
const SPREAD: Duration = Duration::from_secs(4 * 3600);
/// A web server that does not take its report is asked again after so long (section 5.4)...
const AGAIN: Duration = Duration::from_secs(3600);
/// ... and given up when the day is over for so long.
const GIVE_UP: Duration = Duration::from_secs(24 * 3600 + 4 * 3600);

/// Writes the counts, and sends reports where that is configured; ends when the agent does.
pub async fn run(queue: Arc<Queue>, mut closing: watch::Receiver<bool>) {
    let context = &queue.context;
    let Some(keeper) = &context.tls_reports else { return };
    let late = Duration::from_secs(context.world.random.u64() % SPREAD.as_secs());
    let mut sender = Sender { queue: &queue, keeper, late, began: BTreeMap::new() };
    loop {
        let over = tokio::time::timeout(EVERY, closing.changed()).await.is_ok();
        if let Err(error) = keeper.write(&context.world) {
            tracing::warn!(%error, "TLS counts can't be written");
        }
        if over {
            return;
        }
        if context.config().config.tls_reports.send {
            sender.send_due().await;
        }
    }
}

/// A day and a domain.
type Which = (String, String);

/// A report that has reached some of its places.
struct Begun {
    /// Those.
    had: BTreeSet<String>,
    /// When the others are tried again.
    again: Timestamp,
}

struct Sender<'a> {
    queue: &'a Arc<Queue>,
    keeper: &'a Keeper,
    late: Duration,
    /// In memory only: after a restart a place may get a report twice, under the same report-id.
    began: BTreeMap<Which, Begun>,
}

impl Sender<'_> {
    async fn send_due(&mut self) {
        let context = &self.queue.context;
        let now = context.world.clock.now();
        let due = self.keeper.due(&message::date::day(before(now, self.late)));
        self.began.retain(|which, _| due.contains(which));
        for which in due {
            if self.began.get(&which).is_some_and(|begun| now < begun.again) {
                continue;
            }
            let texts = match context.world.dns.texts(&format!("_smtp._tls.{}", which.1)).await {
                Ok(answer) => answer.records,
                Err(error) if error.is_temporary() => continue,
                Err(_) => Vec::new(),
            };
            if self.send(&which, &rua::places(&texts), now).await {
                self.keeper.done(&which.0, &which.1);
                self.began.remove(&which);
            }
        }
    }

    /// False: some places have yet to be reached.
    async fn send(&mut self, which: &Which, places: &rua::Places, now: Timestamp) -> bool {
        const BY_MAIL: &str = "mail";
        let (day, domain) = which;
        let again = now.after(AGAIN);
        let begun = self.began.entry(which.clone());
        let begun = begun.or_insert_with(|| Begun { had: BTreeSet::new(), again });
        begun.again = again;
        if !places.mail.is_empty() && !begun.had.contains(BY_MAIL) {
            if mail::send(self.queue, self.keeper, day, domain, &places.mail).await {
                begun.had.insert(BY_MAIL.to_owned());
            } else {
                return false;
            }
        }
        let mut is_whole = true;
        for place in &places.web {
            let name = place.to_string();
            if begun.had.contains(&name) {
                continue;
            }
            match web::post(&self.queue.context, self.keeper, day, domain, place).await {
                Ok(()) => {
                    tracing::info!(domain, day, to = name, "TLS report handed in");
                    begun.had.insert(name);
                }
                Err(why) => {
                    let over = day.as_str() < message::date::day(before(now, GIVE_UP)).as_str();
                    tracing::warn!(domain, day, to = name, why, over, "a TLS report was not taken");
                    is_whole &= over;
                }
            }
        }
        is_whole
    }
}

fn before(now: Timestamp, ago: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(ago.as_millis() as u64))
}
