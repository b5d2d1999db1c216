//! At the door of a running server: lists behind a real resolver, and many clients at once.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use harness::{
    bed::Bed,
    client::Client,
    peers::Unbound,
    program::{skip, wait_for},
};

/// A DNS list as its keepers run it, in the unsigned zone `open.`.
const LIST: &str = "1.0.0.127.bl.open. IN A 127.0.0.2
1.0.0.127.bl.open. IN TXT \"https://bl.open/look?127.0.0.1\"
42.2.0.192.bl.open. IN A 127.255.255.254
43.2.0.192.bl.open. IN A 192.0.2.99";

/// Ten thousand connections take ports that a resolver looks for.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn rcpt(bed: &Bed) -> String {
    let mut client = Client::connect(bed.mx).expect("the server answers");
    client.say("EHLO client.test").expect("the server answers");
    client.say("MAIL FROM:<sender@from.test>").expect("the server answers");
    client.say("RCPT TO:<anna@here.test>").expect("the server answers")
}

#[test]
fn a_list_is_asked_through_a_resolver_and_its_word_is_passed_on() {
    let _alone = alone();
    let Some(unbound) = Unbound::start("", LIST, &[]) else { return };
    let dns = format!("[dns]\nservers = [\"{}\"]\n", unbound.at);
    let bed = Bed::start(&format!("{dns}[door]\nlist = [{{ zone = \"bl.open\" }}]\n"));
    assert_eq!(
        rcpt(&bed).trim_end(),
        "550 5.7.1 Email rejected because 127.0.0.1 is listed by bl.open; see \
         https://bl.open/look?127.0.0.1"
    );
    bed.why("anna@here.test", &["dnsbl", "127.0.0.1 on bl.open (127.0.0.2, listed: +10)"]);
    assert!(bed.command(&["why", "127.0.0.1"]).good().contains("is listed by bl.open"));
    assert!(bed.command(&["status"]).good().contains("dnsbl 1"));
    let check = |address: &str| {
        let arguments = ["--helo", "a.test", "--mail", "x@a.test", "--rcpt", "anna@here.test"];
        bed.command(&[&["door", "check", address][..], &arguments].concat()).good()
    };
    assert!(
        check("127.0.0.1").starts_with("refused by dnsbl: 550 5.7.1"),
        "{}",
        check("127.0.0.1")
    );
    for (address, words) in [("192.0.2.42", "refuses to answer"), ("192.0.2.43", "no listing")] {
        let checked = check(address);
        let joined = checked.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(checked.starts_with("it goes through"), "{checked}");
        assert!(joined.contains(words), "{checked}");
    }
    assert!(bed.command(&["status"]).good().contains("dnsbl 1"), "a question is not counted");
    bed.configure("", &dns);
    bed.command(&["reload"]).good();
    assert!(rcpt(&bed).starts_with("250"), "the list is switched off without a restart");
}

#[test]
fn who_waits_is_greeted_and_who_talks_is_not() {
    let bed = Bed::start("[limits]\ngreeting_wait = \"2s\"\n");
    let start = std::time::Instant::now();
    let mut honest = TcpStream::connect(("127.0.0.1", bed.mx)).expect("it listens");
    assert!(line(&mut honest).starts_with("220 mx.here.test"));
    assert!(start.elapsed() >= Duration::from_secs(2));
    // It is known now, so the next one is another client: an address of its own.
    let mut early = from("127.0.0.77", bed.mx);
    early.write_all(b"EHLO x.test\r\n").expect("it is open");
    assert_eq!(line(&mut early), "554 5.5.1 wait for the greeting before you send\r\n");
    drop(from("127.0.0.78", bed.mx));
    wait_for("the one count", Duration::from_secs(20), || {
        let status = bed.command(&["status"]).good();
        status.contains("early-talker 1\n").then_some(())
    });
}

fn line(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("a line comes");
    line
}

/// A connection from another address of the loopback.
fn from(source: &str, port: u16) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    let at = |text: String| text.parse::<SocketAddr>().expect("an address").into();
    socket.bind(&at(format!("{source}:0"))).expect("all of 127.0.0.0/8 is ours");
    socket.connect(&at(format!("127.0.0.1:{port}"))).expect("it listens");
    socket.into()
}

#[test]
fn who_waits_for_the_greeting_costs_little() {
    const CLIENTS: u64 = 10_000;
    /// KiB. About 2 are needed; what the allocator keeps from before makes it less, never more.
    const EACH_MAX: u64 = 5;
    let _alone = alone();
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    if files.is_some_and(|files| files < CLIENTS + 500) {
        return skip("too few files may be open; run it after `ulimit -n 20000`");
    }
    let bed = Bed::start(
        "[limits]\ngreeting_wait = \"10m\"\nconnections_per_client_max = 0\n\
         connections_per_network_max = 0\n",
    );
    let mut clients = Vec::new();
    let growth = bed.memory_growth(|| {
        for _ in 0..CLIENTS {
            clients.push(TcpStream::connect(("127.0.0.1", bed.mx)).expect("it listens"));
        }
        wait_for("all of them to be in", Duration::from_secs(60), || {
            let status = bed.command(&["status"]).good();
            status.contains(&format!("{CLIENTS} sessions open")).then_some(())
        });
    });
    assert!(growth < CLIENTS * EACH_MAX, "{growth} KiB");
}
