//! The transfer agents' own log: part of the course of events, and where double bounces are documented.

use std::fmt::{self, Write};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::ledger::Ledger;

/// Writes events into the ledger.
pub struct Events(pub Ledger);

#[derive(Default)]
struct Fields {
    line: String,
    message: String,
    to: String,
    stage: String,
    cause: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        write!(self.line, " {}={text}", field.name()).expect("a string takes all");
        match field.name() {
            "message" => self.message = text,
            "to" => self.to = text,
            "stage" => self.stage = text,
            "cause" => self.cause = text,
            _ => {}
        }
    }
}

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = ["mta", "spool", "transport", "world", "smtp"];
        *metadata.level() <= Level::INFO
            && metadata.target().split("::").next().is_some_and(|name| ours.contains(&name))
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.note(&format!("{}{}", event.metadata().level(), fields.line));
        let now = self.0.now();
        let mut inner = self.0.lock();
        match fields.message.as_str() {
            "double bounce" => {
                inner.double_bounces.insert(fields.to);
            }
            // The peer may have it all the same.
            "deferred"
                if fields.stage == "end of data" && !fields.cause.starts_with(['4', '5']) =>
            {
                inner.unheard.push((now, fields.to));
            }
            _ => {}
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
