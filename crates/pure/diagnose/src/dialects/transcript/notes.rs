//! What tools say of the connection around a dialogue.

use std::time::Duration;

use smtp::Party;

use super::scribe::Scribe;
use crate::session::{Endpoint, Event};

/// Writes a note down: a beginning, an event or a remark. Gives the event.
pub(super) fn write(scribe: &mut Scribe, at: Duration, note: &str, number: u64) -> Event {
    let found = event(note);
    // `== mx.a.test`, `... while talking to mx.a.test.:`: another server's part begins.
    let alone = note.trim_end_matches([':', '.']);
    if is_name(alone) {
        scribe.begins(Endpoint { address: None, name: Some(alone.to_owned()) });
    }
    let failed = matches!(found, Some((_, Event::NotConnected)));
    let begins = is_beginning(note);
    if begins {
        scribe.begins(server(note));
    }
    let (by, event) = found.filter(|_| !begins || failed).unwrap_or((Party::Note, Event::Remark));
    scribe.happened(by, event, at, note.as_bytes(), number);
    if event == Event::Connected {
        scribe.server(server(note));
    }
    event
}

/// A note's meaning: who did what; `None` for a mere remark.
pub(super) fn event(note: &str) -> Option<(Party, Event)> {
    const NOTES: [(&str, Party, Event); 35] = [
        // Tools and shells of every kind; the first that stands in the note decides.
        ("tls startup failed", Party::Note, Event::TlsFailed),
        ("starttls attempted but failed", Party::Note, Event::Remark),
        ("ssl_connect error", Party::Note, Event::TlsFailed),
        ("handshake failure", Party::Note, Event::TlsFailed),
        ("handshake failed", Party::Note, Event::TlsFailed),
        ("certificate verification failed", Party::Note, Event::TlsFailed),
        ("verify error", Party::Note, Event::Remark),
        ("tls started", Party::Client, Event::TlsEstablished),
        ("tls established", Party::Client, Event::TlsEstablished),
        ("ssl connection using", Party::Client, Event::TlsEstablished),
        ("new, tlsv", Party::Client, Event::TlsEstablished),
        ("new, sslv", Party::Client, Event::TlsEstablished),
        ("connected to ", Party::Client, Event::Connected),
        ("connected(", Party::Client, Event::Connected),
        ("connection established", Party::Client, Event::Connected),
        ("error connecting", Party::Client, Event::NotConnected),
        ("unable to connect", Party::Client, Event::NotConnected),
        ("could not open connection", Party::Client, Event::NotConnected),
        ("could not connect", Party::Client, Event::NotConnected),
        ("connection refused", Party::Client, Event::NotConnected),
        ("failed to connect", Party::Client, Event::NotConnected),
        ("connect failed", Party::Client, Event::NotConnected),
        ("connect:errno", Party::Client, Event::NotConnected),
        ("no route to host", Party::Client, Event::NotConnected),
        ("connection timed out", Party::Client, Event::NotConnected),
        ("closed connection unexpectedly", Party::Server, Event::Closed),
        ("closed by foreign host", Party::Server, Event::Closed),
        ("connection to host lost", Party::Server, Event::Closed),
        ("connection closed by remote", Party::Server, Event::Closed),
        ("connection closed by peer", Party::Server, Event::Closed),
        ("connection reset by peer", Party::Server, Event::Reset),
        ("connection closed with ", Party::Client, Event::Closed),
        ("dropping connection", Party::Client, Event::Closed),
        ("closing connection", Party::Client, Event::Closed),
        ("read:errno=", Party::Server, Event::Closed),
    ];
    let lower = note.to_ascii_lowercase();
    NOTES.iter().find(|(words, ..)| lower.contains(words)).map(|&(_, by, event)| (by, event))
}

