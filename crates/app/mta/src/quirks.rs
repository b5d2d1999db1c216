//! Quirks of the field: what large providers and some servers do that no RFC says, and what is done about
//! it. Data with reasons ([`table`]), not code for each of them. Pure.
//!
//! docs/quirks.md is made of the table. `config show --site` tells which apply to a host, `why` when one
//! made a difference, and `without_quirks` of a route or site (or `queue.quirks`) switches them off.

mod table;

use std::time::Duration;

use smtp::{Cause, Outcome, Reply, Trouble};

pub use table::TABLE;

/// One quirk.
#[derive(Debug, PartialEq, Eq)]
pub struct Quirk {
    /// By which it is switched off, and told of.
    pub name: &'static str,
    /// The best MX or the next hop, by name; none: any host.
    pub hosts: &'static [&'static str],
    /// What is done.
    pub does: Does,
    /// Why: what is known, and from where.
    pub why: &'static str,
}

/// What is done about a quirk.
#[derive(Debug, PartialEq, Eq)]
pub enum Does {
    /// No more than so many connections at once.
    Connections(u32),
    /// No more than so many messages over one connection.
    Messages(u32),
    /// Such a reply is about all our mail, not about this message: the site is left alone for so long,
    /// and twice as long each time it says so again within an hour; then one connection begins.
    Rest(Says, Duration),
    /// The same for such a reply with a code 5yz, which does not mean it: the message waits, too.
    RestThough(Says, Duration),
    /// Such a reply to MAIL, after mail went over the same connection, ends that connection only: the
    /// message goes over a new one at once, and later connections end before.
    NewConnection(Says),
    /// It always is so, with any host.
    Always(&'static str),
}

/// Replies that are meant; of those with a code 4yz, where nothing else is said.
#[derive(Debug, PartialEq, Eq)]
pub struct Says {
    /// Enhanced statuses, subject and detail from and to; RFC 3463 has no meaning for most of these.
    pub statuses: &'static [(u16, u16, u16)],
    /// Words, lower case; one is enough.
    pub words: &'static [&'static str],
}

/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(3600);

/// Which quirks apply at a site.
#[derive(Clone, Debug, Default)]
pub struct Quirks(Vec<&'static Quirk>);

impl Quirks {
    /// Those of a host, but for those that are switched off by name.
    pub fn of(host: &str, without: &[String]) -> Self {
        let is_off = |quirk: &Quirk| without.iter().any(|name| name == quirk.name || name == "all");
        Self(TABLE.iter().filter(|quirk| quirk.is_of(host) && !is_off(quirk)).collect())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'static Quirk> {
        self.0.iter().copied()
    }

    /// The one that caps the connections at once, and the cap.
    pub fn connections_max(&self) -> Option<(&'static Quirk, u32)> {
        self.iter().find_map(|quirk| match quirk.does {
            Does::Connections(most) => Some((quirk, most)),
            _ => None,
        })
    }

    /// The one that caps the messages over one connection, and the cap.
    pub fn messages_max(&self) -> Option<(&'static Quirk, u32)> {
        self.iter().find_map(|quirk| match quirk.does {
            Does::Messages(most) => Some((quirk, most)),
            _ => None,
        })
    }

    /// The one by which a cause is the whole site's, and for how long it is left alone if it said so
    /// `times` in a row before.
    pub fn rest(&self, cause: &Cause, times: u32) -> Option<(&'static Quirk, Duration)> {
        let Trouble::Reply(reply) = &cause.trouble else { return None };
        self.iter().find_map(|quirk| match &quirk.does {
            Does::Rest(says, wait) if reply.is_transient() && says.is(reply) => {
                Some((quirk, longer(*wait, times)))
            }
            Does::RestThough(says, wait) if says.is(reply) => Some((quirk, longer(*wait, times))),
            _ => None,
        })
    }

    /// Puts off what is only said to be for good.
    pub fn soften(&self, outcomes: &mut [Outcome]) {
        for outcome in outcomes {
            if let Outcome::Failed(cause) = outcome
                && self.rest(cause, 0).is_some()
            {
                *outcome = Outcome::Deferred(cause.clone());
            }
        }
    }

    /// The same for the first of these outcomes that means the site.
    pub fn rest_after<'o>(
        &self,
        outcomes: impl Iterator<Item = &'o Outcome>,
        times: u32,
    ) -> Option<(&'static Quirk, Duration, &'o Cause)> {
        let mut causes = outcomes.filter_map(|outcome| match outcome {
            Outcome::Deferred(cause) => Some(cause),
            Outcome::Relayed(_) | Outcome::Failed(_) => None,
        });
        causes.find_map(|cause| self.rest(cause, times).map(|(quirk, wait)| (quirk, wait, cause)))
    }

    /// The one by which a cause ends no more than the connection.
    pub fn new_connection(&self, cause: &Cause) -> Option<&'static Quirk> {
        let reply = temporary(cause).filter(|_| cause.stage == smtp::Stage::Mail)?;
        self.iter().find(|quirk| matches!(&quirk.does, Does::NewConnection(says) if says.is(reply)))
    }
}

impl Quirk {
    fn is_of(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        self.hosts.is_empty()
            || self.hosts.iter().any(|pattern| match pattern.strip_prefix("*.") {
                Some(suffix) => host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')),
                None => host == *pattern,
            })
    }

    /// What is done, for people.
    pub fn told(&self) -> String {
        match &self.does {
            Does::Connections(most) => format!("at most {most} connections at once"),
            Does::Messages(most) => format!("at most {most} messages over one connection"),
            Does::Rest(says, wait) => {
                format!("the site rests for {}m when it says {}", wait.as_secs() / 60, says.told())
            }
            Does::RestThough(says, wait) => {
                let minutes = wait.as_secs() / 60;
                format!(
                    "mail waits and the site rests for {minutes}m when it says, with 5yz, {}",
                    says.told()
                )
            }
            Does::NewConnection(says) => {
                format!("on with a new connection when MAIL is answered with {}", says.told())
            }
            Does::Always(what) => (*what).to_owned(),
        }
    }
}

impl Says {
    fn is(&self, reply: &Reply) -> bool {
        let status = reply.status.map(|status| (status.subject, status.detail));
        // A mailbox that has too much to do says nothing of the site (RFC 3463 section 3.3), nor does one domain
        // whose mail is not authenticated (RFC 7372; 4.7.30 and the next are Gmail's).
        if let Some((2, _) | (7, 20..=24 | 26 | 27 | 30..=32)) = status {
            return false;
        }
        let by_status = status.is_some_and(|(subject, detail)| {
            let mut ranges = self.statuses.iter();
            ranges.any(|&(of, from, to)| of == subject && (from..=to).contains(&detail))
        });
        let text = reply.text.to_lowercase().replace('\n', " ");
        by_status || self.words.iter().any(|word| text.contains(word))
    }

    fn told(&self) -> String {
        let statuses = self.statuses.iter().map(|(subject, from, to)| match from == to {
            true => format!("4.{subject}.{from}"),
            false => format!("4.{subject}.{from} to 4.{subject}.{to}"),
        });
        let words = self.words.iter().map(|word| format!("\"{word}\""));
        statuses.chain(words).collect::<Vec<_>>().join(", ")
    }
}

fn longer(wait: Duration, times: u32) -> Duration {
    wait.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).min(REST_MAX)
}

fn temporary(cause: &Cause) -> Option<&Reply> {
    match &cause.trouble {
        Trouble::Reply(reply) if reply.is_transient() => Some(reply),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
