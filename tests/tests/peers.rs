//! Postfix, Exim, OpenSMTPD and sendmail on loopback, each as our client and as our next hop, with STARTTLS and AUTH.

use harness::{
    bed::{Bed, PASSWORD, USER},
    client::Client,
    maildir,
    peers::{Exim, OpenSmtpd, Postfix, Sendmail, Wants},
    sink::{Sink, Taken},
};

/// What a peer has to hand through: dots, a long line, blanks at the end.
fn sample(subject: &str) -> Vec<u8> {
    let long = "y".repeat(900);
    format!(
        "From: <sender@from.test>\r\nTo: <anna@here.test>\r\nSubject: {subject}\r\nDate: Mon, 2 Mar 2026 10:00:00 \
         +0000\r\nMessage-ID: <{subject}@from.test>\r\n\r\n.dot\r\n..two\r\n{long}\r\nblanks  \r\n\r\nend\r\n"
    )
    .into_bytes()
}

/// Hands a message to whoever listens there.
#[track_caller]
fn hand_over(port: u16, recipient: &str, content: &[u8]) {
    let mut client = Client::connect(port).expect("the server answers");
    client.say("EHLO client.test").expect("the server answers");
    let reply =
        client.transaction("sender@from.test", &[recipient], content).expect("the server answers");
    assert!(reply.starts_with("250"), "{reply}");
    client.say("QUIT").expect("the server answers");
}

/// Content unaltered below trace fields; gives those.
#[track_caller]
fn above(content: &[u8], sent: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    // Exim, and Postfix as mail's first server, may add fields; the body and the sent fields must be whole.
    let trace = content.strip_suffix(sent).unwrap_or_else(|| panic!("altered:\n{text}"));
    String::from_utf8_lossy(trace).into_owned()
}

/// A server of ours that has the user, and its tables.
fn bed_with_user() -> Bed {
    let mut bed = Bed::new("");
    bed.add_user();
    bed.start_again();
    bed
}

#[track_caller]
fn in_mailbox(bed: &Bed, sent: &[u8], with: &str) {
    let kept = maildir::wait(&bed.mailbox("anna"), 1);
    let trace = above(&kept[0], sent);
    assert!(trace.starts_with("Return-Path: <sender@from.test>\r\n"), "{trace}");
    assert!(trace.contains(&format!("with {with}")), "no `with {with}`: {trace}");
}

#[track_caller]
fn at_sink(sink: &Sink, sent: &[u8], by: &str) -> Taken {
    let taken = sink.wait(1).remove(0);
    let trace = above(&taken.content, sent);
    let (peer, ours) = (trace.find(by), trace.find("by mx.here.test"));
    assert!(peer < ours && peer.is_some(), "the peer's Received stands above ours: {trace}");
    assert!(taken.mail.contains("<sender@from.test>"), "{}", taken.mail);
    taken
}

#[test]
fn postfix_relays_to_us() {
    let bed = Bed::start("");
    let wants = Wants { tls: true, ..Wants::default() };
    let Some(postfix) = Postfix::start(bed.mx, wants) else { return };
    let sent = sample("from-postfix");
    hand_over(postfix.port, "anna@here.test", &sent);
    in_mailbox(&bed, &sent, "ESMTPS");
}

#[test]
fn postfix_logs_in_here() {
    let bed = bed_with_user();
    let wants = Wants { tls: true, auth: Some((USER, PASSWORD)), ..Wants::default() };
    let Some(postfix) = Postfix::start(bed.submission, wants) else { return };
    let sent = sample("postfix-auth");
    hand_over(postfix.port, "anna@here.test", &sent);
    in_mailbox(&bed, &sent, "ESMTPSA");
}

#[test]
fn postfix_is_the_next_hop() {
    let sink = Sink::start();
    let Some(postfix) = Postfix::start(sink.port, Wants::default()) else { return };
    let route = format!(
        "[routes.\"next.test\"]\nnext_hop = \"127.0.0.1:{}\"\ntls = \"required\"\n",
        postfix.port
    );
    let bed = Bed::start(&route);
    let sent = sample("to-postfix");
    hand_over(bed.mx, "carol@next.test", &sent);
    let taken = at_sink(&sink, &sent, "by postfix.peer.test (Postfix) with ESMTPS");
    assert_eq!(taken.recipients, ["carol@next.test"]);
}

#[test]
fn exim_relays_to_us() {
    let bed = Bed::start("");
    let wants = Wants { tls: true, ..Wants::default() };
    let Some(exim) = Exim::start(bed.mx, wants) else { return };
    let sent = sample("from-exim");
    hand_over(exim.port, "anna@here.test", &sent);
    in_mailbox(&bed, &sent, "ESMTPS");
}

#[test]
fn exim_logs_in_here() {
    let bed = bed_with_user();
    let wants = Wants { tls: true, auth: Some((USER, PASSWORD)), ..Wants::default() };
    let Some(exim) = Exim::start(bed.submission, wants) else { return };
    let sent = sample("exim-auth");
    hand_over(exim.port, "anna@here.test", &sent);
    in_mailbox(&bed, &sent, "ESMTPSA");
}

