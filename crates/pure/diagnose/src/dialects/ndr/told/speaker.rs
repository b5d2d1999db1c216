//! Whose words are quoted.

use crate::testimony::Speaker;

use super::super::text::{self, host_at_start};

/// Words in front of the name of whoever spoke.
const BEFORE: [&str; 20] = [
    "host: ",
    "while talking to ",
    "smtp server <",
    "smtp:rcpt host ",
    "by the server for the recipient domain * by ",
    "connected to ",
    "; host ",
    ": host ",
    "remote host ",
    "remote server (",
    "error transferring to ",
    "remote server ",
    "host ",
    "remote system: dns; ",
    "remote-mta: <",
    "remote-mta: ",
    "mta at ",
    "the server at ",
    "protocol error from ",
    "lmtp server ",
];

/// Words behind the name.
const BEHIND: [&str; 12] = [
    " does not like recipient",
    " did not like our ",
    " does not like sender",
    " failed after i sent the message",
    " failed on data command",
    " rejected your message to",
    " gave this error",
    " said after data",
    " said after rcpt",
    " rejected recipient",
    " #4",
    " #5",
];

/// Words that say that the writer itself, or a part of it, refused.
const OWN: [&str; 25] = [
    "sorry, no mailbox here by that name",
    "no mailbox here by that name",
    "resolver.",
    "unrouteable address",
    "couldn't find any host",
    "couldn't find a mail exchanger",
    "wasn't able to establish an smtp connection",
    "retry timeout exceeded",
    "all hosts have been failing",
    "connect to ",
    "lost connection with ",
    "name service error",
    "host or domain name not found",
    "command died with",
    "mail for * loops back",
    "envelope expired",
    "expired message",
    "connection refused by",
    "tls is required, but",
    "delivery temporarily suspended: connect to",
    "unknown user: \"",
    "(expanded from",
    "dns error",
    "could not deliver for the last",
    "delivery failed * attempts",
];

/// Whose words they are, as far as the words tell; the field `Remote-MTA` comes after that.
pub(in super::super) fn find(words: &str, remote: Option<&str>) -> Speaker {
    let lower = words.to_ascii_lowercase();
    let is_own = OWN.iter().any(|own| crate::class::matches(&lower, own));
    // A reply and nothing in front: a host in it is one that its speaker asked in turn.
    let bare = words.strip_prefix("(reason: ").unwrap_or(words);
    let is_reply = text::code(bare).is_some_and(|(at, _)| at == 0);
    if let Some(remote) = remote.filter(|_| is_reply && !is_own) {
        return Speaker::Remote(remote.to_owned());
    }
    if let Some(host) = named(words, &lower) {
        return Speaker::Remote(host);
    }
    match remote {
        _ if is_own => Speaker::Writer,
        Some(remote) => Speaker::Remote(remote.to_owned()),
        None if lower.contains("remote host said")
            || lower.contains("remote smtp server returned")
            || lower.contains("remote server returned '") =>
        {
            Speaker::RemoteUnnamed
        }
        None => Speaker::Unknown,
    }
}

/// A line above the dialogue, in whatever language: `... while talking to mx.b.test.:`
pub(in super::super) fn above_dialogue(text: &str) -> Option<String> {
    let is_it = |line: &&str| line.starts_with("... ") && line.ends_with(':');
    let line = text.lines().map(str::trim).find(is_it)?;
    host_at_start(line.trim_end_matches([':', '.']).rsplit(' ').next()?)
}

/// `mx.b.test [192.0.2.1]: 550 no`, `[192.0.2.1], 550 no`: the peer in front of its reply.
fn in_front(words: &str) -> Option<String> {
    let host = host_at_start(words)?;
    let start = words.trim_start_matches(['[', '<']);
    let rest = start.strip_prefix(host.as_str())?.trim_start();
    let rest = match rest.strip_prefix(['[', '(']) {
        Some(address) => address.split_once([']', ')'])?.1,
        None => rest.strip_prefix(']')?,
    };
    let rest = rest.strip_prefix([':', ','])?.trim_start();
    let is_reply =
        rest.starts_with(['4', '5']) || rest.starts_with(">>>") || rest.starts_with("<<<");
    is_reply.then_some(host)
}

