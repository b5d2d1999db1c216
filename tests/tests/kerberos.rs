//! GSSAPI (RFC 4752) with Debian's MIT Kerberos: Postfix logs in here with a ticket, we log in elsewhere
//! with a ticket or a keytab, and what goes wrong is told in words that say what to do.

use std::time::Duration;

use harness::{
    bed::Bed,
    client::Client,
    maildir,
    peers::{Kdc, Postfix, REALM, Wants},
    program::{run, wait_for},
};

const CONTENT: &[u8] =
    b"From: <anna@here.test>\r\nSubject: x\r\nMessage-ID: <1@here.test>\r\n\r\n.dot\r\nend\r\n";

/// A server that lives in the realm, and has this keytab.
fn bed(kdc: &Kdc, keytab: &std::path::Path) -> Bed {
    let gssapi = format!(
        "gssapi = {{ keytab = \"{}\", realms = {{ \"{REALM}\" = \"here.test\" }} }}\n",
        keytab.display()
    );
    let mut bed = Bed::new("");
    bed.environment(kdc.environment());
    bed.configure_submission(&gssapi, "");
    bed.start_again();
    bed
}

/// Hands a message to Postfix, which has to log in here to get rid of it.
#[track_caller]
fn hand_over(port: u16) {
    let mut client = Client::connect(port).expect("the server answers");
    client.say("EHLO client.test").expect("the server answers");
    let reply = client.transaction("anna@here.test", &["bob@here.test"], CONTENT);
    let reply = reply.expect("the server answers");
    assert!(reply.starts_with("250"), "{reply}");
}

/// A Postfix whose smarthost we are, with that ticket.
fn postfix(kdc: &Kdc, bed: &Bed, cache: &str) -> Option<Postfix> {
    let mut environment = kdc.environment();
    environment.push(("KRB5CCNAME", cache.to_owned()));
    let file = cache.trim_start_matches("FILE:");
    run(std::process::Command::new("chown").args(["postfix", file])).good();
    let wants = Wants {
        tls: true,
        auth: Some(("anna", "none")),
        mechanisms: Some("gssapi"),
        environment: &environment,
        ..Wants::default()
    };
    Postfix::start(bed.submission, wants)
}

#[test]
fn postfix_logs_in_with_a_ticket() {
    let Some(kdc) = Kdc::start() else { return };
    kdc.add_service("smtp/127.0.0.1");
    let keytab = kdc.keytab("smtp.keytab", "smtp/127.0.0.1");
    let bed = bed(&kdc, &keytab);
    let Some(postfix) = postfix(&kdc, &bed, &kdc.tickets("anna.tickets", "10h")) else { return };
    hand_over(postfix.port);
    let kept = maildir::wait(&bed.mailbox("bob"), 1).remove(0);
    let kept = String::from_utf8_lossy(&kept).into_owned();
    assert!(kept.contains("with ESMTPSA"), "{kept}");
    let log = wait_for("the login in the log", Duration::from_secs(10), || {
        Some(bed.log()).filter(|log| log.contains("authenticated"))
    });
    assert!(log.contains("GSSAPI") && log.contains("anna@here.test"), "{log}");
}

/// What the log has to say of a login that fails, after the keys, the tickets or the clocks were altered.
#[track_caller]
fn refused(kdc: &Kdc, bed: &Bed, expected: &[&str]) {
    let Some(postfix) = postfix(kdc, bed, &kdc.tickets("anna.tickets", "10h")) else { return };
    hand_over(postfix.port);
    wait_for(&format!("{expected:?} in the log"), Duration::from_secs(20), || {
        let log = bed.log();
        expected.iter().all(|words| log.contains(words)).then_some(())
    });
    assert!(postfix.log().contains("status=deferred"), "{}", postfix.log());
    assert!(maildir::read(&bed.mailbox("bob")).is_empty(), "mail came in without a login");
}

#[test]
fn a_keytab_that_is_older_than_the_ticket_is_named() {
    let Some(kdc) = Kdc::start() else { return };
    kdc.add_service("smtp/127.0.0.1");
    let keytab = kdc.keytab("smtp.keytab", "smtp/127.0.0.1");
    let bed = bed(&kdc, &keytab);
    // The KDC has a newer key from now on.
    kdc.keytab("newer.keytab", "smtp/127.0.0.1");
    refused(
        &kdc,
        &bed,
        &["login refused", "export the keytab again", "kvno 3 not found in keytab"],
    );
}

#[test]
fn a_ticket_for_another_name_of_ours_is_named() {
    let Some(kdc) = Kdc::start() else { return };
    kdc.add_service("smtp/127.0.0.1");
    // Whoever calls us by our address has a ticket for that.
    let keytab = kdc.keytab("smtp.keytab", "smtp/localhost");
    let bed = bed(&kdc, &keytab);
    refused(&kdc, &bed, &["login refused", "that the keytab has no key of", "smtp/127.0.0.1@"]);
}
