//! The oracle's reading of a capture, as JSON: what it holds for clean, and its dialogue as a session.

use std::time::Duration;

use diagnose::session::{Ending, Event, Kind, Line, Party, Place, Session, Source};
use serde_json::Value;

/// Its sessions.
pub fn sessions(oracle: &Value) -> Vec<Value> {
    oracle["sessions"].as_array().cloned().unwrap_or_default()
}

/// Nothing out of sequence, nothing refused, nothing flagged but pipelining.
pub fn is_clean(session: &Value) -> bool {
    let is_empty = |key: &str| session[key].as_array().is_none_or(Vec::is_empty);
    let flags = session["flags"].as_array().cloned().unwrap_or_default();
    let refused =
        session["codes"].as_array().into_iter().flatten().any(|code| code.as_u64() >= Some(400));
    is_empty("sequence_violations")
        && is_empty("errors")
        && flags.iter().all(|flag| flag == "pipelining")
        && !refused
        && session["tcp"]["one_sided"] != Value::Bool(true)
}

/// Whether both are of the same connection.
pub fn is_same(oracle: &Value, session: &Session) -> bool {
    let is = |key: &str, endpoint: &diagnose::session::Endpoint| {
        endpoint.address.is_some_and(|address| oracle[key] == address.to_string().as_str())
    };
    is("client", &session.client) && is("server", &session.server)
}

/// The dialogue: commands and replies in the order of their frames.
pub fn session(oracle: &Value) -> Session {
    let mut session = Session { source: Source::Capture, ..Session::default() };
    push(&mut session, 0, Party::Client, Kind::Event(Event::Connected), "");
    reply(&mut session, &oracle["banner"]);
    for exchange in oracle["exchange"].as_array().into_iter().flatten() {
        let frame = exchange["frame"].as_u64().unwrap_or(0);
        let command = exchange["cmd"].as_str().unwrap_or_default();
        push(&mut session, frame, Party::Client, Kind::Command(Ending::Crlf), command);
        reply(&mut session, &exchange["reply"]);
        for step in exchange["auth_steps"].as_array().into_iter().flatten() {
            let frame = step["frame"].as_u64().unwrap_or(0);
            push(&mut session, frame, Party::Client, Kind::SaslResponse, "****");
            reply(&mut session, &step["reply"]);
        }
        if let Some(body) = exchange["body"].as_object() {
            let number = |key: &str| body.get(key).and_then(Value::as_u64);
            let finished = body.get("terminated") != Some(&Value::Bool(false));
            let kind = Kind::Content { octets: number("bytes").unwrap_or(0), finished };
            push(&mut session, number("last_frame").unwrap_or(frame), Party::Client, kind, "");
            reply(&mut session, &exchange["body"]["reply"]);
        }
    }
    for unasked in oracle["unsolicited_replies"].as_array().into_iter().flatten() {
        reply(&mut session, unasked);
    }
    // The oracle groups a reply with its command; on the wire a pipelined command comes first.
    session.lines.sort_by_key(|line| line.place.first);
    session
}

fn reply(session: &mut Session, reply: &Value) {
    let (Some(code), Some(texts)) = (reply["code"].as_u64(), reply["text"].as_array()) else {
        return;
    };
    let frame = reply["frame"].as_u64().unwrap_or(0);
    for (index, text) in texts.iter().enumerate() {
        let mark = if index + 1 == texts.len() { ' ' } else { '-' };
        let line = format!("{code}{mark}{}", text.as_str().unwrap_or_default());
        push(session, frame, Party::Server, Kind::Reply(Ending::Crlf), &line);
    }
}

fn push(session: &mut Session, frame: u64, by: Party, kind: Kind, text: &str) {
    let (at, place) = (Duration::from_millis(frame), Place::at(frame));
    session.lines.push(Line { at, by, kind, text: text.as_bytes().to_vec(), place });
}
