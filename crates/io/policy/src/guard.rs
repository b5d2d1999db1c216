//! Guessing passwords is slowed, then locked, without locking anybody out by it.
//!
//! | subject                  | what counts                                    | when it is full                      |
//! |--------------------------|------------------------------------------------|--------------------------------------|
//! | a user at a known client | his failures there                             | he is locked there, nobody else      |
//! | a client                 | failures as users not known there; the more names, the more each | the client is locked, longer each time |
//! | a network                | the same, of all its clients                   | likewise                             |
//! | a user for strangers     | the same, from everywhere                      | he is locked for clients that never were him |
//!
//! A client is *known* for a user who has signed in from it not long ago. Nothing that strangers do has
//! any effect there: not the user's lock, not the client's, not the network's. The same wrong password
//! from one client counts once, so that a telephone that nobody told of the new one locks nobody. Names
//! that don't exist count and are locked as those that do: the guard can't be asked which is which.
//!
//! Some mechanisms tell only at their end who it is: until then the limits of client and network hold, and
//! then the user's as well ([`Try::named`]).
//!
//! What is not looked at counts nothing. A try that is under way is held against the limit, or a thousand
//! at once would all come in before the first of them has failed.
//!
//! A restart forgives nothing: what is counted, who is locked and who is known where is kept.

mod book;
mod keep;
mod marks;

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use smtp::Timestamp;
use tokio::time::Instant;

pub use self::{
    book::{Book, Change, Lock, Shown, Subject},
    keep::directory,
};
use crate::{journal::News, settings::Logins};

/// All that is remembered of failed and of good logins. Cheap to clone.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    held: AtomicU32,
    place: Option<keep::Place>,
    wake: Arc<tokio::sync::Notify>,
}

struct State {
    book: Book,
    news: News,
}

/// A login that is being looked at. Dropped without a word it counts nothing: nobody could tell whether
/// it was right.
#[must_use = "say how it ended"]
pub struct Try {
    guard: Guard,
    client: IpAddr,
    user: Box<str>,
    /// It is under way with these.
    entered: Vec<Subject>,
    began: Instant,
}

/// What a failure costs the client.
pub struct Failed {
    /// How long after it began the reply goes out: whatever the back ends took is hidden in it.
    pub delay: Duration,
    began: Instant,
    /// Whose limit it filled, if any: worth an event.
    pub locked: Option<Lock>,
    /// Counted among those who wait. None: too many do, and the reply goes out at once.
    held: Option<Held>,
}

/// One of the sessions that wait for their refusal.
struct Held(Guard);

impl Guard {
    /// May this login be looked at? `user` is empty as long as nobody knows who it is.
    ///
    /// # Errors
    /// Who is locked, and until when.
    pub fn attempt(
        &self,
        settings: &Logins,
        client: IpAddr,
        user: &str,
        now: Timestamp,
    ) -> Result<Try, Lock> {
        let user = book::name(user);
        let entered = self.book(|book| book.enter(settings, client, &user, now))?;
        Ok(Try { guard: self.clone(), client, user, entered, began: Instant::now() })
    }

    /// Everybody of whom something is remembered, those locked the longest first.
    pub fn list(&self, now: Timestamp) -> Vec<Shown> {
        self.book(|book| book.list(now))
    }

    /// Forgets what was counted against an address, a network as it is listed, or a user; all if it is
    /// empty. How many subjects that were.
    pub fn unlock(&self, text: &str) -> usize {
        self.book(|book| book.unlock(text))
    }

    fn book<T>(&self, work: impl FnOnce(&mut Book) -> T) -> T {
        self.state(|state| {
            let worked = work(&mut state.book);
            let changes = state.book.changes();
            if self.0.place.is_some() && !changes.is_empty() {
                changes.iter().for_each(|change| state.news.add(change));
                self.0.wake.notify_one();
            }
            worked
        })
    }

    fn state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn hold(&self, most: u32) -> Option<Held> {
        let more = |held: u32| (held < most).then_some(held + 1);
        self.0.held.fetch_update(Relaxed, Relaxed, more).ok().map(|_| Held(self.clone()))
    }
}

impl State {
    fn new(book: Book) -> Self {
        Self { book, news: News::default() }
    }
}

impl Try {
    /// Now it is known who it is, or says it is: what he did counts, and if he is locked that holds.
    ///
    /// # Errors
    /// Who is locked, and until when.
    pub fn named(self, settings: &Logins, user: &str, now: Timestamp) -> Result<Self, Lock> {
        let (guard, client, began) = (self.guard.clone(), self.client, self.began);
        // It must not stand in its own way where few may be under way.
        drop(self);
        let mut named = guard.attempt(settings, client, user, now)?;
        named.began = began;
        Ok(named)
    }

    /// Whether nobody knows yet who it is.
    pub fn is_nameless(&self) -> bool {
        self.user.is_empty()
    }

    /// It was wrong. The password, where the mechanism shows one, tells a new guess from the old one
    /// again.
    pub fn failed(self, settings: &Logins, password: Option<&[u8]>, now: Timestamp) -> Failed {
        let (delay, locked) =
            self.guard.book(|book| book.failed(settings, self.client, &self.user, password, now));
        let held = self.guard.hold(settings.held_max);
        Failed { delay, locked, held, began: self.began }
    }

    /// It was he.
    pub fn succeeded(self, settings: &Logins, now: Timestamp) {
        self.guard.book(|book| book.succeeded(settings, self.client, &self.user, now));
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        self.guard.book(|book| book.leave(&self.entered));
    }
}

impl Failed {
    /// Waits as long as this failure is worth, or not at all where too many wait already.
    pub async fn wait(self) {
        if self.held.is_some() {
            tokio::time::sleep_until(self.began + self.delay).await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.held.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
