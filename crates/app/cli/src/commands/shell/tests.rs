//! Whole sessions in a pipe, with servers of the lab and one that does TLS and logins.

use std::{
    io::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use diagnose::{
    dialects::transcript,
    session::{Kind, Session},
};
use lab::{Scenario, Server};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use transport::{ServerIdentity, Wire, tls};
use world::{Net, World, dns::real::Settings, net::Stream};

use super::{EX_PROTOCOL, EX_TEMPFAIL, EX_UNAVAILABLE, Shell, typing};

/// What came out of a session.
struct Done {
    page: String,
    status: u8,
}

impl Done {
    /// The transcript read back: the only session in it.
    fn read_back(&self) -> Session {
        let mut sessions = transcript::read(self.page.as_bytes()).expect("a dialogue");
        assert_eq!(sessions.len(), 1, "{}", self.page);
        sessions.remove(0)
    }

    fn has(&self, words: &str) -> &Self {
        assert!(self.page.contains(words), "no `{words}` in:\n{}", self.page);
        self
    }

    fn has_not(&self, words: &str) -> &Self {
        assert!(!self.page.contains(words), "`{words}` in:\n{}", self.page);
        self
    }
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn outside() -> World {
    crate::outside::world(&Settings::default()).unwrap()
}

async fn talk(shell: &Shell, script: impl AsRef<[u8]>) -> Done {
    let page = Page::default();
    let input = std::io::Cursor::new(script.as_ref().to_vec());
    let typist = typing::Typist::script(Box::new(input));
    let screen = typing::pipe(Box::new(page.clone()));
    let status =
        shell.talk(&outside(), typist, screen).await.unwrap_or_else(|failed| failed.status);
    let page = String::from_utf8_lossy(&page.0.lock().unwrap()).into_owned();
    Done { page, status }
}

fn shell(server: SocketAddr) -> Shell {
    let server = server.to_string();
    Shell { server, tls: false, transcript: None, timeout: 10, quiet: false }
}

fn lab(scenario: &str) -> SocketAddr {
    let script = Scenario::named(scenario).unwrap().server;
    let server = Server::listen(&Net::Real, ([127, 0, 0, 1], 0).into(), script, None).unwrap();
    let at = server.local().unwrap();
    tokio::spawn(async move { server.run().await });
    at
}

fn codes(session: &Session) -> Vec<String> {
    let replies = session.lines.iter().filter(|line| matches!(line.kind, Kind::Reply(_)));
    replies
        .filter(|line| !line.is_continued_reply())
        .map(|line| line.lossy()[..3].to_owned())
        .collect()
}

#[tokio::test]
async fn a_session_in_order_and_its_transcript_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let message = folder.path().join("message.eml");
    std::fs::write(&message, "Subject: x\n\n.leading dot\n\u{e4}\n").unwrap();
    let saved = folder.path().join("transcript");
    let script = format!(
        "# a remark\nEHLO a.test\nMAIL FROM:<a@a.test>\nRCPT TO:<b@b.test>\n:data {0}\n\
         MAIL FROM:<>\nRCPT TO:<b@b.test>\n:bdat {0} 20\nMAIL FROM:<>\nRCPT TO:<b@b.test>\nDATA\nSubject: typed\n\n:quit is content\n.\nQUIT\n",
        message.display()
    );
    let shell = Shell { transcript: Some(saved.clone()), ..shell(lab("good")) };
    let done = talk(&shell, &script).await;
    assert_eq!(done.status, 0, "{}", done.page);
    done.has("C: ..leading dot\n")
        .has("C: BDAT 20\n")
        .has("C: BDAT 8 LAST\n")
        .has_not("| 5")
        .has_not("certain)")
        .has_not("   at: ");
    let read = done.read_back();
    let expected = "220 250 250 250 354 250 250 250 250 250 250 250 354 250 221";
    assert_eq!(codes(&read).join(" "), expected, "{}", done.page);
    assert_eq!(diagnose::inspect(&read), [], "{}", done.page);
    let saved = std::fs::read(&saved).unwrap();
    let [saved] = transcript::read(&saved).unwrap().try_into().unwrap();
    assert_eq!(codes(&saved).join(" "), expected);
    assert_eq!(saved.server.name.as_deref(), read.server.name.as_deref());
}

#[tokio::test]
async fn mistakes_are_pointed_out_and_sent() {
    let done = talk(&shell(lab("good")), "EHLO a.test\nRCPT TO:<b@b.test>\n!DATA\nQUIT\n").await;
    assert_eq!(done.status, EX_UNAVAILABLE, "the first refusal is 5yz");
    done.has("| RCPT comes after MAIL").has("C: RCPT TO:<b@b.test>\nS: 503").has("| 503: ");
    done.has_not("DATA comes after");
    assert_eq!(codes(&done.read_back()), ["220", "250", "503", "503", "221"]);
    // the findings stand behind the session
    done.has("command-missing (failure, certain; the sending side)");
}

#[tokio::test]
async fn the_first_refusal_decides_the_status() {
    let script = "EHLO a.test\nMAIL FROM:<a@a.test>\nRCPT TO:<b@b.test>\nQUIT\n";
    for (scenario, status) in
        [("greylist", EX_TEMPFAIL), ("no-such-user", EX_UNAVAILABLE), ("421", EX_TEMPFAIL)]
    {
        let done = talk(&shell(lab(scenario)), script).await;
        assert_eq!(done.status, status, "{scenario}:\n{}", done.page);
        done.read_back();
    }
}

#[tokio::test]
async fn a_session_that_breaks_off() {
    let done =
        talk(&shell(lab("rst")), "EHLO a.test\nMAIL FROM:<>\nRCPT TO:<b@b.test>\nDATA\n").await;
    assert_eq!(done.status, EX_PROTOCOL, "{}", done.page);
    done.has("-- connection ");
}

#[tokio::test]
async fn groups_and_octets_as_they_are() {
    let script = "EHLO a.test\n:hex\n:pipeline\nMAIL FROM:<a@a.test>\nRCPT TO:<b@b.test>\nDATA\n:end\nx\n.\n\
                  :hex\n:raw NO\n:raw OP\\r\\n\nMAIL FROM:<>\nRCPT TO:<b@b.test>\n!BDAT 3 LAST\n:raw a\\x00b\nQUIT\n";
    let done = talk(&shell(lab("good")), script).await;
    assert_eq!(done.status, 0, "{}", done.page);
    done.has("C: MAIL FROM:<a@a.test>\n   | 0000  4d 41 49 4c");
    done.has("C: RCPT TO:<b@b.test>\n   | 0000").has("C: NO\n").has("C: OP\nS: 250");
    done.has("   | 3 octets of a chunk\nS: 250");
    assert!(done.page.find("C: DATA\n") < done.page.find("S: 250 2.1.0"), "{}", done.page);
}

/// The lines behind BDAT are its chunk's; what is longer is a command to the server, and answered.
#[tokio::test]
async fn a_chunk_that_is_typed() {
    let start = "EHLO a.test\nMAIL FROM:<a@a.test>\nRCPT TO:<b@b.test>\n";
    let exact = format!("{start}BDAT 16 LAST\nSubject: abc\n\nQUIT\n");
    let done = talk(&shell(lab("good")), exact.as_str()).await;
    assert_eq!(done.status, 0, "{}", done.page);
    assert_eq!(codes(&done.read_back()).join(" "), "220 250 250 250 250 221", "{}", done.page);
    let longer = format!("{start}BDAT 4 LAST\n!Subject: longer than that\nQUIT\n");
    let done = talk(&shell(lab("good")), longer.as_str()).await;
    done.has("the last 24 octets are more than BDAT announced").has("S: 250").has("S: 500");
    done.has("S: 221");
}

#[tokio::test]
async fn orders_that_cannot_be_carried_out_show_in_the_status() {
    let done =
        talk(&shell(lab("good")), "EHLO a.test\n:nonsense\n:data /nonexistent\nQUIT\n").await;
    assert_eq!(done.status, EX_PROTOCOL);
    done.has("there is no order `:nonsense`").has("cannot read `/nonexistent`");
}

#[tokio::test]
async fn octets_of_any_kind_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let script = Scenario::named("good").unwrap().server;
    let into = Some(folder.path().to_owned());
    let server = Server::listen(&Net::Real, ([127, 0, 0, 1], 0).into(), script, into).unwrap();
    let at = server.local().unwrap();
    tokio::spawn(async move { server.run().await });
    let sent =
        b"EHLO a.test\r\nMAIL FROM:<>\r\nRCPT TO:<b@b.test>\r\nDATA\r\nx: \xff\x00\xfe\n.\nQUIT";
    let done = talk(&shell(at), sent).await;
    assert_eq!(done.status, 0, "{}", done.page);
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read(file).unwrap(), b"x: \xff\x00\xfe\r\n");
}

