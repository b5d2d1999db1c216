//! Replies that break RFC 5321 section 4.2: no code, a code out of range, lines of one reply that disagree, the
//! wrong line ending, lines that are too long, `354` where it has no place.

use smtp::{Party as By, Stage};

use super::{About, Observed};
use crate::{
    dialogue::{Exchange, How, Verb},
    finding::{Confidence, Finding, Party, Weight},
    quote::quote,
    session::{Ending, Kind},
};

/// RFC 5321 section 4.5.3.1.5: 512 octets with code and CRLF.
const REPLY_LINE_MAX: usize = 510;
/// Of one kind so many lines are pointed at; the rest is more of the same.
const SHOWN_MAX: usize = 10;

/// What is wrong: the sentence, and whether clients stumble over it.
struct Fault {
    lines: Vec<usize>,
    says: &'static str,
    hurts: bool,
}

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    if let Some(line) = no_smtp(observed) {
        return found.push(another_protocol(observed, line));
    }
    let faults = [
        no_code(observed),
        out_of_range(observed),
        disagreeing(observed),
        unfinished(observed),
        misplaced(observed),
        bare_line_ends(observed),
        too_long(observed),
    ];
    let went_well = went_well(observed);
    for fault in faults {
        let Some(first) = fault.lines.first().copied() else { continue };
        let weight = if fault.hurts && !went_well { Weight::Fault } else { Weight::Remark };
        let mut finding = observed.finding("malformed-reply", Some(first), About {
            what: format!("{}: `{}`", fault.says, quote(observed.dialogue.octets(first))),
            who: if fault.hurts { Party::Unknown } else { Party::Server },
            confidence: Confidence::Likely,
            why: "RFC 5321 section 4.2 wants each line of a reply to begin with the same three digits, the first of them \
                  2 to 5, then a hyphen, or a blank on the last line, and to end with CRLF. Either the server has a fault, \
                  or a box in between that writes replies of its own or rewrites them."
                .to_owned(),
            remedy: "Who runs that server should tell its maker; what is in its path and reads SMTP, switched off for a \
                     test, tells which of the two it is."
                .to_owned(),
            weight,
            next_test: fault.hurts.then(|| {
                "a capture at the server itself: if the line is well-formed there, a box on the way garbled it".to_owned()
            }),
            ..About::default()
        });
        finding.consequences = fault.lines.into_iter().skip(1).take(SHOWN_MAX).collect();
        found.push(finding);
    }
}

/// A message was taken, or both parted in order: whatever was odd did no harm.
fn went_well(observed: &Observed<'_>) -> bool {
    let dialogue = observed.dialogue;
    let delivered = dialogue.at(Stage::EndOfData).any(Exchange::is_positive);
    delivered || dialogue.ending.how == How::Quit && observed.cut.is_none()
}

/// The first line of a server that never gave a reply.
fn no_smtp(observed: &Observed<'_>) -> Option<usize> {
    let dialogue = observed.dialogue;
    let none = dialogue.exchanges.is_empty() && dialogue.unfinished.is_none();
    dialogue
        .malformed
        .first()
        .copied()
        .filter(|_| none && dialogue.has_start && !observed.may_lack_lines())
}

fn another_protocol(observed: &Observed<'_>, line: usize) -> Finding {
    observed.finding("no-smtp", Some(line), About {
        what: format!("what answers there does not speak SMTP: `{}`", quote(observed.dialogue.octets(line))),
        who: Party::Unknown,
        confidence: Confidence::Likely,
        why: "A mail server greets with 220, or refuses with a code and words (RFC 5321 section 3.1). That line has no \
              code: another service listens there, or a port was forwarded to the wrong host."
            .to_owned(),
        remedy: "Who runs that host should look what listens on the port; who runs the sending server, whether host and \
                 port are the right ones."
            .to_owned(),
        ..About::default()
    })
}

fn no_code(observed: &Observed<'_>) -> Fault {
    let dialogue = observed.dialogue;
    // A line that the capture lost the rest of (`35`, behind a small snaplen) says nothing of the server.
    let is_cut = |line: &&usize| {
        let kind = dialogue.line(**line).map(|line| &line.kind);
        dialogue.has_gap(By::Server) && matches!(kind, Some(Kind::Reply(Ending::Missing)))
    };
    Fault {
        lines: dialogue.malformed.iter().filter(|line| !is_cut(line)).copied().collect(),
        says: "a line from the server is no reply",
        hurts: true,
    }
}

fn out_of_range(observed: &Observed<'_>) -> Fault {
    let is_it = |exchange: &&Exchange| !(200..600).contains(&exchange.code);
    Fault {
        lines: observed
            .dialogue
            .exchanges
            .iter()
            .filter(is_it)
            .map(|exchange| exchange.reply)
            .collect(),
        says: "a reply code that is none",
        hurts: true,
    }
}

