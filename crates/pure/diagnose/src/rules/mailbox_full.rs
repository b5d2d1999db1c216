//! The mailbox has no room.

use crate::{
    class::Class,
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

/// How servers say it, in lower case.
const PHRASES: [&str; 11] = [
    "mailbox full",
    "mailbox is full",
    "over quota",
    "overquota",
    "quota exceeded",
    "exceeded storage",
    "out of storage",
    "mailbox size limit",
    "inbox is full",
    "exceeds its quota",
    "quota exceed",
];

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let reply = evidence.reply()?;
    let by_words = evidence.says(&PHRASES) || evidence.is_class(Class::MailboxFull);
    let by_status = matches!(evidence.status(), Some((2, 2)));
    if !(reply.code >= 400 && (by_words || by_status)) {
        return None;
    }
    // A status alone may be a careless choice of whoever wrote the reply.
    let confidence = if by_words { Confidence::Certain } else { Confidence::Likely };
    let peer = evidence.peer();
    let path = evidence.recipient.as_deref().unwrap_or("the recipient");
    Some(evidence.finding(
        "mailbox-full",
        Party::Server,
        confidence,
        format!(
            "The mailbox of {path} is full, so {peer} takes no more mail for it. The address \
         is right."
        ),
        "Tell the recipient by other means. Send again when there is room.",
    ))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::found_at_rcpt;

    #[test]
    fn whose_case_it_is() {
        for (reply, is_it) in [
            ("552 5.2.2 mailbox full", true),
            ("452 4.2.2 The email account that you tried to reach is over quota", true),
            ("550 user is over quota", true),
            ("552 5.3.4 message too big", false),
        ] {
            let finding = found_at_rcpt(reply);
            assert_eq!(finding.rule == "mailbox-full", is_it, "{reply}: {finding:?}");
        }
    }
}
