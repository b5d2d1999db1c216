//! The diagnosis commands as people run them: pipes, files, exit statuses.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use capture::build::{Conversation, File, Link};
use harness::{
    bed::{self, Bed},
    ports,
    program::{run, wait_for},
};
use rustix::process::{Pid, Signal, kill_process};
use smtp::Party::{Client, Server};

/// A capture's packets, piece by piece.
struct Packets(File);

impl Packets {
    fn new() -> Self {
        Self(File::pcap(Link::Ethernet))
    }

    fn of(&mut self, talk: &mut Conversation) -> Vec<u8> {
        self.0.segments(&talk.segments);
        talk.segments.clear();
        self.0.take()
    }
}

fn conversation(port: u16) -> Conversation {
    let client = SocketAddr::from(([192, 0, 2, 1], port));
    Conversation::new(client, "198.51.100.25:25".parse().unwrap(), 1_700_000_000_000_000_000)
}

/// What a program says, as it comes.
fn heard(child: &mut Child) -> Receiver<String> {
    let mut out = child.stdout.take().expect("it is piped");
    let (say, hear) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count) = out.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
            if count == 0 || say.send(text).is_err() {
                return;
            }
        }
    });
    hear
}

/// Everything until `wanted` was said.
#[track_caller]
fn until(hear: &Receiver<String>, wanted: &str) -> String {
    let (mut said, end) = (String::new(), Instant::now() + Duration::from_secs(20));
    while !said.contains(wanted) {
        match hear.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(text) => said.push_str(&text),
            Err(error) => panic!("no `{wanted}` ({error}) in:\n{said}"),
        }
    }
    said
}

/// `tcpdump -U -w - | mailwright analyze -` with a slow writer: what is found in a session that goes on is told
/// without a further packet, a session that ended is shown, and Ctrl-C brings the summary.
#[test]
fn a_live_view_tells_at_once_and_ends_with_the_summary() {
    let mut child = Command::new(bed::binary())
        .args(["analyze", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("our program runs");
    let hear = heard(&mut child);
    let mut packets = Packets::new();
    let mut to = child.stdin.take().expect("it is piped");
    let mut write = |octets: &[u8]| {
        // In two pieces, the cut in the midst of a packet.
        let (first, second) = octets.split_at(octets.len() / 2);
        to.write_all(first).and_then(|()| to.flush()).expect("it reads");
        std::thread::sleep(Duration::from_millis(50));
        to.write_all(second).and_then(|()| to.flush()).expect("it reads");
    };
    let mut talk = conversation(40_000);
    talk.open().say(Server, "220 mx.b.test ESMTP\r\n").say(Client, "EHLO a.test\r\n");
    talk.say(Server, "250-mx.b.test\r\n250 SIZE\r\n").say(Client, "RCPT TO:<b@b.test>\r\n");
    talk.say(Server, "503 5.5.1 MAIL first\r\n");
    write(&packets.of(&mut talk));
    let early = until(&hear, "do:");
    assert!(early.contains("(it goes on)"), "{early}");
    assert!(early.contains("C: RCPT TO:<b@b.test>") && early.contains("S: 503"), "{early}");
    talk.wait(1_000_000_000).say(Client, "QUIT\r\n").say(Server, "221 2.0.0 bye\r\n").close(Server);
    write(&packets.of(&mut talk));
    let ended = until(&hear, "221 2.0.0 bye");
    assert!(ended.contains("Session 1: 192.0.2.1:40000"), "{ended}");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    let summary = until(&hear, "1 session, 0 messages taken over, findings in 1");
    assert!(summary.contains("refused with 503"), "{summary}");
    assert!(child.wait().expect("it ends").success());
}

/// Who reads has seen enough: no complaint, no panic.
#[test]
fn a_reader_that_leaves_ends_the_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("many.pcap");
    let mut packets = Packets::new();
    let mut octets = Vec::new();
    for port in 0..3_000 {
        let mut talk = conversation(20_000 + port);
        talk.open().say(Server, "220 mx.b.test ESMTP\r\n").say(Client, "QUIT\r\n");
        talk.say(Server, "221 2.0.0 bye\r\n").close(Server);
        octets.extend(packets.of(&mut talk));
    }
    std::fs::write(&file, octets).expect("the folder can be written");
    for option in ["--all", "--json"] {
        let mut child = Command::new(bed::binary())
            .args(["analyze", option])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("our program runs");
        let mut first = [0; 100];
        let mut out = child.stdout.take().expect("it is piped");
        out.read_exact(&mut first).expect("it says something");
        drop(out);
        let ended = child.wait_with_output().expect("it ends");
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && complaint.is_empty(), "{option}: {complaint}");
    }
}

