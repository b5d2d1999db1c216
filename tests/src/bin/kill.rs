//! `kill -9` under load: what got its 250 must arrive, unaltered, and twice only where that is honest.
//!
//! Rounds over one data directory: senders push numbered messages while the server runs; at a random moment
//! it is killed, and started again. The sink that it relays to now and then answers 451, or closes after
//! the content without a word. In the end the server drains, and every message is accounted for.
//!
//! A second copy is honest where our record of the first one's 250 could not be: the sink closed without
//! saying it, or a kill came within [`WINDOW`] after the sink took it, or shortly before, while what the
//! server had written still lay in the sink's socket.
//!
//! `kill [--rounds N] [--seed S]`; the server is MAILWRIGHT, or the one built beside this program.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use harness::{
    bed::Bed,
    client::Client,
    sink::{Habits, Sink, Taken, Verdict},
};

const ROUNDS: u64 = 200;
const SENDERS: u64 = 4;
/// So long after the sink's 250 a kill may have come before our record of it: the reply's way to us, and
/// one group commit on a busy machine.
const WINDOW: Duration = Duration::from_secs(2);
/// So long after a kill the sink may still read what was written before it.
const LAG: Duration = Duration::from_millis(500);
/// Without any arrival for so long, nothing more will come.
const QUIET: Duration = Duration::from_secs(20);

/// A recipient's place to go to: two domains, so that one message makes two jobs.
const DOMAINS: [&str; 2] = ["next.test", "other.test"];

/// One `kill -9`: before it was sent, and after the process was gone.
struct Kill {
    begin: Instant,
    end: Instant,
}

impl Kill {
    /// Whether it can be why `second` came although `first` had.
    fn explains(&self, first: &Taken, second: &Taken) -> bool {
        let recorded_before = first.at + WINDOW < self.begin;
        let written_after = first.at > self.end + LAG;
        !recorded_before && !written_after && second.at > self.begin
    }
}

/// Message number, then recipients that were promised delivery.
type Promised = BTreeMap<u64, Vec<String>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default| match arguments.iter().position(|argument| argument == name)
    {
        Some(at) => arguments.get(at + 1).and_then(|text| text.parse().ok()),
        None => Some(default),
    };
    let (Some(rounds), Some(seed)) = (number("--rounds", ROUNDS), number("--seed", 1)) else {
        eprintln!("kill [--rounds N] [--seed S]");
        return ExitCode::from(2);
    };
    let tally = run(rounds, seed);
    print!("{}", tally.table(rounds));
    match tally.is_clean() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn run(rounds: u64, seed: u64) -> Tally {
    fastrand::seed(seed);
    let sink = Sink::with(Habits { judge: Arc::new(judge), ..Habits::default() });
    let mut bed = Bed::new(&tables(sink.port));
    let load = Arc::new(Load::default());
    let mut kills = Vec::new();
    for round in 1..=rounds {
        bed.start_again();
        let running = Arc::new(AtomicBool::new(true));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (load, running, port) = (load.clone(), running.clone(), bed.mx);
                thread::spawn(move || load.send(port, &running))
            })
            .collect();
        thread::sleep(Duration::from_millis(fastrand::u64(50..800)));
        let begin = Instant::now();
        bed.kill();
        kills.push(Kill { begin, end: Instant::now() });
        running.store(false, Ordering::Relaxed);
        senders.into_iter().for_each(|sender| sender.join().expect("no sender panics"));
        if round % 10 == 0 {
            let promised = load.promised.lock().expect("no sender panics").len();
            eprintln!("round {round}: {promised} acknowledged, {} at the sink", sink.taken().len());
        }
    }
    bed.start_again();
    let promised = std::mem::take(&mut *load.promised.lock().expect("no sender panics"));
    drain(&sink, &promised);
    let tally = Tally::count(&promised, &sink.taken(), &kills);
    if !tally.is_clean() {
        tally.explain(&bed);
    }
    bed.stop();
    tally
}

