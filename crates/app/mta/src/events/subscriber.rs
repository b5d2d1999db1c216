//! From an event to a line.

use std::{
    cell::RefCell,
    io,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use tracing::{
    Event, Level, Metadata, Subscriber, level_filters::LevelFilter, span, subscriber::Interest,
};

use super::{
    clock::Clock,
    json, text,
    writer::{Sink, Writer},
};

/// The subscriber. Spans are ignored: see the module's rules.
pub struct Events {
    writer: Writer,
    text: bool,
    colour: bool,
    level: AtomicU8,
}

/// What a thread reuses from event to event.
#[derive(Default)]
struct Scratch {
    line: Vec<u8>,
    clock: Clock,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Crates whose events are heard at the level that was asked for.
const OURS: [&str; 10] = [
    "mta",
    "mailwright",
    "spool",
    "transport",
    "policy",
    "world",
    "smtp",
    "message",
    "diagnose",
    "console",
];

impl Events {
    /// Starts the thread that writes lines to `sink`.
    pub fn new(sink: Sink, text: bool, colour: bool, level: Level) -> io::Result<Self> {
        let writer = Writer::start(sink, if text { lost_as_text } else { lost_as_json })?;
        Ok(Self { writer, text, colour, level: AtomicU8::new(rank(level)) })
    }

    /// Changes the level for events of our own crates.
    pub fn set_level(&self, level: Level) {
        self.level.store(rank(level), Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    /// Writes out what waits.
    pub fn flush(&self) {
        self.writer.flush();
    }

    fn write_line(&self, event: &Event<'_>, scratch: &mut Scratch) {
        let Scratch { line, clock } = scratch;
        line.clear();
        let metadata = event.metadata();
        if self.text {
            clock.write_now(line, true);
            line.extend_from_slice(level_word(*metadata.level(), self.colour).as_bytes());
            event.record(&mut text::Fields { out: line, colour: self.colour });
            line.push(b'\n');
            return;
        }
        line.extend_from_slice(b"{\"time\":\"");
        clock.write_now(line, false);
        line.extend_from_slice(b"\",\"level\":\"");
        line.extend_from_slice(metadata.level().as_str().as_bytes());
        line.extend_from_slice(b"\",\"target\":\"");
        line.extend_from_slice(metadata.target().as_bytes());
        line.push(b'"');
        event.record(&mut json::Fields { out: line });
        line.extend_from_slice(b"}\n");
    }
}

impl Subscriber for Events {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // The answer is kept by the call site, so an event that is off costs one load.
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let first = metadata.target().split("::").next().unwrap_or_default();
        let threshold = self.level.load(Relaxed);
        let threshold =
            if OURS.contains(&first) { threshold } else { threshold.min(rank(Level::WARN)) };
        metadata.is_event() && rank(*metadata.level()) <= threshold
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.level.load(Relaxed) {
            0 => LevelFilter::ERROR,
            1 => LevelFilter::WARN,
            2 => LevelFilter::INFO,
            3 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut scratch) => {
                self.write_line(event, &mut scratch);
                self.writer.put(&scratch.line, level);
            }
            // A field's Display wrote an event of its own.
            Err(_) => {
                let mut scratch = Scratch::default();
                self.write_line(event, &mut scratch);
                self.writer.put(&scratch.line, level);
            }
        });
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn lost_as_text(lost: u64) -> String {
    format!("             WARN  events lost, as nobody took them count={lost}\n")
}

fn lost_as_json(lost: u64) -> String {
    format!(
        "{{\"level\":\"WARN\",\"message\":\"events lost, as nobody took them\",\"count\":{lost}}}\n"
    )
}

fn rank(level: Level) -> u8 {
    match level {
        Level::ERROR => 0,
        Level::WARN => 1,
        Level::INFO => 2,
        Level::DEBUG => 3,
        Level::TRACE => 4,
    }
}

fn level_word(level: Level, colour: bool) -> &'static str {
    match (level, colour) {
        (Level::ERROR, false) => " ERROR",
        (Level::WARN, false) => " WARN ",
        (Level::INFO, false) => " INFO ",
        (Level::DEBUG, false) => " DEBUG",
        (Level::TRACE, false) => " TRACE",
        (Level::ERROR, true) => " \x1b[1;31mERROR\x1b[0m",
        (Level::WARN, true) => " \x1b[33mWARN \x1b[0m",
        (Level::INFO, true) => " \x1b[32mINFO \x1b[0m",
        (Level::DEBUG, true) => " \x1b[36mDEBUG\x1b[0m",
        (Level::TRACE, true) => " \x1b[2mTRACE\x1b[0m",
    }
}
