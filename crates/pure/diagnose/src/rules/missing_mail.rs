//! 503 to a command whose predecessors we did send: something took one of them away.

use smtp::Stage;

use super::Evidence;
use crate::finding::{Confidence, Finding, Party};

/// We sent MAIL and it was accepted, yet RCPT (or DATA) is "out of sequence"; or MAIL itself is, right
/// after an accepted EHLO. One end did not get what the other sent. From this end alone it cannot be
/// told where it was lost, so the test that tells is named.
pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let reply = evidence.reply().filter(|reply| reply.code == 503)?;
    let exchange = evidence.exchange?;
    let accepted = |stage| {
        let of_stage = evidence.dialogue.at(stage);
        of_stage
            .take_while(|e| e.reply < exchange.reply)
            .filter(|e| e.code / 100 == 2)
            .last()
            .copied()
    };
    let missing = match exchange.stage {
        Stage::Mail => accepted(Stage::Ehlo).map(|_| "EHLO"),
        Stage::Rcpt => accepted(Stage::Mail).map(|_| "MAIL"),
        Stage::Data | Stage::EndOfData => accepted(Stage::Rcpt).map(|_| "RCPT"),
        _ => None,
    };
    if let Some(missing) = missing {
        return Some(taken_away(evidence, exchange.stage, missing));
    }
    // We did not even send it, or it was refused: then the 503 is right, and only a consequence.
    let before = match exchange.stage {
        Stage::Rcpt => Stage::Mail,
        Stage::Data => Stage::Rcpt,
        _ => return None,
    };
    let refused = evidence.dialogue.at(before).find(|e| e.code >= 400)?;
    let mut finding = evidence.finding(
        "consequence",
        Party::Unknown,
        Confidence::Certain,
        format!(
            "The 503 only follows from what came before: {before} was answered with {}, so there was \
             nothing that {} could belong to.",
            refused.code, exchange.stage
        ),
        format!("Look at the answer to {before}; that one is the cause."),
    );
    finding.line = Some(refused.reply);
    finding.command = refused.command;
    finding.retry_helps = reply.is_transient() || refused.code < 500;
    Some(finding)
}

fn taken_away(evidence: &Evidence<'_>, stage: Stage, missing: &str) -> Finding {
    let peer = evidence.peer();
    let mut finding = evidence.finding(
        "command-taken-away",
        Party::Between,
        Confidence::Likely,
        format!(
            "We sent {missing} and got a good answer to it, yet {peer} says at {stage} that it never came. \
             The recipient's address is not the reason: the dialogue itself was broken. Something between \
             the two servers took {missing} away: a virus scanner or firewall that reads mail on the \
             sending host or on the way, or {peer} is itself such a box in front of the real server."
        ),
        format!(
            "Nothing is wrong with the message or the address. For who runs the sending server: capture \
             the traffic on its network side and, if possible, at {peer}. If {missing} is in the first \
             capture and not in the second, a box on the way takes it; if it is not even in the first, \
             software on the sending host does: switch off its mail scanner and try again."
        ),
    );
    // Mended by removing the box, not by waiting; but then the same message goes through.
    finding.retry_helps = true;
    finding
}

#[cfg(test)]
mod tests {
    use smtp::{Stage, Trouble};

    use super::*;
    use crate::rules::testing::{found, reply};

    #[test]
    fn who_took_what() {
        for (dialogue, stage, rule, line) in [
            // field case 1, from our own evidence
            (
                "S: 220 r\nC: EHLO a\nS: 250 r\nC: AUTH LOGIN ****\nS: 235 yes\nC: MAIL FROM:<a@a.test>\n\
                 S: 250 ok\nC: RCPT TO:<bob@b.test>\nS: 503 5.5.1 Error: Bad sequence",
                Stage::Rcpt,
                "command-taken-away",
                8,
            ),
            // pipelined: MAIL was refused, so the 503 only follows
            (
                "S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM:<a@a.test>\nC: RCPT TO:<bob@b.test>\n\
                 S: 550 5.1.8 no\nS: 503 5.5.1 Error: Bad sequence",
                Stage::Rcpt,
                "consequence",
                5,
            ),
            // the login is what is missing here, and the server says so
            (
                "S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM:<a@a.test>\nS: 503 5.5.1 \
                 authentication required",
                Stage::Mail,
                "login-wanted",
                4,
            ),
        ] {
            let text = dialogue.rsplit("S: ").next().unwrap();
            let finding = found(dialogue, stage, Trouble::Reply(reply(text)));
            assert_eq!((finding.rule.as_str(), finding.line), (rule, Some(line)), "{finding:?}");
        }
    }

    #[test]
    fn it_is_not_the_recipient() {
        let finding = found(
            "S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM:<a@a.test>\nS: 250 ok\nC: RCPT \
             TO:<bob@b.test>\nS: 503 bad",
            Stage::Rcpt,
            Trouble::Reply(reply("503 bad")),
        );
        assert_eq!((finding.who, finding.confidence), (Party::Between, Confidence::Likely));
        assert!(finding.remedy.contains("capture"));
    }
}