#[test]
fn exim_is_the_smarthost_that_wants_auth() {
    let sink = Sink::start();
    let wants = Wants { login: Some(("relay", "passWord1")), ..Wants::default() };
    let Some(exim) = Exim::start(sink.port, wants) else { return };
    let route = smarthost(exim.port);
    let mut bed = Bed::start(&route);
    let sent = sample("to-exim");
    hand_over(bed.mx, "carol@next.test", &sent);
    at_sink(&sink, &sent, "by exim.peer.test with esmtpsa");
    let why = bed.command(&["why", "carol@next.test"]).good();
    assert!(
        !why.contains("passWord1") && !bed.log().contains("passWord1"),
        "the password shows: {why}"
    );
    bed.stop();
}

#[test]
fn exim_takes_chunks() {
    let sink = Sink::start();
    let Some(exim) = Exim::start(sink.port, Wants::default()) else { return };
    let bed = Bed::start(&format!("[routes]\n\"next.test\" = \"127.0.0.1:{}\"\n", exim.port));
    let sent = sample("chunks");
    hand_over(bed.mx, "carol@next.test", &sent);
    at_sink(&sink, &sent, "by exim.peer.test with esmtps");
    let why = bed.command(&["why", "carol@next.test"]).good();
    assert!(why.contains("BDAT"), "CHUNKING was offered: {why}");
}

/// A route for all mail to `next.test`, with TLS and a login.
fn smarthost(port: u16) -> String {
    format!(
        "[routes.\"next.test\"]\nnext_hop = \"127.0.0.1:{port}\"\ntls = \"required\"\n\
         auth = {{ user = \"relay\", password = \"passWord1\" }}\n"
    )
}

#[test]
fn opensmtpd_relays_to_us() {
    let bed = Bed::start("");
    let wants = Wants { tls: true, ..Wants::default() };
    let Some(opensmtpd) = OpenSmtpd::start(bed.mx, wants) else { return };
    let sent = sample("from-opensmtpd");
    hand_over(opensmtpd.port, "anna@here.test", &sent);
    in_mailbox(&bed, &sent, "ESMTPS");
}

#[test]
fn opensmtpd_logs_in_here() {
    let bed = bed_with_user();
    let wants = Wants { tls: true, auth: Some((USER, PASSWORD)), ..Wants::default() };
    let Some(opensmtpd) = OpenSmtpd::start(bed.submission, wants) else { return };
    let sent = sample("opensmtpd-auth");
    hand_over(opensmtpd.port, "anna@here.test", &sent);
    in_mailbox(&bed, &sent, "ESMTPSA");
}

/// As a server Debian 12's offers STARTTLS and breaks off each handshake: mail goes through all the same,
/// and it is told how.
#[test]
fn opensmtpd_is_the_next_hop() {
    let sink = Sink::start();
    let Some(opensmtpd) = OpenSmtpd::start(sink.port, Wants::default()) else { return };
    let bed = Bed::start(&format!("[routes]\n\"next.test\" = \"127.0.0.1:{}\"\n", opensmtpd.port));
    let sent = sample("to-opensmtpd");
    hand_over(bed.mx, "carol@next.test", &sent);
    let taken = at_sink(&sink, &sent, "by opensmtpd.peer.test (OpenSMTPD) with ESMTP");
    assert_eq!(taken.recipients, ["carol@next.test"]);
    let in_clear = String::from_utf8_lossy(&taken.content).contains("(OpenSMTPD) with ESMTP id");
    let why = bed.command(&["why", "carol@next.test"]).good();
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    let learned = "STARTTLS is not used, because it breaks at TLS handshake";
    assert_eq!(why.contains(learned), in_clear, "{why}");
}

#[test]
fn sendmail_relays_to_us() {
    let bed = Bed::start("");
    let Some(sendmail) = Sendmail::start(bed.mx, Wants::default()) else { return };
    let sent = sample("from-sendmail");
    hand_over(sendmail.port, "anna@here.test", &sent);
    in_mailbox(&bed, &sent, "ESMTPS");
}

#[test]
fn sendmail_logs_in_here() {
    let bed = bed_with_user();
    let wants = Wants { auth: Some((USER, PASSWORD)), ..Wants::default() };
    let Some(sendmail) = Sendmail::start(bed.submission, wants) else { return };
    let sent = sample("sendmail-auth");
    hand_over(sendmail.port, "anna@here.test", &sent);
    in_mailbox(&bed, &sent, "ESMTPSA");
}

#[test]
fn sendmail_is_the_smarthost_that_wants_auth() {
    let sink = Sink::start();
    let wants = Wants { login: Some(("relay", "passWord1")), ..Wants::default() };
    let Some(sendmail) = Sendmail::start(sink.port, wants) else { return };
    let bed = Bed::start(&smarthost(sendmail.port));
    let sent = sample("to-sendmail");
    hand_over(bed.mx, "carol@next.test", &sent);
    let taken = at_sink(&sink, &sent, "by sendmail.peer.test (8.");
    assert_eq!(taken.recipients, ["carol@next.test"]);
}
