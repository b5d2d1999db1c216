//! The login: refused, too weak, or missing.

use smtp::{Reply, Stage, Trouble};

use crate::{
    class::Class,
    dialogue::Exchange,
    evidence::Evidence,
    finding::{Confidence, Finding, Party},
    session::Kind,
};

pub(super) fn explain(evidence: &Evidence<'_>) -> Option<Finding> {
    if let Trouble::Local(_, text) = &*evidence.trouble
        && evidence.is_at(Stage::Auth)
    {
        return given_up(evidence, text);
    }
    let reply = evidence.reply()?;
    let peer = evidence.peer();
    let wants_login = reply.code == 530
        || (reply.code >= 500
            && (evidence.is_class(Class::Login)
                || evidence.says(&[
                    "authentication required",
                    "authentication is required",
                    "authenticate first",
                    "must authenticate",
                    "auth required",
                    "need to authenticate",
                    "not authenticated",
                    "client was not authenticated",
                    "send auth first",
                    "log in first",
                    "not logged in",
                ])));
    if evidence.exchange.is_some_and(|exchange| is_cancelled(evidence, &exchange)) {
        return Some(cancelled(evidence));
    }
    if evidence.is_at(Stage::Auth) || evidence.stage.is_none() && reply.code == 535 {
        return Some(at_login(evidence, reply));
    }
    if !wants_login {
        return None;
    }
    let logged_in = evidence
        .dialogue
        .is_some_and(|dialogue| dialogue.at(Stage::Auth).any(|exchange| exchange.code == 235));
    let wants_tls = evidence.says(&["starttls", "tls required", "encryption"])
        || evidence.status() == Some((7, 10));
    if wants_tls && !logged_in {
        return Some(evidence.finding(
            "tls-wanted",
            evidence.sender(),
            Confidence::Certain,
            format!("{peer} takes mail only over an encrypted connection, and this one was not."),
            "Who runs the sending server has to switch on STARTTLS for this next hop.",
        ));
    }
    let (confidence, why) = if logged_in {
        (
            Confidence::Possible,
            format!(
                "{peer} asks for a login although the sending server did log in; it seems not to know \
                 of it."
            ),
        )
    } else {
        (
            Confidence::Certain,
            format!("{peer} wants a login before it takes mail, and there was none."),
        )
    };
    Some(evidence.finding(
        "login-wanted",
        evidence.sender(),
        confidence,
        why,
        "Who runs the sending server has to configure user name and password for this next hop, or a next hop \
         that takes mail without.",
    ))
}

/// We gave the login up ourselves.
fn given_up(evidence: &Evidence<'_>, text: &str) -> Option<Finding> {
    let peer = evidence.peer();
    if let Some((_, trouble)) = text.split_once("the security context failed: ") {
        // Behind the administrator's words stand the library's: those are in the evidence.
        let trouble = trouble.split(" (GSSAPI: ").next().unwrap_or(trouble);
        return Some(evidence.finding(
            "kerberos",
            evidence.sender(),
            Confidence::Certain,
            format!("The login at {peer} by Kerberos (GSSAPI) came to nothing: {trouble}."),
            "Who runs the sending server has to mend that; what the Kerberos library says stands with the \
             attempt. Mail waits meanwhile.",
        ));
    }
    if let Some(lists) = text.strip_prefix("no mechanism of AUTH in common: ") {
        return Some(evidence.finding(
            "login-mechanism",
            evidence.sender(),
            Confidence::Certain,
            format!("{peer} and the sending server have no way of logging in in common: {lists}."),
            "Who runs the sending server has to allow one of those that the next hop offers, in `mechanisms`, or \
             to configure what they need.",
        ));
    }
    unproven(evidence, text)
}

/// The server took the login without proof that it knows who logs in (RFC 5802 section 3).
fn unproven(evidence: &Evidence<'_>, text: &str) -> Option<Finding> {
    let peer = evidence.peer();
    text.contains("could not prove that it knows the password").then(|| {
        evidence.finding(
            "server-unproven",
            Party::Server,
            Confidence::Likely,
            format!(
                "{peer} could not prove that it knows the password that it asked to be proven to it: it may be \
                 somebody else, or its users' store is broken. It got no mail."
            ),
            "Who runs the sending server should find out, with whoever runs the next hop, which server that is: \
             its address and its certificate are in the evidence. The password itself was not shown to it.",
        )
    })
}

/// Whether the client itself broke the login off: it answered the challenge with `*` (RFC 4954 section 4).
fn is_cancelled(evidence: &Evidence<'_>, exchange: &Exchange) -> bool {
    let line = exchange.command.and_then(|line| evidence.dialogue?.line(line));
    line.is_some_and(|line| line.kind == Kind::SaslResponse && line.text == b"*")
}

fn cancelled(evidence: &Evidence<'_>) -> Finding {
    let peer = evidence.peer();
    evidence.finding(
        "login-failed",
        evidence.sender(),
        Confidence::Certain,
        format!(
            "The sending side broke the login off itself: it answered the challenge of {peer} with `*`. What the \
             challenge asks for, it does not know or does not want to give."
        ),
        "Who runs the sending side should look what its own log says of the login, or have it use another mechanism.",
    )
}

