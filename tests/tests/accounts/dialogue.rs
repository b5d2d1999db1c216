//! RFC 4954 line by line, and what somebody hostile does with it: commands where responses belong, responses
//! that are none, state that outlives its time.

use harness::{
    bed::{Bed, PASSWORD, USER},
    client::Client,
    ports,
    program::python,
};

use super::server::{LENIENT, base64, connect, listener, plain};

/// Both listeners for submission take logins in clear, too: AUTH by what a test needs.
fn bed(port: u16) -> Bed {
    let mechanisms = ", mechanisms = [\"SCRAM-SHA-256\", \"CRAM-MD5\", \"PLAIN\", \"LOGIN\"]";
    let tables = listener(port, mechanisms) + LENIENT;
    let mut bed = Bed::new("");
    bed.configure_submission("auth = { without_tls = true }\n", &tables);
    bed.add_user_with(&["--legacy"]);
    bed.start_again();
    bed
}

/// Writes it all at once; the replies begin so, and then the session still works.
#[track_caller]
fn at_once(client: &mut Client, octets: impl AsRef<[u8]>, replies: &[&str]) {
    let octets = octets.as_ref();
    client.write(octets).expect("the server reads");
    for expected in replies {
        let reply = client.reply().expect("the server answers");
        let shown = String::from_utf8_lossy(&octets[..octets.len().min(200)]);
        assert!(reply.starts_with(expected), "{expected} was due, and {reply} came, of {shown:?}");
    }
    client.expect("NOOP", "250");
}

#[test]
fn what_is_sent_ahead_of_a_challenge_is_a_response_and_no_command() {
    let port = ports::free();
    let mut bed = bed(port);
    let good = plain(USER, PASSWORD);
    let fresh = || connect("127.0.0.61", port);
    // A command where a response belongs cancels the exchange; those behind it are commands again.
    at_once(
        &mut fresh(),
        "AUTH LOGIN\r\nMAIL FROM:<a@here.test>\r\nNOOP\r\n",
        &["334", "501", "250"],
    );
    at_once(&mut fresh(), "AUTH PLAIN\r\nQUIT\r\nNOOP\r\n", &["334", "501", "250"]);
    at_once(&mut fresh(), "AUTH PLAIN\r\n*\r\nNOOP\r\n", &["334", "501", "250"]);
    // AUTH in the middle of a group, and twice: the second is one too many, whatever it says.
    let path = format!("MAIL FROM:<{USER}>");
    let group = format!("NOOP\r\n{good}\r\n{path}\r\nRSET\r\n{good}\r\n{path}\r\n");
    at_once(&mut fresh(), group, &["250", "235", "250", "250", "503", "250"]);
    // Not in a transaction (section 4).
    let mut client = fresh();
    let group = format!("{good}\r\n{path}\r\n{good}\r\nRCPT TO:<bob@here.test>\r\n");
    at_once(&mut client, group, &["235", "250", "503", "250"]);
    // A login that is refused leaves what was pipelined behind it outside.
    let wrong = plain(USER, "wrong");
    at_once(&mut fresh(), format!("{wrong}\r\n{path}\r\n"), &["535", "530"]);
    // Then all of the log is written.
    bed.stop();
    let (log, response) = (bed.log(), &good["AUTH PLAIN ".len()..]);
    assert!(log.contains("login"), "nothing of the logins is in the log: {log}");
    assert!(!log.contains(PASSWORD) && !log.contains(response), "the password shows: {log}");
}

#[test]
fn responses_that_are_none_are_told_and_count_nothing() {
    let port = ports::free();
    let bed = bed(port);
    let mut client = connect("127.0.0.62", port);
    let right = base64(&format!("\0{USER}\0{PASSWORD}"));
    for (line, reply) in [
        // Section 4: what is no base64 is 501 5.5.2.
        ("AUTH PLAIN AG=FubmE".to_owned(), "501 5.5.2"),
        (format!("AUTH PLAIN {right}===="), "501 5.5.2"),
        (format!("AUTH PLAIN {}", right.trim_end_matches('=')), "501 5.5.2"),
        (format!("AUTH PLAIN {right}\t"), "500"),
        (format!("AUTH PLAIN {right} {right}"), "501"),
        ("AUTH".to_owned(), "50"),
        ("AUTH ".to_owned(), "50"),
        ("AUTH =".to_owned(), "504 5.5.4"),
        ("AUTH PLAIN =".to_owned(), "501"),
        ("AUTH NTLM".to_owned(), "504 5.5.4"),
        ("AUTH GSSAPI".to_owned(), "504 5.5.4"),
        ("AUTH SCRAM-SHA-256-PLUS".to_owned(), "504 5.5.4"),
        // Section 4: the server speaks first here, so there is no initial response.
        (format!("AUTH CRAM-MD5 {}", base64("anna 00")), "501"),
        // One NUL, three, one within: a name that is no text is nobody's.
        (format!("AUTH PLAIN {}", base64("anna\0x")), "501"),
        (format!("AUTH PLAIN {}", base64("\0anna\0x\0")), "501"),
        (format!("AUTH PLAIN {}", base64("\0an\rna\0x")), "501"),
        (format!("AUTH PLAIN {}", base64("bob@here.test\0anna\0x")), "535 5.7.8"),
    ] {
        let said = client.say(&line).expect("the server answers");
        assert!(said.starts_with(reply), "{line}: {said}");
    }
    let status = bed.command(&["status"]).good();
    assert!(!status.contains("wrong-login"), "nobody was looked at: {status}");
    client.expect(&plain(USER, "wrong"), "535");
    let status = bed.command(&["status"]).good();
    assert!(status.contains("wrong-login 1"), "{status}");
    // Octets that belong into no command; then a line of the length that is just possible, and one more.
    at_once(&mut client, b"AUTH PLAIN AGE\0AYg==\r\n", &["50"]);
    let longest = "A".repeat(12_288);
    let mut client = connect("127.0.0.62", port);
    client.expect("AUTH PLAIN", "334");
    client.expect(&longest, "5");
    client.expect("NOOP", "250");
    client.expect("AUTH PLAIN", "334");
    client.expect(&format!("{longest}A"), "500");
    // What was too long was no response, nor is the next line one: the exchange is over.
    client.expect(&right, "500");
    client.expect(&plain(USER, PASSWORD), "235");
}

