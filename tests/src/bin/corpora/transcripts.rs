//! Scoring swaks dialogues: the stage at which a session failed, beside swaks's own exit code; and that
//! no line is lost or given to the wrong side.

use std::{collections::VecDeque, fs, path::Path};

use diagnose::{
    Session,
    dialects::transcript,
    session::{Event, Kind, Party},
};

use crate::{
    figure::{Figure, Misses},
    tree::files_ending,
};

pub fn score(folder: &Path, misses: &mut Misses) -> Vec<Figure> {
    let mut tally = Tally::default();
    let folder = folder.join("transcripts/swaks");
    for exits in files_ending(&folder, ".exits") {
        let stdout = fs::read(exits.with_extension("stdout")).unwrap_or_default();
        let stderr = fs::read(exits.with_extension("stderr")).unwrap_or_default();
        compare(&exits, &stdout, &stderr, &mut tally, misses);
    }
    vec![
        Figure { name: "swaks: dialogues read", right: tally.read, of: tally.all, wanted: 0.98 },
        Figure {
            name: "swaks: stage of the exit code",
            right: tally.stages,
            of: tally.all,
            wanted: 0.98,
        },
        Figure {
            name: "swaks: lines as marked",
            right: tally.lines.0,
            of: tally.lines.1,
            wanted: 0.99,
        },
    ]
}

#[derive(Default)]
struct Tally {
    all: usize,
    read: usize,
    stages: usize,
    lines: (usize, usize),
}

fn compare(exits: &Path, stdout: &[u8], stderr: &[u8], tally: &mut Tally, misses: &mut Misses) {
    let exits_text = fs::read_to_string(exits).unwrap_or_default();
    // `CMD_CAPTURE      24   COMMAND`, one a run. Several runs share one output.
    let codes: Vec<u32> = exits_text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1)?.parse().ok())
        .collect();
    let Some(code) = codes.iter().copied().find(|code| *code != 0).or(codes.first().copied())
    else {
        return;
    };
    // A run that shows no dialogue (silenced, or only one side) has nothing to be read.
    let marked = |octets: &[u8]| {
        let sides = [&b"<-"[..], b"<~", b"<*"];
        octets.split(|o| *o == b'\n').filter(|l| sides.iter().any(|s| l.starts_with(s))).count()
    };
    let whole = [stdout, b"\n", stderr].concat();
    if marked(&whole) == 0 {
        return;
    }
    tally.all += 1;
    let Some(sessions) = transcript::read(&whole) else {
        misses.note("transcripts", exits.display(), "a dialogue", "none");
        return;
    };
    tally.read += 1;
    lines(exits, &whole, &sessions, tally, misses);
    let failed = sessions.iter().find_map(failing);
    if wanted(code).contains(&failed) {
        tally.stages += 1;
    } else {
        misses.note(
            "transcripts stage",
            exits.display(),
            format!("exit code {code}"),
            format!("{failed:?}"),
        );
    }
}

/// Each marked line must be one of the session's, by the same side; content is one line for many.
fn lines(exits: &Path, whole: &[u8], sessions: &[Session], tally: &mut Tally, misses: &mut Misses) {
    let held = |number: u64| {
        let all = sessions.iter().flat_map(|session| &session.lines);
        all.filter(move |line| (line.place.first..=line.place.last).contains(&number))
            .map(|line| line.by)
            .next()
    };
    for (number, line) in (1..).zip(whole.split(|octet| *octet == b'\n')) {
        let by = match line {
            // With raw octets shown, a line of them follows in hexadecimal.
            [b'<', b' ', ..] | [b' ', b' ', b'>', ..] => continue,
            [b'<', b'-' | b'~' | b'*', ..] => Party::Server,
            [b' ', b'-' | b'~', b'>', ..] => Party::Client,
            _ => continue,
        };
        tally.lines.1 += 1;
        if held(number) == Some(by) {
            tally.lines.0 += 1;
        } else {
            let text = String::from_utf8_lossy(line);
            misses.note(
                "transcripts line",
                format!("{}:{number}", exits.display()),
                text,
                format!("{:?}", held(number)),
            );
        }
    }
}

/// Where a session failed, in few words: each is one of swaks's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    Connect,
    Greeting,
    Hello,
    Mail,
    Recipients,
    Data,
    EndOfData,
    Authentication,
    Tls,
    Xclient,
    Closed,
    Proxy,
}

