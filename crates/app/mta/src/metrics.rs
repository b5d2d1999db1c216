//! Counters for `status`: atomics that the hot path adds to, and a snapshot that can be sent.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

/// A number that many threads change. Relaxed: figures, not synchronization.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// That many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// One fewer: for what is open now. The caller has incremented it before.
    pub fn decrement(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// The number now.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// One list, two structs: what is counted and what is shown cannot differ.
macro_rules! counters {
    ($($(#[$about:meta])+ $name:ident,)+) => {
        /// What is counted while the transfer agent runs. All start at 0.
        #[derive(Debug, Default)]
        pub struct Metrics { $($(#[$about])+ pub $name: Counter,)+ }

        /// [`Metrics`] at one moment. Unknown names are ignored and missing ones are 0 when read, so
        /// that a newer `mailwright status` understands an older server and the other way round.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Snapshot { $($(#[$about])+ pub $name: u64,)+ }

        impl Metrics {
            /// The figures now.
            pub fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.value(),)+ }
            }
        }

        impl Snapshot {
            /// Names and figures, in the order of the struct: for tables and scrapers.
            pub fn figures(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Connections that were taken.
    connections_in,
    /// Connections that were refused before a greeting, by a limit.
    connections_refused,
    /// Incoming sessions that are open now.
    sessions_in_open,
    /// Connections that were made to next hops.
    connections_out,
    /// TLS handshakes of clients that failed.
    tls_failed,
    /// Messages that were kept, DSNs not counted.
    messages_received,
    /// Recipients of those messages.
    recipients_received,
    /// Octets of content of those messages.
    octets_received,
    /// Replies that refused a sender, a recipient or a content.
    refused,
    /// Attempts at next hops.
    attempts,
    /// Recipients that a next hop took over.
    relayed,
    /// Recipients that were delivered into a local mailbox.
    delivered,
    /// Recipients that were deferred, each time counted.
    deferred,
    /// Recipients that failed for good.
    failed,
    /// DSNs that were put into the queue.
    dsn_sent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_shows_what_was_counted() {
        let metrics = Metrics::default();
        metrics.messages_received.increment();
        metrics.octets_received.add(1_024);
        metrics.sessions_in_open.increment();
        metrics.sessions_in_open.decrement();
        let snapshot = metrics.snapshot();
        assert_eq!((snapshot.messages_received, snapshot.octets_received), (1, 1_024));
        assert_eq!(snapshot.sessions_in_open, 0);
        assert_eq!(snapshot.figures().filter(|figure| figure.1 > 0).count(), 2);
    }

    #[test]
    fn snapshots_of_other_versions_are_read() {
        let read: Snapshot =
            serde_json::from_str(r#"{"relayed": 7, "of_tomorrow": 1}"#).expect("read");
        assert_eq!(read, Snapshot { relayed: 7, ..Snapshot::default() });
    }
}