/// The login itself was refused.
fn at_login(evidence: &Evidence<'_>, reply: &Reply) -> Finding {
    let peer = evidence.peer();
    let is_bound = evidence.dialogue.is_some_and(|dialogue| {
        let mut lines = dialogue.session.lines.iter();
        lines.any(|line| line.text.starts_with(b"AUTH SCRAM-") && contains(&line.text, b"-PLUS"))
    });
    if is_bound && (reply.code == 535 || evidence.status() == Some((7, 8))) {
        return evidence.finding(
            "login-refused",
            Party::Unknown,
            Confidence::Likely,
            format!(
                "{peer} did not accept the login, which was bound to the TLS session: either user name or password \
                 is wrong, or the session does not end where it should, and somebody in between (a proxy, a \
                 scanner) ends TLS and begins another."
            ),
            "Who runs the sending server can compare the certificate in the evidence with the next hop's own. If it \
             is another one, somebody is in between: the binding did what it is for. If it is the same, user name \
             and password have to be corrected.",
        );
    }
    if reply.code == 535 || evidence.status() == Some((7, 8)) {
        return evidence.finding(
            "login-refused",
            evidence.sender(),
            Confidence::Certain,
            format!("{peer} did not accept the user name and password with which the sending server \
             logged in."),
            "Who runs the sending server has to correct user name and password for this next hop. If they are \
             right, the provider may want an application password, or has locked the account.",
        );
    }
    if matches!(reply.code, 504 | 534 | 538) || matches!(evidence.status(), Some((7, 9 | 11))) {
        return evidence.finding(
            "login-mechanism",
            evidence.sender(),
            Confidence::Certain,
            format!("{peer} does not accept this way of logging in, or not without TLS."),
            "Who runs the sending server has to switch on TLS for this next hop, or configure another \
             mechanism.",
        );
    }
    evidence.finding(
        "login-failed",
        if reply.is_transient() { Party::Server } else { Party::Unknown },
        Confidence::Likely,
        format!("{peer} could not or would not finish the login."),
        "If it stays so, who runs the sending server should ask who runs the next hop.",
    )
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use smtp::{EnhancedStatus, Stage, Trouble};

    use crate::rules::{
        session::testing::{none, one},
        testing::{found, found_at_rcpt, reply},
    };

    /// As curl does where an empty realm of DIGEST-MD5 does not please it.
    #[test]
    fn a_login_that_the_client_broke_off() {
        let begun = "S: 220 r\nC: EHLO a\nS: 250 AUTH DIGEST-MD5 PLAIN\nC: AUTH DIGEST-MD5\nS: 334 x\nC: *\n\
                     S: 501 5.7.0 Authentication aborted";
        let finding = one(begun, "login-failed");
        assert!(finding.why.contains("broke the login off itself"), "{finding:?}");
        assert_eq!(finding.who, crate::finding::Party::Client);
        // It had another mechanism.
        none(&format!("{begun}\nC: AUTH PLAIN ****\nS: 235 2.7.0 ok"), "login-failed");
        // That is no cancelling.
        let refused = begun.replace("C: *\n", "C: ****\n");
        assert_eq!(one(&refused, "login-failed").who, crate::finding::Party::Unknown);
    }

    #[test]
    fn logins() {
        for (line, rule) in [
            ("535 5.7.8 bad credentials", "login-refused"),
            ("535 no", "login-refused"),
            ("538 5.7.11 use TLS", "login-mechanism"),
            ("454 4.7.0 not now", "login-failed"),
        ] {
            let dialogue = format!("S: 220 r\nC: EHLO a\nS: 250 r\nC: AUTH PLAIN ****\nS: {line}");
            let finding = found(&dialogue, Stage::Auth, Trouble::Reply(reply(line)));
            assert_eq!(
                (finding.rule.as_str(), finding.line, finding.command),
                (rule, Some(4), Some(3))
            );
        }
        let bound =
            "S: 220 r\nC: EHLO a\nS: 250 r\nC: AUTH SCRAM-SHA-256-PLUS ****\nS: 535 5.7.8 no";
        let finding = found(bound, Stage::Auth, Trouble::Reply(reply("535 5.7.8 no")));
        assert!(finding.why.contains("somebody in between"), "{finding:?}");
        let dialogue = "S: 220 r\nC: EHLO a\nS: 250 r\nC: AUTH SCRAM-SHA-256 ****\nS: 235 ok";
        let text = "SCRAM-SHA-256: the server could not prove that it knows the password, so it may not be";
        let trouble = Trouble::Local(EnhancedStatus::new(4, 7, 5), text.to_owned());
        assert_eq!(found(dialogue, Stage::Auth, trouble).rule, "server-unproven");
        for (text, rule, says) in [
            (
                "GSSAPI: the security context failed: no KDC of the realm answered (GSSAPI: Cannot contact any KDC)",
                "kerberos",
                "no KDC of the realm answered.",
            ),
            (
                "no mechanism of AUTH in common: the server offers NTLM, and ours are PLAIN LOGIN",
                "login-mechanism",
                "the server offers NTLM",
            ),
            // Nothing that is known of logins.
            ("credentials are not sent in clear and the session has no TLS", "ours", ""),
        ] {
            let trouble = Trouble::Local(EnhancedStatus::new(4, 7, 0), text.to_owned());
            let finding = found("S: 220 r\nC: EHLO a\nS: 250 r", Stage::Auth, trouble);
            assert_eq!(finding.rule, rule, "{text}");
            assert!(finding.why.contains(says), "{finding:?}");
        }
        assert_eq!(found_at_rcpt("530 5.7.0 Authentication required").rule, "login-wanted");
        assert_eq!(
            crate::examine_reply(&reply("530 5.7.10 Must issue a STARTTLS command first"), None)
                .rule,
            "tls-wanted"
        );
    }
}
