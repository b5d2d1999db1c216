//! Command lines that do not end with CRLF (RFC 5321 section 2.3.8): many servers take them, strict ones wait
//! for ever or refuse.

use super::{About, Observed};
use crate::{
    dialogue::Command,
    finding::{Confidence, Finding, Weight},
    session::{Ending, Kind},
};

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    let ending = |command: &Command| match dialogue.line(command.line)?.kind {
        Kind::Command(Ending::Lf) => Some("LF"),
        Kind::Command(Ending::Cr) => Some("CR"),
        _ => None,
    };
    let wrong: Vec<&Command> =
        dialogue.commands.iter().filter(|command| ending(command).is_some()).collect();
    let Some(first) = wrong.first() else { return };
    let minded = wrong.iter().find(|command| {
        let died = observed.cut.is_some_and(|cut| cut.after == Some(command.line));
        let refused = dialogue.answer(command).is_some_and(|exchange| {
            let words = dialogue.reply(exchange).text.to_lowercase();
            let speaks_of_it = ["bare", "line end", "linefeed", "line feed", "crlf", "newline"]
                .iter()
                .any(|word| words.contains(word));
            matches!(exchange.code, 421 | 500 | 501 | 521 | 550 | 554) && speaks_of_it
        });
        died || refused
    });
    let shown = minded.unwrap_or(first);
    let name = ending(shown).unwrap_or_default();
    let answer = minded.and_then(|command| dialogue.answer(command));
    found.push(observed.finding(
        "line-endings",
        Some(answer.map_or(shown.line, |exchange| exchange.reply)),
        About {
            what: format!("{} command lines of the client end with {name} alone", wrong.len()),
            command: minded.map(|command| command.line),
            who: observed.sender(),
            confidence: if minded.is_some() { Confidence::Likely } else { Confidence::Certain },
            why: "Lines of SMTP end with CR and LF together. Many servers take less, strict ones go on waiting for the \
                  end of the line or refuse it, as a line ending that two servers read differently lets mail be smuggled."
                .to_owned(),
            remedy: "Who runs the sending program has to let it end its lines with CRLF.".to_owned(),
            weight: if minded.is_some() { Weight::Failure } else { Weight::Remark },
            ..About::default()
        },
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{none, one};

    #[test]
    fn taken_or_not() {
        let taken = "S: 220 r\nC: HELO a{LF}\nS: 250 r\nC: QUIT{LF}\nS: 221 b";
        let finding = one(taken, "line-endings");
        assert_eq!((finding.weight, finding.line), (Weight::Remark, Some(1)));
        let refused = "S: 220 r\nC: HELO a{LF}\nS: 500 5.5.2 bare LF received\n-- S closed";
        assert_eq!(one(refused, "line-endings").weight, Weight::Failure);
        let silent = "S: 220 r\nC: HELO a{LF}\n-- +120s\n-- C closed";
        assert_eq!(one(silent, "line-endings").weight, Weight::Failure);
        none(silent, "silence");
    }

    #[test]
    fn refused_for_another_reason() {
        let text = "S: 220 r\nC: MAIL FROM:<a@a>{LF}\nS: 550 5.1.8 no such domain";
        assert_eq!(one(text, "line-endings").weight, Weight::Remark);
        let text =
            "S: 220 r\nC: EHLO a{LF}\nS: 500 identify yourself with HELO\nC: HELO a{LF}\nS: 250 r";
        assert_eq!(one(text, "line-endings").weight, Weight::Remark);
        none("S: 220 r\nC: HELO a\nS: 250 r\nC: QUIT\nS: 221 b", "line-endings");
    }
}
