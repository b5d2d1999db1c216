//! The server does not relay for us.

use crate::{
    class::Class,
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

/// How servers say it, in lower case.
const PHRASES: [&str; 16] = [
    "relay access denied",
    "relaying denied",
    "relaying temporarily denied",
    "unable to relay",
    "relay not permitted",
    "relaying not permitted",
    "not permitted to relay",
    "relay denied",
    "we do not relay",
    "relay not allowed",
    "relaying not allowed",
    "no relaying",
    "relaying is not allowed",
    "not a relay",
    "will not relay",
    "not relay for you",
];

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let reply = evidence.reply()?;
    let by_words = evidence.says(&PHRASES) || evidence.is_class(Class::RelayDenied);
    // Postfix defers what it would not relay (`defer_unauth_destination`): nothing changes by waiting. Sendmail
    // waits for the client's name, by which it may relay for it after all.
    if reply.code < 400 || !by_words {
        return None;
    }
    let confidence = Confidence::Certain;
    let peer = evidence.peer();
    let domain = evidence.domain();
    let finding = evidence.finding(
        "relay-denied",
        Party::Unknown,
        confidence,
        format!(
            "{peer} does not take mail for {domain} from the sending server: it holds itself not responsible \
         for that domain, and does not pass on mail for strangers. Either mail for the domain is \
         led to the wrong server (MX records, or a configured next hop), or the sending server should \
         have logged in there."
        ),
        "Check the spelling behind the @. If it is right: who runs the domain should check its \
         MX records and that the server named there knows the domain; who runs the sending \
         server, whether this next hop wants a login.",
    );
    let retry_helps = finding.retry_helps && evidence.says(&["relaying temporarily denied"]);
    Some(Finding { retry_helps, ..finding })
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::found_at_rcpt;

    #[test]
    fn whose_case_it_is() {
        for (reply, is_it) in [
            ("550 5.7.1 Unable to relay", true),
            ("554 5.7.1 <bob@b.test>: Relay access denied", true),
            ("550 relaying denied", true),
            ("550 5.7.1 <bob@b.test>... Relaying denied. IP name lookup failed [192.0.2.1]", true),
            ("454 4.7.1 <x@elsewhere.test>: Relay access denied", true),
            ("550 5.7.1 no", false),
            ("250 relay", false),
        ] {
            let finding = found_at_rcpt(reply);
            assert_eq!(finding.rule == "relay-denied", is_it, "{reply}: {finding:?}");
            assert!(!(is_it && finding.retry_helps), "{reply}");
        }
        let finding = found_at_rcpt(
            "450 4.4.0 Relaying temporarily denied. Cannot resolve PTR record for 192.0.2.1",
        );
        assert_eq!((finding.rule.as_str(), finding.retry_helps), ("relay-denied", true));
    }
}