/// Nobody reads from the beginning: what was asked for is not shown, and that is no failure.
#[test]
fn nobody_reads() {
    let commands = "lab list;lab show good;explain 5.7.1;explain --sequence;explain --sequence RCPT;config show;\
                    door rules;completions bash;user list;--help;analyze --help";
    for command in commands.split(';') {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut child = Command::new(bed::binary());
        let ended = child.args(command.split(' ')).stdout(writer).stderr(Stdio::piped()).output();
        let ended = ended.expect("our program runs");
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && complaint.is_empty(), "{command}: {complaint}");
    }
}

/// A server does not end with the pager that its first lines went to.
#[test]
fn a_server_goes_on_though_nobody_reads() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let at = format!("127.0.0.1:{}", ports::free());
    let mut child = Command::new(bed::binary())
        .args(["lab", "server", "--scenario", "good", "--listen", &at])
        .stdout(writer)
        .spawn()
        .expect("our program runs");
    let greeting = || {
        let mut to = std::net::TcpStream::connect(&at).ok()?;
        let mut code = [0; 3];
        to.read_exact(&mut code).ok()?;
        Some(code)
    };
    let code = wait_for("a greeting", Duration::from_secs(20), greeting);
    assert_eq!(code, *b"220");
    assert!(child.try_wait().expect("it can be asked").is_none(), "it goes on");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

fn write(folder: &Path, name: &str, octets: impl AsRef<[u8]>) -> String {
    let file = folder.join(name);
    std::fs::write(&file, octets).expect("the folder can be written");
    file.display().to_string()
}

/// What `compare` says of the two, and its exit status.
fn compared(first: &str, second: &str) -> (i32, String) {
    let ran = run(Command::new(bed::binary()).args(["compare", first, second]));
    (ran.status(), ran.text())
}

const NEAR: &str = "S: 220 mx.b.test ESMTP\nC: EHLO a.test\nS: 250 mx.b.test\nC: MAIL FROM:<a@a.test>\n\
    S: 250 2.1.0 ok\nC: RCPT TO:<b@b.test>\nS: 503 5.5.1 need MAIL\nC: QUIT\nS: 221 2.0.0 bye\n";

#[test]
fn two_written_dialogues_are_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let far = NEAR.replace("C: MAIL FROM:<a@a.test>\nS: 250 2.1.0 ok\n", "");
    let (near, far) = (write(folder.path(), "near", NEAR), write(folder.path(), "far", far));
    let (status, page) = compared(&near, &far);
    assert_eq!(status, 1, "{page}");
    assert!(page.contains("`MAIL FROM:<a@a.test>` was sent and never arrived"), "{page}");
    assert_eq!(compared(&near, &near).0, 0);
    let (status, page) = compared(&near, &folder.path().join("none").display().to_string());
    assert_eq!(status, 66, "{page}");
}

/// What a log of deliveries lacks is said, and what to take instead.
#[test]
fn a_log_without_dialogues_says_what_to_take() {
    let folder = tempfile::tempdir().unwrap();
    let log = "Nov 22 10:00:00 mx postfix/smtp[1]: 4C3F29A0821: to=<b@b.test>, relay=mx.b.test[192.0.2.9]:25, delay=1, \
               delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 5DEF)\n";
    let (first, second) = (write(folder.path(), "a", log), write(folder.path(), "b", log));
    let (status, said) = compared(&first, &second);
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(status, 65, "{said}");
    assert!(words.contains("what became of recipients") && words.contains("tcpdump"), "{said}");
}

