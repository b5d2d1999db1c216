//! Asking the next hop whether a recipient exists, by RCPT and without any content ("call-forward").
//!
//! Only a clear no (`550 5.1.1` and its like) makes a recipient unknown. Whatever else comes is nothing
//! known, and never a reason to lose mail.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use smtp::{Address, Reply, Timestamp};
use tokio::time::timeout;

use crate::{recent::Recent, settings::AskNextHop};

/// Recipients in a generation.
const RECIPIENTS: usize = 20_000;

/// Who can ask a next hop.
#[async_trait]
pub trait NextHop: Send + Sync {
    /// What the next hop says to RCPT with this forward-path, after MAIL with the null reverse-path.
    ///
    /// # Errors
    /// Why it could not be asked.
    async fn ask(&self, forward_path: &Address) -> Result<Reply, String>;
}

/// What is known of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exists {
    /// The next hop would take it.
    Yes(String),
    /// There is none of that name.
    No(String),
    /// Nothing is known.
    Unknown(String),
}

/// What was asked before.
pub struct Asked(Mutex<Recent<Box<str>, (Exists, Timestamp)>>);

impl Default for Asked {
    fn default() -> Self {
        Self(Mutex::new(Recent::new(RECIPIENTS)))
    }
}

impl Asked {
    /// From memory, or from the next hop within the patience.
    pub async fn exists(
        &self,
        forward_path: &Address,
        next_hop: &dyn NextHop,
        settings: &AskNextHop,
        now: Timestamp,
    ) -> Exists {
        let key: Box<str> = forward_path.as_str().to_lowercase().into();
        if let Some((known, until)) = self.lock().get(&key)
            && *until > now
        {
            return known.clone();
        }
        let exists = match timeout(settings.patience, next_hop.ask(forward_path)).await {
            Ok(Ok(reply)) => read(&reply),
            Ok(Err(why)) => Exists::Unknown(why),
            Err(_) => Exists::Unknown("no answer in time".to_owned()),
        };
        let keep = match exists {
            Exists::Yes(_) => settings.keep_yes,
            Exists::No(_) => settings.keep_no,
            // So that a dead next hop is not asked for each recipient.
            Exists::Unknown(_) => Duration::from_secs(60),
        };
        self.lock().insert(key, (exists.clone(), now.after(keep)));
        exists
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Recent<Box<str>, (Exists, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a reply to RCPT tells. A refusal for another reason, be it of us or for policy, says nothing of
/// the mailbox.
fn read(reply: &Reply) -> Exists {
    let said = reply.to_string();
    let mailbox = match reply.status {
        Some(status) => (status.subject, status.detail),
        // Without a status `550` to RCPT is "no such mailbox" (RFC 5321 section 4.2.3); `553` too.
        None if matches!(reply.code, 550 | 551 | 553) => (1, 1),
        None => (0, 0),
    };
    match (reply.code / 100, mailbox) {
        (2, _) => Exists::Yes(said),
        (5, (1, 0 | 1 | 2 | 3 | 6 | 10)) | (5, (2, 1)) => Exists::No(said),
        _ => Exists::Unknown(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_no_is_a_no() {
        for (code, status, no) in [
            (550, Some((5, 1, 1)), true),
            (550, None, true),
            (550, Some((5, 7, 1)), false), // it does not want us
            (554, None, false),
            (450, Some((4, 1, 1)), false),
            (550, Some((5, 2, 2)), false), // the mailbox is full: it is there
            (530, Some((5, 7, 0)), false),
            (503, Some((5, 5, 1)), false),
        ] {
            let reply = match status {
                Some(status) => Reply::new(code, status, "x"),
                None => Reply::bare(code, "x"),
            };
            assert_eq!(matches!(read(&reply), Exists::No(_)), no, "{reply}");
        }
        assert!(matches!(read(&Reply::recipient_ok()), Exists::Yes(_)));
    }
}