#[tokio::test]
async fn quiet_is_the_transcript_only() {
    let shell = Shell { quiet: true, ..shell(lab("no-such-user")) };
    let done = talk(&shell, "EHLO a.test\nMAIL FROM:<>\nRCPT TO:<b@b.test>\nQUIT\n").await;
    let is_marked = |line: &str| ["C: ", "S: ", "-- "].iter().any(|mark| line.starts_with(mark));
    assert!(done.page.lines().all(is_marked), "{}", done.page);
}

/// A server with STARTTLS (or TLS from the first octet) and logins: `anna` with the password `secret`.
async fn secure(implicit: bool) -> SocketAddr {
    let made = ServerIdentity::self_signed(&outside(), &["mx.a.test".to_owned()]).unwrap();
    let identity =
        ServerIdentity::from_pem(&made.certificate, &made.key, ("certificate", "key")).unwrap();
    let config = ServerIdentity::config(&[identity]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (tcp, peer) = listener.accept().await.unwrap();
        let mut wire = Wire::Plain(Stream::Tcp(tcp, peer));
        if implicit {
            wire = tls::accept(wire.into_stream().ok().unwrap(), &config).await.unwrap().0;
        }
        wire.write_all(b"220 mx.a.test ESMTP\r\n").await.unwrap();
        while let Some(line) = heard(&mut wire).await {
            let reply = match line.as_str() {
                "EHLO a.test" => {
                    "250-mx.a.test\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n"
                }
                "STARTTLS" => "220 2.0.0 go ahead\r\n",
                "AUTH PLAIN AGFubmEAc2VjcmV0" | "c2VjcmV0" => "235 2.7.0 welcome\r\n",
                "AUTH LOGIN" => "334 VXNlcm5hbWU6\r\n",
                "YW5uYQ==" => "334 UGFzc3dvcmQ6\r\n",
                "AUTH CRAM-MD5" => "334 PDFAYS50ZXN0Pg==\r\n",
                "QUIT" => "221 2.0.0 bye\r\n",
                _ => "535 5.7.8 no\r\n",
            };
            wire.write_all(reply.as_bytes()).await.unwrap();
            wire.flush().await.unwrap();
            if line == "STARTTLS" {
                wire = tls::accept(wire.into_stream().ok().unwrap(), &config).await.unwrap().0;
            }
            if line == "QUIT" {
                break;
            }
        }
        let _ = wire.close().await;
    });
    at
}

