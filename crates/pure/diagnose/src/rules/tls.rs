//! TLS that did not come about.

use smtp::{Stage, Trouble};

use crate::{
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
};

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    let peer = evidence.peer();
    let text = match &*evidence.trouble {
        Trouble::Tls(text) => text.to_lowercase(),
        Trouble::Reply(_) if evidence.is_at(Stage::StartTls) => {
            return Some(evidence.finding(
                "starttls-refused",
                Party::Server,
                Confidence::Certain,
                format!("{peer} offers encryption (STARTTLS) but could not do it when asked."),
                "Who runs that server has to look at its certificate and key.",
            ));
        }
        _ => return None,
    };
    let (rule, who, confidence, why) = kind(&text, peer);
    Some(evidence.finding(
        rule,
        who,
        confidence,
        why,
        "Who runs that server has to mend its TLS. Until then, who runs the sending server can lower the TLS \
         level of this route, if policy allows it.",
    ))
}

/// Which kind of trouble the TLS library's words, in lower case, tell of.
fn kind(text: &str, peer: &str) -> (&'static str, Party, Confidence, String) {
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if let Some(published) = published(text, peer) {
        published
    } else if any(&["expired", "not valid yet", "notvalidyet"]) {
        (
            "certificate-expired",
            Party::Server,
            Confidence::Likely,
            format!(
                "The certificate of {peer} is outside its time of validity (or the clock of one side is \
                     wrong), and a verified certificate is required here."
            ),
        )
    } else if any(&[
        "certificate",
        "issuer",
        "not valid for name",
        "notvalidforname",
        "self-signed",
        "unknownca",
    ]) {
        (
            "certificate",
            Party::Server,
            Confidence::Likely,
            format!(
                "The certificate of {peer} could not be verified, and a verified one is required \
                 here."
            ),
        )
    } else if any(&[
        "protocol version",
        "protocolversion",
        "no cipher",
        "handshake failure",
        "handshakefailure",
        "peer is incompatible",
        "peerincompatible",
        "neither tls 1.2 nor 1.3",
        "older than we take",
        "no version, cipher",
        "no cipher that we offer",
    ]) {
        (
            "tls-incompatible",
            Party::Server,
            Confidence::Likely,
            format!(
                "{peer} and the sending server have no version or algorithm of TLS in common; most often the \
                     other side is very old."
            ),
        )
    } else {
        (
            "tls",
            Party::Unknown,
            Confidence::Possible,
            format!(
                "Encryption with {peer} could not be agreed on: a fault there, or a box in between that \
                     cannot bear TLS."
            ),
        )
    }
}

/// What the domain itself published about its servers, where they do not keep to it.
fn published(text: &str, peer: &str) -> Option<(&'static str, Party, Confidence, String)> {
    if text.contains("tlsa") {
        Some((
            "dane",
            Party::Server,
            Confidence::Likely,
            format!(
                "{peer} has published in the DNS (DANE, TLSA records) which certificate it has, and showed \
                     another one, or its records are of no use. Most often the certificate was renewed and \
                     the records were not; it may also be somebody else who answers there."
            ),
        ))
    } else if text.contains("mta-sts policy") {
        Some((
            "mta-sts",
            Party::Policy,
            Confidence::Likely,
            format!(
                "The recipient's domain has an MTA-STS policy in force that does not name {peer}. Either the \
                     policy was not updated when the domain's MX records were changed, or the MX records are \
                     not the domain's own."
            ),
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use smtp::{Stage, Trouble};

    use crate::rules::testing::{found, found_at_rcpt, reply};

    #[test]
    fn kinds() {
        for (text, rule) in [
            ("invalid peer certificate: Expired", "certificate-expired"),
            ("invalid peer certificate: UnknownIssuer", "certificate"),
            ("received fatal alert: ProtocolVersion", "tls-incompatible"),
            ("it knows neither TLS 1.2 nor 1.3 (alert protocol_version, 70)", "tls-incompatible"),
            (
                "its certificate is none that the TLSA records at `_25._tcp.mx.b.test` allow: they have 3 1 1 \
                 00; its key would be `3 1 1 01`",
                "dane",
            ),
            ("the MTA-STS policy of `b.test` does not name `mx.c.test` but mx.b.test", "mta-sts"),
            ("peer closed connection without sending TLS close_notify", "tls"),
        ] {
            assert_eq!(found("", Stage::Tls, Trouble::Tls(text.into())).rule, rule, "{text}");
        }
        let refused = found(
            "S: 220 r\nC: EHLO a\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 no TLS now",
            Stage::StartTls,
            Trouble::Reply(reply("454 4.7.0 no TLS now")),
        );
        assert_eq!((refused.rule.as_str(), refused.line), ("starttls-refused", Some(4)));
        assert_ne!(found_at_rcpt("550 certificate expired").rule, "certificate-expired");
    }
}
