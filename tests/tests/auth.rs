//! Signing in (RFC 4954), by every mechanism that somebody else speaks too: swaks, Python, Postfix and
//! its SASL library as our clients; Postfix with Dovecot, and Exim, as servers of ours. And between our
//! own two sides, with somebody in the middle.

use std::{path::Path, process::Command, time::Duration};

use harness::{
    bed::{Bed, PASSWORD, USER},
    client::Client,
    maildir,
    peers::{DovecotAuth, Exim, Knows, Postfix, Wants},
    program::{Ran, python, run, wait_for, wanted},
    sink::Sink,
};

const CONTENT: &[u8] =
    b"From: <sender@from.test>\r\nSubject: x\r\nMessage-ID: <1@from.test>\r\n\r\n.dot\r\nend\r\n";

/// Every mechanism that a password is good for.
const ALL: &str = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 DIGEST-MD5 CRAM-SHA1 CRAM-MD5 NTLM \
                   PLAIN LOGIN";

/// A server of ours that has the user, with his password as it is, and offers these mechanisms.
fn bed(mechanisms: &str, tables: &str) -> Bed {
    let quoted: Vec<String> = mechanisms.split_whitespace().map(|it| format!("\"{it}\"")).collect();
    let auth = format!("auth = {{ mechanisms = [{}] }}\n", quoted.join(", "));
    let mut bed = Bed::new("");
    bed.configure_submission(&auth, tables);
    bed.add_user_with(&["--legacy"]);
    bed.start_again();
    bed
}

/// Hands a message to whoever listens there.
#[track_caller]
fn hand_over(port: u16, recipient: &str) {
    let mut client = Client::connect(port).expect("the server answers");
    client.say("EHLO client.test").expect("the server answers");
    let reply =
        client.transaction("sender@from.test", &[recipient], CONTENT).expect("the server answers");
    assert!(reply.starts_with("250"), "{reply}");
}

/// `more` is a folder with a Perl module that swaks loads: its NTLM is version 1, which nobody should
/// take any more, unless it is told to do version 2.
fn swaks(program: &Path, more: &Path, port: u16, mechanism: &str, password: &str) -> Ran {
    let server = format!("127.0.0.1:{port}");
    let second = format!("-I{} -MSecond", more.display());
    run(Command::new(program).env("PERL5OPT", second).args([
        "--server",
        &server,
        "--tls",
        "--auth",
        mechanism,
        "--auth-user",
        USER,
        "--auth-password",
        password,
        "--from",
        USER,
        "--to",
        "anna@here.test",
        "--quit-after",
        "AUTH",
    ]))
}

#[test]
fn swaks_signs_in_by_all_it_knows() {
    let Some(program) = wanted("swaks") else { return };
    let bed = bed(ALL, "");
    let second = "package Second;\nuse Authen::NTLM;\nntlmv2(1);\n1;\n";
    std::fs::write(bed.folder().join("Second.pm"), second).expect("a module can be written");
    let support = run(Command::new(&program).arg("--support")).good();
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "CRAM-SHA1", "DIGEST-MD5", "NTLM"] {
        let basic = matches!(mechanism, "PLAIN" | "LOGIN");
        let known = basic || support.contains(&format!("AUTH {mechanism} supported"));
        assert!(known, "swaks lacks Perl's modules for {mechanism}:\n{support}");
        let right = swaks(&program, bed.folder(), bed.submission, mechanism, PASSWORD);
        assert_eq!(right.status(), 0, "{mechanism}\n{}\n{}", right.text(), bed.log());
        assert!(right.text().contains("<~  235 2.7.0"), "{mechanism}\n{}", right.text());
        let wrong = swaks(&program, bed.folder(), bed.submission, mechanism, "wrong");
        assert_eq!(wrong.status(), 28, "{mechanism} with a wrong password\n{}", wrong.text());
        assert!(wrong.text().contains("535 5.7.8"), "{mechanism}\n{}", wrong.text());
    }
    let log = bed.log();
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "CRAM-SHA1", "DIGEST-MD5", "NTLM"] {
        assert!(
            log.contains(&format!("\"mechanism\":\"{mechanism}\"")),
            "{mechanism} is not in:\n{log}"
        );
    }
    assert!(!log.contains(PASSWORD), "the password shows");
}