async fn heard(wire: &mut Wire) -> Option<String> {
    let mut line = Vec::new();
    // One octet at a time, so that nothing of the handshake is taken.
    let mut reader = BufReader::with_capacity(1, wire.take(4_096));
    reader.read_until(b'\n', &mut line).await.unwrap();
    (!line.is_empty()).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
}

#[tokio::test]
async fn starttls_and_logins_are_done_for_one() {
    for mechanism in ["plain", "login"] {
        let script =
            format!("EHLO a.test\n:starttls\nEHLO a.test\n:auth {mechanism} anna\nsecret\n:quit\n");
        let done = talk(&shell(secure(false).await), &script).await;
        assert_eq!(done.status, 0, "{}", done.page);
        done.has("-- TLS established: TLSv1.3, ").has("certificate: not verified").has("S: 235");
        done.has("****").has_not("secret").has_not("c2VjcmV0").has_not("AGFubmEAc2VjcmV0");
        let read = done.read_back();
        assert!(codes(&read).contains(&"235".to_owned()), "{}", done.page);
    }
}

#[tokio::test]
async fn tls_from_the_first_octet_and_a_login_that_is_refused() {
    let shell = Shell { tls: true, ..shell(secure(true).await) };
    let done = talk(&shell, "EHLO a.test\n:auth cram-md5 anna\nwrong\nQUIT\n").await;
    assert_eq!(done.status, EX_UNAVAILABLE, "{}", done.page);
    done.has("-- TLS established").has("C: AUTH CRAM-MD5\nS: 334").has("C: ****\nS: 535");
    done.has("| 535: ");
}

/// A server that says all of it at once, then reads for a while and closes.
async fn says(text: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(text.as_bytes()).await.unwrap();
        let mut octets = [0; 100];
        let quiet = std::time::Duration::from_millis(300);
        while let Ok(Ok(1..)) = tokio::time::timeout(quiet, tcp.read(&mut octets)).await {}
    });
    at
}

#[tokio::test]
async fn what_the_server_says_unasked_is_shown() {
    let server = says("220 here\r\n250 here\r\n421 4.4.2 idle\r\n").await;
    let done = talk(&shell(server), "EHLO a.test\n:wait 5\nNOOP\n").await;
    assert_eq!(done.status, EX_TEMPFAIL, "{}", done.page);
    done.has("S: 421 4.4.2 idle\n   | 421: ").has("nothing that was sent asked for this");
    done.has("-- connection closed by remote host").has_not("C: NOOP");
}

#[tokio::test]
async fn what_is_no_smtp_is_shown_and_does_not_hang() {
    let server = says("hello\r\n220-\x1b[31mhere\n250-and no end\r\n").await;
    let done = talk(&Shell { timeout: 1, ..shell(server) }, "EHLO a.test\n").await;
    assert_eq!(done.status, EX_PROTOCOL, "{}", done.page);
    done.has("S: hello\n").has("S: 250-and no end\n");
}

#[test]
fn places() {
    for (text, expected) in [
        ("mx.a.test", Some(("mx.a.test", 25))),
        ("mx.a.test:587", Some(("mx.a.test", 587))),
        ("2001:db8::1", Some(("2001:db8::1", 25))),
        ("[2001:db8::1]:465", Some(("2001:db8::1", 465))),
        ("[2001:db8::1]", Some(("2001:db8::1", 25))),
        ("mx.a.test:smtp", None),
        (":25", None),
        ("a b", None),
    ] {
        let expected = expected.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(super::place(text, 25).ok(), expected, "{text}");
    }
}