/// A message as one side's capture has it.
fn delivery(content: &str, port: u16, at: i64) -> Vec<u8> {
    let mut talk = conversation(port);
    talk.wait(at);
    talk.open().say(Server, "220 mx.b.test ESMTP\r\n").say(Client, "EHLO a.test\r\n");
    talk.say(Server, "250 mx.b.test\r\n").say(Client, "MAIL FROM:<a@a.test>\r\n");
    talk.say(Server, "250 2.1.0 ok\r\n").say(Client, "RCPT TO:<b@b.test>\r\n");
    talk.say(Server, "250 2.1.5 ok\r\n").say(Client, "DATA\r\n").say(Server, "354 go\r\n");
    talk.say(Client, format!("{content}\r\n.\r\n")).say(Server, "250 2.0.0 kept as 17\r\n");
    talk.say(Client, "QUIT\r\n").say(Server, "221 2.0.0 bye\r\n").close(Server);
    Packets::new().of(&mut talk)
}

#[test]
fn altered_content_is_found_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let body = "octets and octets\r\n".repeat(300);
    let sent = format!("From: <a@a.test>\r\nSubject: hello\r\n\r\n{body}");
    let near = write(folder.path(), "near", delivery(&sent, 40_000, 0));
    for (number, (came, told)) in [
        (sent.clone(), ""),
        (sent.replace("Subject: hello", "Subject: *SPAM"), "the field subject rewritten"),
        (sent.replace("Subject: hello\r\n", ""), "the field subject taken out"),
        (format!("X-Scanned: yes\r\n{sent}"), "the field x-scanned put in"),
        (format!("{sent}-- \r\nscanned by a box\r\n"), "behind its octet 5120"),
        (
            sent.replacen("and octets\r\noctets", "and octets\r\nOctets", 1),
            "within its first 1024 octets",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let far = write(folder.path(), &format!("far{number}"), delivery(&came, 33_000, 400_000));
        let (status, page) = compared(&near, &far);
        // The text is wrapped at blanks.
        let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            (status == 1, flat.contains(told)),
            (!told.is_empty(), true),
            "`{told}` in {page}"
        );
    }
}

#[test]
fn a_session_of_one_side_is_judged() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, all: &[Vec<u8>]| {
        // Each has a file header of 24 octets of its own.
        let mut file = all[0].clone();
        all[1..].iter().for_each(|more| file.extend_from_slice(&more[24..]));
        write(folder.path(), name, file)
    };
    const SECOND: i64 = 1_000_000_000;
    let one = |port, at| delivery(&format!("Subject: {port}\r\n\r\nx"), port, at);
    let mut blocked = conversation(40_009);
    blocked.wait(5 * SECOND);
    for _ in 0..4 {
        let syn = blocked.segment(Client, capture::build::SYN);
        blocked.add(Client, syn);
        blocked.wait(SECOND);
    }
    let blocked = Packets::new().of(&mut blocked);
    let near = file("near", &[one(40_001, 0), blocked, one(40_002, 20 * SECOND)]);
    let far = file("far", &[one(40_001, SECOND), one(40_002, 21 * SECOND)]);
    let (status, page) = compared(&near, &far);
    let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(status, 0, "nothing was altered: {page}");
    assert!(flat.contains("Only on the clients' side: 2 192.0.2.1:40009"), "{page}");
    assert!(
        flat.contains("it was stopped before that place") && flat.contains("(likely)"),
        "{page}"
    );
}

