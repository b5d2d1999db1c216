//! What Exim's words for a failed delivery mean: at which step, whose words, which reply.

use smtp::{Reply, Stage};

use super::super::peer;
use crate::{dialects::quoted, happening::What, session::Endpoint};

/// What the words come to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Trouble {
    /// What happened to the connection.
    pub what: What,
    /// The step, and whether the words name it.
    pub stage: Option<(Stage, bool)>,
    /// The other server's reply.
    pub reply: Option<Reply>,
    /// The other end, if the words name it.
    pub peer: Endpoint,
}

/// Reads the words behind the colon.
pub(super) fn read(words: &str) -> Option<Trouble> {
    let words = words.strip_prefix("retry timeout exceeded: ").unwrap_or(words);
    of_the_dialogue(words)
        .or_else(|| of_tls_and_authentication(words))
        .or_else(|| of_the_connection(words))
        .or_else(|| of_routing(words))
}

/// `SMTP error from remote mail server after RCPT TO:<a@b>: host mx [192.0.2.1]: 550 no`,
/// `SMTP timeout after end of data`, `Remote host closed connection in response to EHLO a`.
fn of_the_dialogue(words: &str) -> Option<Trouble> {
    const FORMS: [(&str, What); 12] = [
        ("PRDR error after ", What::Refused),
        ("MTP error from remote mail server after ", What::Refused),
        ("MTP error from remote mailer after ", What::Refused),
        ("MTP error after ", What::Refused),
        ("MTP timeout after ", What::TimedOut),
        ("MTP timeout while connected to ", What::TimedOut),
        ("losed connection in response to ", What::Broken),
        ("losed connection after ", What::Broken),
        ("losed connection while ", What::Broken),
        ("in response to ", What::Violation),
        ("unexpected disconnection while reading response to ", What::Broken),
        ("MTP error from remote server for ", What::Refused),
    ];
    let (what, step) = FORMS
        .into_iter()
        .find_map(|(form, what)| words.split_once(form).map(|(_, step)| (what, step)))?;
    let step = step.strip_prefix("TEXT command: ").unwrap_or(step);
    // `while connected to mx [192.0.2.1] after RCPT TO:<a@b>`
    let step = step.split_once("] after ").map_or(step, |(_, step)| step);
    let stage = quoted::stage(step).map(|stage| (stage, true));
    let reply = if what == What::Refused { reply_behind(step) } else { None };
    Some(Trouble { what, stage, reply, peer: host(words) })
}

/// The reply behind the first colon that has one.
fn reply_behind(step: &str) -> Option<Reply> {
    step.match_indices(": ").find_map(|(at, _)| quoted::reply(&step[at + 2..]))
}

/// `host mx [192.0.2.1]`, `H=mx [192.0.2.1]`.
fn host(words: &str) -> Endpoint {
    let at = words.find("host ").or_else(|| words.find("H="));
    at.and_then(|at| peer::within(&words[at..])).map(|(peer, _)| peer).unwrap_or_default()
}

fn of_tls_and_authentication(words: &str) -> Option<Trouble> {
    let (what, stage) = if words.contains("the server did not offer TLS")
        || words.contains("STARTTLS command")
    {
        (What::TlsFailed, Stage::StartTls)
    } else if words.contains("TLS error")
        || words.contains("TLS session")
        || words.contains("TLS negotiation failed")
        || words.contains("DANE error")
        || words.contains("DANE attempt failed")
        || words.contains("certificate verification failed")
    {
        (What::TlsFailed, Stage::Tls)
    } else if words.contains("authenticator failed") || words.contains("authentication required") {
        (What::AuthenticationFailed, Stage::Auth)
    } else {
        return None;
    };
    let reply = (what == What::AuthenticationFailed).then(|| reply_behind(words)).flatten();
    Some(Trouble { what, stage: Some((stage, true)), reply, peer: host(words) })
}

fn of_the_connection(words: &str) -> Option<Trouble> {
    const WORDS: [&str; 10] = [
        "Connection refused",
        "Connection timed out",
        "No route to host",
        "Network is unreachable",
        "Network unreachable",
        "Host is unreachable",
        "Operation timed out",
        "Address family not supported",
        "Cannot assign requested address",
        "connection timed out",
    ];
    let said = words.trim_start_matches(": ");
    let found = WORDS.iter().any(|known| said.starts_with(known));
    found.then(|| Trouble {
        what: What::NotConnected,
        stage: Some((Stage::Connect, true)),
        peer: host(words),
        ..Trouble::default()
    })
}

fn of_routing(words: &str) -> Option<Trouble> {
    const WORDS: [&str; 19] = [
        "Unrouteable address",
        "Unrouteable mail domain",
        "unrouteable",
        "host lookup did not complete",
        "lookup of host",
        "all relevant MX records",
        "MX record",
        "MX or SRV record",
        "all hosts for",
        "no IP address found for host",
        "DNS lookup failed",
        "host all-ignored",
        "Mail for ",
        "cannot be resolved",
        "remote host address is the local host",
        "an undefined mail domain",
        "router",
        "Too many \"Received\" headers",
        "not currently routeable",
    ];
    WORDS.iter().any(|known| words.contains(known)).then(|| Trouble {
        what: What::NotConnected,
        stage: Some((Stage::Routing, true)),
        ..Trouble::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_they_mean() {
        for (words, what, stage, code) in [
            (
                "SMTP error from remote mail server after RCPT TO:<a@b.test>: 550-no\\n550 such user",
                What::Refused,
                Some(Stage::Rcpt),
                Some(550),
            ),
            (
                "SMTP error from remote mailer after RCPT TO:<a@b.test>: host mx.b.test [192.0.2.1]: 450 later",
                What::Refused,
                Some(Stage::Rcpt),
                Some(450),
            ),
            (
                "SMTP error from remote mail server after pipelined MAIL FROM:<a@b.test> SIZE=1: 452 later",
                What::Refused,
                Some(Stage::Mail),
                Some(452),
            ),
            (
                "LMTP error after end of data: 550 no",
                What::Refused,
                Some(Stage::EndOfData),
                Some(550),
            ),
            (
                "Connection timed out H=mx [192.0.2.1]: SMTP timeout after sending data block (9 bytes written)",
                What::TimedOut,
                Some(Stage::Content),
                None,
            ),
            (
                "Remote host closed connection in response to EHLO a.test",
                What::Broken,
                Some(Stage::Ehlo),
                None,
            ),
            (
                "Malformed SMTP reply (an empty line) in response to DATA",
                What::Violation,
                Some(Stage::Data),
                None,
            ),
            ("Connection refused", What::NotConnected, Some(Stage::Connect), None),
            (
                "a TLS session is required, but the server did not offer TLS support",
                What::TlsFailed,
                Some(Stage::StartTls),
                None,
            ),
            (
                "a TLS session is required, but an attempt to start TLS failed",
                What::TlsFailed,
                Some(Stage::Tls),
                None,
            ),
            ("Unrouteable address", What::NotConnected, Some(Stage::Routing), None),
        ] {
            let trouble = read(words).unwrap();
            let stage_read = trouble.stage.map(|(stage, _)| stage);
            let code_read = trouble.reply.map(|reply| reply.code);
            assert_eq!((trouble.what, stage_read, code_read), (what, stage, code), "{words}");
        }
        assert_eq!(read("SMTP delivery explicitly queued"), None);
    }
}
