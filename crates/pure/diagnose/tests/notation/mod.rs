//! Sessions written down by hand, for tests and golden pages.
//!
//! `C: ` and `S: ` lines are commands and replies, 20 ms apart; `****` is a SASL response, `*` one that breaks the login off, `.` the end of
//! content. What can't be written as a line stands in angle brackets: `C: <content 1234>`,
//! `C: <content 1234 cut off>`, `C: <blob 400 of 1904>`, `S: <encrypted 300>`, `C: <gap 40>`. A line ends
//! with `{LF}`, `{CR}` or `{cut}` if it does not end with CRLF. Everything else is a `-- ` line: `+20s`,
//! `C closed`, `S reset`, `connected`, `not connected: refused`, `C tls hello`, `tls established`,
//! `S tls alert: bad certificate`, `certificate: SUBJECT; ISSUER`, `source: capture`, `vantage: wire`,
//! `client: 192.0.2.1:40000`, `server: 192.0.2.25:25`, `wire: server.ttl=57 client.mss=1460`; what is none of
//! these is a remark.
#![allow(dead_code, reason = "not every test that includes this uses all of it")]

use std::time::Duration;

use diagnose::session::{
    Ending, Event, Kind, Line, Party, Place, Session, Side, Source, TlsSeen, Vantage, Wire,
};

/// Reads one; blank lines are left out.
pub fn session(text: &str) -> Session {
    let mut session = Session::default();
    let mut at = Duration::ZERO;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        at += Duration::from_millis(20);
        let (mark, rest) = line.split_at(line.len().min(3));
        match mark {
            "C: " | "C:" => push(&mut session, at, Party::Client, rest),
            "S: " | "S:" => push(&mut session, at, Party::Server, rest),
            _ => at += note(&mut session, at, line.trim_start_matches(['-', ':', ' '])),
        }
    }
    session
}

fn push(session: &mut Session, at: Duration, by: Party, text: &str) {
    let (text, ending) = match text {
        text if text.ends_with("{LF}") => (&text[..text.len() - 4], Ending::Lf),
        text if text.ends_with("{CR}") => (&text[..text.len() - 4], Ending::Cr),
        text if text.ends_with("{cut}") => (&text[..text.len() - 5], Ending::Missing),
        text => (text, Ending::Crlf),
    };
    let inner = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let numbers: Vec<u64> =
        inner.unwrap_or_default().split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let number = |index: usize| numbers.get(index).copied().unwrap_or(0);
    let word = inner.and_then(|inner| inner.split_whitespace().next()).unwrap_or_default();
    let kind = match (word, by) {
        ("content", _) => Kind::Content { octets: number(0), finished: !text.contains("cut off") },
        ("blob", _) => Kind::Blob { octets: number(0), announced: number(1) },
        ("encrypted", _) => Kind::Encrypted { octets: number(0) },
        ("gap", _) => Kind::Gap { octets: number(0) },
        (_, Party::Server) => Kind::Reply(ending),
        _ if text == "****" || text == "*" => Kind::SaslResponse,
        _ if text == "." => Kind::Content { octets: 0, finished: true },
        _ => Kind::Command(ending),
    };
    add(session, at, by, kind, text);
}

fn add(session: &mut Session, at: Duration, by: Party, kind: Kind, text: &str) {
    let place = Place::at(session.lines.len() as u64 + 1);
    session.lines.push(Line { at, by, kind, text: text.as_bytes().to_vec(), place });
}

