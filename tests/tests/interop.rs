//! Programs that are not ours, as clients: what they send arrives octet for octet, below our trace fields.

use std::process::Command;

use harness::{
    bed::{Bed, PASSWORD, USER},
    maildir,
    program::{Ran, python, run, wanted},
};

/// A message with what breaks when octets are touched: dots, a long line, blanks at line ends.
fn sample(subject: &str) -> String {
    let long = "x".repeat(990);
    format!(
        "From: <sender@from.test>\r\nTo: <anna@here.test>\r\nSubject: {subject}\r\nDate: Mon, 2 Mar 2026 10:00:00 \
         +0000\r\nMessage-ID: <{subject}@from.test>\r\n\r\n.dot\r\n..two\r\n.\u{20}\r\n{long}\r\n\
         blanks  \t\r\n\r\n\r\nend\r\n"
    )
}

/// What we put above the sent octets.
#[track_caller]
fn trace<'a>(kept: &'a [u8], sent: &str) -> &'a str {
    let above = kept.strip_suffix(sent.as_bytes());
    let above = above.unwrap_or_else(|| panic!("altered:\n{}", String::from_utf8_lossy(kept)));
    std::str::from_utf8(above).expect("trace fields are ASCII")
}

/// Delivered to anna: checks Return-Path and Received.
#[track_caller]
fn arrived(bed: &Bed, sent: &str, with: &str) {
    let kept = maildir::wait(&bed.mailbox("anna"), 1);
    assert_eq!(kept.len(), 1);
    let trace = trace(&kept[0], sent);
    assert!(trace.starts_with("Return-Path: <sender@from.test>\r\n"), "{trace}");
    assert_eq!(trace.matches("Received: from ").count(), 1, "{trace}");
    assert!(trace.contains("by mx.here.test"), "{trace}");
    assert!(trace.contains(&format!("with {with}")), "no `with {with}`: {trace}");
}

/// `None` where swaks is missing.
fn swaks(bed: &Bed, port: u16, data: &str, more: &[&str]) -> Option<Ran> {
    let mut swaks = Command::new(wanted("swaks")?);
    swaks.args([
        "--server",
        "127.0.0.1",
        "--port",
        &port.to_string(),
        "--from",
        "sender@from.test",
    ]);
    // swaks ends the last line itself.
    let file = bed.folder().join("message");
    std::fs::write(&file, data.trim_end_matches("\r\n")).expect("the message can be written");
    swaks.args(["--to", "anna@here.test", "--ehlo", "client.test", "--data"]);
    Some(run(swaks.arg(format!("@{}", file.display())).args(more)))
}

#[test]
fn swaks_in_clear() {
    let bed = Bed::start("");
    let sent = sample("clear");
    let Some(ran) = swaks(&bed, bed.mx, &sent, &[]) else { return };
    ran.good();
    arrived(&bed, &sent, "ESMTP");
}

#[test]
fn swaks_by_starttls() {
    let bed = Bed::start("");
    let sent = sample("starttls");
    let Some(ran) = swaks(&bed, bed.mx, &sent, &["--tls"]) else { return };
    ran.good();
    arrived(&bed, &sent, "ESMTPS");
}

#[test]
fn swaks_authenticates() {
    // Mechanism, whether TLS comes first by itself, why.
    for (mechanism, implicit) in
        [("PLAIN", false), ("LOGIN", false), ("PLAIN", true), ("LOGIN", true)]
    {
        let mut bed = Bed::new("");
        bed.add_user();
        bed.start_again();
        let (port, tls) =
            if implicit { (bed.tls, "--tls-on-connect") } else { (bed.submission, "--tls") };
        let sent = sample(&format!("{mechanism}-{implicit}").to_lowercase());
        let auth = ["--auth", mechanism, "--auth-user", USER, "--auth-password", PASSWORD, tls];
        let Some(ran) = swaks(&bed, port, &sent, &auth) else { return };
        ran.good();
        arrived(&bed, &sent, "ESMTPSA");
        let log = bed.log();
        assert!(!log.contains(PASSWORD), "the password is in the log:\n{log}");
    }
}

