//! The sending side against real peers on loopback: DANE by a validating unbound with Postfix as the next
//! hop, Dovecot's LMTP, and programs.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use harness::{
    bed::Bed,
    client::Client,
    maildir,
    peers::{Dovecot, Postfix, Unbound, Wants},
    program::wait_for,
    sink::Sink,
};

const CONTENT: &[u8] =
    b"From: <sender@from.test>\r\nSubject: x\r\nMessage-ID: <1@from.test>\r\n\r\n.dot\r\nend\r\n";

/// Hands a message to our server.
#[track_caller]
fn hand_over(port: u16, recipients: &[&str]) {
    let mut client = Client::connect(port).expect("the server answers");
    client.say("EHLO client.test").expect("the server answers");
    let reply = client.transaction("anna@here.test", recipients, CONTENT).expect("an answer");
    assert!(reply.starts_with("250"), "{reply}");
    client.say("QUIT").expect("the server answers");
}

#[test]
fn dane_with_signed_zones_and_postfix() {
    let sink = Sink::start();
    let Some(postfix) = Postfix::start(sink.port, Wants::default()) else { return };
    let (port, key) = (postfix.port, &postfix.tlsa);
    let other = "00".repeat(32);
    let forged = "deadbeef".repeat(8);
    let host = |name: &str| {
        format!("{name}.test. IN MX 10 mx.{name}.test.\nmx.{name}.test. IN A 127.0.0.1\n")
    };
    let tlsa = |host: &str, data: &str| format!("_{port}._tcp.{host} IN TLSA {data}\n");
    let signed = [
        host("right"),
        tlsa("mx.right.test.", &format!("3 1 1 {key}")),
        host("wrong"),
        tlsa("mx.wrong.test.", &format!("3 1 1 {other}")),
        host("bogus"),
        tlsa("mx.bogus.test.", &format!("3 1 1 {forged}")),
        host("unusable"),
        tlsa("mx.unusable.test.", &format!("1 1 1 {key}")),
        host("loose"),
        tlsa("mx.loose.test.", &format!("3 1 1 {other}")),
        host("strict"),
        tlsa("mx.strict.test.", &format!("3 1 1 {other}")),
        host("none"),
        "away.test. IN MX 10 mx.open.\n".to_owned(),
    ]
    .concat();
    let open = format!(
        "mx.open. IN A 127.0.0.1\n{}d.open. IN MX 10 mx.right.test.\n",
        tlsa("mx.open.", &format!("3 1 1 {other}"))
    );
    let forge = [("deadbeef", "deadbee0")];
    let Some(unbound) = Unbound::start(&signed, &open, &forge) else { return };
    let bed = Bed::start(&format!(
        "[dns]\nservers = [\"{}\"]\n[relay]\nnetworks = [\"127.0.0.1/32\"]\n[default_route]\nport = {port}\n\
         [routes.\"strict.test\"]\nport = {port}\ntls = \"dane-only\"\n",
        unbound.at
    ));
    for domain in ["right", "wrong", "bogus", "unusable", "none", "away"] {
        hand_over(bed.mx, &[&format!("carol@{domain}.test")]);
    }
    hand_over(bed.mx, &["carol@d.open"]);
    // Who says so does without what is published (RFC 8689 section 5), not without what our route asks for.
    for recipient in ["dora@loose.test", "dora@strict.test"] {
        let mut client = Client::hello(bed.mx);
        let content = [b"TLS-Required: No\r\n", CONTENT].concat();
        let reply = client.transaction("anna@here.test", &[recipient], &content);
        assert!(reply.as_ref().is_ok_and(|reply| reply.starts_with("250")), "{reply:?}");
    }

    let told = bed.why("carol@right.test", &["relayed"]);
    assert!(
        told.contains(&format!("DANE: 1 TLSA records at `_{port}._tcp.mx.right.test`")),
        "{told}"
    );
    assert!(told.contains("by DANE-EE"), "{told}");
    let told = bed.why("carol@wrong.test", &["its certificate is none that the TLSA records"]);
    assert!(told.contains("its certificate: subject: "), "{told}");
    assert!(!told.contains("MAIL FROM"), "nothing was sent: {told}");
    let told = bed.why("carol@bogus.test", &["its DNSSEC signatures do not verify"]);
    assert!(!told.contains("MAIL FROM"), "nobody was connected to: {told}");
    let told = bed.why("carol@unusable.test", &["relayed"]);
    assert!(told.contains("encrypted, not verified"), "{told}");
    let told = bed.why("carol@none.test", &["relayed"]);
    assert!(told.contains("no DANE") && told.contains("TLS if offered"), "{told}");
    let told = bed.why("carol@away.test", &["relayed"]);
    assert!(told.contains("its addresses are insecure"), "{told}");
    let told = bed.why("carol@d.open", &["relayed"]);
    assert!(told.contains("the MX records are not secure"), "{told}");
    let told = bed.why("dora@loose.test", &["relayed"]);
    assert!(told.contains("not insisted on: the message says `TLS-Required: No`"), "{told}");
    bed.why("dora@strict.test", &["deferred"]);
    assert_eq!(sink.wait(6).len(), 6);

    let report = bed.command(&["tls-report", "wrong.test"]).good();
    for text in [
        "\"validation-failure\"",
        "\"tlsa\"",
        "mx.wrong.test",
        "\"total-successful-session-count\":0",
    ] {
        assert!(report.contains(text), "no {text}: {report}");
    }
}

