//! What a hostile client or next hop tries, against the running server: to have it relay, to be believed, to
//! have a second message taken out of the first, to put lines into headers, to get mail in clear.
//!
//! The machines' own tests and the conformance suite have the single commands; here is what only shows when
//! all parts work together. All that would leave goes to one sink, which sees nothing.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use harness::{
    bed::Bed,
    client::Client,
    maildir,
    program::wait_for,
    sink::{Habits, Sink},
};

const LIMITS: &str = "[limits]\nerrors_max = 10000\n";

/// Everything that is not ours would go to the sink.
fn guarded(sink: &Sink, tables: &str) -> Bed {
    let mut bed = Bed::new("");
    let keys =
        format!("default_route = {{ next_hop = \"127.0.0.1:{}\", tls = \"never\" }}\n", sink.port);
    bed.configure(&keys, &format!("{LIMITS}{tables}"));
    bed.start_again();
    bed
}

fn greeted(port: u16) -> Client {
    let mut client = Client::connect(port).expect("the server answers");
    client.say("EHLO client.test").expect("the server answers");
    client
}

#[track_caller]
fn nothing_is_queued(bed: &Bed) {
    let list = bed.command(&["queue", "list"]).good();
    assert!(list.contains("nothing in the queue"), "{list}");
}

/// RFC 2505 section 2.1; RFC 5321 section 7.9. `next.test` is relayed for everybody, so that its own
/// server must not be shown a way on either.
const TRICKS: &[&str] = &[
    "<user@remote.test>",
    "<user@remote.test.>",
    "<user%remote.test@here.test>",
    "<user%remote.test@next.test>",
    "<user%remote.test@[127.0.0.1]>",
    "<user%remote.test@mx.here.test>",
    "<user%remote.test>",
    "<remote.test!user>",
    "<remote.test!user@here.test>",
    "<remote.test!user@next.test>",
    "<\"user@remote.test\">",
    "<\"user@remote.test\"@here.test>",
    "<\"user@remote.test\"@next.test>",
    "<\"user%remote.test\"@next.test>",
    "<\"user\\@remote.test\"@next.test>",
    "<@here.test:user@remote.test>",
    "<@here.test,@next.test:user@remote.test>",
    "<@next.test:user%remote.test@next.test>",
    "<@remote.test:user@next.test@remote.test>",
    "<user@remote.test@here.test>",
    "<user@here.test@remote.test>",
    "<user@here.test.remote.test>",
    "<user@evilhere.test>",
    "<user@remote.test (@here.test)>",
    "<user@remote.test,anna@here.test>",
    "<anna@here.test>,<user@remote.test>",
    "<anna@here.test> <user@remote.test>",
    "<user@remote.test\t@here.test>",
    "<user@remote.test\0@here.test>",
    "<user@[192.0.2.1]>",
    "<user@[127.0.0.1]>",
    "<user@[IPv6:::1]>",
    "<user@[IPv6:::ffff:127.0.0.1]>",
    "<user@127.0.0.1>",
    "<user@2130706433>",
    "<postmaster@remote.test>",
    "<@remote.test>",
    "user@remote.test",
    "<<user@remote.test>>",
    // Letters that look like ours, a full stop that is none, letters that are folded to ours.
    "<anna@h\u{435}re.test>",
    "<anna@here\u{3002}test>",
    "<anna@\u{ff28}\u{ff25}\u{ff32}\u{ff25}.test>",
    "<anna@xn--hre-hdd.test>",
    "<user@remote.test\u{2028}@here.test>",
];

