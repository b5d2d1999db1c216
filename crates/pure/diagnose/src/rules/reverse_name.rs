//! The sending address has no proper reverse name, or the HELO name does not fit.

use crate::{
    class::Class,
    evidence::Evidence,
    finding::{Confidence, Finding},
};

/// How servers say it, in lower case.
const PHRASES: [&str; 14] = [
    "reverse dns",
    "rdns",
    "ptr record",
    "no ptr",
    "missing ptr",
    "cannot find your hostname",
    "cannot find your reverse hostname",
    "reverse hostname",
    "reverse lookup",
    "invalid ptr",
    "generic hostname",
    "dynamic hostname",
    "helo command rejected",
    "fcrdns",
];

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let reply = evidence.reply()?;
    // sendmail: `Relaying denied. IP name lookup failed`. With a name it would still be a stranger's.
    if evidence.says(&["relaying denied", "relaying temporarily denied"]) {
        return None;
    }
    let by_words = evidence.says(&PHRASES) || evidence.is_class(Class::ReverseName);
    let by_status = matches!(evidence.status(), Some((7, 25)));
    if !(reply.code >= 400 && (by_words || by_status)) {
        return None;
    }
    // A status alone may be a careless choice of whoever wrote the reply.
    let confidence = if by_words { Confidence::Certain } else { Confidence::Likely };
    let peer = evidence.peer();
    Some(evidence.finding(
        "reverse-name",
        evidence.sender(),
        confidence,
        format!(
            "{peer} takes mail only from addresses whose name in the DNS leads back to them, \
         and that of the sending server does not, or does not fit the name it gives at EHLO."
        ),
        "Nothing to do for the sender. Who runs the sending server has to set the PTR record of \
         its address (its network provider does that), an address record that matches, and the \
         same name at EHLO.",
    ))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::found_at_rcpt;

    #[test]
    fn whose_case_it_is() {
        for (reply, is_it) in [
            ("550 5.7.25 reverse DNS validation failed", true),
            ("450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.1]", true),
            ("550 5.7.1 no", false),
        ] {
            let finding = found_at_rcpt(reply);
            assert_eq!(finding.rule == "reverse-name", is_it, "{reply}: {finding:?}");
        }
    }
}
