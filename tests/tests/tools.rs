//! The diagnosis commands as people run them: pipes, files, exit statuses.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use capture::build::{Conversation, File, Link};
use harness::bed;
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
    talk.say(Server, "250 mx.b.test\r\n").say(Client, "RCPT TO:<b@b.test>\r\n");
    talk.say(Server, "503 5.5.1 MAIL first\r\n");
    write(&packets.of(&mut talk));
    let early = until(&hear, "(it goes on)") + &until(&hear, "do:");
    assert!(early.contains("C: RCPT TO:<b@b.test>") && early.contains("S: 503"), "{early}");
    talk.wait(1_000_000_000).say(Client, "QUIT\r\n").say(Server, "221 2.0.0 bye\r\n").close(Server);
    write(&packets.of(&mut talk));
    let ended = until(&hear, "221 2.0.0 bye");
    assert!(ended.contains("Session 1: 192.0.2.1:40000"), "{ended}");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    let summary = until(&hear, "1 session, 0 messages taken over, findings in 1");
    assert!(summary.contains("refused with 503 at RCPT"), "{summary}");
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