#[test]
fn no_trick_has_it_relay() {
    let sink = Sink::start();
    let bed = guarded(&sink, "");
    let senders = [
        "<>",
        "<anna@here.test>",
        "<postmaster@here.test>",
        "<user@remote.test> SMTPUTF8",
        "<user@[127.0.0.1]>",
        "<\"anna@here.test\"@remote.test>",
    ];
    for sender in senders {
        let mut client = greeted(bed.mx);
        for trick in TRICKS {
            let mail = client.say(&format!("MAIL FROM:{sender}")).expect("it answers");
            assert!(mail.starts_with("250"), "{sender}: {mail}");
            let rcpt = client.say(&format!("RCPT TO:{trick}")).expect("it answers");
            assert!(rcpt.starts_with('5'), "{sender} to {trick:?}: {rcpt}");
            let data = client.say("DATA").expect("it answers");
            assert!(data.starts_with('5'), "{sender} to {trick:?}: {data}");
            client.say("RSET").expect("it answers");
        }
    }
    nothing_is_queued(&bed);
    assert!(sink.taken().is_empty());
}

#[test]
fn who_names_himself_another_is_not_believed() {
    let sink = Sink::start();
    let bed = guarded(&sink, "");
    let mut client = greeted(bed.mx);
    for line in [
        "XCLIENT ADDR=127.0.0.1 LOGIN=anna@here.test NAME=localhost",
        "XCLIENT ADDR=10.0.0.1",
        "XFORWARD ADDR=127.0.0.1 SOURCE=LOCAL",
        "PROXY TCP4 127.0.0.1 127.0.0.1 1 25",
        "ATRN here.test",
        "ETRN here.test",
        "TURN",
        "X-ANONYMOUSTLS",
        "X-EXPS LOGIN",
        "TLS",
        "XEXCH50 10 2",
        "X-LINK2STATE LAST CHUNK={00}",
        "MAIL FROM:<anna@here.test> AUTH=<> XSHADOW=1",
    ] {
        let reply = client.say(line).expect("it answers");
        assert!(reply.starts_with('5'), "{line}: {reply}");
    }
    client.say("MAIL FROM:<anna@here.test> AUTH=anna@here.test").expect("it answers");
    let rcpt = client.say("RCPT TO:<user@remote.test>").expect("it answers");
    assert!(rcpt.starts_with('5'), "AUTH= is no login (RFC 4954 section 5): {rcpt}");
    // The binary PROXY header, and a request of another protocol, as first words.
    for first in [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x19".as_slice(),
        b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut client = Client::connect(bed.mx).expect("it answers");
        client.write(first).expect("it takes it");
        client
            .write(b"\r\nEHLO x.test\r\nMAIL FROM:<>\r\nRCPT TO:<user@remote.test>\r\nQUIT\r\n")
            .expect("it takes it");
        while let Ok(reply) = client.reply() {
            assert!(!reply.contains("2.1.5"), "{reply}");
        }
    }
    nothing_is_queued(&bed);
}

#[test]
fn submission_takes_nothing_in_clear() {
    let bed = Bed::start(LIMITS);
    for port in [bed.submission] {
        let mut client = greeted(port);
        for line in [
            "MAIL FROM:<anna@here.test>",
            "AUTH PLAIN AHRlc3RlckBoZXJlLnRlc3QAc2VjcmV0LVBhNTU=",
            "AUTH LOGIN",
            "X-EXPS PLAIN AHRlc3RlckBoZXJlLnRlc3QAc2VjcmV0LVBhNTU=",
            "XCLIENT LOGIN=tester@here.test",
            "RCPT TO:<anna@here.test>",
            "DATA",
            "BDAT 0 LAST",
        ] {
            let reply = client.say(line).expect("it answers");
            assert!(reply.starts_with('5'), "{line}: {reply}");
        }
        // What stands behind STARTTLS in the same packet is no command, neither now nor later: the next octets
        // are those of a handshake, which these are not.
        client
            .write(b"STARTTLS\r\nMAIL FROM:<anna@here.test>\r\nRCPT TO:<anna@here.test>\r\n")
            .expect("it is open");
        assert!(client.reply().expect("it answers").starts_with("220"));
        client.write(b"DATA\r\nx\r\n.\r\n").expect("it is open");
        if let Ok(reply) = client.reply() {
            assert!(!reply.starts_with(['2', '3']), "{reply}");
        }
    }
    nothing_is_queued(&bed);
}

