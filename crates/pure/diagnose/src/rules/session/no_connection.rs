//! No connection came about: refused, not answered, or no way there.

use smtp::{Stage, Trouble};

use super::Observed;
use crate::{dialogue::How, evidence::Evidence, finding::Finding, rules::connect};

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let ending = observed.dialogue.ending;
    // Our own attempt's trouble says it already.
    let Some(line) = ending.line.filter(|_| ending.how == How::NotConnected && !observed.is_ours())
    else {
        return;
    };
    let text = observed.dialogue.text(line);
    let text = if text.is_empty() { "timed out".to_owned() } else { text.into_owned() };
    let evidence = Evidence::of_trouble(observed.dialogue, Stage::Connect, Trouble::Network(text));
    if let Some(mut finding) = connect::explain(&evidence) {
        finding.line = Some(line);
        finding.next_test = Some(
            "a connection to another server on the same port (if that fails too, outgoing port 25 is blocked), and to this \
             server from another network"
                .to_owned(),
        );
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::session::testing::{none, one};

    #[test]
    fn kinds() {
        for (text, rule) in [
            ("refused", "connection-refused"),
            ("timed out", "connection-timeout"),
            ("no answer", "connection-timeout"),
            ("unreachable", "unreachable"),
        ] {
            assert_eq!(one(&format!("-- not connected: {text}"), rule).line, Some(0));
        }
        none("-- connected\nS: 220 r\nC: QUIT\nS: 221 b", "connection-refused");
    }
}
