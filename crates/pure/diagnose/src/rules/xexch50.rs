//! A session that dies at XEXCH50, a private verb of old Exchange servers, which inspecting firewalls
//! on the way often do not know.

use smtp::Trouble;

use super::Evidence;
use crate::finding::{Confidence, Finding, Party};

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let is_cut = match &evidence.cause.trouble {
        Trouble::Closed | Trouble::Network(_) | Trouble::Silence(_) => true,
        Trouble::Reply(reply) => matches!(reply.code, 421 | 500..=502),
        _ => false,
    };
    let lines = &evidence.dialogue.lines;
    let sent =
        (0..lines.len()).rev().find(|&index| evidence.dialogue.has_verb(index, "XEXCH50"))?;
    // Behind the verb nothing but its refusal may have come: else the session survived it.
    let survived = evidence.dialogue.exchanges.iter().any(|e| e.reply > sent && e.code < 421);
    if !is_cut || survived {
        return None;
    }
    let mut finding = evidence.finding(
        "xexch50",
        Party::Between,
        Confidence::Likely,
        "The session ended right after XEXCH50, a verb that only Exchange servers use among themselves. \
         Neither server minds it, but firewalls that read along and do not know it cut the connection.",
        "Stop using the verb: the message does not need it. On the Exchange that sends, set SuppressExternal; \
         on the one that receives, stop announcing XEXCH50; or let the firewall pass SMTP uninspected.",
    );
    finding.command = Some(sent);
    finding.retry_helps = false;
    Some(finding)
}

#[cfg(test)]
mod tests {
    use smtp::{Stage, Trouble};

    use crate::rules::testing::{found, reply};

    const START: &str = "S: 220 ex\nC: EHLO a\nS: 250-ex\nS: 250 XEXCH50\nC: MAIL FROM:<a@a.test>\nS: 250 ok\n\
                         C: RCPT TO:<bob@b.test>\nS: 250 ok\n";

    #[test]
    fn only_when_the_verb_was_sent_and_the_session_died_of_it() {
        for (more, trouble, is_it) in [
            ("C: XEXCH50 1904 2\n-: closed", Trouble::Closed, true),
            ("-: closed", Trouble::Closed, false), // announced is not used
            // harmless: refused, then it goes on, and fails for another reason
            (
                "C: XEXCH50 1904 2\nS: 504 Need to authenticate first\nC: BDAT 1211 LAST\nS: 250 \
                 ok",
                Trouble::Closed,
                false,
            ),
            ("C: XEXCH50 1904 2\nS: 500 what", Trouble::Reply(reply("500 what")), true),
        ] {
            let finding = found(&format!("{START}{more}"), Stage::Other, trouble);
            assert_eq!(finding.rule == "xexch50", is_it, "{more}: {finding:?}");
        }
    }
}
