//! Slips that people make when they type SMTP by hand: a missing colon, a missing address.

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
        if !matches!(exchange.code, 500 | 501 | 502 | 553 | 555) {
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

/// What is wrong with a MAIL or RCPT line, and how it is written.
fn slip(command: &Command, line: &str) -> Option<(&'static str, &'static str)> {
    let (keyword, right) = match command.verb {
        Verb::Mail => ("FROM", "MAIL FROM:<name@domain>"),
        Verb::Rcpt => ("TO", "RCPT TO:<name@domain>"),
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
        none(&text("MAIL FROM:<a@a>"), "command-syntax");
        none("S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM: <a@a>\nS: 250 ok", "command-syntax");
    }
}
