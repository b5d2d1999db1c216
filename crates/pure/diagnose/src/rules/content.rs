//! The content itself is refused: spam, virus, size or form.

use smtp::Stage;

use crate::{
    class::Class,
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

/// How servers say it, in lower case.
const PHRASES: [&str; 13] = [
    "spam",
    "virus",
    "malware",
    "phish",
    "suspicious",
    "unsolicited",
    "junk",
    "attachment",
    "executable",
    "message content rejected",
    "content rejected",
    "banned",
    "unwanted content",
];

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let reply = evidence.reply()?;
    let by_words = evidence.says(&PHRASES)
        || [Class::Spam, Class::Virus, Class::Content]
            .into_iter()
            .any(|class| evidence.is_class(class));
    if !(reply.code >= 400
        && evidence.may_be_at(&[Stage::Data, Stage::Content, Stage::EndOfData])
        && by_words)
    {
        return None;
    }
    // Without the stage it may be the sender rather than the content that is called spam.
    let confidence =
        if evidence.stage.is_some() { Confidence::Certain } else { Confidence::Likely };
    let peer = evidence.peer();
    Some(evidence.finding(
        "content",
        Party::Policy,
        confidence,
        format!(
            "{peer} has read the message and refuses what is in it: a spam or virus check, \
         or a rule about attachments. The address is right, the connection is fine."
        ),
        "Send a short plain text without attachments and links: if that passes, it is something \
         in this message. If even that does not, ask the recipient to have their administrator \
         look for the refusal by its time and these words.",
    ))
}

#[cfg(test)]
mod tests {
    use smtp::{Stage, Trouble};

    use crate::rules::testing::{found, found_at_rcpt, reply};

    #[test]
    fn only_after_the_content() {
        let dialogue = "S: 220 r\nC: DATA\nS: 354 go\nC: .\nS: 554 5.7.1 spam message rejected";
        let trouble = || Trouble::Reply(reply("554 5.7.1 spam message rejected"));
        let finding = found(dialogue, Stage::EndOfData, trouble());
        assert_eq!((finding.rule.as_str(), finding.line), ("content", Some(4)));
        assert_ne!(found_at_rcpt("550 5.7.1 spam sender").rule, "content");
    }
}