/// One connection at which a next hop says `behind` in clear, in one write with its `220` to STARTTLS; gives
/// what the client sent after it.
fn injecting(behind: &'static str) -> (u16, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind(("127.0.0.1", harness::ports::free())).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let (tell, heard) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            if let Some(sent) = inject(&mut stream, behind) {
                // The test may have seen enough.
                let _told = tell.send(sent);
            }
        }
    });
    (port, heard)
}

fn inject(stream: &mut BufReader<TcpStream>, behind: &str) -> Option<Vec<u8>> {
    stream.get_mut().write_all(b"220 sink.test ESMTP\r\n").ok()?;
    let mut line = String::new();
    while stream.read_line(&mut line).ok()? > 0 {
        let reply = match line.trim_end() {
            "STARTTLS" => format!("220 2.0.0 go on\r\n{behind}"),
            _ if line.starts_with("EHLO") => "250-sink.test\r\n250 STARTTLS\r\n".to_owned(),
            _ => "250 2.0.0 ok\r\n".to_owned(),
        };
        stream.get_mut().write_all(reply.as_bytes()).ok()?;
        if line.trim_end() == "STARTTLS" {
            let wait = Some(Duration::from_secs(3));
            stream.get_ref().set_read_timeout(wait).ok()?;
            let mut sent = Vec::new();
            // Its time runs out, or it closes.
            let _end = stream.read_to_end(&mut sent);
            return Some(sent);
        }
        line.clear();
    }
    None
}

/// RFC 3207 section 6: replies that were put behind the `220` are not those of the next hop inside TLS.
#[test]
fn injected_replies_are_not_taken_for_answers() {
    for behind in [
        "250-sink.test\r\n250 AUTH PLAIN LOGIN\r\n",
        "250 2.0.0 ok\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n250 2.0.0 taken\r\n",
    ] {
        let (port, heard) = injecting(behind);
        let route = format!(
            "[routes.\"next.test\"]\nnext_hop = \"127.0.0.1:{port}\"\ntls = \"required\"\n"
        );
        let bed = Bed::start(&route);
        let reply =
            greeted(bed.mx).transaction("a@from.test", &["carol@next.test"], b"Subject: x\r\n\r\n");
        assert!(reply.expect("it answers").starts_with("250"));
        let sent = heard.recv_timeout(Duration::from_secs(30)).expect("an attempt");
        assert!(sent.is_empty() || sent[0] == 0x16, "in clear: {}", sent.escape_ascii());
        let why = wait_for("the evidence", Duration::from_secs(20), || {
            let why = bed.command(&["why", "carol@next.test"]).text();
            (why.contains("STARTTLS") || why.contains("TLS")).then_some(why)
        });
        assert!(!why.contains("relayed to"), "{why}");
    }
}

/// Outbound, as on the wire, to a next hop that knows neither CHUNKING nor 8BITMIME.
#[test]
fn what_looks_like_an_end_in_a_chunk_ends_nothing_further_on() {
    let sink = Sink::with(Habits { offers: Vec::new(), ..Habits::default() });
    let bed = guarded(&sink, "");
    let evil = "\r\n.\r\nMAIL FROM:<evil@from.test>\r\nRCPT TO:<eve@next.test>\r\nDATA\r\nSubject: evil\r\n\r\n.\r\n";
    let content = format!("Subject: chunks\r\n\r\ntext{evil}");
    let mut client = greeted(bed.mx);
    client.say("MAIL FROM:<a@from.test>").expect("it answers");
    client.say("RCPT TO:<carol@next.test>").expect("it answers");
    client
        .write(format!("BDAT {} LAST\r\n{content}", content.len()).as_bytes())
        .expect("it is open");
    assert!(client.reply().expect("it answers").starts_with("250"));
    let taken = sink.wait(1);
    assert!(taken[0].content.ends_with(content.as_bytes()));
    // Bare line ends: refused, or (as octets, where they are content) never sent by DATA as they are.
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\r.\r\n"] {
        let content = format!("Subject: bare\r\n\r\ntext{end}MAIL FROM:<evil@from.test>\r\n");
        for body in ["", " BODY=BINARYMIME"] {
            client.say(&format!("MAIL FROM:<a@from.test>{body}")).expect("it answers");
            client.say("RCPT TO:<carol@next.test>").expect("it answers");
            client
                .write(format!("BDAT {} LAST\r\n{content}", content.len()).as_bytes())
                .expect("it is open");
            let reply = client.reply().expect("it answers");
            assert!(reply.starts_with('5') || !body.is_empty(), "{end:?}: {reply}");
        }
    }
    wait_for("the queue to settle", Duration::from_secs(20), || {
        bed.command(&["queue", "list"]).text().contains("nothing in the queue").then_some(())
    });
    for taken in sink.taken().iter() {
        assert_eq!(taken.recipients, ["carol@next.test"]);
        let bare = taken
            .content
            .windows(2)
            .any(|two| two[0] != b'\r' && two[1] == b'\n' || two[0] == b'\r' && two[1] != b'\n');
        assert!(!bare, "{}", taken.content.escape_ascii());
    }
}

