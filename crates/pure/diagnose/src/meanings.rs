//! The one table of what replies mean: reply codes by stage, and enhanced statuses.
//!
//! Serves DSNs, `why`, `explain`, the console and the reference pages. Statuses: RFC 3463 and the
//! registry of RFC 5248, all of it. Codes: RFC 5321 section 4.2 and the extensions that add some. In
//! our own words; `check` says what whoever reads it can look at.

mod codes;
mod statuses;

use smtp::{EnhancedStatus, Reply, Stage};

pub use codes::CODES;
pub use statuses::STATUSES;

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What the row is about.
    pub key: Key,
    /// A few words to call it by.
    pub name: &'static str,
    /// One or two sentences: what whoever says it wants to say.
    pub means: &'static str,
    /// What to look at, what to do.
    pub check: &'static str,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `x.SUBJECT.DETAIL`, whatever the class: that tells only whether it is for good.
    Status(u16, u16),
    /// A reply code at one step.
    At(u16, Stage),
    /// A reply code wherever it comes.
    Code(u16),
    /// The first digit of a code or a status.
    Class(u8),
}

/// The first digit tells what to do, whatever else is not understood (RFC 5321 section 4.3.2).
pub const CLASSES: [Meaning; 4] = [
    row(Key::Class(2), "done", "The command was carried out.", "Nothing to do."),
    row(Key::Class(3), "go on", "The server waits for the rest.", "Send what it asks for."),
    row(
        Key::Class(4),
        "not now",
        "The server cannot do it at the moment; the same may work later.",
        "Wait: it is tried again by itself. If it stays so for hours, ask who runs that server.",
    ),
    row(
        Key::Class(5),
        "no",
        "The server will not do it, and repeating the same would not help.",
        "Read the server's words: they tell what has to change before another attempt.",
    ),
];

const fn row(key: Key, name: &'static str, means: &'static str, check: &'static str) -> Meaning {
    Meaning { key, name, means, check }
}

/// The row of a status: exact, else by its subject, else by its class.
pub fn of_status(status: EnhancedStatus) -> &'static Meaning {
    // The rows tell of trouble: a good `2.6.0` has none, whatever the subject is. One speaks of success.
    if status.class == 2 && (status.subject, status.detail) != (1, 5) {
        return of_class(2);
    }
    let exact = find(&STATUSES, Key::Status(status.subject, status.detail));
    let by_subject =
        || find(&STATUSES, Key::Status(status.subject, 0)).filter(|_| status.subject > 0);
    exact
        .filter(|meaning| meaning.key != Key::Status(0, 0))
        .or_else(by_subject)
        .unwrap_or_else(|| of_class(status.class))
}

/// The row of a code at a step: exact, else wherever it comes, else by its first digit.
pub fn of_code(code: u16, stage: Stage) -> &'static Meaning {
    find(&CODES, Key::At(code, stage))
        .or_else(|| find(&CODES, Key::Code(code)))
        .unwrap_or_else(|| of_class(u8::try_from(code / 100).unwrap_or(5)))
}

/// The row that tells most about a reply: the status if it is a precise one, else the code.
pub fn of_reply(reply: &Reply, stage: Stage) -> &'static Meaning {
    match reply.status {
        _ if reply.code < 400 => of_code(reply.code, stage),
        Some(status) if status.subject != 0 && is_registered(status) => of_status(status),
        Some(status)
            if status.subject != 0 && find(&CODES, Key::At(reply.code, stage)).is_none() =>
        {
            of_status(status)
        }
        _ => of_code(reply.code, stage),
    }
}

/// Whether the registry has a row for its subject and detail.
pub fn is_registered(status: EnhancedStatus) -> bool {
    find(&STATUSES, Key::Status(status.subject, status.detail)).is_some()
}

fn of_class(class: u8) -> &'static Meaning {
    // What is no class at all is treated as a refusal.
    find(&CLASSES, Key::Class(class)).unwrap_or(&CLASSES[3])
}

fn find(rows: &'static [Meaning], key: Key) -> Option<&'static Meaning> {
    rows.iter().find(|row| row.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_once_and_every_row_says_something() {
        let mut keys: Vec<Key> =
            STATUSES.iter().chain(&CODES).chain(&CLASSES).map(|row| row.key).collect();
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
        for row in STATUSES.iter().chain(&CODES).chain(&CLASSES) {
            assert!(row.means.ends_with('.') && row.check.ends_with('.'), "{:?}", row.key);
            assert!(!row.name.is_empty() && !row.name.ends_with('.'), "{:?}", row.key);
        }
    }

    #[test]
    fn the_registry_is_complete() {
        // The highest detail of each subject in the IANA registry (RFC 5248).
        for (subject, last) in [(0, 0), (1, 10), (2, 4), (3, 6), (4, 7), (5, 6), (6, 10), (7, 30)] {
            for detail in 0..=last {
                assert!(
                    is_registered(EnhancedStatus::new(5, subject, detail)),
                    "x.{subject}.{detail}"
                );
            }
            assert!(!is_registered(EnhancedStatus::new(5, subject, last + 1)));
        }
    }

    #[test]
    fn look_up() {
        for (reply, stage, key) in [
            (Reply::new(550, (5, 1, 1), ""), Stage::Rcpt, Key::Status(1, 1)),
            (Reply::new(550, (5, 1, 99), ""), Stage::Mail, Key::At(550, Stage::Mail)), // not registered
            (Reply::new(599, (5, 1, 99), ""), Stage::Mail, Key::Status(1, 0)),
            (Reply::new(550, (5, 0, 0), ""), Stage::Rcpt, Key::At(550, Stage::Rcpt)),
            (Reply::bare(503, ""), Stage::Rcpt, Key::At(503, Stage::Rcpt)),
            (Reply::bare(503, ""), Stage::Other, Key::Code(503)),
            (Reply::bare(499, ""), Stage::Data, Key::Class(4)),
        ] {
            assert_eq!(of_reply(&reply, stage).key, key, "{reply} at {stage}");
        }
        assert_eq!(of_status(EnhancedStatus::new(4, 99, 1)).key, Key::Class(4));
        // No trouble with the media: it was queued.
        assert_eq!(of_status(EnhancedStatus::new(2, 6, 0)).key, Key::Class(2));
        assert_eq!(of_status(EnhancedStatus::new(2, 1, 5)).key, Key::Status(1, 5));
        let queued = Reply::new(250, (2, 6, 0), "queued");
        assert_eq!(of_reply(&queued, Stage::Other).key, of_code(250, Stage::Other).key);
        assert_eq!(of_status(EnhancedStatus::new(5, 0, 0)).key, Key::Class(5));
    }
}