/// What went wrong must be looked at later: data and log stay in the folder for temporary files.
fn keep(bed: &Bed) {
    let place = std::env::temp_dir().join(format!("mailwright-kill-{}", std::process::id()));
    let mut copy = std::process::Command::new("cp");
    let copied = harness::program::run(copy.arg("-r").arg(bed.folder()).arg(&place));
    eprintln!("data and log are kept in {}\n{}", place.display(), copied.text());
}

/// Sometimes later, sometimes silence, mostly yes.
fn judge(_: &Taken) -> Verdict {
    match fastrand::u32(..100) {
        0..3 => Verdict::Defer,
        3..5 => Verdict::AcceptAndClose,
        _ => Verdict::Accept,
    }
}

fn tables(sink: u16) -> String {
    let route = format!("next_hop = \"127.0.0.1:{sink}\"");
    format!(
        r#"[domains."other.test"]
kind = "relay"

[routes."next.test"]
{route}

[routes."other.test"]
{route}

[limits]
connections_per_client_max = 0

[retry]
first = "1s"
factor = 1.0
longest = "1s"
delay_notice = "0s"

[log]
format = "json"
"#
    )
}

/// What the senders share.
#[derive(Default)]
struct Load {
    next: AtomicU64,
    promised: Mutex<Promised>,
}

impl Load {
    /// Sends until the server is gone.
    fn send(&self, port: u16, running: &AtomicBool) {
        while running.load(Ordering::Relaxed) {
            // The kill ends the session at any place: that is no error here.
            let _ended = self.session(port, running);
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn session(&self, port: u16, running: &AtomicBool) -> std::io::Result<()> {
        let mut client = Client::connect(port)?;
        client.say("EHLO sender.test")?;
        while running.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let recipients = recipients(number);
            let paths: Vec<&str> = recipients.iter().map(String::as_str).collect();
            let reply = client.transaction("sender@from.test", &paths, &content(number))?;
            if reply.starts_with("250") {
                self.promised.lock().expect("no sender panics").insert(number, recipients);
            }
        }
        Ok(())
    }
}

/// Most have one recipient, some have several at one domain, some at two.
fn recipients(number: u64) -> Vec<String> {
    let count = if number.is_multiple_of(5) { 4 } else { 1 };
    let place = |index: usize| DOMAINS[if number.is_multiple_of(10) { index % 2 } else { 0 }];
    (0..count).map(|index| format!("r{index}@{}", place(index))).collect()
}

/// The message of a number: 1 KiB, each fiftieth 300 KiB, no line like another, dots at line starts.
fn content(number: u64) -> Vec<u8> {
    let size = if number % 50 == 7 { 300 * 1024 } else { 1024 };
    let mut text = format!(
        "From: <sender@from.test>\r\nSubject: {number}\r\nMessage-ID: <{number}@kill.test>\r\n\r\n"
    );
    let mut random = fastrand::Rng::with_seed(number);
    while text.len() < size {
        let dot = if random.u32(..8) == 0 { "." } else { "" };
        text.push_str(&format!("{dot}{number} {:016x}{:016x}\r\n", random.u64(..), random.u64(..)));
    }
    text.into_bytes()
}

/// The number in a message that came through, wherever trace fields were put.
fn number_of(content: &[u8]) -> Option<u64> {
    let head = &content[..content.len().min(4096)];
    let text = String::from_utf8_lossy(head);
    text.lines().find_map(|line| line.strip_prefix("Subject: "))?.trim().parse().ok()
}

/// Waits until all has come, or nothing comes any more.
fn drain(sink: &Sink, promised: &Promised) {
    let mut seen = 0;
    let mut since = Instant::now();
    while since.elapsed() < QUIET {
        thread::sleep(Duration::from_millis(500));
        let taken = sink.taken();
        if taken.len() > seen {
            seen = taken.len();
            since = Instant::now();
        }
        // Two quiet seconds more, for second copies.
        if since.elapsed() > Duration::from_secs(3) && missing(&copies(&taken), promised).is_empty()
        {
            return;
        }
    }
}

/// When the sink took each copy: by number and recipient.
type Copies<'a> = BTreeMap<(u64, &'a str), Vec<&'a Taken>>;

