//! Small commands pass, the content does not arrive: the path loses big packets.

use smtp::{Stage, Trouble};

use crate::{
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

/// The content could not be sent off to its end (silence while still sending): acknowledgements stopped
/// coming. After its end the server may as well be busy, so there it is only one explanation of two.
pub(crate) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let is_silent = match &*evidence.trouble {
        Trouble::Silence(_) => true,
        Trouble::Network(text) => text.to_lowercase().contains("timed out"),
        _ => false,
    };
    let confidence = match evidence.stage {
        Some(Stage::Content) => Confidence::Likely,
        Some(Stage::EndOfData) => Confidence::Possible,
        _ => return None,
    };
    if !is_silent {
        return None;
    }
    let peer = evidence.peer();
    let mut why = format!(
        "All the short commands went through, and then, with the message itself, {peer} went silent. That \
         is how it looks when the way there loses big packets: a router or firewall with a smaller packet \
         size (MTU) that also suppresses the notice of it."
    );
    if evidence.is_at(Stage::EndOfData) {
        why.push_str(
            " It may as well be that the server got it all and is busy checking it; then a further attempt \
             may make a second copy.",
        );
    }
    Some(evidence.finding(
        "silence-after-content",
        if confidence == Confidence::Likely { Party::Between } else { Party::Unknown },
        confidence,
        why,
        "Nothing to do for the sender. Who runs the sending server can tell the two apart with a message of \
         a few hundred octets: if that passes where bigger ones do not, lower the MTU of the sending host \
         (1400, for example) and have the firewall let `fragmentation needed` through.",
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smtp::{Stage, Trouble};

    use crate::{
        finding::{Confidence, Party},
        rules::testing::found,
    };

    #[test]
    fn how_sure() {
        let dialogue = "S: 220 r\nC: EHLO a\nS: 250 r\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<bob@b.test>\n\
                        S: 250 ok\nC: DATA\nS: 354 go\nC: .";
        let silence = || Trouble::Silence(Duration::from_secs(600));
        let sending = found(dialogue, Stage::Content, silence());
        assert_eq!((sending.who, sending.confidence), (Party::Between, Confidence::Likely));
        let sent = found(dialogue, Stage::EndOfData, silence());
        assert_eq!(
            (sent.who, sent.confidence, sent.line),
            (Party::Unknown, Confidence::Possible, Some(9))
        );
        assert_eq!(sent.rule, "silence-after-content");
        assert_ne!(
            found(dialogue, Stage::EndOfData, Trouble::Closed).rule,
            "silence-after-content"
        );
    }
}
