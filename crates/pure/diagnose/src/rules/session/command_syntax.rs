//! Slips that people make when they type SMTP by hand: a missing colon, a missing address.

use smtp::Reply;

use super::{About, FOUND_MAX, Observed};
use crate::{
    dialogue::{Command, Verb},
    finding::{Confidence, Finding},
};

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    for command in &dialogue.commands {
        if found.len() >= FOUND_MAX {
            return;
        }
        let Some(exchange) = dialogue.answer(command) else { continue };
        if !is_about_syntax(&dialogue.reply(exchange)) {
            continue;
        }
        let Some((slip, right)) = slip(command, &dialogue.text(command.line)) else { continue };
        found.push(observed.finding("command-syntax", Some(exchange.reply), About {
            what: format!("{} answered {}: {slip}", observed.peer, exchange.code),
            command: exchange.command,
            who: observed.sender(),
            confidence: Confidence::Likely,
            why: format!("{slip}; servers differ in how much of that they forgive (RFC 5321 section 4.1.1)."),
            remedy: format!("Write it `{right}`."),
            ..About::default()
        }));
    }
}

/// Whether a refusal is about how the command is written, and not about what it asks for.
fn is_about_syntax(reply: &Reply) -> bool {
    let words = reply.text.to_lowercase();
    let says_so = [
        "syntax",
        "format",
        "malformed",
        "argument",
        "parameter",
        "colon",
        "bracket",
        "requires",
        "space",
    ]
    .iter()
    .any(|word| words.contains(word));
    matches!(reply.code, 500 | 501) || says_so && matches!(reply.code, 502 | 550 | 553 | 555)
}

/// What is wrong with a MAIL or RCPT line, and how it is written.
fn slip(command: &Command, line: &str) -> Option<(&'static str, &'static str)> {
    let (keyword, right) = match command.verb {
        Verb::Mail => ("FROM", "MAIL FROM:<name@domain>"),
        Verb::Rcpt => ("TO", "RCPT TO:<name@domain>"),
        Verb::Ehlo | Verb::Helo | Verb::Lhlo if line.trim().len() == 4 => {
            return Some(("the client's own name is missing", "EHLO name.of.this.host"));
        }
        _ => return None,
    };
    let rest = line.get(4..)?;
    let Some((before, after)) = rest.split_once(':') else {
        return Some(("the colon is missing", right));
    };
    if !before.trim().eq_ignore_ascii_case(keyword) {
        let slip = if keyword == "FROM" { "FROM is missing" } else { "TO is missing" };
        return Some((slip, right));
    }
    if before.ends_with(' ') || after.starts_with(' ') {
        return Some(("there is a blank beside the colon", right));
    }
    (!after.contains('<')).then_some(("the angle brackets are missing", right))
}

#[cfg(test)]
mod tests {
    use crate::rules::session::testing::{none, one};

    #[test]
    fn slips() {
        let text = |line: &str| format!("S: 220 r\nC: EHLO a\nS: 250 r\nC: {line}\nS: 501 syntax");
        for (line, says) in [
            ("MAIL FROM <a@a>", "colon"),
            ("RCPT TO b@b", "colon"),
            ("mail:<a@a>", "FROM is missing"),
            ("MAIL FROM: <a@a>", "blank"),
            ("MAIL FROM:a@a", "brackets"),
        ] {
            let finding = one(&text(line), "command-syntax");
            assert!(finding.what.contains(says), "{line}: {}", finding.what);
        }
        assert_eq!(
            one("S: 220 r\nC: HELO\nS: 501 HELO requires domain address", "command-syntax").line,
            Some(2)
        );
        none(&text("MAIL FROM:<a@a>"), "command-syntax");
        // forgiven at MAIL, and RCPT is refused for another reason
        none(
            "S: 220 r\nC: HELO a\nS: 250 r\nC: RCPT TO: <a@a>\nS: 553 5.7.1 not logged in",
            "command-syntax",
        );
        none("S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM: <a@a>\nS: 250 ok", "command-syntax");
    }
}
