//! What would have been captured on the wire, written as a pcap file while a scenario plays.
//!
//! The lab knows octets and times, not packets, so segments, numbers and acknowledgments are made up as an
//! undisturbed network would have them. Where a scenario plays a loss of packets, they are repeated without
//! an acknowledgment, with TCP's back-off, as a capture on the sender's side would have shown it.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use capture::build::{ACK, Conversation, FIN, File, Link};
use smtp::Party;
use tokio::time::Instant;

/// How often a lost segment is repeated in the recording.
const REPEATS: u32 = 6;
/// The first wait before a lost segment is repeated, in nanoseconds; each later one is twice as long.
const FIRST_REPEAT: i64 = 1_000_000_000;

/// A capture file that grows while connections are recorded.
#[derive(Clone)]
pub struct Recording(Arc<Mutex<Written>>);

struct Written {
    file: File,
    to: Box<dyn Write + Send>,
    /// Nanoseconds since 1970 at `began`.
    origin: i64,
    began: Instant,
}

/// One connection's part in it.
pub struct Recorder {
    recording: Recording,
    conversation: Conversation,
    /// Packets of one side get lost: nothing answers them any more.
    is_lossy: bool,
}

impl Recording {
    /// Writes to `to`; `now` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// What `to` says.
    pub fn new(to: Box<dyn Write + Send>, now: u64) -> io::Result<Self> {
        let origin = i64::try_from(now).unwrap_or(0).saturating_mul(1_000_000);
        let mut written =
            Written { file: File::pcap(Link::Ethernet), to, origin, began: Instant::now() };
        written.flush()?;
        Ok(Self(Arc::new(Mutex::new(written))))
    }

    /// A connection that was just made.
    pub fn connection(&self, client: SocketAddr, server: SocketAddr) -> Recorder {
        let now = self.lock().now();
        let mut conversation = Conversation::new(client, server, now);
        conversation.open();
        let mut recorder = Recorder { recording: self.clone(), conversation, is_lossy: false };
        recorder.write();
        recorder
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Written> {
        // Each write is whole: a panic elsewhere leaves nothing half done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn now(&self) -> i64 {
        let since = i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.origin.saturating_add(since)
    }

    fn flush(&mut self) -> io::Result<()> {
        let octets = self.file.take();
        self.to.write_all(&octets)?;
        self.to.flush()
    }
}

impl Recorder {
    /// This side said something, and it arrived.
    pub fn said(&mut self, by: Party, octets: &[u8]) {
        if !octets.is_empty() {
            self.at_now();
            self.conversation.say(by, octets);
            self.write();
        }
    }

    /// This side said something, and it was lost on the way, again and again.
    pub fn lost(&mut self, by: Party, octets: &[u8]) {
        self.is_lossy = true;
        self.at_now();
        let first = self.conversation.segments.len();
        self.conversation.send(by, octets);
        let Some(segment) = self.conversation.segments.get(first).cloned() else { return };
        let mut wait = FIRST_REPEAT;
        let mut at = segment.at;
        for _ in 0..REPEATS {
            at = at.saturating_add(wait);
            wait = wait.saturating_mul(2);
            let mut again = segment.clone();
            again.at = at;
            self.conversation.segments.push(again);
        }
        self.write();
    }

    /// This side closed in order.
    pub fn closed(&mut self, by: Party) {
        self.at_now();
        if self.is_lossy {
            let segment = self.conversation.segment(by, FIN | ACK);
            self.conversation.add(by, segment);
        } else {
            self.conversation.close(by);
        }
        self.write();
    }

    /// This side's packets broke it off.
    pub fn reset(&mut self, by: Party) {
        self.at_now();
        self.conversation.reset(by);
        self.write();
    }

    fn at_now(&mut self) {
        self.conversation.now = self.conversation.now.max(self.recording.lock().now());
    }

    fn write(&mut self) {
        let mut written = self.recording.lock();
        written.file.segments(&self.conversation.segments);
        self.conversation.segments.clear();
        if let Err(error) = written.flush() {
            tracing::warn!(%error, "the recording cannot be written");
        }
    }
}