fn copies(taken: &[Taken]) -> Copies<'_> {
    let mut copies = Copies::new();
    for one in taken.iter().filter(|one| one.verdict != Verdict::Defer) {
        let Some(number) = number_of(&one.content) else { continue };
        for recipient in &one.recipients {
            copies.entry((number, recipient)).or_default().push(one);
        }
    }
    copies
}

fn missing(copies: &Copies<'_>, promised: &Promised) -> Vec<(u64, String)> {
    let all = promised.iter().flat_map(|(number, paths)| paths.iter().map(|path| (*number, path)));
    let lost = all.filter(|(number, path)| !copies.contains_key(&(*number, path.as_str())));
    lost.map(|(number, path)| (number, path.clone())).collect()
}

/// What came of it all.
#[derive(Default)]
struct Tally {
    acknowledged: usize,
    promised: usize,
    arrived: usize,
    unacknowledged: usize,
    altered: usize,
    unknown: usize,
    explained: usize,
    unexplained: Vec<String>,
    /// The numbers of those.
    doubtful: Vec<u64>,
    lost: Vec<(u64, String)>,
}

impl Tally {
    fn count(promised: &Promised, taken: &[Taken], kills: &[Kill]) -> Self {
        let copies = copies(taken);
        let mut tally = Self {
            acknowledged: promised.len(),
            promised: promised.values().map(Vec::len).sum(),
            lost: missing(&copies, promised),
            ..Self::default()
        };
        for ((number, recipient), copies) in &copies {
            match promised
                .get(number)
                .is_some_and(|paths| paths.iter().any(|path| path == recipient))
            {
                true => tally.arrived += 1,
                false => tally.unacknowledged += 1,
            }
            for pair in copies.windows(2) {
                tally.judge_second(*number, recipient, pair[0], pair[1], kills);
            }
        }
        for one in taken {
            match number_of(&one.content) {
                Some(number) if one.content.ends_with(&content(number)) => {}
                Some(_) => tally.altered += 1,
                None => tally.unknown += 1,
            }
        }
        tally
    }

    /// Whether a copy after `first` is honest.
    fn judge_second(
        &mut self,
        number: u64,
        recipient: &str,
        first: &Taken,
        second: &Taken,
        kills: &[Kill],
    ) {
        let killed = kills.iter().any(|kill| kill.explains(first, second));
        match killed || first.verdict == Verdict::AcceptAndClose {
            true => self.explained += 1,
            false => {
                let after = second.at - first.at;
                let line = format!("message {number} to {recipient} came again after {after:?}");
                self.unexplained.push(line);
                self.doubtful.push(number);
            }
        }
    }

    /// What the server itself knows of the first ones that went wrong.
    fn explain(&self, bed: &Bed) {
        eprintln!("{}", bed.command(&["status"]).text());
        let lost = self.lost.iter().map(|(number, _)| *number);
        for number in lost.take(2).chain(self.doubtful.iter().copied().take(2)) {
            eprintln!("{}", bed.command(&["why", &format!("<{number}@kill.test>")]).text());
        }
        keep(bed);
    }

    fn is_clean(&self) -> bool {
        self.lost.is_empty()
            && self.unexplained.is_empty()
            && self.altered == 0
            && self.unknown == 0
    }

    fn table(&self, rounds: u64) -> String {
        let rows = [
            ("rounds", rounds as usize),
            ("acknowledged messages", self.acknowledged),
            ("  their recipients", self.promised),
            ("arrived", self.arrived),
            ("lost", self.lost.len()),
            ("altered", self.altered),
            ("without number", self.unknown),
            ("duplicates, explained", self.explained),
            ("duplicates, unexplained", self.unexplained.len()),
            ("arrived, 250 never seen", self.unacknowledged),
        ];
        let mut table: String =
            rows.map(|(name, count)| format!("{name:24} {count:>9}\n")).concat();
        for (number, recipient) in self.lost.iter().take(20) {
            table.push_str(&format!("lost: message {number} to {recipient}\n"));
        }
        self.unexplained.iter().take(20).for_each(|line| table.push_str(&format!("{line}\n")));
        table
    }
}
