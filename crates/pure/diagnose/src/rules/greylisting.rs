//! Greylisting: strangers are asked to come back.

use crate::{
    class::Class,
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

/// Servers that call it by its name, in lower case.
const NAMES: [&str; 5] = ["greylist", "graylist", "grey list", "gray list", "postgrey"];
/// Servers that only ask to come back, which a passing trouble of theirs may also be.
const HINTS: [&str; 4] = ["try again in", "retry in", "deferred for", "come back later"];

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let reply = evidence.reply()?;
    let confidence = match (evidence.says(&NAMES), evidence.says(&HINTS)) {
        (true, _) => Confidence::Certain,
        _ if evidence.is_class(Class::Greylisted) => Confidence::Likely,
        (false, true) => Confidence::Possible,
        (false, false) => return None,
    };
    if !reply.is_transient() {
        return None;
    }
    let peer = evidence.peer();
    Some(evidence.finding(
        "greylisting",
        Party::Policy,
        confidence,
        format!(
            "{peer} asks unknown senders to come back later: spam programs rarely do, mail \
         servers do. Nothing is wrong."
        ),
        "Nothing to do: the next attempts come by themselves, and one of them will be let in.",
    ))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::found_at_rcpt;

    #[test]
    fn whose_case_it_is() {
        for (reply, is_it) in [
            ("451 4.7.1 Greylisting in action, please come back later", true),
            ("450 4.2.0 bob: Recipient address rejected: Greylisted, see http://a.test", true),
            ("550 5.7.1 greylisted for ever", false),
            ("451 4.3.0 internal error", false),
        ] {
            let finding = found_at_rcpt(reply);
            assert_eq!(finding.rule == "greylisting", is_it, "{reply}: {finding:?}");
        }
    }
}
