//! The buffer that lines go through, and the thread that empties it.

use std::{
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tracing::Level;

/// Where lines go.
pub enum Sink {
    /// The process's standard error.
    StandardError,
    /// Anything else.
    Other(Box<dyn Write + Send>),
}

impl Sink {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::StandardError => io::stderr().lock().write_all(octets),
            Self::Other(writer) => writer.write_all(octets),
        }
    }
}

/// A line waits no longer than this.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// Octets that may wait; more are lost and counted.
const WAITING_MAX: usize = 4 << 20;
/// The thread is woken early when this many octets wait.
const WAKE_AT: usize = 256 << 10;

pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    sink: Mutex<SinkAndSpare>,
    stopped: AtomicBool,
    /// How to say that events were lost.
    lost_line: fn(u64) -> String,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    lost: u64,
    urgent: bool,
}

struct SinkAndSpare {
    sink: Sink,
    spare: Vec<u8>,
}

impl Writer {
    pub(super) fn start(sink: Sink, lost_line: fn(u64) -> String) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            sink: Mutex::new(SinkAndSpare { sink, spare: Vec::new() }),
            stopped: AtomicBool::new(false),
            lost_line,
        });
        let worker = Arc::clone(&shared);
        let work = move || {
            while !worker.stopped.load(Relaxed) {
                worker.wait();
                worker.flush();
            }
        };
        let thread = thread::Builder::new().name("events".to_owned()).spawn(work)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Takes a line. Never waits for the sink.
    pub(super) fn put(&self, line: &[u8], level: Level) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let before = waiting.lines.len();
        if before + line.len() > WAITING_MAX {
            waiting.lost += 1;
            return;
        }
        waiting.lines.extend_from_slice(line);
        // One wake is enough: the thread takes all that waits.
        let urgent = level <= Level::WARN && !std::mem::replace(&mut waiting.urgent, true);
        let much = before < WAKE_AT && waiting.lines.len() >= WAKE_AT;
        if level > Level::WARN && !much {
            return;
        }
        drop(waiting);
        if urgent || much {
            self.shared.wake.notify_one();
        }
    }

    pub(super) fn flush(&self) {
        self.shared.flush();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Relaxed);
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, was shown by the panic hook.
            let _ = thread.join();
        }
        self.shared.flush();
    }
}

impl Shared {
    fn wait(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.urgent && waiting.lines.len() < WAKE_AT {
            drop(self.wake.wait_timeout(waiting, FLUSH_EVERY));
        }
    }

    fn flush(&self) {
        let mut out = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.urgent = false;
        let spare = std::mem::take(&mut out.spare);
        let mut lines = std::mem::replace(&mut waiting.lines, spare);
        let lost = std::mem::take(&mut waiting.lost);
        drop(waiting);
        if lost > 0 {
            lines.extend_from_slice((self.lost_line)(lost).as_bytes());
        }
        if !lines.is_empty() {
            // When nobody reads the events any more, there is nobody to tell.
            let _ = out.sink.write(&lines);
        }
        lines.clear();
        out.spare = lines;
    }
}
