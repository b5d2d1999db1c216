//! What Postfix's words for a failed delivery mean: at which step, whose words, which reply.

use smtp::{Reply, Stage};

use super::super::peer;
use crate::{dialects::quoted, happening::What, session::Endpoint, testimony::Speaker};

/// What the words come to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Trouble {
    /// What happened to the connection.
    pub what: What,
    /// The step.
    pub stage: Option<Stage>,
    /// Whether the words name it.
    pub is_told: bool,
    /// Whose words they quote.
    pub speaker: Speaker,
    /// The reply that they quote.
    pub reply: Option<Reply>,
    /// The other end.
    pub peer: Endpoint,
}

/// Reads the words in `status=deferred (words)`, or the same words on a line of their own.
pub(super) fn read(words: &str) -> Option<Trouble> {
    let words = words.strip_prefix("delivery temporarily suspended: ").unwrap_or(words);
    of_the_host(words)
        .or_else(|| of_the_connection(words))
        .or_else(|| of_tls(words))
        .or_else(|| of_routing(words))
}

/// `host a[192.0.2.1] said: 550 no (in reply to RCPT TO command)` and its kin.
fn of_the_host(words: &str) -> Option<Trouble> {
    if let Some((_, server)) = words.split_once("SASL authentication failed; server ") {
        let (peer, rest) = peer::bracketed(server)?;
        let reply = rest.strip_prefix(" said: ").and_then(quoted::reply);
        return Some(said(What::AuthenticationFailed, peer, reply, Some(Stage::Auth), true));
    }
    if words.starts_with("SASL authentication failed") {
        let peer = words.split_once("server ").and_then(|(_, host)| peer::bracketed(host));
        let peer = peer.map(|(peer, _)| peer).unwrap_or_default();
        return Some(seen(What::AuthenticationFailed, peer, Some(Stage::Auth)));
    }
    let (peer, rest) = peer::bracketed(words.strip_prefix("host ")?)?;
    if let Some(reply) = rest.strip_prefix(" refused to talk to me: ") {
        // Said of the greeting and of EHLO and HELO alike; the greeting is the usual one.
        let reply = quoted::reply(reply);
        return Some(said(What::Refused, peer, reply, Some(Stage::Greeting), false));
    }
    let rest = rest.strip_prefix(" said: ")?;
    let (reply, stage) = match rest.rfind(" (in reply to ") {
        Some(at) => (&rest[..at], quoted::stage(&rest[at + " (in reply to ".len()..])),
        None => (rest, None),
    };
    Some(said(What::Refused, peer, quoted::reply(reply), stage, stage.is_some()))
}

/// `lost connection with a[192.0.2.1] while sending RCPT TO` and its kin.
fn of_the_connection(words: &str) -> Option<Trouble> {
    if let Some(rest) = words.strip_prefix("lost connection with ") {
        return Some(seen_while(What::Broken, rest));
    }
    if let Some(rest) = words.strip_prefix("conversation with ") {
        return Some(seen_while(What::TimedOut, rest));
    }
    let (peer, _) = peer::bracketed(words.strip_prefix("connect to ")?)?;
    Some(seen(What::NotConnected, peer, Some(Stage::Connect)))
}

fn seen_while(what: What, rest: &str) -> Trouble {
    let peer = peer::bracketed(rest).map(|(peer, _)| peer).unwrap_or_default();
    let stage = rest.split_once(" while ").and_then(|(_, doing)| while_doing(doing));
    seen(what, peer, stage)
}

/// `receiving the initial server greeting`, `performing the EHLO handshake`, `sending MAIL FROM`.
fn while_doing(doing: &str) -> Option<Stage> {
    let doing = doing.strip_prefix("receiving ").unwrap_or(doing);
    let doing = doing.strip_prefix("performing ").unwrap_or(doing);
    quoted::stage(doing)
}

