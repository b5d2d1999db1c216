//! A refused line that is no command of SMTP at all: overwritten by a box, mistyped by somebody, or the words
//! of another protocol. What only follows from a refused DATA is content, and told there.

use super::{About, FOUND_MAX, Observed};
use crate::{
    cascade,
    dialogue::{Exchange, Verb},
    finding::{Confidence, Finding, Party, Weight},
    quote::quote,
    session::Vantage,
};

/// Fewer X may be a word.
const X_MIN: usize = 4;
/// The commands that people type, and what they try to type.
const TYPED: [&str; 14] = [
    "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "QUIT", "RSET", "NOOP", "VRFY", "AUTH",
    "HELP", "STARTTLS",
];

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    let is_it = |exchange: &&Exchange| {
        exchange.verb == Verb::Unknown
            && matches!(exchange.code, 500..=502 | 554)
            && exchange.is_sure
    };
    if !dialogue.exchanges.iter().any(|exchange| is_it(&exchange)) {
        return;
    }
    let roots = cascade::roots(dialogue);
    // Of lines without a command between them that was obeyed, the first one is told.
    let mut told: Option<usize> = None;
    for (exchange, root) in dialogue.exchanges.iter().zip(roots) {
        if found.len() >= FOUND_MAX {
            return;
        }
        if !is_it(&exchange) {
            told = told.filter(|_| exchange.is_refusal());
            continue;
        }
        let Some(command) = exchange.command.filter(|_| root.is_none()) else { continue };
        match told {
            Some(first) => found[first].consequences.push(exchange.reply),
            None => {
                told = Some(found.len());
                found.push(finding(observed, exchange, command));
            }
        }
    }
}

fn finding(observed: &Observed<'_>, exchange: &Exchange, command: usize) -> Finding {
    let line = observed.dialogue.octets(command);
    let what = What::of(line, observed.vantage());
    observed.finding(
        what.rule(),
        Some(exchange.reply),
        About {
            command: Some(command),
            weight: if matches!(what, What::Overwritten) { Weight::Failure } else { Weight::Fault },
            ..what.about(observed, &quote(line))
        },
    )
}

/// What such a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// X in place of the command, as firewalls have it that let only commands through which they know.
    Overwritten,
    /// The request line of HTTP.
    Http,
    /// Almost that command.
    Almost(&'static str),
    /// Some other word.
    Other,
}

impl What {
    fn of(line: &[u8], vantage: Vantage) -> Self {
        let text = String::from_utf8_lossy(line);
        let word = text.split([' ', ':', '\t']).next().unwrap_or_default().to_ascii_uppercase();
        // Who wrote the line down before it left knows what was sent.
        if vantage != Vantage::Client && word.len() >= X_MIN && word.bytes().all(|b| b == b'X') {
            return Self::Overwritten;
        }
        if text.split_ascii_whitespace().nth(2).is_some_and(|last| last.starts_with("HTTP/")) {
            return Self::Http;
        }
        let near = |name: &&&str| {
            word.len().abs_diff(name.len()) <= 1 && is_one_slip(word.as_bytes(), name.as_bytes())
                || word.starts_with(**name) && ["FROM", "TO"].contains(&&word[name.len()..])
        };
        TYPED.iter().find(near).map_or(Self::Other, |name| Self::Almost(name))
    }

