//! LMTP as a server (RFC 2033): over TCP and a Unix socket, a reply for each recipient.

use std::{fs, os::unix::fs::PermissionsExt};

use harness::{bed::Bed, client::Client, maildir, ports};

use crate::{CONTENT, listener};

#[test]
fn each_recipient_has_its_reply_over_tcp_and_a_socket() {
    let port = ports::free();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let socket = folder.path().join("lmtp");
    let own = "protocol = \"lmtp\"\ntls = \"none\"\nsocket = ";
    let own = format!("{own}\"{}\"\nsocket_mode = \"0666\"", socket.display());
    let bed = Bed::start(&listener(port, &own));
    let mode = fs::metadata(&socket).expect("the socket is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o666, "{mode:o}");
    let clients = [Client::connect(port), Client::at(&socket)];
    for (number, client) in clients.into_iter().enumerate() {
        let mut client = client.expect("the server answers");
        client.expect("EHLO client.test", "500");
        let offer = client.expect("LHLO client.test", "250");
        assert!(offer.contains("PIPELINING") && offer.contains("ENHANCEDSTATUSCODES"), "{offer}");
        client.expect("MAIL FROM:<sender@from.test>", "250");
        client.expect("RCPT TO:<anna@here.test>", "250");
        client.expect("RCPT TO:<nobody@here.test>", "550 5.1.1");
        client.expect("RCPT TO:<bob@here.test>", "250");
        client.expect("DATA", "354");
        client.write(CONTENT).expect("the server reads");
        client.expect(".", "250 2.0.0");
        let second = client.reply().expect("one for each that was accepted");
        assert!(second.starts_with("250 2.0.0"), "{second}");
        client.expect("MAIL FROM:<sender@from.test>", "250");
        client.expect("RCPT TO:<nobody@here.test>", "550 5.1.1");
        client.expect("DATA", "503");
        client.expect("QUIT", "221");
        for mailbox in ["anna", "bob"] {
            let kept = maildir::wait(&bed.mailbox(mailbox), number + 1);
            let kept = kept.iter().map(|kept| String::from_utf8_lossy(kept)).collect::<String>();
            assert_eq!(kept.matches("with LMTP").count(), number + 1, "{kept}");
        }
    }
}

#[test]
fn a_socket_is_the_servers_own_unless_told_otherwise() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let socket = folder.path().join("smtp");
    let own = format!("[[listener]]\nsocket = \"{}\"\ntls = \"none\"\n", socket.display());
    let bed = Bed::start(&own);
    let mode = fs::metadata(&socket).expect("the socket is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600, "{mode:o}");
    Client::at(&socket).expect("the server answers").expect("EHLO client.test", "250");
    bed.configure("", &format!("{own}socket_mode = \"0999\"\n"));
    let refused = bed.command(&["reload"]);
    assert!(refused.status() != 0 && refused.text().contains("0999"), "{}", refused.text());
}