fn of_tls(words: &str) -> Option<Trouble> {
    // `TLS is required, but was not offered by host a[192.0.2.1]` is the EHLO reply's fault; the others are
    // the handshake's.
    let stage = if words.starts_with("TLS is required") {
        Stage::StartTls
    } else if words.starts_with("Cannot start TLS")
        || words.starts_with("Server certificate")
        || words.starts_with("SSL_connect error")
        || words.starts_with("certificate verification failed")
        || words.contains("TLS handshake")
    {
        Stage::Tls
    } else {
        return None;
    };
    let host = ["host ", "to ", "for "].iter().find_map(|word| {
        let (_, host) = words.split_once(word)?;
        peer::bracketed(host)
    });
    Some(seen(What::TlsFailed, host.map(|(peer, _)| peer).unwrap_or_default(), Some(stage)))
}

fn of_routing(words: &str) -> Option<Trouble> {
    const WORDS: [&str; 10] = [
        "Host or domain name not found",
        "Name service error",
        "Host not found",
        "unable to look up host",
        "does not accept mail",
        "loops back to myself",
        "Host found but no data record",
        "no MX host for",
        "has no valid mail server",
        "unable to find primary relay",
    ];
    let found = WORDS.iter().any(|known| words.contains(known));
    found.then(|| seen(What::NotConnected, Endpoint::default(), Some(Stage::Routing)))
}

fn said(
    what: What,
    peer: Endpoint,
    reply: Option<Reply>,
    stage: Option<Stage>,
    is_told: bool,
) -> Trouble {
    let address = peer.address.map(|address| address.ip().to_string());
    let name = peer.name.clone().or(address);
    let speaker = name.map_or(Speaker::RemoteUnnamed, Speaker::Remote);
    Trouble { what, stage, is_told, speaker, reply, peer }
}

fn seen(what: What, peer: Endpoint, stage: Option<Stage>) -> Trouble {
    Trouble { what, stage, is_told: stage.is_some(), speaker: Speaker::Writer, reply: None, peer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_they_mean() {
        for (words, what, stage, code) in [
            (
                "host mx.b.test[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)",
                What::Refused,
                Some(Stage::Rcpt),
                Some(550),
            ),
            (
                "host mx.b.test[192.0.2.1] said: 554 5.7.1 bad (in reply to end of DATA command)",
                What::Refused,
                Some(Stage::EndOfData),
                Some(554),
            ),
            (
                "host mx.b.test[192.0.2.1] refused to talk to me: 421 4.7.0 busy",
                What::Refused,
                Some(Stage::Greeting),
                Some(421),
            ),
            (
                "lost connection with mx.b.test[192.0.2.1] while sending end of data -- message may be sent more than once",
                What::Broken,
                Some(Stage::EndOfData),
                None,
            ),
            (
                "conversation with mx.b.test[192.0.2.1] timed out while receiving the initial server greeting",
                What::TimedOut,
                Some(Stage::Greeting),
                None,
            ),
            (
                "delivery temporarily suspended: lost connection with mx.b.test[192.0.2.1] while performing the EHLO handshake",
                What::Broken,
                Some(Stage::Ehlo),
                None,
            ),
            (
                "connect to mx.b.test[192.0.2.1]:25: Connection refused",
                What::NotConnected,
                Some(Stage::Connect),
                None,
            ),
            (
                "Host or domain name not found. Name service error for name=b.test type=MX: Host not found",
                What::NotConnected,
                Some(Stage::Routing),
                None,
            ),
            (
                "TLS is required, but was not offered by host mx.b.test[192.0.2.1]",
                What::TlsFailed,
                Some(Stage::StartTls),
                None,
            ),
            ("Cannot start TLS: handshake failure", What::TlsFailed, Some(Stage::Tls), None),
            (
                "SASL authentication failed; server mx.b.test[192.0.2.1] said: 535 5.7.8 no",
                What::AuthenticationFailed,
                Some(Stage::Auth),
                Some(535),
            ),
        ] {
            let trouble = read(words).unwrap();
            let said = trouble.reply.map(|reply| reply.code);
            assert_eq!((trouble.what, trouble.stage, said), (what, stage, code), "{words}");
        }
        assert_eq!(read("user unknown"), None);
    }
}
