//! What an operator does with a running server, and what befalls it: full disks, damage, dead next hops.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use harness::{
    bed::Bed,
    client::Client,
    maildir, ports,
    program::{is_root, run, skip, wait_for},
    sink::Sink,
};

const SMALL: &[u8] = b"Subject: small\r\nMessage-ID: <small@from.test>\r\n\r\nsmall\r\n";

fn greeted(bed: &Bed) -> Client {
    let mut client = Client::connect(bed.mx).expect("the server answers");
    client.say("EHLO client.test").expect("the server answers");
    client
}

/// Hands it over, and gives the queue id out of the last reply.
#[track_caller]
fn accepted(bed: &Bed, recipient: &str, content: &[u8]) -> String {
    let reply = greeted(bed).transaction("sender@from.test", &[recipient], content);
    let reply = reply.expect("the server answers");
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    reply.trim_end().rsplit(' ').next().unwrap_or_default().to_owned()
}

#[track_caller]
fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("no JSON: {error}: {text}"))
}

fn route(port: u16) -> String {
    format!("[routes]\n\"next.test\" = \"127.0.0.1:{port}\"\n")
}

#[test]
fn a_dead_next_hop_is_explained_and_operated_on() {
    let dead = ports::free();
    let mut bed = Bed::start(&route(dead));
    let id = accepted(&bed, "carol@next.test", SMALL);
    let why = wait_for("a first attempt", Duration::from_secs(20), || {
        let why = bed.command(&["why", &id]).text();
        why.contains("refused").then_some(why)
    });
    assert!(why.contains("carol@next.test") && why.contains(&dead.to_string()), "{why}");
    for subject in ["carol@next.test", "next.test", "<small@from.test>"] {
        let why = bed.command(&["why", subject]).good();
        assert!(why.contains("refused"), "why {subject}: {why}");
    }
    let list = json(&bed.command(&["queue", "list", "--json"]).out());
    assert_eq!(list["id"], id.as_str(), "{list}");
    let status = bed.command(&["status"]).good();
    assert!(status.contains("1 job in all") && status.contains("1 accepted"), "{status}");
    bed.command(&["queue", "hold", &id]).good();
    assert!(bed.command(&["queue", "list"]).good().contains("held"));
    bed.command(&["queue", "release", &id]).good();
    let exported = bed.command(&["queue", "export", &id]).out();
    assert!(exported.as_bytes().ends_with(SMALL), "{exported}");
    bed.command(&["queue", "remove", &id]).good();
    let list = bed.command(&["queue", "list"]).good();
    assert!(list.contains("nothing in the queue"), "{list}");
    bed.command(&["stop"]).good();
    assert!(bed.ended().success());
    let after = bed.command(&["status"]);
    assert_ne!(after.status(), 0, "nobody is there to answer: {}", after.text());
}

#[test]
fn what_was_queued_survives_a_kill_and_goes_when_asked() {
    let port = ports::free();
    let mut bed = Bed::start(&route(port));
    let id = accepted(&bed, "carol@next.test", SMALL);
    bed.kill();
    let sink = Sink::start();
    bed.configure("", &route(sink.port));
    bed.start_again();
    // After the kill the next try may be due only in minutes.
    bed.command(&["queue", "retry", &id]);
    let taken = sink.wait(1).remove(0);
    assert!(taken.content.ends_with(SMALL));
    assert!(bed.stop().success());
}

#[test]
fn send_hands_a_message_to_the_server() {
    let bed = Bed::start("");
    let port = bed.mx.to_string();
    let shown = bed
        .command(&[
            "send",
            "-s",
            "127.0.0.1",
            "-p",
            &port,
            "-f",
            "sender@from.test",
            "-t",
            "anna@here.test",
            "-a",
            "Hello",
            "-h",
            "-b",
            "It works.",
            "-d",
        ])
        .good();
    assert!(shown.contains("RCPT TO:<anna@here.test>"), "{shown}");
    let kept = String::from_utf8(maildir::wait(&bed.mailbox("anna"), 1).remove(0)).expect("ASCII");
    assert!(kept.contains("Subject: Hello\r\n") && kept.contains("It works."), "{kept}");
    // 69: refused for good.
    let refused =
        bed.command(&["send", "-s", "127.0.0.1", "-p", &port, "-t", "nobody@here.test", "-b", "x"]);
    assert_eq!(refused.status(), 69, "{}", refused.text());
}

#[test]
fn a_wrong_configuration_is_refused_with_its_line() {
    let bed = Bed::new("");
    // Keys, what the error must name, why.
    let cases = [
        ("nonsense = 1", "nonsense", "an unknown key"),
        ("default_route = 7", "default_route", "a wrong type"),
        ("data = ", "data", "no TOML"),
    ];
    for (keys, named, why) in cases {
        bed.configure(keys, "");
        let ran = bed.fails_to_start();
        assert_ne!(ran.status(), 0, "{why}: {}", ran.text());
        let text = ran.text();
        assert!(text.contains(named) && text.contains("mailwright.toml"), "{why}: {text}");
        assert!(!text.contains("panicked"), "{why}: {text}");
        assert_ne!(
            bed.command(&["config", "check", &bed.config().display().to_string()]).status(),
            0
        );
    }
}

