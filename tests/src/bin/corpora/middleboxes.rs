//! Scoring the rules of sessions: labelled cases of boxes in between, seen from one side, and clean sessions,
//! which nobody may be accused in.

mod oracle;

use std::path::Path;

use diagnose::{
    Finding, Party, Session, Weight,
    dialogue::{Dialogue, Exchange},
    inspect,
};
use serde_json::Value;
use smtp::Stage;

use crate::{
    figure::{Figure, Misses},
    tree::{files_ending, read_json, sessions},
};

const PART: &str = "middleboxes";

pub fn score(folder: &Path, misses: &mut Misses) -> Vec<Figure> {
    vec![
        pairs(folder, misses),
        clean_captures(folder, misses),
        clean_dialogues(folder, misses),
        clean_transcripts(folder, misses),
        causes(folder, misses),
    ]
}

fn json(path: &Path) -> Value {
    read_json(path).unwrap_or_default()
}

/// What accuses somebody: everything but remarks.
fn accusations(session: &Session) -> Vec<Finding> {
    inspect(session).into_iter().filter(|finding| finding.weight > Weight::Remark).collect()
}

fn told(findings: &[Finding]) -> String {
    let words = findings.iter().map(|finding| {
        format!("{} ({:?}, {:?}): {}", finding.rule, finding.who, finding.weight, finding.what)
    });
    words.collect::<Vec<_>>().join(" | ")
}

/// The client's side of each pair: what was altered is found and laid to something in between, and nobody else
/// is accused; what was not altered accuses nobody.
fn pairs(folder: &Path, misses: &mut Misses) -> Figure {
    let mut figure =
        Figure { name: "pairs, the client's side alone", right: 0, of: 0, wanted: 1.0 };
    for path in files_ending(&folder.join("pcap-pairs-synthetic"), ".truth.json") {
        let truth = json(&path);
        let capture = truth["client_capture"].as_str().unwrap_or_default();
        let sessions = sessions(&path.with_file_name(capture));
        let found: Vec<Finding> = sessions.iter().flat_map(accusations).collect();
        let altered = truth["altered"] == Value::Bool(true);
        let between = found.iter().any(|finding| finding.who == Party::Between);
        let others = found.iter().any(|f| !matches!(f.who, Party::Between | Party::Unknown));
        let right =
            !sessions.is_empty() && altered == between && !others && altered != found.is_empty();
        figure.of += 1;
        figure.right += usize::from(right);
        if !right {
            let want = if altered { "something between, nobody else" } else { "nothing" };
            misses.note(PART, path.display(), want, told(&found));
        }
    }
    figure
}

/// Sessions of captures in which the oracle sees nothing wrong.
fn clean_captures(folder: &Path, misses: &mut Misses) -> Figure {
    let mut figure =
        Figure { name: "clean sessions of captures, nobody accused", right: 0, of: 0, wanted: 1.0 };
    for path in files_ending(&folder.join("pcap"), ".oracle.json") {
        let mut seen = sessions(&path.with_file_name(capture_of(&path)));
        for clean in oracle::sessions(&json(&path)).into_iter().filter(oracle::is_clean) {
            let is_it = |session: &Session| oracle::is_same(&clean, session);
            // A session that is not found at all is the captures' score's business.
            let Some(index) = seen.iter().position(is_it) else { continue };
            let found = accusations(&seen.remove(index));
            figure.of += 1;
            figure.right += usize::from(found.is_empty());
            if !found.is_empty() {
                misses.note(PART, path.display(), "nothing", told(&found));
            }
        }
    }
    figure
}

fn capture_of(oracle: &Path) -> String {
    let name = oracle.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.trim_end_matches(".oracle.json").to_owned()
}

/// The same of the dialogues as the oracle has them, without our reading of packets.
fn clean_dialogues(folder: &Path, misses: &mut Misses) -> Figure {
    let mut figure = Figure {
        name: "clean dialogues of the oracle, nobody accused",
        right: 0,
        of: 0,
        wanted: 1.0,
    };
    for path in files_ending(folder, ".oracle.json") {
        for value in oracle::sessions(&json(&path)).iter().filter(|value| oracle::is_clean(value)) {
            let found = accusations(&oracle::session(value));
            let is_pair = path.to_string_lossy().contains("pairs");
            if is_pair {
                continue;
            }
            figure.of += 1;
            figure.right += usize::from(found.is_empty());
            if !found.is_empty() {
                misses.note(PART, path.display(), "nothing", told(&found));
            }
        }
    }
    figure
}

/// Dialogues that a client wrote down, in which the server refused nothing and the client was content.
fn clean_transcripts(folder: &Path, misses: &mut Misses) -> Figure {
    let mut figure =
        Figure { name: "clean transcripts, nobody accused", right: 0, of: 0, wanted: 1.0 };
    for path in files_ending(&folder.join("transcripts"), ".exits") {
        let text = |extension| std::fs::read(path.with_extension(extension)).unwrap_or_default();
        let exits = String::from_utf8_lossy(&text("exits")).into_owned();
        let is_content = exits.lines().all(|line| line.split_whitespace().nth(1) == Some("0"));
        let whole = [text("stdout"), text("stderr")].join(&b'\n');
        let sessions = diagnose::dialects::transcript::read(&whole).unwrap_or_default();
        let is_clean = |session: &&Session| {
            let dialogue = Dialogue::read(session);
            !dialogue.exchanges.iter().any(Exchange::is_refusal)
        };
        for session in sessions.iter().filter(|_| is_content).filter(is_clean) {
            let found = accusations(session);
            figure.of += 1;
            figure.right += usize::from(found.is_empty());
            if !found.is_empty() {
                misses.note(PART, path.display(), "nothing", told(&found));
            }
        }
    }
    figure
}

/// The first refused command of a dialogue is told, and told once.
fn causes(folder: &Path, misses: &mut Misses) -> Figure {
    let mut figure =
        Figure { name: "the first refusal is told as a cause, once", right: 0, of: 0, wanted: 1.0 };
    for path in files_ending(&folder.join("pcap"), ".oracle.json") {
        for value in oracle::sessions(&json(&path)) {
            let session = oracle::session(&value);
            let dialogue = Dialogue::read(&session);
            // A `421` that nothing asked for refuses no command.
            let asked = |e: &&Exchange| e.command.is_some() || e.stage == Stage::Greeting;
            let mut refused = dialogue.exchanges.iter().filter(|exchange| exchange.is_refusal());
            let Some(first) = refused.find(asked) else { continue };
            let found = inspect(&session);
            let causes = found.iter().filter(|finding| {
                finding.line == Some(first.reply)
                    && finding.rule != "malformed-reply"
                    && finding.rule != "gateway"
            });
            figure.of += 1;
            let count = causes.count();
            figure.right += usize::from(count == 1);
            if count != 1 {
                misses.note(
                    PART,
                    path.display(),
                    format!("line {} once", first.reply),
                    told(&found),
                );
            }
        }
    }
    figure
}
