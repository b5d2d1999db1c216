//! Name resolution: no such domain, no mail by declaration, or name servers that do not answer.

use smtp::Trouble;

use crate::{
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let Trouble::Dns(status, text) = &*evidence.trouble else { return None };
    let text = text.to_lowercase();
    let domain = evidence.domain();
    let finding = match (status.subject, status.detail) {
        (1, 10) => evidence.finding(
            "null-mx",
            Party::Client,
            Confidence::Certain,
            format!("The domain {domain} declares in the DNS that it takes no mail at all (null \
             MX, RFC 7505)."),
            "The address cannot be right. Ask the recipient for another one.",
        ),
        (4, 6) => evidence.finding(
            "loop-to-self",
            Party::Dns,
            Confidence::Likely,
            format!("The MX records of {domain} lead back to the sending server, which does not keep \
             mail for it."),
            "Either the MX records are wrong, or that server should be told that the domain is \
             its own.",
        ),
        _ if status.class == 5 && (status.subject == 1 || text.contains("nxdomain")) => evidence.finding(
            "no-such-domain",
            Party::Client,
            Confidence::Certain,
            format!("The DNS says that there is no domain {domain}, or nothing under that name \
             that could take mail."),
            "Check the spelling behind the @. If it is right, the domain's registration or its name service \
             has a fault that its owner has to mend.",
        ),
        _ => evidence.finding(
            "dns-failure",
            Party::Dns,
            Confidence::Likely,
            format!("The name servers of {domain} gave no usable answer, so nobody can say where its mail \
                     goes. That is not the same as there being no such domain."),
            "Nothing to do for the sender. Who runs the domain should check its name servers and DNSSEC; who \
             runs the sending server, that its resolver works for other domains.",
        ),
    };
    Some(finding)
}

#[cfg(test)]
mod tests {
    use smtp::{EnhancedStatus, Stage, Trouble};

    use crate::rules::testing::found;

    #[test]
    fn kinds() {
        for (status, text, rule, retry_helps) in [
            ((5, 1, 10), "null MX", "null-mx", false),
            ((5, 1, 2), "NXDOMAIN", "no-such-domain", false),
            ((5, 4, 4), "b.test: NXDOMAIN", "no-such-domain", false),
            ((4, 4, 3), "SERVFAIL", "dns-failure", true),
            ((5, 4, 6), "MX points to us", "loop-to-self", false),
        ] {
            let status = EnhancedStatus::new(status.0, status.1, status.2);
            let finding = found("", Stage::Routing, Trouble::Dns(status, text.into()));
            assert_eq!((finding.rule.as_str(), finding.retry_helps), (rule, retry_helps), "{text}");
        }
    }
}