/// Flips an octet in the middle of the newest message that a segment holds.
fn damage(segments: PathBuf) {
    let find = |folder: &PathBuf| -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path())
                } else {
                    found.push(entry.path())
                }
            }
        }
        found
    };
    let mark = b"damage-me";
    for file in find(&segments) {
        let mut octets = fs::read(&file).expect("segments can be read");
        if let Some(at) = octets.windows(mark.len()).position(|window| window == mark) {
            octets[at] ^= 0x20;
            fs::write(&file, octets).expect("segments can be written");
            return;
        }
    }
    panic!("no segment below {} holds the message", segments.display());
}

#[test]
fn a_damaged_segment_is_reported_and_the_rest_lives() {
    let mut bed = Bed::start(&route(ports::free()));
    accepted(&bed, "carol@next.test", b"Subject: first\r\n\r\ndamage-me\r\n");
    let whole = accepted(&bed, "carol@next.test", SMALL);
    assert!(bed.stop().success());
    bed.command(&["spool", "check"]).good();
    damage(bed.data().join("spool"));
    let check = bed.command(&["spool", "check"]);
    assert_ne!(check.status(), 0, "{}", check.text());
    let text = check.text();
    assert!(
        text.contains("offset") || text.contains("octet"),
        "segment and place are named: {text}"
    );
    bed.command(&["spool", "repair"]).good();
    bed.start_again();
    let list = bed.command(&["queue", "list"]).good();
    assert!(list.contains(&whole), "the whole message is still there: {list}");
}

/// A file system of 8 MiB, gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(place: PathBuf) -> Option<Self> {
        if !is_root() {
            skip("a small disk can be mounted by root only");
            return None;
        }
        fs::create_dir_all(&place).expect("folders can be made");
        let mut mount = Command::new("mount");
        let mount = run(mount.args(["-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs"]).arg(&place));
        if mount.status() != 0 {
            skip(&format!("no small disk can be mounted here: {}", mount.text()));
            return None;
        }
        Some(Self(place))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server ends after us and may still be there: lazily.
        run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

#[test]
fn a_full_disk_refuses_mail_and_loses_none() {
    let sink = Sink::start();
    let tables = |port| {
        let route = route(port);
        format!(
            "[spool]\nreserve = \"1 MiB\"\nsegment_size = \"1 MiB\"\n\n[retry]\nfirst = \"1s\"\nlongest = \"1s\"\n\n{route}"
        )
    };
    let mut bed = Bed::new(&tables(ports::free()));
    let Some(_disk) = SmallDisk::mount(bed.data().join("spool")) else { return };
    bed.start_again();
    let content =
        [b"Subject: x\r\n\r\n".as_slice(), &b"0123456789abcdef\r\n".repeat(12 * 1024)].concat();
    let mut kept = 0;
    let refusal = loop {
        let reply = greeted(&bed).transaction("sender@from.test", &["carol@next.test"], &content);
        let reply = reply.expect("the server answers");
        if !reply.starts_with("250") {
            break reply;
        }
        kept += 1;
        assert!(kept < 200, "8 MiB never fill up");
    };
    assert!(refusal.starts_with("452 4.3.1"), "{refusal}");
    assert!(kept > 5, "only {kept} messages found place");
    bed.stop();
    bed.configure("", &tables(sink.port));
    bed.start_again();
    let taken = sink.wait(kept);
    assert!(taken.iter().all(|taken| taken.content.ends_with(&content)), "altered");
    wait_for("place on the disk", Duration::from_secs(20), || {
        let reply = greeted(&bed).transaction("sender@from.test", &["carol@next.test"], SMALL);
        reply.is_ok_and(|reply| reply.starts_with("250")).then_some(())
    });
    bed.stop();
}

#[test]
fn fifty_megabytes_pass_without_as_much_memory() {
    let line = [vec![b'q'; 70], b"\r\n".to_vec()].concat();
    let mut big = b"Subject: big\r\n\r\n".to_vec();
    while big.len() < 50_000_000 {
        big.extend_from_slice(&line);
    }
    let grown = growth(&big);
    assert!(grown < 8 * 1024, "{grown} KiB of memory for 50 MB");
}

/// How much more memory, in KiB, a server of its own has had at most while that content came and went.
fn growth(content: &[u8]) -> u64 {
    let sink = Sink::start();
    let bed = Bed::start(&route(sink.port));
    accepted(&bed, "carol@next.test", SMALL);
    sink.wait(1);
    let mut taken = Vec::new();
    let grown = bed.memory_growth(|| {
        accepted(&bed, "carol@next.test", content);
        taken = sink.wait(2);
    });
    assert!(taken.remove(1).content.ends_with(content), "altered");
    println!("{grown} KiB more memory for {} octets", content.len());
    grown
}