#[test]
fn who_signed_in_is_known_until_tls_begins() {
    let port = ports::free();
    let bed = bed(port);
    let path = format!("MAIL FROM:<{USER}>");
    let mut client = Client::hello(bed.submission);
    client.expect(&path, "530");
    client.expect(&plain(USER, PASSWORD), "235");
    client.expect(&path, "250");
    for command in ["RSET", "EHLO again.test", "HELO again.test"] {
        client.expect(command, "250");
        client.expect(&path, "250");
    }
    client.expect("RSET", "250");
    client.expect("EHLO client.test", "250");
    // In clear behind STARTTLS, in the same write: it is no login, then or later.
    let script = "
import socket, ssl, sys
port, good, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
def session(*lines):
    raw = socket.create_connection(('127.0.0.1', port))
    read = lambda s: s.recv(65536).decode()
    read(raw)
    raw.sendall(b'EHLO client.test\\r\\n'); read(raw)
    for line in lines:
        raw.sendall(line.encode() + b'\\r\\n')
        print(read(raw).strip())
    tls = ssl._create_unverified_context().wrap_socket(raw)
    for line in (path, 'EHLO client.test', path):
        tls.sendall(line.encode() + b'\\r\\n')
        print(read(tls).strip().splitlines()[-1])
session('STARTTLS\\r\\n' + good)
session('STARTTLS\\r\\nAUTH LOGIN')
session(good, 'STARTTLS')
";
    let port = bed.submission.to_string();
    let said = python(script, &[&port, &plain(USER, PASSWORD), &path]).good();
    let codes: Vec<&str> = said.lines().map(|line| &line[..3.min(line.len())]).collect();
    let hello = ["503", "250", "530"];
    let expected = [&["220"], &hello[..], &["220"], &hello, &["235", "220"], &hello].concat();
    assert_eq!(codes, expected, "{said}");
}

#[test]
fn before_tls_there_is_no_auth_where_it_is_not_wanted() {
    let bed = Bed::start("");
    let mut client = Client::hello(bed.submission);
    for line in ["AUTH PLAIN AGEAYg==", "AUTH PLAIN", "AUTH LOGIN", "AUTH NONSENSE"] {
        client.expect(line, "538 5.7.11");
    }
    assert!(!client.expect("EHLO client.test", "250").contains("AUTH"));
    // Where nobody can ever sign in, the command does not exist; and EHLO comes first.
    let mut stranger = Client::hello(bed.mx);
    stranger.expect("AUTH PLAIN AGEAYg==", "50");
    let port = ports::free();
    let _open = self::bed(port);
    let mut early = Client::from("127.0.0.63", port).expect("the server answers");
    early.expect(&plain(USER, PASSWORD), "503");
    early.expect("HELO client.test", "250");
    early.expect(&plain(USER, PASSWORD), "503");
}

#[test]
fn the_parameter_of_mail_is_xtext_and_believed_of_nobody() {
    let port = ports::free();
    let bed = bed(port);
    let mut client = connect("127.0.0.64", port);
    client.expect(&plain(USER, PASSWORD), "235");
    for (parameter, reply) in [
        // Section 5.
        ("AUTH=<>", "250"),
        ("AUTH=anna+3Dx@here.test", "250"),
        ("AUTH=e+3Dmc2@example.com", "250"),
        ("AUTH=", "501"),
        ("AUTH", "501"),
        ("AUTH=+G0", "501"),
        ("AUTH=+3", "501"),
        ("AUTH=+0D+0ARSET", "501"),
        ("AUTH=<> AUTH=<>", "501"),
    ] {
        client.expect(&format!("MAIL FROM:<{USER}> {parameter}"), reply);
        client.expect("RSET", "250");
    }
    // Where AUTH is not offered, it is no parameter.
    let mut stranger = Client::hello(bed.mx);
    stranger.expect("MAIL FROM:<a@from.test> AUTH=<>", "5");
}