/// What swaks's documentation says of its exit codes ("EXIT CODES"); `None` is no failure.
fn wanted(code: u32) -> &'static [Option<Failing>] {
    match code {
        0 => &[None],
        2 => &[Some(Failing::Connect)],
        6 | 27 => &[Some(Failing::Closed)],
        21 => &[Some(Failing::Greeting)],
        22 => &[Some(Failing::Hello)],
        23 => &[Some(Failing::Mail)],
        24 => &[Some(Failing::Recipients)],
        25 => &[Some(Failing::Data)],
        26 => &[Some(Failing::EndOfData)],
        28 => &[Some(Failing::Authentication)],
        29 => &[Some(Failing::Tls)],
        32 => &[Some(Failing::Hello)],
        33 | 34 => &[Some(Failing::Xclient)],
        35 => &[Some(Failing::Proxy)],
        _ => &[],
    }
}

/// The first failure that nothing made good: a refusal, then no success of the mail's own steps.
fn failing(session: &Session) -> Option<Failing> {
    let mut waiting: VecDeque<Option<Failing>> = [Some(Failing::Greeting)].into();
    let mut failed: Option<Failing> = None;
    let (mut said_quit, mut accepted) = (false, false);
    // After the content LMTP and PRDR have several replies.
    let mut last = None;
    for line in &session.lines {
        match line.kind {
            Kind::Command(_) => {
                let step = step(&line.text);
                said_quit |= line.text.eq_ignore_ascii_case(b"QUIT");
                waiting.push_back(step);
            }
            Kind::SaslResponse => waiting.push_back(Some(Failing::Authentication)),
            Kind::Content { .. } => waiting.push_back(Some(Failing::EndOfData)),
            Kind::Reply(_) if !line.is_continued_reply() => {
                let step = waiting.pop_front().unwrap_or(last);
                last = step.filter(|step| *step == Failing::EndOfData);
                accepted |= last.is_some() && line.text.starts_with(b"2");
                match line.text.first() {
                    Some(b'2' | b'3') if step.is_some_and(is_of_mail) => failed = None,
                    Some(b'2' | b'3') => {}
                    _ => failed = failed.or(step),
                }
            }
            Kind::Event(Event::NotConnected) => failed = failed.or(Some(Failing::Connect)),
            Kind::Event(Event::TlsFailed) => failed = failed.or(Some(Failing::Tls)),
            Kind::Event(Event::Closed) if line.by == Party::Server && !said_quit => {
                failed = Some(Failing::Closed);
            }
            // The tool's complaints come last here; mail that was taken over shows that it went on.
            Kind::Event(Event::Remark) if !accepted => {
                failed = failed.or_else(|| remarked(&line.lossy()));
            }
            _ => {}
        }
    }
    failed
}

/// swaks's own words for what it missed.
fn remarked(words: &str) -> Option<Failing> {
    let lower = words.to_ascii_lowercase();
    let gives_up =
        lower.starts_with("host did not advertise") || lower.contains("attempted but failed");
    if !gives_up {
        return None;
    }
    [
        ("starttls", Failing::Tls),
        ("authentication", Failing::Authentication),
        ("xclient", Failing::Xclient),
    ]
    .into_iter()
    .find(|(what, _)| lower.contains(what))
    .map(|(_, failing)| failing)
}

fn step(text: &[u8]) -> Option<Failing> {
    const STEPS: [(&[u8], Failing); 9] = [
        (b"EHLO", Failing::Hello),
        (b"HELO", Failing::Hello),
        (b"LHLO", Failing::Hello),
        (b"MAIL", Failing::Mail),
        (b"RCPT", Failing::Recipients),
        (b"DATA", Failing::Data),
        (b"AUTH", Failing::Authentication),
        (b"STARTTLS", Failing::Tls),
        (b"XCLIENT", Failing::Xclient),
    ];
    let upper = text.to_ascii_uppercase();
    STEPS.iter().find(|(verb, _)| upper.starts_with(verb)).map(|(_, failing)| *failing)
}

fn is_of_mail(step: Failing) -> bool {
    matches!(step, Failing::Mail | Failing::Recipients | Failing::Data | Failing::EndOfData)
}
