//! A reply quotes a command that the client did not send (the *quote rule*): proof, from one side alone, that
//! it was changed on the way.

use smtp::Stage;

use super::{About, FOUND_MAX, Observed};
use crate::{
    dialogue::Exchange,
    finding::{Confidence, Finding, Party, Weight},
    quote::{clean, quote},
    session::{Kind, Vantage},
};

/// Fewer X may be a word.
const X_MIN: usize = 4;
/// So many client lines before the refused one are compared as well: a server that answers out of step may
/// quote one of those.
const NEAR: usize = 12;

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    // What the server's own record shows as sent is what reached it.
    if observed.vantage() == Vantage::Server {
        return;
    }
    let refused = observed.dialogue.exchanges.iter().filter(|exchange| {
        matches!(exchange.code, 421 | 500..=504 | 554 | 555) && exchange.is_sure
    });
    for exchange in refused {
        if found.len() >= FOUND_MAX {
            return;
        }
        let Some(finding) = altered(observed, exchange) else { continue };
        // The masked banner has told it; this proves it.
        match found.iter_mut().find(|other| other.rule == "pix-fixup") {
            Some(other) if other.line == finding.line => {
                other.confidence = Confidence::Certain;
                other.why =
                    format!("{} The server's reply proves it: {}.", other.why, finding.what);
            }
            _ => found.push(finding),
        }
    }
}

fn altered(observed: &Observed<'_>, exchange: &Exchange) -> Option<Finding> {
    let dialogue = observed.dialogue;
    let command = exchange.command?;
    // What is no text, servers quote as they can.
    if !dialogue.octets(command).iter().all(|octet| matches!(octet, b' '..=b'~')) {
        return None;
    }
    let text = dialogue.reply(exchange).text;
    let (quoted, is_masked) = match (masked(&text), quoted(&text)) {
        (Some(word), Some(whole)) if whole.contains(word) => (whole, true),
        (Some(word), _) => (word, true),
        (None, whole) => (whole?, false),
    };
    let near = &dialogue.session.lines[command.saturating_sub(NEAR * 2)..exchange.first];
    let is_sent = near
        .iter()
        .filter(|line| matches!(line.kind, Kind::Command(_) | Kind::SaslResponse))
        .any(|line| is_same(&line.text, quoted));
    if is_sent {
        return None;
    }
    let sent = quote(dialogue.octets(command));
    let same_length = sent.len() == quoted.len();
    let kind = match (is_masked, same_length) {
        (true, _) => {
            "Overwriting a verb with X at the same length is what the SMTP inspection of Cisco PIX and ASA \
                      does with commands that it does not know."
        }
        (false, true) => "Its length is the same: an inspecting box that rewrites in passing.",
        (false, false) => "Its length differs: more likely a proxy that speaks for the client.",
    };
    Some(observed.finding("command-altered", Some(exchange.reply), About {
        what: format!("the client sent `{sent}`, the server read `{}`", clean(quoted)),
        command: Some(command),
        who: Party::Between,
        // Servers shorten and rewrite what they quote; nobody makes up X.
        confidence: if is_masked { Confidence::Certain } else { Confidence::Likely },
        why: format!(
            "The server quotes what it received, and that is not what was sent: something between the two changed \
             it. {kind}"
        ),
        remedy: "Switch off the inspection of SMTP on the firewalls in the path, on either side, or exclude this \
                 server from it."
            .to_owned(),
        weight: if recovered(observed, exchange) { Weight::Fault } else { Weight::Failure },
        next_test: Some(format!(
            "a capture on the server's side of the box: it has `{}` in place of the command",
            clean(quoted)
        )),
        ..About::default()
    }))
}

/// EHLO was lost, and HELO got through.
fn recovered(observed: &Observed<'_>, exchange: &Exchange) -> bool {
    let later = |other: &&Exchange| other.reply > exchange.reply && other.is_positive();
    exchange.stage == Stage::Ehlo && observed.dialogue.at(Stage::Ehlo).any(|other| later(&other))
}

/// A word of X in a reply.
fn masked(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| word.len() >= X_MIN && word.bytes().all(|octet| octet == b'X'))
}

/// What stands in quotation marks behind words that say "I do not know this command".
fn quoted(text: &str) -> Option<&str> {
    const PHRASES: [&str; 6] = [
        "unrecognized",
        "unrecognised",
        "not recognized",
        "not recognised",
        "unknown command",
        "unknown smtp command",
    ];
    let lower = text.to_ascii_lowercase();
    if !PHRASES.iter().any(|phrase| lower.contains(phrase)) {
        return None;
    }
    let (_, rest) = text.split_once('"')?;
    let (inner, _) = rest.split_once('"')?;
    let inner = inner.trim();
    (inner.len() >= 4 && inner.is_ascii()).then_some(inner)
}

/// Whether a server that got `line` may quote it as `quoted`: cut, in other case, or a part of it.
fn is_same(line: &[u8], quoted: &str) -> bool {
    let line = String::from_utf8_lossy(line).to_ascii_lowercase();
    let quoted = quoted.to_ascii_lowercase();
    let quoted = quoted.trim_end_matches(['.', ' ']);
    line.contains(quoted) || !line.trim().is_empty() && quoted.contains(line.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{START, none, one};

    #[test]
    fn quoted_and_not_sent() {
        for (reply, confidence) in [
            ("500 5.5.1 Command unrecognized: \"XXXX TO:<b@b.test>\"", Confidence::Certain),
            ("502 unimplemented (#5.5.1) XXXX", Confidence::Certain),
            ("500 Command unrecognized: \"NOOP\"", Confidence::Likely),
        ] {
            let text = format!("{START}C: RCPT TO:<b@b.test>\nS: {reply}");
            let finding = one(&text, "command-altered");
            assert_eq!((finding.confidence, finding.command), (confidence, Some(6)), "{reply}");
            assert!(finding.what.contains("RCPT TO:<b@b.test>"));
        }
    }

    #[test]
    fn the_clients_own_words() {
        for (command, reply) in [
            ("FOO bar", "500 5.5.1 Command unrecognized: \"FOO bar\""),
            ("FOO bar", "500 Command unrecognized: \"foo\""),
            ("RCPT TO:<b@b.test>", "501 5.5.4 Syntax: \"RCPT TO:<address>\""),
            ("RCPT TO:<b@b.test>", "550 5.1.1 \"b@b.test\" unknown"),
            ("\u{e9}\u{e8}FOO", "500 Command unrecognized: \"ihFOO\""),
        ] {
            none(&format!("{START}C: {command}\nS: {reply}"), "command-altered");
        }
        none(
            &format!("-- vantage: server\n{START}C: RCPT TO:<b>\nS: 500 unrecognized: \"XXXX\""),
            "command-altered",
        );
    }
}
