//! Too much at once: messages, connections or recipients.

use crate::{
    class::Class,
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

/// How servers say it, in lower case.
const PHRASES: [&str; 20] = [
    "too many connections",
    "too many concurrent",
    "connection limit",
    "connections from your",
    "too many sessions",
    "rate limit",
    "ratelimit",
    "throttl",
    "too many messages",
    "too much mail",
    "sending rate",
    "receiving mail at a rate",
    "message rate",
    "too frequent",
    "too many recipients this",
    "concurrency",
    "slow down",
    "too fast",
    "temporarily deferred due to",
    "unusual rate",
];

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let reply = evidence.reply()?;
    let by_words = evidence.says(&PHRASES) || evidence.is_class(Class::RateLimit);
    let by_status = matches!(evidence.status(), Some((7, 28) | (4, 5)));
    if !(reply.code >= 400 && (by_words || by_status)) {
        return None;
    }
    // A status alone may be a careless choice of whoever wrote the reply.
    let confidence = if by_words { Confidence::Certain } else { Confidence::Likely };
    let peer = evidence.peer();
    Some(evidence.finding(
        "rate",
        Party::Client,
        confidence,
        format!(
            "{peer} limits how much it takes from one sender in a time (connections, \
         messages or recipients), and the limit is reached."
        ),
        "Nothing to do for the sender: it is tried again more slowly. If it happens all the \
         time, look whether an account is abused, and lower the number of connections to that \
         server.",
    ))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::found_at_rcpt;

    #[test]
    fn whose_case_it_is() {
        for (reply, is_it) in [
            ("421 4.7.0 too many connections from your host", true),
            ("450 4.2.1 The user is receiving mail at a rate that prevents it", true),
            ("451 4.7.28 flood", true),
            ("421 4.7.0 throttled", true),
            ("452 4.5.3 too many recipients", false),
            ("550 5.1.1 nobody", false),
        ] {
            let finding = found_at_rcpt(reply);
            assert_eq!(finding.rule == "rate", is_it, "{reply}: {finding:?}");
        }
    }
}
