//! `503 bad sequence` in a report or a log, where the dialogue itself is not at hand.

use smtp::Stage;

use crate::{
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

/// How servers say it, in lower case.
const PHRASES: [&str; 10] = [
    "bad sequence",
    "out of sequence",
    "out of order",
    "sequence of commands",
    "need mail",
    "need rcpt",
    "mail first",
    "must issue",
    "send hello",
    "polite people say",
];

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let reply = evidence.reply()?;
    let by_status = evidence.status() == Some((5, 1)) && reply.code == 503;
    let is_login = evidence.says(&["auth", "login", "log in", "starttls"]);
    let is_about_order = evidence.says(&PHRASES) || by_status;
    if reply.code < 500 || is_login || !is_about_order {
        return None;
    }
    let peer = evidence.peer();
    let missing = match evidence.stage {
        Some(Stage::Mail) => "EHLO",
        Some(Stage::Rcpt) => "MAIL",
        Some(Stage::Data | Stage::EndOfData) => "RCPT",
        _ => "a command before it",
    };
    let mut finding = evidence.finding(
        "out-of-order",
        Party::Unknown,
        Confidence::Likely,
        format!(
            "{peer} got a command without {missing}: the dialogue is the cause, not the recipient and not the message, \
             though the code looks final. Either the sending program left it out, or something took it away: virus \
             scanners on the sending host and firewalls that read mail do that. Which of the two, the reply alone does \
             not tell. It was spoken by {peer}, whoever wrote the report."
        ),
        format!(
            "Who runs the sending server: look whether its protocol log has {missing}. If it has, switch off the mail \
             scanner on that host (or exclude the mail server's process and port 25), and try again."
        ),
    );
    finding.retry_helps = true;
    finding.next_test = Some(format!(
        "a capture at the sending host's network side, beside the program's own protocol log: {missing} in the log and not \
         in the capture was taken away on that host; in both, on the way; in neither, the program left it out"
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use smtp::Stage;

    use crate::{
        Testimony, examine_reply, examine_testimony, rules::testing::reply, testimony::Speaker,
    };

    #[test]
    fn field_case_1_from_the_report() {
        let testimony = Testimony {
            writer: Some("EXSRV.example.local".into()),
            speaker: Speaker::Remote("relay.provider.example".into()),
            stage: Some(Stage::Rcpt),
            reply: Some(reply("503 5.5.1 Error: Bad sequence")),
            words: "relay.provider.example #503 5.5.1 Error: Bad sequence ##".into(),
            ..Testimony::default()
        };
        let finding = examine_testimony(&testimony);
        assert_eq!(finding.rule, "out-of-order");
        assert!(finding.why.contains("relay.provider.example got a command without MAIL"));
        assert!(finding.next_test.is_some_and(|test| test.contains("capture")));
    }

    #[test]
    fn others() {
        for (line, is_it) in [
            ("503 5.5.1 Error: need MAIL command", true),
            ("503 bad sequence of commands", true),
            ("503 5.5.1 authentication required", false),
            ("550 5.1.1 no such user", false),
            ("451 4.5.1 sequence", false),
        ] {
            let finding = examine_reply(&reply(line), None);
            assert_eq!(finding.rule == "out-of-order", is_it, "{line}: {finding:?}");
        }
    }
}
