//! GSSAPI (RFC 4752) with Debian's MIT Kerberos: Postfix logs in here with a ticket, we log in elsewhere
//! with a ticket or a keytab, and what goes wrong is told in words that say what to do.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use harness::{
    bed::Bed,
    client::Client,
    maildir,
    peers::{DovecotAuth, Kdc, Knows, Postfix, REALM, Wants},
    ports,
    program::{run, skip, wait_for},
    sink::Sink,
};

const CONTENT: &[u8] =
    b"From: <anna@here.test>\r\nSubject: x\r\nMessage-ID: <1@here.test>\r\n\r\n.dot\r\nend\r\n";

/// A server that lives in the realm, and has this keytab.
fn bed(kdc: &Kdc, keytab: &Path) -> Bed {
    bed_with(kdc, keytab, "", &[])
}

/// The same, with tables, and with more in its environment.
fn bed_with(kdc: &Kdc, keytab: &Path, tables: &str, environment: &[(&str, String)]) -> Bed {
    let gssapi = format!(
        "gssapi = {{ keytab = \"{}\", realms = {{ \"{REALM}\" = \"here.test\" }} }}\n",
        keytab.display()
    );
    let mut bed = Bed::new("");
    bed.environment(kdc.environment());
    bed.environment(environment.iter().cloned());
    bed.configure_submission(&gssapi, tables);
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
    wait_for("Postfix's word", Duration::from_secs(10), || {
        postfix.log().contains("status=deferred").then_some(())
    });
    assert!(maildir::read(&bed.mailbox("bob")).is_empty(), "mail came in without a login");
    // The ticket could not be read, so nobody knows whose it was: the client's address is what there is.
    let words = expected.iter().copied().chain(["AUTH GSSAPI"]);
    bed.why("127.0.0.1", &words.collect::<Vec<_>>());
}

#[test]
fn a_keytab_that_is_older_than_the_ticket_is_named() {
    let Some(kdc) = Kdc::start() else { return };
    kdc.add_service("smtp/127.0.0.1");
    let keytab = kdc.keytab("smtp.keytab", "smtp/127.0.0.1");
    let bed = bed(&kdc, &keytab);
    // The KDC has a newer key from now on.
    kdc.keytab("newer.keytab", "smtp/127.0.0.1");
    refused(&kdc, &bed, &["535 5.7.8", "export the keytab again", "kvno 3 not found in keytab"]);
}

#[test]
fn a_ticket_for_another_name_of_ours_is_named() {
    let Some(kdc) = Kdc::start() else { return };
    kdc.add_service("smtp/127.0.0.1");
    // Whoever calls us by our address has a ticket for that.
    let keytab = kdc.keytab("smtp.keytab", "smtp/localhost");
    let bed = bed(&kdc, &keytab);
    refused(&kdc, &bed, &["535 5.7.8", "that the keytab has no key of", "smtp/127.0.0.1@"]);
}

#[test]
fn a_ticket_of_another_realm_is_named() {
    let Some(kdc) = Kdc::start() else { return };
    kdc.add_service("smtp/127.0.0.1");
    let keytab = kdc.keytab("smtp.keytab", "smtp/127.0.0.1");
    let mut bed = Bed::new("");
    bed.environment(kdc.environment());
    let keytab = keytab.display();
    bed.configure_submission(
        &format!(
            "gssapi = {{ keytab = \"{keytab}\", realms = {{ \"OTHER.TEST\" = \"here.test\" }} }}\n"
        ),
        "",
    );
    bed.start_again();
    let ticket = kdc.tickets("anna.tickets", "10h");
    let said = sign_in(&kdc, &bed, &ticket);
    assert!(said.contains("535 5.7.8"), "{said}");
    let cause = format!("its realm `{REALM}` is not in `gssapi.realms`");
    bed.why(&format!("anna@{REALM}"), &["535 5.7.8", &cause]);
    bed.why("127.0.0.1", &[&cause]);
    let shown = bed.command(&["door", "logins"]).good();
    assert!(shown.contains(&format!("anna@{}", REALM.to_lowercase())), "it counts: {shown}");
}

/// Signs in by hand, and gives what was said.
fn sign_in(kdc: &Kdc, bed: &Bed, ticket: &str) -> String {
    let mut send = std::process::Command::new(harness::bed::binary());
    let port = bed.submission.to_string();
    send.args(["send", "--server", "127.0.0.1", "--port", &port, "--tls", "required", "-d"]);
    send.args(["--auth", &format!("anna@{REALM}"), "--mechanism", "GSSAPI"]);
    send.args(["--from", "anna@here.test", "--to", "bob@here.test", "--body", "x"]);
    send.envs(kdc.environment()).env("KRB5CCNAME", ticket).stdin(std::process::Stdio::null());
    run(&mut send).text()
}

