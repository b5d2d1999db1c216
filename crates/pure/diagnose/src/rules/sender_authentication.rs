//! SPF, DKIM or DMARC of the originator's domain do not pass.

use crate::{
    class::Class,
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

/// How servers say it, in lower case.
const PHRASES: [&str; 9] = [
    " spf",
    "spf ",
    "spf:",
    "dkim",
    "dmarc",
    "sender policy framework",
    "unauthenticated email",
    "sender is unauthenticated",
    "email isn't authenticated",
];

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let reply = evidence.reply()?;
    let by_words = evidence.says(&PHRASES) || evidence.is_class(Class::Authentication);
    let by_status = matches!(
        evidence.status(),
        Some((7, 20) | (7, 21) | (7, 22) | (7, 23) | (7, 24) | (7, 26) | (7, 29))
    );
    if !(reply.code >= 400 && (by_words || by_status)) {
        return None;
    }
    // A status alone may be a careless choice, and the word alone stand in a web address.
    let confidence = if by_words && by_status { Confidence::Certain } else { Confidence::Likely };
    let peer = evidence.peer();
    Some(evidence.finding(
        "sender-authentication",
        Party::Client,
        confidence,
        format!(
            "{peer} checks whether the originator's domain allows this server to send for it \
         (SPF), whether the message is signed by it (DKIM), and what the domain wants done \
         otherwise (DMARC), and the check did not pass. The recipient's address is not the \
         reason."
        ),
        "Send by the mail server that the domain of your address provides. For who runs the \
         sending server: put its address into the domain's SPF record and sign with the domain's \
         DKIM key; forwarded mail fails SPF by nature, so there DKIM has to carry it.",
    ))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::found_at_rcpt;

    #[test]
    fn whose_case_it_is() {
        for (reply, is_it) in [
            ("550 5.7.23 SPF validation failed", true),
            (
                "550 5.7.26 Unauthenticated email from a.test is not accepted due to domain's \
                 DMARC policy",
                true,
            ),
            ("550 SPF: 192.0.2.9 may not send for a.test", true),
            ("550 5.7.1 no", false),
        ] {
            let finding = found_at_rcpt(reply);
            assert_eq!(finding.rule == "sender-authentication", is_it, "{reply}: {finding:?}");
        }
    }
}