/// Whether a note announces a connection.
pub(super) fn is_beginning(note: &str) -> bool {
    const BEGINNINGS: [&str; 9] = [
        "trying ",
        "connecting to ",
        "opening connection to ",
        "connect: ",
        "telnet ",
        "openssl s_client",
        "about to connect",
        "nc ",
        "ncat ",
    ];
    let lower = note.trim_start().to_ascii_lowercase();
    // A shell's prompt may stand before the command.
    let command = lower.rsplit(['$', '#', '>']).next().unwrap_or_default().trim_start();
    BEGINNINGS.iter().any(|words| command.starts_with(words))
}

/// The server that a note names: `Trying 192.0.2.1:25...`, `Connected to mx.a.test.`,
/// `Opening connection to 192.0.2.1 on port 25`, `connect: ('mx.a.test', 25)`,
/// `Connected to mx.a.test (192.0.2.1) port 25 (#0)`, `telnet mx.a.test 25`.
pub(super) fn server(note: &str) -> Endpoint {
    let mut endpoint = Endpoint::default();
    let Some(at) = [
        "rying ",
        "onnected to ",
        "onnection to ",
        "onnecting to ",
        "onnect: ",
        "telnet ",
        "-connect ",
    ]
    .iter()
    .find_map(|words| note.find(words).map(|at| at + words.len())) else {
        return endpoint;
    };
    let rest = &note[at..];
    // swaks under test talks to a child process.
    if rest.starts_with("pipe to") || rest.contains("%TEST_SERVER%") {
        return endpoint;
    }
    let mut port = None;
    let words = rest.split([' ', ',', '(', ')', '\'', '"']).filter(|word| !word.is_empty());
    for word in words.take(8) {
        let word = word.trim_end_matches("...").trim_end_matches(['.', '#', ';']);
        if let Ok(address) = word.parse() {
            endpoint.address = Some(address);
        } else if let Some(address) = address(word) {
            endpoint.address = Some(address);
        } else if let Ok(number) = word.parse::<u16>() {
            port = port.or(Some(number));
        } else if let Some((name, number)) = word.rsplit_once(':')
            && let Ok(number) = number.parse::<u16>()
            && is_name(name)
        {
            (endpoint.name, port) = (Some(name.to_owned()), Some(number));
        } else if endpoint.name.is_none() && is_name(word) {
            endpoint.name = Some(word.to_owned());
        }
    }
    if let (Some(address), Some(port)) = (&mut endpoint.address, port)
        && address.port() == 0
    {
        address.set_port(port);
    }
    endpoint
}

/// An address without a port.
fn address(word: &str) -> Option<std::net::SocketAddr> {
    let ip: std::net::IpAddr = word.trim_matches(['[', ']']).parse().ok()?;
    Some((ip, 0).into())
}

fn is_name(word: &str) -> bool {
    let letters = word.bytes().any(|octet| octet.is_ascii_alphabetic());
    let plain =
        word.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-'));
    letters && plain && (word.contains('.') || word == "localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        for (note, address, name) in [
            ("Trying 192.0.2.1:25...", Some("192.0.2.1:25"), None),
            ("Trying 192.0.2.1...", Some("192.0.2.1:0"), None),
            ("Connected to mx.a.test.", None, Some("mx.a.test")),
            ("Opening connection to 192.0.2.1 on port 25", Some("192.0.2.1:25"), None),
            ("connect: ('mx.a.test', 25)", None, Some("mx.a.test")),
            (
                "* Connected to mx.a.test (192.0.2.1) port 587 (#0)",
                Some("192.0.2.1:587"),
                Some("mx.a.test"),
            ),
            ("Trying localhost:8125...", None, Some("localhost")),
            ("$ telnet mx.a.test 25", None, Some("mx.a.test")),
        ] {
            let endpoint = server(note);
            let found = endpoint.address.map(|address| address.to_string());
            assert_eq!((found.as_deref(), endpoint.name.as_deref()), (address, name), "{note}");
        }
    }
}
