//! Message tracking of Exchange 2000 and 2003: tabs, and event numbers.

use smtp::Stage;

use super::column;
use crate::{
    dialects::log::{Record, date, line::Line, peer},
    happening::What,
    session::Endpoint,
    testimony::{Fate, Speaker},
};

/// Reads a record; `None` if it is none. Times are `2006-5-15 14:1:31 GMT`, without leading zeros.
pub(super) fn read(
    text: &str,
    number: u64,
    columns: &[String],
    give: &mut dyn FnMut(Record),
) -> Option<()> {
    let fields: Vec<String> = text.split('\t').map(|field| field.trim().to_owned()).collect();
    let value = |name: &str| match column(&fields, columns, name) {
        "-" => "",
        value => value,
    };
    let event: u32 = value("event-id").parse().ok()?;
    let at = date::iso(&padded(value("date"), value("time"))).map(|(at, _)| at);
    let line = &Line { at, host: "", program: "", process: 0, text, number };
    let some = |name: &str| Some(value(name)).filter(|value| !value.is_empty()).map(str::to_owned);
    let fate = match event {
        // Delivered locally; taken over by the other server.
        1023 | 1028 | 1031 => Fate::Delivered,
        // A report of non-delivery was made; categorizer and store driver gave up.
        1008 | 1027 | 1030 | 1037 => Fate::Failed,
        // Queued for a retry.
        1018 | 1026 => Fate::Deferred,
        1019 => {
            let mut happening = line.happening("exchange-2003", What::Received);
            happening.message = some("msgid");
            happening.writer = some("server-hostname");
            happening.peer = Endpoint {
                address: peer::address(value("client-ip"), 0),
                name: some("client-hostname"),
            };
            happening.words = "message submitted".to_owned();
            give(Record::Happening(happening));
            return Some(());
        }
        _ => return Some(()),
    };
    let mut testimony = line.testimony("exchange-2003");
    testimony.fate = fate;
    testimony.writer = some("server-hostname");
    testimony.message = some("msgid");
    testimony.recipient = some("recipient-address");
    testimony.reverse_path = some("sender-address");
    testimony.words = format!("event {event}");
    let partner = some("partner-name");
    testimony.speaker = match (event, partner) {
        (1031, Some(name)) => {
            testimony.peer.name = Some(name.clone());
            Speaker::Remote(name)
        }
        (1031, None) => Speaker::RemoteUnnamed,
        _ => Speaker::Writer,
    };
    testimony.stage = match event {
        1031 => Some(Stage::EndOfData),
        1023 | 1028 => Some(Stage::Mailbox),
        _ => None,
    };
    give(Record::Testimony(testimony));
    Some(())
}

/// `2006-5-15` and `14:1:31 GMT` with the zeros that ISO 8601 wants.
fn padded(date: &str, time: &str) -> String {
    let pad = |part: &str| format!("{part:0>2}");
    let date: Vec<String> = date.split(['-', '/']).map(pad).collect();
    let time = time.split(' ').next().unwrap_or_default();
    let time: Vec<String> = time.split(':').map(pad).collect();
    format!("{} {}", date.join("-"), time.join(":"))
}