/// Words of a client that end up in headers, reports and the log bring no line of their own.
#[test]
fn parameters_write_no_header_lines() {
    let bed = guarded(
        &Sink::start(),
        &format!("[routes]\n\"next.test\" = \"127.0.0.1:{}\"\n", harness::ports::free()),
    );
    let mut client = Client::connect(bed.mx).expect("it answers");
    for name in [
        "x\rX-Injected: 1",
        "x\0X-Injected: 1",
        "x) by evil (X-Injected: 1",
        "[127.0.0.1]\tX-Injected: 1",
    ] {
        client.say(&format!("EHLO {name}")).expect("it answers");
    }
    client.say("EHLO client.test").expect("it answers");
    let injected = "+0D+0AX-Injected:+20yes+0D+0A+0D+0A.+0D+0A";
    for (envid, orcpt) in [("QQ", "rfc822;"), ("QQ", "utf-8;")] {
        client
            .say(&format!("MAIL FROM:<anna@here.test> ENVID={envid}{injected}"))
            .expect("it answers");
        client
            .say(&format!(
                "RCPT TO:<carol@next.test> ORCPT={orcpt}carol@next.test{injected} NOTIFY=FAILURE"
            ))
            .expect("it answers");
        if client.say("DATA").expect("it answers").starts_with('3') {
            client.write(b"Subject: x\r\n\r\n.\r\n").expect("it is open");
            client.reply().expect("it answers");
        } else {
            client.say("RSET").expect("it answers");
        }
    }
    // One that can't be refused for its parameters, so that there is a report in any case.
    let plain =
        client.transaction("anna@here.test", &["carol@next.test"], b"Subject: plain\r\n\r\n");
    assert!(plain.expect("it answers").starts_with("250"));
    wait_for("the attempts", Duration::from_secs(20), || {
        bed.command(&["queue", "bounce", "--all", "--reason", "r\r\nX-Injected: 1"]);
        bed.command(&["queue", "list"]).text().contains("nothing in the queue").then_some(())
    });
    for report in maildir::wait(&bed.mailbox("anna"), 1) {
        let text = String::from_utf8_lossy(&report).into_owned();
        let line = text.lines().find(|line| line.starts_with("X-Injected"));
        assert_eq!(line, None, "{text}");
    }
}

#[test]
fn endless_lines_cost_no_memory() {
    let bed = Bed::start(LIMITS);
    let growth = bed.memory_growth(|| {
        for content in [false, true] {
            let mut client = greeted(bed.mx);
            if content {
                client.say("MAIL FROM:<a@from.test>").expect("it answers");
                client.say("RCPT TO:<anna@here.test>").expect("it answers");
                client.say("DATA").expect("it answers");
            }
            // 32 MiB without a line end; it may hang up at any time.
            let block = vec![b'x'; 1 << 20];
            if (0..32).all(|_| client.write(&block).is_ok()) && client.write(b"\r\n.\r\n").is_ok() {
                let _reply = client.reply();
            }
        }
    });
    assert!(growth < 8 << 10, "{growth} KiB");
    assert!(greeted(bed.mx).say("NOOP").expect("it lives").starts_with("250"));
}
