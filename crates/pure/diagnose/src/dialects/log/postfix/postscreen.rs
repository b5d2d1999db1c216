//! postscreen, which meets clients before `smtpd` does.

use smtp::Stage;

use super::reception::{of_client, rejected};
use crate::{
    dialects::{
        log::{Record, line::Line, peer},
        quoted,
    },
    happening::What,
    session::Endpoint,
};

/// Reads a line.
pub(super) fn read(line: &Line<'_>, text: &str, give: impl FnMut(Record)) -> bool {
    if let Some(rest) = text.strip_prefix("reject: ") {
        return rejected(line, "postscreen", None, rest, give);
    }
    // The tests that a client failed, and how far it had come.
    const TESTS: [(&str, What); 11] = [
        ("PREGREET ", What::Violation),
        ("HANGUP ", What::Broken),
        ("COMMAND TIME LIMIT ", What::TimedOut),
        ("COMMAND COUNT LIMIT ", What::Violation),
        ("COMMAND LENGTH LIMIT ", What::Violation),
        ("COMMAND PIPELINING ", What::Violation),
        ("NON-SMTP COMMAND ", What::Violation),
        ("BARE NEWLINE ", What::Violation),
        ("DNSBL ", What::Warning),
        ("CONNECT ", What::Connected),
        ("DISCONNECT ", What::Disconnected),
    ];
    for (begins, what) in TESTS {
        let Some(rest) = text.strip_prefix(begins) else { continue };
        return of_client(line, what, stage(begins, rest), client(rest), text, give);
    }
    const PASSED: [&str; 6] =
        ["PASS ", "WHITELIST", "ALLOWLIST", "BLACKLIST", "DENYLIST", "cache "];
    PASSED.iter().any(|begins| text.starts_with(begins)) || super::warning(line, None, text, give)
}

fn stage(test: &str, rest: &str) -> Option<Stage> {
    match test {
        // It spoke before the greeting was out.
        "PREGREET " | "CONNECT " | "DNSBL " => Some(Stage::Greeting),
        "DISCONNECT " => None,
        "HANGUP " if rest.contains("before SMTP handshake") => Some(Stage::Greeting),
        "HANGUP " => Some(Stage::Other),
        _ => rest.rsplit_once(" after ").and_then(|(_, step)| quoted::stage(step)),
    }
}

/// The first address in brackets.
fn client(words: &str) -> Endpoint {
    let found = words.find('[').and_then(|at| peer::bracketed(&words[at..]));
    found.map(|(peer, _)| peer).unwrap_or_default()
}
