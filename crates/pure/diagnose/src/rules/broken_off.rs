//! The connection was there, and then closed or silent: the step says what the server was doing.

use smtp::{Stage, Trouble};

use crate::{
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

pub(crate) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let silent = match &*evidence.trouble {
        Trouble::Silence(_) => true,
        Trouble::Closed => false,
        Trouble::Network(_) if !evidence.is_at(Stage::Connect) => false,
        _ => return None,
    };
    let peer = evidence.peer();
    let stage = evidence.stage.unwrap_or(Stage::Other);
    let (why, remedy) =
        before_mail(stage, silent, peer).unwrap_or_else(|| later(stage, silent, peer));
    let is_reset = matches!(&*evidence.trouble, Trouble::Network(text) if text.contains("reset"));
    let rule = match (silent, is_reset) {
        (true, _) if stage == Stage::EndOfData => "silence-after-content",
        (true, _) => "silence",
        (false, true) => "reset",
        (false, false) => "closed",
    };
    Some(evidence.finding(rule, Party::Unknown, Confidence::Possible, why, remedy))
}

/// Up to and with TLS: what is the matter has nothing to do with this mail.
fn before_mail(stage: Stage, silent: bool, peer: &str) -> Option<(String, &'static str)> {
    Some(match (stage, silent) {
        (Stage::Greeting, true) => (
            format!(
                "The connection to {peer} was opened, but no greeting came: the server is overloaded, or \
                     a firewall opens connections on its behalf, or it makes senders wait on purpose."
            ),
            "Nothing to do for the sender. If it stays, who runs the sending server can try `telnet` to \
             port 25 there from another network.",
        ),
        (Stage::Greeting, false) => (
            format!(
                "{peer} closed the connection before it said a word: a firewall or a limit that refuses \
                     this address without telling, or the server crashes."
            ),
            "If it stays, who runs the sending server can try from another address; if that works, this \
             address is being refused.",
        ),
        (Stage::Ehlo, _) => (
            format!(
                "{peer} said nothing more once it had heard our name (EHLO): some servers and firewalls do \
                 so for names that they do not like, and some stumble over EHLO itself."
            ),
            "Nothing to do for the sender. Who runs the sending server should check that the name it gives \
             at EHLO exists in the DNS and leads to the sending address.",
        ),
        (Stage::StartTls | Stage::Tls, _) => (
            format!(
                "{peer} broke off while encryption was being agreed on: a certificate or TLS fault there, \
                     or a box in between that cannot bear TLS."
            ),
            "Nothing to do for the sender. Who runs that server should look at its TLS log; without TLS, where \
             policy allows it, the mail may pass.",
        ),
        _ => return None,
    })
}

fn later(stage: Stage, silent: bool, peer: &str) -> (String, &'static str) {
    match (stage, silent) {
        (Stage::EndOfData, true) => (
            format!(
                "{peer} got the message and did not answer: it is busy checking it, or overloaded. It may \
                     have taken the message all the same, so that a further attempt makes a second copy."
            ),
            "Nothing to do for the sender. Who runs that server should make its checks faster, or do them \
             after answering.",
        ),
        (Stage::EndOfData, false) => (
            format!(
                "{peer} closed the connection after the whole message, without saying whether it took \
                     it: a content check that crashes or cuts off is the usual cause."
            ),
            "If other messages to the same server go through, it is something in this one: try without \
             attachments.",
        ),
        (Stage::Content, _) => (
            format!(
                "The connection to {peer} broke while the message was under way: a size limit or scanner \
                     there or in between, or a network that loses big packets."
            ),
            "If small messages go through, try a smaller one.",
        ),
        (stage, true) => (
            format!(
                "{peer} stopped answering at {stage}: overload, a look-up of its own that hangs, or a \
                     box in between that swallowed the command or the answer."
            ),
            "Nothing to do for the sender. If it always happens at this step, capture the traffic at both \
             ends.",
        ),
        (stage, false) => (
            format!(
                "{peer}, or a box in between, closed the connection at {stage} without saying why."
            ),
            "If it always happens at this step, that step's checks on the other side are the place to look; \
             a capture at both ends shows who closed.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smtp::{Stage, Trouble};

    use crate::rules::testing::found;

    #[test]
    fn the_line_is_the_unanswered_command() {
        let dialogue = "S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM:<>\n-: no reply in 300s";
        let finding = found(dialogue, Stage::Mail, Trouble::Silence(Duration::from_secs(300)));
        assert_eq!(
            (finding.rule.as_str(), finding.line, finding.command),
            ("silence", Some(3), Some(3))
        );
        assert!(finding.retry_helps);
        let finding = found("-: connected\n-: closed", Stage::Greeting, Trouble::Closed);
        assert_eq!(
            (finding.rule.as_str(), finding.line, finding.command),
            ("closed", Some(1), None)
        );
        assert!(finding.why.contains("before it said a word"));
    }
}
