//! There is no such mailbox.

use smtp::Stage;

use crate::{
    class::Class,
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

/// How servers say it, in lower case.
const PHRASES: [&str; 21] = [
    "user unknown",
    "unknown user",
    "no such user",
    "no such mailbox",
    "no mailbox here",
    "mailbox not found",
    "user not found",
    "unknown recipient",
    "recipient unknown",
    "does not exist",
    "doesn't exist",
    "recipient not found",
    "no such recipient",
    "unknown in virtual",
    "unknown in local",
    "unknown address",
    "not a valid mailbox",
    "unrouteable address",
    "no such address",
    "address unknown",
    "user does not",
];

/// OpenSMTPD says it of a domain that it takes no mail for, too.
const VAGUE: [&str; 1] = ["invalid recipient"];

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let reply = evidence.reply()?;
    let is_vague = evidence.says(&VAGUE) && !evidence.says(&PHRASES);
    let by_words = is_vague || evidence.says(&PHRASES) || evidence.is_class(Class::NoSuchUser);
    let by_status = matches!(evidence.status(), Some((1, 1) | (1, 6)));
    if !(reply.is_permanent()
        && evidence.stage.is_none_or(|stage| stage != Stage::Mail && stage < Stage::Content)
        && (by_words || by_status))
    {
        return None;
    }
    // A status alone may be a careless choice of whoever wrote the reply.
    let is_clear = by_words && (by_status || !is_vague);
    let confidence = if is_clear { Confidence::Certain } else { Confidence::Likely };
    let peer = evidence.peer();
    let domain = evidence.domain();
    let mut finding = evidence.finding(
        "no-such-mailbox",
        Party::Client,
        confidence,
        format!(
            "The domain {domain} has no mailbox of that name, says {peer}, its mail server. \
         The way there worked; only the part in front of the @ is not known."
        ),
        "Check the spelling of the address. If it is right, the mailbox was closed or renamed: \
         ask the recipient by other means for the current address, and remove the old one from \
         address books and lists.",
    );
    if !is_clear && is_vague {
        finding.why.push_str(
            " Some servers (OpenSMTPD) say the same where they do not take mail for the domain at all.",
        );
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use crate::{finding::Confidence, rules::testing::found_at_rcpt};

    #[test]
    fn what_opensmtpd_says_is_not_certain() {
        for (reply, confidence) in [
            ("550 Invalid recipient: <bob@b.test>", Confidence::Likely),
            ("550 5.1.1 Invalid recipient: <bob@b.test>", Confidence::Certain),
            ("550 Invalid recipient: user unknown", Confidence::Certain),
        ] {
            let finding = found_at_rcpt(reply);
            assert_eq!((&*finding.rule, finding.confidence), ("no-such-mailbox", confidence));
        }
    }

    #[test]
    fn whose_case_it_is() {
        for (reply, is_it) in [
            ("550 5.1.1 no mailbox here by that name", true),
            (
                "550 <bob@b.test>: Recipient address rejected: User unknown in virtual mailbox \
                 table",
                true,
            ),
            ("550 No such user here", true),
            ("450 4.1.1 user unknown", false),
            ("550 5.7.1 not you", false),
        ] {
            let finding = found_at_rcpt(reply);
            assert_eq!(finding.rule == "no-such-mailbox", is_it, "{reply}: {finding:?}");
        }
    }
}
