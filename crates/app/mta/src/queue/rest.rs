//! What a site says about all our mail, and not about one message: it is left alone for a while, or takes
//! no more over one connection ([`crate::quirks`]).

use std::time::Duration;

use notation::units;
use smtp::{Attempt, Cause, Timestamp};

use super::{Down, Queue, SiteKey, Taken, Way};
use crate::quirks::Quirk;

/// So long it is believed how many messages a connection takes.
const REMEMBER: Duration = Duration::from_secs(24 * 3600);

impl Queue {
    /// Leaves the site alone if an outcome of the attempt asks for that, and says until when. The jobs
    /// that waited there wait on; that is no attempt of theirs.
    pub(super) fn rest_if_asked(
        &self,
        way: &Way,
        job: &Taken,
        attempt: &Attempt,
    ) -> Option<Timestamp> {
        let now = self.context.world.clock.now();
        let outcomes = || attempt.outcomes.iter().map(|(_, outcome)| outcome);
        let mut inner = self.lock();
        let last = inner.state.rest(&way.site);
        let (times, until) = last.map_or((0, now), |rest| (rest.times, rest.until));
        let (quirk, wait, cause) = way.quirks.rest_after(outcomes(), times)?;
        if now < until {
            // Others of its connections have heard the same.
            return Some(until);
        }
        let until = now.after(wait);
        let next_hop = attempt.next_hop.as_str().into();
        let down = Down { until, times: times + 1, cause: cause.clone(), next_hop };
        let waiting = inner.state.site_rests(&way.site, down.clone());
        for &id in &waiting {
            inner.state.postpone(id, &down, way.retry.delay_notice, now);
        }
        drop(inner);
        self.bell.notify_one();
        tracing::warn!(site = %way.site, quirk = quirk.name, cause = %cause.trouble, wait_s = wait.as_secs(),
            waiting = waiting.len(), "site wants less mail");
        let change = format!("nothing is sent there for {}", units::show_duration(wait));
        self.teach(&way.site, job, &change, quirk, cause, until);
        Some(until)
    }

    /// The site takes `most` messages over one connection: the next ones are ended before.
    pub(super) fn is_full(
        &self,
        site: &SiteKey,
        job: &Taken,
        quirk: &Quirk,
        cause: &Cause,
        most: u32,
    ) {
        let until = self.context.world.clock.now().after(REMEMBER);
        self.lock().state.learn_messages_max(site, most, until);
        tracing::info!(%site, quirk = quirk.name, most, "site takes so many messages over a connection");
        let change = format!("no more than {most} messages go over one connection");
        self.teach(site, job, &change, quirk, cause, until);
    }

    fn teach(
        &self,
        site: &SiteKey,
        job: &Taken,
        change: &str,
        quirk: &Quirk,
        cause: &Cause,
        until: Timestamp,
    ) {
        let now = self.context.world.clock.now();
        let because =
            format!("it said at {}: {} (quirk `{}`)", cause.stage, cause.trouble, quirk.name);
        self.context.evidence.learned(now, site, job, change, &because, until);
    }
}