#[test]
fn tickets_that_fail_count_and_who_is_locked_stays_out() {
    let Some(kdc) = Kdc::start() else { return };
    kdc.add_service("smtp/127.0.0.1");
    let file = kdc.keytab("smtp.keytab", "smtp/127.0.0.1");
    let stale = std::fs::read(&file).expect("a file can be read");
    kdc.keytab("smtp.keytab", "smtp/127.0.0.1");
    let fresh = std::fs::read(&file).expect("a file can be read");
    std::fs::write(&file, stale).expect("a file can be written");
    let port = ports::free();
    let tables = format!(
        "[[listener]]\nname = \"clear\"\naddress = \"127.0.0.1:{port}\"\nrole = \"submission\"\ntls = \"none\"\n\
         auth = {{ without_tls = true }}\n[door.logins]\nper_client = 3\nper_user = 4\ndelay = \"10ms\"\n\
         delay_max = \"20ms\"\n"
    );
    let bed = bed_with(&kdc, &file, &tables, &[]);
    let ticket = kdc.tickets("anna.tickets", "10h");
    for _ in 0..3 {
        let said = sign_in(&kdc, &bed, &ticket);
        assert!(said.contains("535 5.7.8"), "{said}");
    }
    // Now the keytab is right, and the client is locked all the same.
    std::fs::write(&file, &fresh).expect("a file can be written");
    let said = sign_in(&kdc, &bed, &ticket);
    assert!(said.contains("454 4.7.0 too many failed logins"), "{said}");
    let shown = bed.command(&["door", "logins", "--locked"]).good();
    assert!(shown.contains("127.0.0.1"), "{shown}");
    bed.command(&["door", "unlock", "127.0.0.1"]).good();
    // Strangers guess at the user's password: where he never was, his name is locked for Kerberos, too.
    for network in 40..44 {
        let mut client = Client::from(&format!("127.0.{network}.1"), port).expect("a server");
        client.expect("EHLO client.test", "250");
        // anna@here.test, and the password `wrong`.
        client.expect("AUTH PLAIN AGFubmFAaGVyZS50ZXN0AHdyb25n", "535 5.7.8");
    }
    let said = sign_in(&kdc, &bed, &ticket);
    assert!(said.contains("454 4.7.0 too many failed logins"), "{said}");
    bed.why("anna@here.test", &["AUTH GSSAPI", "anna@here.test is locked for"]);
    bed.command(&["door", "unlock", "anna@here.test"]).good();
    let said = sign_in(&kdc, &bed, &ticket);
    assert!(said.contains("235 2.7.0"), "{said}");
}

/// A server of ours whose next hop for `next.test` wants a login by Kerberos. `auth` says with what.
fn client(kdc: &Kdc, port: u16, auth: &str) -> Bed {
    let mut bed = Bed::new(&format!(
        "[routes.\"next.test\"]\nnext_hop = \"127.0.0.1:{port}\"\ntls = \"required\"\nauth = {{ {auth} }}\n"
    ));
    bed.environment(kdc.environment());
    bed.start_again();
    bed
}

/// A message that has to go by that route.
#[track_caller]
fn send_on(bed: &Bed) {
    let mut client = Client::connect(bed.mx).expect("the server answers");
    client.say("EHLO client.test").expect("the server answers");
    let reply = client.transaction("anna@from.test", &["carol@next.test"], CONTENT);
    let reply = reply.expect("the server answers");
    assert!(reply.starts_with("250"), "{reply}");
}

/// Our next hop that hands on to a sink.
fn next_hop(kdc: &Kdc, sink: &Sink, environment: &[(&str, String)]) -> Bed {
    kdc.add_service("smtp/127.0.0.1");
    let keytab = kdc.keytab("smtp.keytab", "smtp/127.0.0.1");
    let route = format!("[routes]\n\"next.test\" = \"127.0.0.1:{}\"\n", sink.port);
    bed_with(kdc, &keytab, &route, environment)
}

#[test]
fn we_log_in_with_a_keytab_or_a_ticket() {
    let Some(kdc) = Kdc::start() else { return };
    let sink = Sink::start();
    let server = next_hop(&kdc, &sink, &[]);
    let keytab = kdc.keytab("mailer.keytab", "mailer");
    let with_keytab = format!("user = \"mailer@{REALM}\", keytab = \"{}\"", keytab.display());
    let with_ticket = format!("tickets = \"{}\"", kdc.tickets("ours.tickets", "10h"));
    for (number, (auth, user)) in
        [(with_keytab, "mailer"), (with_ticket, "anna")].iter().enumerate()
    {
        let bed = client(&kdc, server.submission, auth);
        send_on(&bed);
        sink.wait(number + 1);
        bed.why("carol@next.test", &["AUTH GSSAPI"]);
        wait_for("the principal in the log", Duration::from_secs(10), || {
            server.log().contains(&format!("{user}@here.test")).then_some(())
        });
    }
}