#[test]
fn swaks_is_refused() {
    let mut bed = Bed::new("");
    bed.add_user();
    bed.start_again();
    // What is tried, swaks's exit status (28: AUTH, 23: MAIL), the reply that it must see, why.
    let wrong = ["--tls", "--auth", "PLAIN", "--auth-user", USER, "--auth-password", "wrong"];
    let clear = ["--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD];
    let cases: [(&[&str], i32, &str); 3] =
        [(&clear, 28, "no AUTH is offered in clear"), (&wrong, 28, "535"), (&["--tls"], 23, "530")];
    for (more, status, reply) in cases {
        let Some(ran) = swaks(&bed, bed.submission, &sample("refused"), more) else { return };
        assert_eq!(ran.status(), status, "{}", ran.text());
        let offered = ran.text().contains("AUTH PLAIN");
        let seen =
            if status == 28 && reply.len() > 3 { !offered } else { ran.text().contains(reply) };
        assert!(seen, "{reply}: {}", ran.text());
    }
    assert!(maildir::read(&bed.mailbox("anna")).is_empty());
}

#[test]
fn smtplib_logs_in_over_starttls() {
    let mut bed = Bed::new("");
    bed.add_user();
    bed.start_again();
    let sent = sample("smtplib");
    let script = "
import smtplib, ssl, sys
port, user, password, data = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
with smtplib.SMTP('127.0.0.1', int(port), local_hostname='client.test') as smtp:
    smtp.starttls(context=context)
    smtp.login(user, password)
    assert smtp.sendmail('sender@from.test', ['anna@here.test'], data) == {}
";
    python(script, &[&bed.submission.to_string(), USER, PASSWORD, &sent]).good();
    arrived(&bed, &sent, "ESMTPSA");
}

#[test]
fn smtplib_sends_utf8_and_binary() {
    let bed = Bed::start("");
    // smtplib has no BDAT: its raw commands do.
    let script = r#"
import smtplib, sys
with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), local_hostname='client.test') as smtp:
    smtp.ehlo()
    options = ['SMTPUTF8', 'BODY=8BITMIME']
    data = 'Subject: gr\u00fc\u00dfe\r\n\r\n\u20ac\r\n'.encode()
    assert smtp.sendmail('j\u00fcrgen@from.test', ['anna@here.test'], data, mail_options=options) == {}
    assert smtp.mail('sender@from.test', ['BODY=BINARYMIME'])[0] == 250
    assert smtp.rcpt('bob@here.test')[0] == 250
    data = b'Subject: binary\r\n\r\n' + bytes(range(256)) + b'\n.\r\n'
    for part, last in ((data[:30], b''), (data[30:], b' LAST')):
        smtp.send(b'BDAT %d%s\r\n' % (len(part), last) + part)
        assert smtp.getreply()[0] == 250
"#;
    python(script, &[&bed.mx.to_string()]).good();
    let utf8 = maildir::wait(&bed.mailbox("anna"), 1);
    let utf8 = String::from_utf8(utf8[0].clone()).expect("the content is UTF-8");
    assert!(utf8.starts_with("Return-Path: <jürgen@from.test>\r\n"), "{utf8}");
    assert!(utf8.contains("with UTF8SMTP"), "RFC 6531 section 4.3: {utf8}");
    assert!(utf8.ends_with("Subject: grüße\r\n\r\n€\r\n"), "{utf8}");
    let binary = maildir::wait(&bed.mailbox("bob"), 1);
    let octets: Vec<u8> = (0..=255).collect();
    let sent = [b"Subject: binary\r\n\r\n".as_slice(), &octets, b"\n.\r\n"].concat();
    assert!(binary[0].ends_with(&sent), "{}", String::from_utf8_lossy(&binary[0]));
}
