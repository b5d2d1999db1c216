//! What a TLS handshake shows from outside: alerts, and certificates of scanners that read along.

use smtp::Party as By;

use super::{About, Observed};
use crate::{
    finding::{Confidence, Finding, Party, Weight},
    quote::clean,
    session::{Event, Kind},
};

/// Words in the subject or issuer of certificates that scanners and firewalls issue themselves, in lower
/// case, and whose they are.
const INTERCEPTORS: [(&str, &str); 22] = [
    ("avast! web/mail shield", "avast's mail shield"),
    ("avast web/mail shield", "avast's mail shield"),
    ("avg web/mail shield", "AVG's mail shield"),
    ("kaspersky anti-virus personal root", "Kaspersky's mail scanner"),
    ("eset ssl filter", "ESET's mail scanner"),
    ("bitdefender personal ca", "Bitdefender's mail scanner"),
    ("g data mail scanner root", "G Data's mail scanner"),
    ("dr.web", "Dr.Web's mail scanner"),
    ("norton web/mail shield", "Norton's mail shield"),
    ("mcafee web gateway", "a McAfee gateway"),
    ("fortinet", "a FortiGate or another device of Fortinet"),
    ("fortigate", "a FortiGate"),
    ("sophos ssl ca", "a Sophos firewall"),
    ("sophos_ca", "a Sophos firewall"),
    ("watchguard", "a WatchGuard firewall"),
    ("untangle", "an Untangle gateway"),
    ("zscaler", "Zscaler"),
    ("blue coat", "a Blue Coat proxy"),
    ("check point", "a Check Point gateway"),
    ("sonicwall", "a SonicWall firewall"),
    ("palo alto networks", "a Palo Alto firewall"),
    ("barracuda ssl inspection", "a Barracuda firewall"),
];

/// Alerts that only close, or withdraw: no trouble.
const HARMLESS: [&str; 3] = ["close_notify", "user_canceled", "no_renegotiation"];

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let Some(tls) = &observed.dialogue.session.tls else { return };
    found.extend(
        tls.certificates
            .iter()
            .find_map(|(subject, issuer)| intercepted(observed, subject, issuer)),
    );
    let alert = tls.alerts.iter().find(|(_, name)| {
        let name = plain(name);
        !name.is_empty()
            && !HARMLESS.iter().any(|harmless| name.contains(harmless))
            && kind(&name).is_some()
    });
    if let Some((by, name)) = alert {
        found.extend(told(observed, *by, name));
    }
}

fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-'], "_")
}

fn intercepted(observed: &Observed<'_>, subject: &str, issuer: &str) -> Option<Finding> {
    let words = format!("{subject} {issuer}").to_lowercase();
    let (_, whose) = INTERCEPTORS.iter().find(|(word, _)| words.contains(word))?;
    Some(observed.finding("tls-intercepted", hello(observed), About {
        what: format!("the certificate `{}` is issued by `{}`", clean(subject), clean(issuer)),
        who: Party::Between,
        confidence: Confidence::Likely,
        why: format!(
            "That is the certificate of {whose}: it ends the TLS of both sides and reads the mail in between. The client \
             can't see the server's own certificate, so that verification, DANE and MTA-STS fail from here only. If \
             the server itself is such a device with its factory certificate, it looks the same."
        ),
        remedy: "Exempt the mail server's process, or port 25, 465 and 587, from the scanner's TLS inspection; or give the \
                 server a certificate of its own, if it is the device."
            .to_owned(),
        weight: Weight::Fault,
        next_test: Some(
            "the certificate of the same server as seen from another network: if it has another issuer there, something \
             on this path stands in between"
                .to_owned(),
        ),
        ..About::default()
    }))
}

fn hello(observed: &Observed<'_>) -> Option<usize> {
    observed.dialogue.session.lines.iter().rposition(|line| {
        matches!(line.kind, Kind::Event(Event::TlsAlert | Event::TlsHello | Event::TlsEstablished))
    })
}

