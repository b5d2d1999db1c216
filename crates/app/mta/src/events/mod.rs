//! Structured events: one line for each step of a message, for people or for programs.
//!
//! Rules for those who write events:
//! - The message is constant words; what varies is fields, named by the glossary: `id` (queue id),
//!   `client`, `next_hop`, `forward_path`, `reply`, `rule`, `error`.
//! - An event carries all of its fields itself. Spans are not recorded, as they cost on the hot path.
//! - **Secrets never**: no password, no SASL response, no private key, no content, in no field, at no
//!   level. What may be shown of a dialogue is in the transcript, where secrets are struck out; log
//!   lines of it, never of the wire. A user's name and an address may be logged.
//!
//! An event is formatted into a buffer of its thread, then copied into the one that a thread writes
//! out every 100 ms, or at once after a warning or an error. If the buffer is full, because standard
//! error does not take it, events are lost and the number is said later: logging never stops mail.
//! A panic writes out everything before the process goes on.
//!
//! Lines for people: `03:12:07.123 INFO  relayed id=00A7KQ next_hop=mx1.b.test reply="250 ok"`.
//! For programs: one JSON object a line with `time` (RFC 3339, UTC), `level`, `message`, `target`
//! and the fields. Octets of a peer are escaped in both, so nobody forges a line or moves the cursor.

mod clock;
mod json;
mod subscriber;
mod text;
mod writer;

use std::{io::IsTerminal, sync::Arc};

pub use tracing::Level;

pub use self::subscriber::Events;
pub use self::writer::Sink;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `Text` on a terminal (in colour, unless `NO_COLOR` is set), else `Json`.
    #[default]
    Auto,
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Events cannot be installed.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// A process has one subscriber for its life.
    #[error("events are installed already")]
    Installed,
    /// No thread.
    #[error("cannot start the thread that writes events: {0}")]
    Thread(std::io::Error),
}

/// Keeps the events flowing; writes out the rest when dropped. Hold it until the process ends.
#[must_use = "the last events are written when this is dropped"]
pub struct Guard {
    events: Arc<Events>,
}

impl Guard {
    /// Changes the level while running (a reload).
    pub fn set_level(&self, level: Level) {
        self.events.set_level(level);
    }

    /// Writes out what waits, now.
    pub fn flush(&self) {
        self.events.flush();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.events.flush();
    }
}

/// Sends the events of this process to standard error from now on. Our own crates are heard from
/// `level` on, libraries from WARN on.
pub fn install(format: Format, level: Level) -> Result<Guard, EventsError> {
    let terminal = std::io::stderr().is_terminal();
    let text = match format {
        Format::Auto => terminal,
        Format::Text => true,
        Format::Json => false,
    };
    let colour = text && terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let events = Events::new(Sink::StandardError, text, colour, level);
    let events = Arc::new(events.map_err(EventsError::Thread)?);
    let installed = tracing::subscriber::set_global_default(Arc::clone(&events));
    installed.map_err(|_| EventsError::Installed)?;
    flush_on_panic(&events);
    Ok(Guard { events })
}

fn flush_on_panic(events: &Arc<Events>) {
    let (events, before) = (Arc::clone(events), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        events.flush();
        before(panic);
    }));
}

#[cfg(test)]
mod tests;
