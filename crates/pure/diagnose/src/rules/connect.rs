//! No connection came about.

use smtp::{Stage, Trouble};

use crate::{
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

pub(crate) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    if !evidence.may_be_at(&[Stage::Connect]) {
        return None;
    }
    let text = match &*evidence.trouble {
        Trouble::Network(text) => text.to_lowercase(),
        Trouble::Silence(_) => "timed out".to_owned(),
        _ => return None,
    };
    let peer = evidence.peer();
    let (rule, who, confidence, why) = if text.contains("refused") {
        (
            "connection-refused",
            Party::Server,
            Confidence::Likely,
            format!(
                "The host {peer} is up, but nothing there listens on that port, or a firewall says so: \
                     its mail service is down, or that host is no mail server."
            ),
        )
    } else if text.contains("timed out") || text.contains("timeout") || text.contains("no answer") {
        (
            "connection-timeout",
            Party::Unknown,
            Confidence::Possible,
            format!(
                "No answer at all came from {peer}: the host is down, or a firewall drops our packets, \
                     there or on this side (many providers block outgoing port 25)."
            ),
        )
    } else if text.contains("unreachable") || text.contains("no route") {
        (
            "unreachable",
            Party::Between,
            Confidence::Likely,
            format!(
                "There is no way through the network to {peer} at the moment; for an IPv6 address, often \
                     because the sending host has no IPv6."
            ),
        )
    } else {
        (
            "no-connection",
            Party::Unknown,
            Confidence::Possible,
            format!("No connection to {peer} came about."),
        )
    };
    Some(evidence.finding(
        rule,
        who,
        confidence,
        why,
        "Nothing to do for the sender while it is still tried. Who runs the sending server can try another \
         server on port 25: if none answers, outgoing port 25 is blocked; if only this one does not, tell \
         who runs it.",
    ))
}

#[cfg(test)]
mod tests {
    use smtp::{Stage, Trouble};

    use crate::{
        finding::{Confidence, Party},
        rules::testing::found,
    };

    #[test]
    fn kinds() {
        for (text, rule, who, confidence) in [
            (
                "Connection refused (os error 111)",
                "connection-refused",
                Party::Server,
                Confidence::Likely,
            ),
            ("connection timed out", "connection-timeout", Party::Unknown, Confidence::Possible),
            (
                "Network is unreachable (os error 101)",
                "unreachable",
                Party::Between,
                Confidence::Likely,
            ),
            ("No route to host", "unreachable", Party::Between, Confidence::Likely),
            ("strange", "no-connection", Party::Unknown, Confidence::Possible),
        ] {
            let finding = found("", Stage::Connect, Trouble::Network(text.into()));
            assert_eq!(
                (finding.rule.as_str(), finding.who, finding.confidence),
                (rule, who, confidence)
            );
            assert_eq!(finding.line, None);
        }
    }
}