/// What an alert complains of: the sentence, and whether it is about the other side's certificate.
fn kind(name: &str) -> Option<(&'static str, bool)> {
    let any = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if any(&["expired"]) {
        Some(("the certificate of the other side is out of its time of validity", true))
    } else if any(&["unknown_ca"]) {
        Some((
            "the certificate of the other side is issued by somebody whom it does not trust",
            true,
        ))
    } else if any(&["certificate"]) {
        Some(("it does not accept the certificate of the other side, or misses one", true))
    } else if any(&[
        "protocol_version",
        "insufficient_security",
        "inappropriate_fallback",
        "handshake_failure",
    ]) {
        Some(("both have no version or algorithm of TLS in common", false))
    } else if any(&["unrecognized_name"]) {
        Some(("it does not know the server name that was asked for", false))
    } else if any(&[
        "internal_error",
        "decode_error",
        "unexpected_message",
        "bad_record_mac",
        "decrypt_error",
        "record_overflow",
        "illegal_parameter",
    ]) {
        Some(("it could not make sense of what it received, or has a fault of its own", false))
    } else if name.is_empty() || name.chars().all(|c| c.is_ascii_digit()) {
        None
    } else {
        Some(("it broke the handshake off", false))
    }
}

fn told(observed: &Observed<'_>, by: By, name: &str) -> Option<Finding> {
    let (says, is_certificate) = kind(&plain(name))?;
    let lines = &observed.dialogue.session.lines;
    let line = lines
        .iter()
        .position(|line| line.by == by && matches!(line.kind, Kind::Event(Event::TlsAlert)));
    // Under an established connection the end of the session comes as an alert, too.
    let whose = if by == By::Client { "the client" } else { "the server" };
    let who = match (is_certificate, by) {
        (true, By::Client) => Party::Server,
        (true, _) => observed.sender(),
        (false, _) => Party::Unknown,
    };
    Some(observed.finding("tls-alert", line.or_else(|| hello(observed)), About {
        what: format!("{whose} ended the TLS handshake with the alert `{}`", clean(name)),
        who,
        confidence: if is_certificate { Confidence::Likely } else { Confidence::Possible },
        why: format!("With that alert {whose} says: {says}."),
        remedy: if is_certificate {
            "Look at the certificate that the other side shows: its names, its expiry, its chain; and at what this side \
             requires."
                .to_owned()
        } else {
            "Compare the versions and cipher suites that both sides allow, and look whether a scanner in between takes \
             part in TLS."
                .to_owned()
        },
        weight: Weight::Failure,
        ..About::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{START, none, one};

    #[test]
    fn alerts() {
        let text = |alert: &str| {
            format!("{START}C: STARTTLS\nS: 220 go\n-- C tls hello\n-- {alert}\n-- C closed")
        };
        for (alert, who) in [
            ("C tls alert: certificate_expired", Party::Server),
            ("C tls alert: unknown CA", Party::Server),
            ("S tls alert: protocol_version", Party::Unknown),
        ] {
            assert_eq!(one(&text(alert), "tls-alert").who, who, "{alert}");
        }
        for alert in ["C tls alert: close_notify", "S tls alert: close notify", "S tls alert: "] {
            none(&text(alert), "tls-alert");
        }
    }

    #[test]
    fn scanners_read_along() {
        let text = |issuer: &str| {
            format!(
                "{START}-- C tls hello\n-- certificate: CN=mx.b.test; {issuer}\nC: <encrypted 9>"
            )
        };
        let finding = one(&text("CN=avast! Web/Mail Shield Root, O=avast"), "tls-intercepted");
        assert_eq!((finding.who, finding.confidence), (Party::Between, Confidence::Likely));
        none(&text("CN=R11, O=Let's Encrypt, C=US"), "tls-intercepted");
    }
}