#[test]
fn python_signs_in() {
    let bed = bed(ALL, "");
    let script = "
import smtplib, ssl, sys
port, mechanism, user, password = int(sys.argv[1]), *sys.argv[2:]
smtp = smtplib.SMTP('127.0.0.1', port)
smtp.starttls(context=ssl._create_unverified_context())
smtp.ehlo()
try:
    if mechanism:
        smtp.user, smtp.password = user, password
        how = getattr(smtp, 'auth_' + mechanism.lower().replace('-', '_'))
        print(smtp.auth(mechanism, how))
    else:
        print(smtp.login(user, password))
except smtplib.SMTPAuthenticationError as error:
    print(error.smtp_code)
smtp.quit()
";
    let port = bed.submission.to_string();
    // Without one, Python chooses: CRAM-MD5 first.
    for mechanism in ["", "CRAM-MD5", "PLAIN", "LOGIN"] {
        for (password, code) in [(PASSWORD, "235"), ("wrong", "535")] {
            let said = python(script, &[&port, mechanism, USER, password]).good();
            assert!(said.contains(code), "`{mechanism}` with {password}: {said}\n{}", bed.log());
        }
    }
}

/// Postfix relays to us, and signs in by that mechanism of Cyrus's library.
fn postfix_signs_in(mechanism: &str) {
    let bed = bed(ALL, "");
    let wants = Wants {
        tls: true,
        auth: Some((USER, PASSWORD)),
        mechanisms: Some(mechanism),
        ..Wants::default()
    };
    let Some(postfix) = Postfix::start(bed.submission, wants) else { return };
    hand_over(postfix.port, "anna@here.test");
    let kept = maildir::wait(&bed.mailbox("anna"), 1).remove(0);
    assert!(String::from_utf8_lossy(&kept).contains("with ESMTPSA"), "no login");
    wait_for(&format!("{mechanism} in the log"), Duration::from_secs(10), || {
        bed.log().contains(&format!("\"mechanism\":\"{mechanism}\"")).then_some(())
    });
}

#[test]
fn postfix_signs_in_by_scram_sha_256() {
    postfix_signs_in("SCRAM-SHA-256");
}

#[test]
fn postfix_signs_in_by_scram_sha_1() {
    postfix_signs_in("SCRAM-SHA-1");
}

#[test]
fn postfix_signs_in_by_cram_md5() {
    postfix_signs_in("CRAM-MD5");
}

#[test]
fn postfix_signs_in_by_digest_md5() {
    postfix_signs_in("DIGEST-MD5");
}

/// The route to a smarthost that wants a login.
fn route(port: u16, mechanism: &str, user: &str, password: &str) -> String {
    format!(
        "[routes.\"next.test\"]\nnext_hop = \"127.0.0.1:{port}\"\ntls = \"required\"\n\
         auth = {{ user = \"{user}\", password = \"{password}\", mechanisms = [\"{mechanism}\"] }}\n"
    )
}

/// What `why` has to say, once it says that. Its lines are joined: they are as long as a terminal is wide.
#[track_caller]
fn why(bed: &Bed, expected: &str) -> String {
    let mut last = String::new();
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_for(expected, Duration::from_secs(20), || {
            let told = bed.command(&["why", "carol@next.test", "--full"]).text();
            last = told.split_whitespace().collect::<Vec<_>>().join(" ");
            last.contains(expected).then(|| last.clone())
        })
    }));
    found.unwrap_or_else(|_| panic!("`{expected}` is not in: {last}"))
}

#[test]
fn we_sign_in_at_postfix_with_dovecot() {
    let sink = Sink::start();
    let knows = Knows {
        mechanisms: "plain login cram-md5 scram-sha-1 scram-sha-256",
        user: ("relay", "passWord1"),
        ..Knows::default()
    };
    let Some(dovecot) = DovecotAuth::start(knows) else { return };
    let socket = dovecot.socket();
    let wants = Wants { dovecot: Some(&socket), ..Wants::default() };
    let Some(postfix) = Postfix::start(sink.port, wants) else { return };
    let all = ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"];
    for (number, mechanism) in all.into_iter().enumerate() {
        let bed = Bed::start(&route(postfix.port, mechanism, "relay", "passWord1"));
        hand_over(bed.mx, "carol@next.test");
        let told = why(&bed, &format!("AUTH {mechanism}"));
        assert!(!told.contains("passWord1") && !bed.log().contains("passWord1"), "{told}");
        sink.wait(number + 1);
    }
    let bed = Bed::start(&route(postfix.port, "SCRAM-SHA-256", "relay", "wrong"));
    hand_over(bed.mx, "carol@next.test");
    why(&bed, "535 5.7.8");
}

#[test]
fn we_sign_in_at_exim() {
    let sink = Sink::start();
    let wants = Wants { login: Some(("relay", "passWord1")), ..Wants::default() };
    let Some(exim) = Exim::start(sink.port, wants) else { return };
    for (number, mechanism) in ["PLAIN", "LOGIN"].into_iter().enumerate() {
        let bed = Bed::start(&route(exim.port, mechanism, "relay", "passWord1"));
        hand_over(bed.mx, "carol@next.test");
        why(&bed, &format!("AUTH {mechanism}"));
        sink.wait(number + 1);
    }
}