#[test]
fn a_certificate_of_another_name() {
    let sink = Sink::start();
    let Some(postfix) = Postfix::start(sink.port, Wants::default()) else { return };
    let route = |domain: &str, more: &str| {
        format!(
            "[routes.\"{domain}.test\"]\nnext_hop = \"127.0.0.1:{}\"\ntls = \"verified\"\n\
             tls_authorities = \"{}\"\n{more}\n[domains.\"{domain}.test\"]\nkind = \"relay\"\n",
            postfix.port,
            postfix.certificate().display(),
        )
    };
    let tables = [
        route("other", ""),
        route("named", "tls_names = [\"nobody.test\", \"peer.test\"]"),
        route("newer", "tls_names = \"peer.test\"\ntls_minimum = \"1.3\""),
    ];
    let bed = Bed::start(&tables.concat());
    for domain in ["other", "named", "newer"] {
        hand_over(bed.mx, &[&format!("carol@{domain}.test")]);
    }
    let told = bed.why("carol@other.test", &["but for localhost, peer.test"]);
    assert!(told.contains("offered: TLSv1.3 and TLSv1.2 with"), "{told}");
    bed.why("carol@named.test", &["relayed"]);
    bed.why("carol@newer.test", &["relayed"]);
    assert_eq!(sink.wait(2).len(), 2);
}

#[test]
fn dovecot_takes_mail_by_lmtp() {
    let Some(dovecot) = Dovecot::start() else { return };
    for next_hop in
        [format!("lmtp:127.0.0.1:{}", dovecot.port), format!("lmtp:{}", dovecot.socket().display())]
    {
        let bed = Bed::start(&format!("[routes]\n\"next.test\" = \"{next_hop}\"\n"));
        let had = maildir::read(&dovecot.mailbox("bob")).len();
        hand_over(bed.mx, &["anna@next.test", "nobody@next.test", "bob@next.test"]);
        let kept = maildir::wait(&dovecot.mailbox("bob"), had + 1);
        assert!(
            kept[had].ends_with(b"\r\n\r\n.dot\r\nend\r\n")
                || kept[had].ends_with(b"\n\n.dot\nend\n")
        );
        // Each recipient has its own outcome.
        bed.why("nobody@next.test", &["550 5.1.1"]);
        bed.why("anna@next.test", &["250 2.0.0 <anna@next.test>"]);
    }
}

fn script(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("the program can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
    path.display().to_string()
}

#[test]
fn programs_take_mail() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().join("out").display().to_string();
    let taker =
        script(folder.path(), "take", "cat > \"$OUT\"; printf '%s\\n' \"$@\" > \"$OUT.arguments\"");
    let unknown =
        script(folder.path(), "unknown", "cat > /dev/null; echo no such customer >&2; exit 67");
    let later = script(folder.path(), "later", "echo the database is away; exit 75");
    let slow = script(folder.path(), "slow", "sleep 60");
    let mut tables = String::new();
    for (domain, command, more) in [
        (
            "take",
            format!("\"{taker}\", \"--to={{user}}\", \"--with={{detail}}\", \"{{sender}}\""),
            "",
        ),
        ("unknown", format!("\"{unknown}\""), ""),
        ("later", format!("\"{later}\""), ""),
        ("slow", format!("\"{slow}\""), "timeout = \"1s\"\n"),
    ] {
        tables.push_str(&format!(
            "[domains.\"{domain}.test\"]\nkind = \"relay\"\n[routes.\"{domain}.test\".pipe]\ncommand = [{command}]\n\
             environment = {{ OUT = \"{out}\" }}\n{more}"
        ));
    }
    let bed = Bed::start(&tables);
    // What a shell would choke on is text, and no program's business to read.
    let odd = "\"a b;$(id)+x y\"@take.test";
    for recipient in [odd, "x@unknown.test", "x@later.test", "x@slow.test"] {
        hand_over(bed.mx, &[recipient]);
    }
    let arguments = wait_for("the arguments", Duration::from_secs(20), || {
        fs::read_to_string(format!("{out}.arguments")).ok().filter(|text| text.lines().count() == 3)
    });
    assert_eq!(arguments, "--to=a b;$(id)\n--with=x y\nanna@here.test\n");
    let taken = fs::read_to_string(&out).expect("it was written");
    assert!(taken.starts_with("Return-Path: <anna@here.test>\nDelivered-To: "), "{taken}");
    assert!(taken.ends_with("\n\n.dot\nend\n"), "lines end as Unix has them: {taken:?}");
    let told = bed.why("x@unknown.test", &["failed for good"]);
    assert!(told.contains("EX_NOUSER") && told.contains("no such customer"), "{told}");
    bed.why("x@later.test", &["ended with status 75 (EX_TEMPFAIL): the database is away"]);
    bed.why("x@slow.test", &["did not end in 1s"]);
}
