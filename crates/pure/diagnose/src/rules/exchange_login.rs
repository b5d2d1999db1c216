//! `451 5.7.3 Cannot achieve Exchange Server authentication`: Exchange servers of one organization could not log in at
//! each other, usually because something between them took their private keywords away.

use crate::{
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

const PHRASES: [&str; 2] =
    ["cannot achieve exchange server authentication", "exchange server authentication failed"];
/// What they need to see of each other at EHLO.
const KEYWORDS: [&str; 2] = ["X-ANONYMOUSTLS", "X-EXPS"];

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    if evidence.reply()?.code < 400 || !evidence.says(&PHRASES) {
        return None;
    }
    let offered = evidence.dialogue.map(|dialogue| {
        let mut lines = dialogue.session.lines.iter();
        lines.any(|line| KEYWORDS.iter().any(|word| line.lossy().contains(word)))
    });
    let (who, seen) = match offered {
        Some(false) => (
            Party::Between,
            " In this session neither X-ANONYMOUSTLS nor X-EXPS is offered, which the other server would do.",
        ),
        Some(true) => (
            Party::Unknown,
            " In this session the keywords are there, so it is the login itself that failed.",
        ),
        None => (Party::Between, ""),
    };
    let mut finding = evidence.finding(
        "exchange-login",
        who,
        Confidence::Likely,
        format!(
            "Exchange servers of one organization log in at each other by private extensions (X-ANONYMOUSTLS, X-EXPS), and \
             that did not come about. The usual cause is a firewall between the sites that inspects SMTP and removes what \
             it does not know.{seen}"
        ),
        "Let ESMTP pass uninspected between the sites (ASA: no `inspect esmtp`). If it does: check that both servers' \
         connectors have Exchange Server authentication, and their clocks and certificates.",
    );
    finding.next_test =
        Some("the EHLO reply as each of the two servers sees it of the other".to_owned());
    Some(finding)
}

#[cfg(test)]
mod tests {
    use crate::{
        examine_reply,
        finding::Party,
        rules::testing::{found_at_rcpt, reply},
    };

    #[test]
    fn by_its_words() {
        let line = "451 5.7.3 Cannot achieve Exchange Server authentication";
        assert_eq!(examine_reply(&reply(line), None).rule, "exchange-login");
        let finding = found_at_rcpt(line);
        assert_eq!((finding.rule.as_str(), finding.who), ("exchange-login", Party::Between));
        assert_ne!(found_at_rcpt("535 5.7.3 Authentication unsuccessful").rule, "exchange-login");
    }
}
