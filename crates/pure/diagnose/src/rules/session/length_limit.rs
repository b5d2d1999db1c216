//! A short, legal command refused as too long: an inspecting box has a limit of its own for it (ISA Server's SMTP
//! filter has one for every verb).

use super::{About, FOUND_MAX, Observed};
use crate::finding::{Confidence, Finding, Party, Weight};

/// RFC 5321 section 4.5.3.1.4: every server takes command lines of 512 octets, CRLF among them.
const COMMAND_LENGTH_MAX: usize = 510;

/// How it is said, in lower case.
const PHRASES: [&str; 5] = [
    "line too long",
    "line is too long",
    "command too long",
    "exceeded its allowed length",
    "line length exceeded",
];

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    for command in &dialogue.commands {
        let length = dialogue.octets(command.line).len();
        let Some(exchange) = dialogue.answer(command).filter(|exchange| {
            exchange.is_sure
                && matches!(exchange.code, 421 | 500 | 501)
                && length <= COMMAND_LENGTH_MAX
        }) else {
            continue;
        };
        let words = dialogue.reply(exchange).text.to_lowercase();
        if found.len() >= FOUND_MAX || !PHRASES.iter().any(|phrase| words.contains(phrase)) {
            continue;
        }
        found.push(observed.finding("length-limit", Some(exchange.reply), About {
            what: format!("a command of {length} octets is refused as too long"),
            command: exchange.command,
            who: Party::Between,
            confidence: Confidence::Possible,
            why: "Every SMTP server has to take command lines of 512 octets. A smaller limit is usual for firewalls that \
                  inspect SMTP and have one for every verb (ISA Server); a server may be set up so as well."
                .to_owned(),
            remedy: "Raise the limit for that verb in the firewall's SMTP filter, or in the server.".to_owned(),
            weight: if command.verb.is_optional() { Weight::Remark } else { Weight::Failure },
            next_test: Some(
                "a capture on the server's side of the firewall: if the refusal is not in it, the firewall spoke".to_owned(),
            ),
            ..About::default()
        }));
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        finding::Weight,
        rules::session::testing::{START, none, one},
    };

    #[test]
    fn short_and_long() {
        let text = format!("{START}C: RCPT TO:<bob@b.test>\nS: 500 5.5.2 command line too long");
        assert_eq!(one(&text, "length-limit").weight, Weight::Failure);
        let text =
            format!("{START}C: NOOP keepalive\nS: 501 SMTP command exceeded its allowed length");
        assert_eq!(one(&text, "length-limit").weight, Weight::Remark);
        let long = "x".repeat(600);
        none(
            &format!("{START}C: RCPT TO:<{long}@b.test>\nS: 500 5.5.2 command line too long"),
            "length-limit",
        );
        none(&format!("{START}C: RCPT TO:<b@b.test>\nS: 501 5.1.3 syntax"), "length-limit");
    }
}