/// Carries out a `-- ` line; gives the time that passes.
fn note(session: &mut Session, at: Duration, text: &str) -> Duration {
    if let Some(seconds) = text.strip_prefix('+').and_then(|rest| rest.strip_suffix('s')) {
        return Duration::from_secs_f64(seconds.parse().expect("seconds"));
    }
    let (word, rest) = text.split_once(": ").unwrap_or((text, ""));
    match word {
        "source" => session.source = source(rest),
        "vantage" => {
            session.vantage = match rest {
                "client" => Vantage::Client,
                "server" => Vantage::Server,
                _ => Vantage::Wire,
            }
        }
        "client" => session.client.address = rest.parse().ok(),
        "server" => session.server.address = rest.parse().ok(),
        "wire" => wire(session, rest),
        "icmp" => {
            let wire = session.wire.get_or_insert_with(Wire::default);
            wire.icmp.push((Place::at(0), rest.to_owned()));
        }
        "certificate" => {
            let (subject, issuer) = rest.split_once("; ").expect("subject; issuer");
            let tls = session.tls.get_or_insert_with(TlsSeen::default);
            tls.certificates.push((subject.to_owned(), issuer.to_owned()));
        }
        _ => event(session, at, word, rest),
    }
    Duration::ZERO
}

fn event(session: &mut Session, at: Duration, word: &str, rest: &str) {
    let (by, what) = match word.split_once(' ') {
        Some(("C", what)) => (Party::Client, what),
        Some(("S", what)) => (Party::Server, what),
        _ => (Party::Note, word),
    };
    let event = match what {
        "connected" => Event::Connected,
        "not connected" => Event::NotConnected,
        "closed" => Event::Closed,
        "reset" => Event::Reset,
        "tls hello" => Event::TlsHello,
        "tls established" => Event::TlsEstablished,
        "tls alert" => {
            let tls = session.tls.get_or_insert_with(TlsSeen::default);
            tls.alerts.push((by, rest.to_owned()));
            Event::TlsAlert
        }
        "evidence ends" => Event::EvidenceEnds,
        _ => Event::Remark,
    };
    let text = if event == Event::Remark { word } else { rest };
    add(session, at, by, Kind::Event(event), text);
}

fn source(name: &str) -> Source {
    match name.split_once(' ') {
        Some(("log", dialect)) => Source::Log(dialect.to_owned()),
        _ if name == "capture" => Source::Capture,
        _ if name == "own" => Source::Own,
        _ => Source::Pasted,
    }
}

fn wire(session: &mut Session, facts: &str) {
    let wire = session.wire.get_or_insert_with(|| Wire {
        handshake_seen: true,
        client: Side { packets: 10, ..Side::default() },
        server: Side { packets: 10, ..Side::default() },
        ..Wire::default()
    });
    for fact in facts.split_whitespace() {
        let (name, value) = fact.split_once('=').expect("name=value");
        let (side, field) = match name.split_once('.') {
            Some(("client", field)) => (&mut wire.client, field),
            Some(("server", field)) => (&mut wire.server, field),
            _ => {
                assert_eq!(name, "handshake_seen");
                wire.handshake_seen = value == "yes";
                continue;
            }
        };
        let number: u64 = value.parse().unwrap_or(u64::from(value == "yes"));
        set(side, field, number);
    }
}

fn set(side: &mut Side, field: &str, number: u64) {
    let small = u32::try_from(number).expect("fits");
    match field {
        "packets" => side.packets = number,
        "octets" => side.octets = number,
        "retransmissions" => side.retransmissions = small,
        "retransmitted_min" => {
            side.retransmitted_lengths =
                Some((small, side.retransmitted_lengths.map_or(small, |l| l.1)));
        }
        "retransmitted_max" => {
            side.retransmitted_lengths =
                Some((side.retransmitted_lengths.map_or(small, |l| l.0), small));
        }
        "passed_length_max" => side.passed_length_max = small,
        "unacknowledged" => side.unacknowledged = number,
        "unseen_but_acknowledged" => side.unseen_but_acknowledged = number,
        "zero_windows" => side.zero_windows = small,
        "zero_window_seconds" => side.zero_window_max = Duration::from_secs(number),
        "mss" => side.mss = Some(small as u16),
        "ttl" => side.ttl = Some(small as u8),
        "ttl_of_reset" => side.ttl_of_reset = Some(small as u8),
        "spoke_after_reset" => side.spoke_after_reset = number == 1,
        "contradictions" => side.contradictions = small,
        "dont_fragment" => side.dont_fragment = number == 1,
        _ => panic!("no such field: {field}"),
    }
}