#[test]
fn we_log_in_at_postfix_with_dovecot() {
    let Some(kdc) = Kdc::start() else { return };
    let sink = Sink::start();
    kdc.add_service("smtp/127.0.0.1");
    let keytab = kdc.keytab("smtp.keytab", "smtp/127.0.0.1");
    let environment = kdc.environment();
    let knows = Knows {
        mechanisms: "gssapi",
        user: ("nobody", "none"),
        keytab: Some(&keytab),
        environment: &environment,
        ..Knows::default()
    };
    let Some(dovecot) = DovecotAuth::start(knows) else { return };
    let socket = dovecot.socket();
    let wants = Wants { dovecot: Some(&socket), ..Wants::default() };
    let Some(postfix) = Postfix::start(sink.port, wants) else { return };
    let keytab = kdc.keytab("mailer.keytab", "mailer");
    let auth = format!("user = \"mailer@{REALM}\", keytab = \"{}\"", keytab.display());
    let bed = client(&kdc, postfix.port, &auth);
    send_on(&bed);
    sink.wait(1);
    wait_for("the mechanism in Postfix's log", Duration::from_secs(10), || {
        postfix.log().contains("sasl_method=GSSAPI").then_some(())
    });
}

#[test]
fn what_keeps_us_from_logging_in_is_told() {
    let Some(mut kdc) = Kdc::start() else { return };
    let sink = Sink::start();
    let server = next_hop(&kdc, &sink, &[]);
    let short = kdc.tickets("short.tickets", "2s");
    let keytab = kdc.keytab("mailer.keytab", "mailer");
    let stale = kdc.file("stale.keytab");
    std::fs::copy(&keytab, &stale).expect("a file can be copied");
    kdc.keytab("mailer.keytab", "mailer");
    std::thread::sleep(Duration::from_secs(3));
    let with_keytab =
        |file: &Path| format!("user = \"mailer@{REALM}\", keytab = \"{}\"", file.display());
    for (auth, expected) in [
        (format!("tickets = \"{short}\""), "came to nothing: the ticket has expired"),
        (
            "tickets = \"FILE:/nowhere/tickets\"".to_owned(),
            "there is no Kerberos ticket to log in with",
        ),
        (with_keytab(&stale), "came to nothing: the KDC refused the principal's key"),
    ] {
        let bed = client(&kdc, server.submission, &auth);
        send_on(&bed);
        bed.why("carol@next.test", &[expected]);
    }
    kdc.stop();
    let bed = client(&kdc, server.submission, &with_keytab(&keytab));
    send_on(&bed);
    bed.why("carol@next.test", &["came to nothing: no KDC of the realm answered"]);
}

/// libfaketime, which Debian has in a folder of the architecture.
fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").expect("there are libraries");
    let mut files = folders.flatten().map(|it| it.path().join("faketime/libfaketime.so.1"));
    let found = files.find(|file| file.is_file());
    if found.is_none() {
        skip("libfaketime is not installed; run `cargo x packages`");
    }
    found
}

#[test]
fn a_clock_that_is_wrong_is_named() {
    let (Some(kdc), Some(library)) = (Kdc::start(), faketime()) else { return };
    let sink = Sink::start();
    let later = [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", "+20m".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let server = next_hop(&kdc, &sink, &later);
    let keytab = kdc.keytab("mailer.keytab", "mailer");
    let auth = format!("user = \"mailer@{REALM}\", keytab = \"{}\"", keytab.display());
    let bed = client(&kdc, server.submission, &auth);
    send_on(&bed);
    bed.why("carol@next.test", &["535 5.7.8"]);
    wait_for("the reason in the server's log", Duration::from_secs(10), || {
        server.log().contains("the clocks of client, server and KDC differ").then_some(())
    });
}

#[test]
fn a_message_by_hand_goes_with_a_ticket() {
    let Some(kdc) = Kdc::start() else { return };
    let sink = Sink::start();
    let server = next_hop(&kdc, &sink, &[]);
    let tickets = kdc.tickets("by-hand.tickets", "10h");
    let port = server.submission.to_string();
    let principal = format!("anna@{REALM}");
    let mut send = std::process::Command::new(harness::bed::binary());
    send.args(["send", "--server", "127.0.0.1", "--port", &port, "--tls", "required"]);
    send.args(["--auth", &principal, "--mechanism", "GSSAPI", "--from", "anna@here.test"]);
    send.args(["--to", "carol@next.test", "--body", "x"]);
    send.envs(kdc.environment()).env("KRB5CCNAME", &tickets);
    let said = run(send.stdin(std::process::Stdio::null())).good();
    sink.wait(1);
    // The log is written behind the reply.
    wait_for(&format!("the mechanism in the log, after {said}"), Duration::from_secs(10), || {
        server.log().contains("\"mechanism\":\"GSSAPI\"").then_some(())
    });
}
