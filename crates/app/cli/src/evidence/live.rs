//! A capture that is still being written: `tcpdump -U -w - port 25 | mailwright analyze -`.
//!
//! Sessions are handed out when they end; those that go on, when they pause or fall silent, for which no
//! further packet is needed: the capture's time goes on with ours. Ctrl-C ends the reading and not the program,
//! so that the summary comes.

use std::{
    io::Read,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use capture::Analysis;

use super::{Input, Item, Opened, Progress, Reading, Sink};
use crate::problem::Problem;

/// How often it is looked at what went on without a packet.
const TICK: Duration = Duration::from_millis(500);
/// After Ctrl-C, which the capturing program hears as well: so long its last octets are waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Pieces that may wait; beyond them the writer has to.
const PIECES: usize = 8;

/// What the reader and the keyboard say.
enum News {
    Octets(Vec<u8>),
    End,
    Failed(std::io::Error),
    Interrupted,
}

/// Reads on until the end, or Ctrl-C. `buffer` has the first `filled` octets.
pub(super) fn capture(
    mut input: Input,
    mut analysis: Analysis,
    mut buffer: Vec<u8>,
    filled: usize,
    reading: &Reading,
    sink: Sink<'_>,
) -> Result<Opened, Problem> {
    let mut progress = Progress::new(&input, reading);
    buffer.truncate(filled);
    let (say, news) = sync_channel(PIECES);
    let from = std::mem::replace(&mut input.from, Box::new(std::io::empty()));
    listen(say.clone());
    thread::spawn(move || read(from, &say));
    let mut octets = buffer.len() as u64;
    analysis.feed(&buffer);
    let (mut fed, mut looked) = (Instant::now(), Instant::now());
    let mut until: Option<Instant> = None;
    loop {
        match next(&news, until) {
            Some(News::Octets(piece)) => {
                octets += piece.len() as u64;
                analysis.feed(&piece);
                fed = Instant::now();
            }
            Some(News::End) => break,
            Some(News::Failed(error)) => {
                return Err(Problem::new(format!("cannot read {}: {error}", input.name)));
            }
            Some(News::Interrupted) if until.is_some() => break,
            Some(News::Interrupted) => until = Some(Instant::now() + LAST_WORDS),
            None if until.is_some_and(|until| until <= Instant::now()) => break,
            None => {}
        }
        progress.show(octets);
        if looked.elapsed() >= TICK {
            go_on(&mut analysis, fed.elapsed(), sink)?;
            (looked, fed) = (Instant::now(), Instant::now());
        }
        for session in analysis.sessions() {
            progress.clear();
            sink(Item::Session(session))?;
        }
    }
    progress.clear();
    input.captured(analysis, octets, sink)
}

/// What comes next; `None` after a while of nothing.
fn next(news: &Receiver<News>, until: Option<Instant>) -> Option<News> {
    let wait = until.map_or(TICK, |until| until.saturating_duration_since(Instant::now()));
    match news.recv_timeout(wait.min(TICK)) {
        Ok(news) => Some(news),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(News::End),
    }
}

/// No packet for `idle`: the capture's own time goes on by as much. It is not set to our clock, since the
/// capture may be an old one that comes through a slow pipe.
fn go_on(analysis: &mut Analysis, idle: Duration, sink: Sink<'_>) -> Result<(), Problem> {
    let at = analysis.progress().at;
    // Before the first packet it has no time.
    if at > 0 {
        let idle = i64::try_from(idle.as_micros()).unwrap_or(i64::MAX);
        analysis.advance(at.saturating_add(idle));
    }
    for session in analysis.going_on() {
        sink(Item::GoingOn(session))?;
    }
    Ok(())
}

/// Hands on what comes, piece by piece, as it comes.
fn read(mut from: Box<dyn Read + Send>, say: &SyncSender<News>) {
    let mut buffer = vec![0; super::LIVE_CHUNK];
    loop {
        let news = match from.read(&mut buffer) {
            Ok(0) => News::End,
            Ok(count) => News::Octets(buffer[..count].to_vec()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => News::Failed(error),
        };
        let is_last = !matches!(news, News::Octets(_));
        // Nobody listens any more after Ctrl-C.
        if say.send(news).is_err() || is_last {
            return;
        }
    }
}

/// Hears Ctrl-C for as long as the process lives. Where that is not to be had it ends the process, as usual.
fn listen(say: SyncSender<News>) {
    thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
            return;
        };
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() && say.send(News::Interrupted).is_ok() {}
        });
    });
}
