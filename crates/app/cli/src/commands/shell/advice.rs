//! What may come next, and what a reply means, in a line or two. No input or output.

use diagnose::{meanings, sequence, sequence::State};
use smtp::{Reply, Stage};

use super::progress::{Progress, Sent};

/// What a reply means; where it refuses, also what to do.
pub fn explained(reply: &Reply, stage: Stage) -> Vec<String> {
    // The rows of statuses tell what is wrong, which a reply that accepts does not mean.
    let meaning = match reply.code {
        ..400 => meanings::of_code(reply.code, stage),
        _ => meanings::of_reply(reply, stage),
    };
    let mut lines = vec![format!("{}: {}. {}", reply.code, meaning.name, meaning.means)];
    if reply.code >= 400 {
        lines.push(format!("do: {}", meaning.check));
    }
    lines
}

/// The stage that a reply belongs to.
pub fn stage(answers: Option<&Sent>) -> Stage {
    let verb = match answers {
        None => return Stage::Other,
        Some(Sent::Connection) => return Stage::Greeting,
        Some(Sent::Response) => return Stage::Auth,
        Some(Sent::Dot) => return Stage::EndOfData,
        Some(Sent::Command { verb, .. }) => verb.as_str(),
    };
    match verb {
        "EHLO" | "HELO" | "LHLO" => Stage::Ehlo,
        "STARTTLS" => Stage::StartTls,
        "AUTH" | "X-EXPS" => Stage::Auth,
        "MAIL" => Stage::Mail,
        "RCPT" => Stage::Rcpt,
        "DATA" => Stage::Data,
        "BDAT" | "BURL" => Stage::EndOfData,
        _ => Stage::Other,
    }
}

/// What may come next: `next: RCPT TO:<forward-path>`; `None` where nothing may.
pub fn next(progress: &Progress) -> Option<String> {
    match progress.state {
        State::Content => {
            return Some(
                "next: the content as it goes over the wire; a line with a single dot ends it"
                    .to_owned(),
            );
        }
        State::Sasl => return Some("next: the response in base64, or * to give up".to_owned()),
        State::Connected | State::Closed => return None,
        _ => {}
    }
    let is_of_use = |step: &&sequence::Step| match step.command {
        "HELO" | "LHLO" | "EHLO" => progress.state == State::Greeted && step.command == "EHLO",
        "STARTTLS" => !progress.tls && progress.offers("STARTTLS"),
        "AUTH" => !progress.logged_in && progress.offers("AUTH"),
        "XEXCH50" | "BURL" | "ETRN" | "NOOP" | "VRFY" | "EXPN" | "HELP" => false,
        "RSET" => sequence::is_in_transaction(progress.state) || progress.state == State::Chunks,
        _ => step.needs.is_empty() || progress.offers(step.needs),
    };
    let short = |step: &sequence::Step| match step.command {
        "MAIL" => "MAIL FROM:<reverse-path>".to_owned(),
        "AUTH" | "BDAT" => step.command.to_owned(),
        _ => step.form.to_owned(),
    };
    let steps: Vec<String> = sequence::next(progress.state).filter(is_of_use).map(short).collect();
    (!steps.is_empty()).then(|| format!("next: {}", steps.join(" | ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lines: &[(&str, u16)], offers: &[&str]) -> Progress {
        let mut progress = Progress::new(false);
        progress.heard(220, &[]);
        for (line, code) in lines {
            progress.sent(Sent::command(line.as_bytes()));
            let texts: Vec<String> =
                ["a.test"].iter().chain(offers).map(|text| (*text).to_owned()).collect();
            progress.heard(*code, &texts);
        }
        progress
    }

    #[test]
    fn what_may_come_next() {
        let all = ["STARTTLS", "AUTH PLAIN", "CHUNKING"];
        for (lines, offers, expected) in [
            (&[][..], &all[..], "next: EHLO client.example | QUIT"),
            (&[("EHLO a", 250)], &all, "next: STARTTLS | AUTH | MAIL FROM:<reverse-path> | QUIT"),
            (&[("EHLO a", 250)], &[], "next: MAIL FROM:<reverse-path> | QUIT"),
            (
                &[("EHLO a", 250), ("MAIL FROM:<>", 250)],
                &all,
                "next: RCPT TO:<forward-path> | RSET | QUIT",
            ),
            (
                &[("EHLO a", 250), ("MAIL FROM:<>", 250), ("RCPT TO:<b>", 250)],
                &all,
                "next: RCPT TO:<forward-path> | DATA | BDAT | RSET | QUIT",
            ),
        ] {
            assert_eq!(next(&at(lines, offers)).as_deref(), Some(expected), "{lines:?}");
        }
        assert_eq!(next(&at(&[("QUIT", 221)], &[])), None);
    }

    #[test]
    fn refusals_come_with_what_to_do() {
        let refused = explained(&Reply::new(503, (5, 5, 1), "no MAIL yet"), Stage::Rcpt);
        assert!(refused[0].starts_with("503: ") && refused[1].starts_with("do: "), "{refused:?}");
        let accepted = explained(&Reply::new(250, (2, 1, 0), "fine"), Stage::Mail);
        assert_eq!(accepted, ["250: done. The command was carried out."]);
    }
}