fn disagreeing(observed: &Observed<'_>) -> Fault {
    let dialogue = observed.dialogue;
    let differs = |exchange: &&Exchange| {
        let code = dialogue.octets(exchange.reply).get(..3);
        exchange.first != exchange.reply
            && dialogue.reply_lines(exchange).any(|(_, line)| line.text.get(..3) != code)
    };
    Fault {
        lines: dialogue.exchanges.iter().filter(differs).map(|exchange| exchange.reply).collect(),
        says: "the lines of one reply have different codes",
        hurts: true,
    }
}

fn unfinished(observed: &Observed<'_>) -> Fault {
    let waited_for = observed.cut.is_some();
    Fault {
        lines: observed.dialogue.unfinished.filter(|_| waited_for).into_iter().collect(),
        says: "a reply without its last line",
        hurts: true,
    }
}

/// `354` asks for content, which BDAT has already sent and most commands do not have.
fn misplaced(observed: &Observed<'_>) -> Fault {
    let is_it = |exchange: &&Exchange| {
        let asks = exchange.code == 354
            && !matches!(
                exchange.verb,
                Verb::Data | Verb::Xexch50 | Verb::Xlink2State | Verb::Unknown | Verb::None
            );
        let does_not_ask =
            exchange.verb == Verb::Data && exchange.stage == Stage::Data && exchange.is_positive();
        exchange.is_sure && (asks || does_not_ask)
    };
    Fault {
        lines: observed
            .dialogue
            .exchanges
            .iter()
            .filter(is_it)
            .map(|exchange| exchange.reply)
            .collect(),
        says: "a reply that the command can't have",
        hurts: true,
    }
}

fn bare_line_ends(observed: &Observed<'_>) -> Fault {
    lines(observed, "a reply's line ends with LF or CR alone", |ending, _| {
        matches!(ending, Ending::Lf | Ending::Cr)
    })
}

fn too_long(observed: &Observed<'_>) -> Fault {
    lines(observed, "a reply's line is longer than 512 octets", |_, length| length > REPLY_LINE_MAX)
}

fn lines(
    observed: &Observed<'_>,
    says: &'static str,
    is_it: impl Fn(Ending, usize) -> bool,
) -> Fault {
    let all = observed.dialogue.session.lines.iter().enumerate();
    let wrong = all.filter(|(_, line)| match line.kind {
        Kind::Reply(ending) => line.by == By::Server && is_it(ending, line.text.len()),
        _ => false,
    });
    Fault { lines: wrong.map(|(index, _)| index).take(SHOWN_MAX).collect(), says, hurts: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{START, none, one};

    #[test]
    fn kinds() {
        for (text, says) in [
            ("C: RCPT TO:<b@b>\nS: what do you mean\n-- S closed", "no reply"),
            ("C: RCPT TO:<b@b>\nS: 650 hm", "is none"),
            ("C: RCPT TO:<b@b>\nS: 250-yes\nS: 550 no", "different codes"),
            ("C: RCPT TO:<b@b>\nS: 250-yes\n-- +60s\n-- C closed", "last line"),
            ("C: BDAT 3 LAST\nC: <blob 3 of 3>\nS: 354 go", "can't have"),
        ] {
            let finding = one(&format!("{START}{text}"), "malformed-reply");
            assert!(finding.what.contains(says), "{text}: {}", finding.what);
            assert_eq!(finding.weight, Weight::Fault, "{text}");
        }
        let long = format!("{START}C: NOOP\nS: 250 {}\nC: QUIT\nS: 221 b", "x".repeat(600));
        assert_eq!(one(&long, "malformed-reply").weight, Weight::Remark);
        let text = format!("{START}C: NOOP\nS: 250 ok{{LF}}\nC: QUIT\nS: 221 b");
        assert_eq!(one(&text, "malformed-reply").weight, Weight::Remark);
    }

    /// A web server, where a port was forwarded to the wrong host.
    #[test]
    fn another_service() {
        let text = "-- connected\nS: HTTP/1.1 400 Bad Request\nS: Content-Length: 0\n-- S closed";
        let finding = one(text, "no-smtp");
        assert_eq!((finding.line, finding.weight), (Some(1), Weight::Failure));
        none(text, "malformed-reply");
        none(&format!("{START}S: what do you mean"), "no-smtp");
    }

    #[test]
    fn well_formed() {
        for text in [
            "C: RCPT TO:<b@b>\nS: 571 no",
            "C: XEXCH50 4 2\nS: 354 go\nC: <blob 4 of 4>\nS: 250 ok",
            "C: NOOP\nS: 250\nC: QUIT\nS: 221 b",
            // the capture ends within the reply
            "C: NOOP\nS: 250-a",
            // it lacks what comes behind the second digit
            "C: NOOP\nS: 25{cut}\nS: <gap 6>\nC: QUIT\nS: 221 b",
        ] {
            none(&format!("{START}{text}"), "malformed-reply");
        }
    }
}