/// A program of ours that ends with the value.
struct Running(Child);

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(bed::binary());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("our program runs"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A message of a whole server's, queued behind a box of the lab: our own evidence beside a capture from behind
/// the box is proof, and `probe --queued` meets what the message met.
#[test]
fn a_queued_message_is_compared_and_probed() {
    let (server, middle) = (ports::free(), ports::free());
    let folder = tempfile::tempdir().expect("a folder");
    let far = folder.path().join("far.pcap").display().to_string();
    let (at, behind) = (format!("127.0.0.1:{middle}"), format!("127.0.0.1:{server}"));
    let _server = Running::start(&["lab", "server", "--scenario", "good", "--listen", &behind]);
    let _box = Running::start(&[
        "lab",
        "middlebox",
        "--between",
        &at,
        &behind,
        "--scenario",
        "strip-mail-from",
        "--record-far",
        &far,
    ]);
    wait_for("the lab", Duration::from_secs(20), || {
        (bed::answers(middle) && bed::answers(server)).then_some(())
    });
    let bed = Bed::start(&format!(
        "[routes]\n\"next.test\" = {{ next_hop = \"{at}\", tls = \"none\" }}\n"
    ));
    let mut client = harness::client::Client::connect(bed.mx).expect("the server answers");
    client.say("EHLO client.test").expect("the server answers");
    let reply =
        client.transaction("sender@from.test", &["carol@next.test"], b"Subject: x\r\n\r\nx\r\n");
    let reply = reply.expect("the server answers");
    let id = reply.trim_end().rsplit(' ').next().unwrap_or_default().to_owned();
    let why = wait_for("an attempt", Duration::from_secs(30), || {
        let why = bed.command(&["why", &id]).text();
        why.contains("RCPT TO:<carol@next.test>").then_some(why)
    });
    let compared = bed.command(&["compare", &format!("queue:{id}"), &far]);
    let page = compared.text();
    assert_eq!(compared.status(), 1, "{page}\n{why}");
    assert!(
        page.contains("MAIL FROM:<sender@from.test>") && page.contains("never arrived"),
        "{page}"
    );
    let probed = bed.command(&["probe", "--queued", &id, "--timeout", "5"]);
    let page = probed.text();
    assert!(page.contains("MAIL FROM:<sender@from.test>"), "the message's own envelope: {page}");
    assert_eq!(probed.status(), 2, "it keeps mail from going through: {page}");
}

/// What our own server shows of itself: the whole table of extensions, and logins only under TLS.
#[test]
fn our_own_server_is_probed() {
    let bed = Bed::new("");
    bed.add_user();
    let mut bed = bed;
    bed.start_again();
    let probed = bed.command(&["probe", &format!("127.0.0.1:{}", bed.submission), "--json"]);
    let page = probed.out();
    let answer: serde_json::Value = serde_json::from_str(page.trim()).expect("JSON");
    let visit = &answer["visits"][0];
    let words = |offer: &str| -> Vec<String> {
        let keywords = visit[offer]["keywords"].as_array().cloned().unwrap_or_default();
        keywords.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect()
    };
    let (clear, tls) = (words("in_clear"), words("under_tls"));
    let has = |offer: &[String], word: &str| {
        offer.iter().any(|line| line.split(' ').next() == Some(word))
    };
    for word in
        ["SIZE", "8BITMIME", "PIPELINING", "CHUNKING", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"]
    {
        assert!(has(&clear, word) && has(&tls, word), "{word} in {clear:?} and {tls:?}");
    }
    assert!(has(&clear, "STARTTLS") && !has(&tls, "STARTTLS"), "{clear:?} and {tls:?}");
    assert!(!has(&clear, "AUTH") && has(&tls, "AUTH"), "{clear:?} and {tls:?}");
    let shown = bed.command(&["probe", &format!("127.0.0.1:{}", bed.submission)]).text();
    assert!(shown.contains("AUTH in clear") && shown.contains("AUTH under TLS"), "{shown}");
    assert_eq!(bed.command(&["probe"]).status(), 64, "whom to look at is missing");
    let dead = bed.command(&["probe", &format!("127.0.0.1:{}", ports::free())]);
    assert_eq!(dead.status(), 2, "{}", dead.text());
}