    fn rule(self) -> &'static str {
        match self {
            Self::Overwritten => "command-altered",
            _ => "no-command",
        }
    }

    fn about(self, observed: &Observed<'_>, quoted: &str) -> About {
        let (peer, sender) = (&observed.peer, observed.sender());
        match self {
            Self::Overwritten => About {
                what: format!("`{quoted}` came in place of a command"),
                who: Party::Between,
                confidence: Confidence::Likely,
                why: "No program sends that. Firewalls that inspect SMTP (Cisco PIX and ASA above all) put X over \
                      commands that they do not know or allow, before the place where this was recorded."
                    .to_owned(),
                remedy: "Switch off the inspection of SMTP on the firewalls between the client and here."
                    .to_owned(),
                next_test: Some(
                    "a capture on the client's side of the box: it has the command as it was sent".to_owned(),
                ),
                ..About::default()
            },
            Self::Http => About {
                what: format!("{peer} was spoken to in HTTP: `{quoted}`"),
                who: sender,
                confidence: Confidence::Certain,
                why: "What connected takes this port for a web server: a health check, a scanner, a browser, or \
                      somebody who tries to have a web server send mail."
                    .to_owned(),
                remedy: "Find out what runs at the client's address, and point it to the right port or keep it away."
                    .to_owned(),
                ..About::default()
            },
            Self::Almost(name) => About {
                what: format!("`{quoted}` is no command; {name} is"),
                who: sender,
                confidence: Confidence::Likely,
                why: format!("The line is one slip away from {name}; {peer} does not guess, and need not."),
                remedy: format!("Send {name}."),
                ..About::default()
            },
            Self::Other if observed.vantage() == Vantage::Client => About {
                what: format!("`{quoted}` is no command that {peer} knows"),
                who: sender,
                confidence: Confidence::Likely,
                why: "SMTP has no such command, and the server had offered none of that name.".to_owned(),
                remedy: "If it was typed, nothing is broken. Else mend the program that sent it.".to_owned(),
                ..About::default()
            },
            Self::Other => About {
                what: format!("`{quoted}` is no command that {peer} knows"),
                who: sender,
                confidence: Confidence::Possible,
                why: "SMTP has no such command, and the server had offered none of that name: somebody tried it, or \
                      what sends there does not speak SMTP. A box in between that altered a command would look the \
                      same from here."
                    .to_owned(),
                remedy: "If it was typed, nothing is broken. Else look at what the client's program sends."
                    .to_owned(),
                next_test: Some("the client's own record of what it sent".to_owned()),
                ..About::default()
            },
        }
    }
}

/// Whether one letter more, less, wrong or two changed over make the difference.
fn is_one_slip(word: &[u8], name: &[u8]) -> bool {
    let same = word.iter().zip(name).take_while(|(a, b)| a == b).count();
    let (word, name) = (&word[same..], &name[same..]);
    let behind = |octets: &[u8], count: usize| octets.get(count..).unwrap_or_default().to_vec();
    let (one_word, one_name) = (behind(word, 1), behind(name, 1));
    let is_swapped = matches!((word, name), ([a, b, ..], [c, d, ..]) if a == d && b == c)
        && behind(word, 2) == behind(name, 2);
    one_word == name || word == one_name || one_word == one_name || is_swapped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{none, one};

    const READY: &str = "S: 220 r ESMTP\nC: EHLO a\nS: 250-r\nS: 250 SIZE\n";

    #[test]
    fn what_it_is() {
        for (line, what) in [
            ("HELLO a.test", What::Almost("HELO")),
            ("EHELO a.test", What::Almost("EHLO")),
            ("RCTP TO:<b@b.test>", What::Almost("RCPT")),
            ("MAILFROM:<b@b.test>", What::Almost("MAIL")),
            ("STARTTSL", What::Almost("STARTTLS")),
            ("QUI", What::Almost("QUIT")),
            ("GET / HTTP/1.1", What::Http),
            ("XXXX a.test", What::Overwritten),
            ("XXXXXXXX", What::Overwritten),
            ("XXX", What::Other),
            ("FOO", What::Other),
            ("", What::Other),
        ] {
            assert_eq!(What::of(line.as_bytes(), Vantage::Wire), what, "{line}");
        }
        assert_eq!(What::of(b"XXXX a", Vantage::Client), What::Other);
    }

    #[test]
    fn told_once() {
        let finding = one(
            &format!("{READY}C: GET / HTTP/1.1\nS: 500 what\nC: Host: r\nS: 500 what"),
            "no-command",
        );
        assert_eq!((finding.who, finding.consequences), (Party::Client, vec![7]));
        let finding =
            one(&format!("{READY}C: XXXX a\nS: 500 what\nC: HELO a\nS: 250 r"), "command-altered");
        assert_eq!((finding.who, finding.confidence), (Party::Between, Confidence::Likely));
    }

    #[test]
    fn near_misses() {
        // content behind a refused DATA, whatever it was refused for
        let refused = "C: MAIL FROM:<a@a>\nS: 250 ok\nC: RCPT TO:<b@b>\nS: 550 5.1.1 no such user\nC: DATA\n\
                       S: 503 no valid recipients\nC: Subject: x\nS: 500 what\nC: hello\nS: 500 what";
        none(&format!("{READY}{refused}"), "no-command");
        none(&format!("{READY}C: XFOO\nS: 250 ok"), "no-command");
        none(&format!("{READY}C: VRFY a\nS: 502 no"), "no-command");
        none("-- vantage: client\nS: 220 r\nC: XXXX a\nS: 500 what", "command-altered");
    }
}