fn named(words: &str, lower: &str) -> Option<String> {
    if let Some(host) = in_front(words) {
        return Some(host);
    }
    // `host mx[192.0.2.1] said:`, `host mx refused to talk to me`; and Exim's `host mx [192.0.2.1]: 550`.
    let quotes = [
        "] said:",
        " said:",
        "refused to talk to me",
        "]: 4",
        "]: 5",
        "smtp error from remote",
        "]:",
    ];
    if quotes.iter().any(|quote| lower.contains(quote)) || lower.contains("remote host ") {
        for (at, _) in lower.match_indices("host ").take(8) {
            let rest = &words[at + "host ".len()..];
            let is_word = at == 0 || !lower.as_bytes()[at - 1].is_ascii_alphanumeric();
            let tail = rest.get(..rest.len().min(300)).unwrap_or(rest).to_ascii_lowercase();
            if let Some(host) = host_at_start(rest).filter(|_| is_word && tail.contains([':', ' ']))
            {
                return Some(host);
            }
            // A local server by name alone, and an address in brackets: `host localhost[127.0.0.1] said`.
            let short: String =
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            if is_word && !short.is_empty() && rest[short.len()..].starts_with('[') {
                return Some(short);
            }
        }
    }
    let before = BEFORE.iter().filter(|before| !before.contains('*') && **before != "host ");
    for words_before in before {
        if let Some(at) = lower.find(words_before)
            && let Some(host) = host_at_start(&words[at + words_before.len()..])
        {
            return Some(host);
        }
    }
    if let Some(at) = lower.find("by the server for the recipient domain ") {
        let rest = &words[at..];
        if let Some(by) = rest.get(2..).and_then(|rest| rest.find(" by ")) {
            return host_at_start(&rest[2 + by + 4..]);
        }
    }
    BEHIND.iter().find_map(|behind| {
        let at = lower.find(behind)?;
        let mut front = words[..at].trim_end();
        // `mx.b.test [192.0.2.1] did not like our`
        if front.ends_with([']', ')']) {
            front = front.rsplit_once([' ', '\t']).map_or(front, |(front, _)| front);
        }
        let word = front.rsplit([' ', '\t', ':', '\n']).next()?;
        host_at_start(word)
            .filter(|host| host.len() == word.trim_matches(['<', '>', '[', ']', '.']).len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_speaks() {
        for (words, expected) in [
            ("host mx.b.test[192.0.2.1] said: 550 no", "mx.b.test"),
            (
                "SMTP error from remote mail server after RCPT TO:<b@b.test>: host mx.b.test [192.0.2.1]: 550 no",
                "mx.b.test",
            ),
            ("192.0.2.3 does not like recipient. Remote host said: 550 no", "192.0.2.3"),
            ("mx.b.test [192.0.2.1] did not like our RCPT TO: 550 no", "mx.b.test"),
            ("relay.provider.test #503 5.5.1 Error", "relay.provider.test"),
            ("[192.0.2.9], 550 bob@b.test... No such user", "192.0.2.9"),
            ("mx.b.test [192.0.2.9]: >>> RCPT TO:<b@b.test> <<< 550 no", "mx.b.test"),
            ("Remote server (192.0.2.9) issued an error.", "192.0.2.9"),
            ("... while talking to mx.b.test.: >>> RCPT", "mx.b.test"),
            ("Connected to 192.0.2.9 but sender was rejected.", "192.0.2.9"),
            (
                "rejected by the server for the recipient domain b.test by mx.b.test. [192.0.2.1].",
                "mx.b.test",
            ),
        ] {
            assert_eq!(find(words, None), Speaker::Remote(expected.to_owned()), "{words}");
        }
        for words in ["", "(reason: "] {
            let words = format!(
                "{words}450 <b@b.test>: unverified: host in.b.test[192.0.2.1] said: 450 full"
            );
            assert_eq!(find(&words, Some("mx.b.test")), Speaker::Remote("mx.b.test".to_owned()));
        }
        assert_eq!(find("#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found", None), Speaker::Writer);
        assert_eq!(find("550 no", Some("mx.b.test")), Speaker::Remote("mx.b.test".into()));
        assert_eq!(find("it did not work", None), Speaker::Unknown);
    }
}
