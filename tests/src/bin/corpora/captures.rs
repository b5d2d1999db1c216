//! Scoring captures beside their oracle: the commands and the reply codes of each session.
//!
//! `FILE.oracle.json` has two views, that of an independent reassembly (`exchange`, `commands`, `codes`) and
//! tshark's. An oracle is *sure* of a session's commands, or codes, if both agree about them and neither a
//! gap, nor a missing side, nor its own doubt (`low_confidence...`, `replies_not_captured`) is noted; of
//! commands only if Zeek, where it wrote its requests down, has the same. Zeek's `smtp.log` and Suricata's
//! `test.yaml` are scored too.

mod others;
mod packets;

use std::path::{Path, PathBuf};

use diagnose::{
    Session,
    session::{Endpoint, Kind, Party},
};
use serde_json::Value;

use crate::{
    figure::{Figure, Misses},
    tree::{files, read_json, sessions},
};

/// Right ones, and how many there are.
#[derive(Default)]
struct Count {
    right: usize,
    of: usize,
}

#[derive(Default)]
struct Counts {
    found: Count,
    sure_commands: Count,
    all_commands: Count,
    sure_codes: Count,
    all_codes: Count,
    packets: packets::Counts,
}

pub fn score(folder: &Path, misses: &mut Misses) -> Vec<Figure> {
    let mut counts = Counts::default();
    for path in files(folder, &|path| path.to_string_lossy().ends_with(".oracle.json")) {
        let name = path.to_string_lossy();
        let capture = PathBuf::from(name.trim_end_matches(".oracle.json"));
        let is_capture = name.contains("/pcap");
        let Some(oracle) = read_json(&path).filter(|_| is_capture && capture.is_file()) else {
            continue;
        };
        counts.file(&capture, &oracle, misses);
    }
    let mut figures = counts.figures();
    figures.extend(others::score(folder, misses));
    figures
}

impl Count {
    fn add(&mut self, is_right: bool) {
        self.of += 1;
        self.right += usize::from(is_right);
    }

    fn figure(&self, name: &'static str, wanted: f64) -> Figure {
        Figure { name, right: self.right, of: self.of, wanted }
    }
}

impl Counts {
    fn file(&mut self, capture: &Path, oracle: &Value, misses: &mut Misses) {
        let mut ours = sessions(capture);
        let zeek = others::zeek_requests(capture);
        for (index, wanted) in array(&oracle["sessions"]).enumerate() {
            let agreed = zeek.as_ref().is_none_or(|zeek| {
                let verbs = array(&wanted["commands"]).filter_map(Value::as_str);
                zeek.get(index).is_some_and(|zeek| verbs.eq(zeek.iter()))
            });
            let place = format!("{} stream {}", capture.display(), wanted["stream"]);
            let found = ours.iter().position(|session| is_same(session, wanted));
            self.found.add(found.is_some());
            match found {
                Some(found) => {
                    self.session(&ours.remove(found), wanted, agreed, &place, misses);
                }
                None => misses.note("captures: session", &place, "a session", "none"),
            }
        }
        for session in ours {
            self.found.add(false);
            let have = format!("{} to {}", ends(&session.client), ends(&session.server));
            misses.note("captures: session", capture.display(), "none", have);
        }
    }

    /// `agreed`: no third reading has other commands.
    fn session(
        &mut self,
        ours: &Session,
        wanted: &Value,
        agreed: bool,
        place: &str,
        misses: &mut Misses,
    ) {
        let is_turned = wanted["client"].as_str() != Some(&*ends(&ours.client));
        self.packets.session(ours, wanted, is_turned, place, misses);
        let want: Vec<String> = array(&wanted["exchange"])
            .filter_map(|exchange| exchange["cmd"].as_str())
            .map(comparable)
            .collect();
        let have = commands(ours);
        let sure = agreed && is_sure(wanted, "commands");
        self.all_commands.add(want == have);
        if sure {
            self.sure_commands.add(want == have);
        }
        if want != have {
            let part = part("commands", sure);
            misses.note(&part, place, format!("{want:?}"), format!("{have:?}"));
        }
        let want: Vec<u64> = array(&wanted["codes"]).filter_map(Value::as_u64).collect();
        let have = codes(ours);
        let sure = is_sure(wanted, "codes");
        self.all_codes.add(want == have);
        if sure {
            self.sure_codes.add(want == have);
        }
        if want != have {
            misses.note(&part("codes", sure), place, format!("{want:?}"), format!("{have:?}"));
        }
    }

    fn figures(&self) -> Vec<Figure> {
        let mut figures = vec![
            self.found.figure("captures: sessions found, and no others", 0.98),
            self.sure_commands.figure("captures: commands, oracle sure", 0.98),
            self.all_commands.figure("captures: commands, all", 0.0),
            self.sure_codes.figure("captures: reply codes, oracle sure", 0.99),
            self.all_codes.figure("captures: reply codes, all", 0.0),
        ];
        figures.extend(self.packets.figures());
        figures
    }
}

fn part(what: &str, sure: bool) -> String {
    format!("captures: {what}, oracle {}", if sure { "sure" } else { "not sure" })
}

fn is_same(session: &Session, wanted: &Value) -> bool {
    let (client, server) = (ends(&session.client), ends(&session.server));
    let wanted = [wanted["client"].as_str(), wanted["server"].as_str()];
    wanted == [Some(&*client), Some(&*server)] || wanted == [Some(&*server), Some(&*client)]
}

/// Address and port as the oracle writes them: an IPv6 address without brackets.
fn ends(end: &Endpoint) -> String {
    end.address.map(|end| format!("{}:{}", end.ip(), end.port())).unwrap_or_default()
}

fn is_sure(wanted: &Value, what: &str) -> bool {
    let tcp = &wanted["tcp"];
    let gaps =
        ["gaps_client", "gaps_server"].iter().any(|side| array(&tcp[*side]).next().is_some());
    let doubts = array(&wanted["flags"])
        .filter_map(Value::as_str)
        .any(|flag| flag.starts_with("low_confidence") || flag == "replies_not_captured");
    let one_sided = tcp["one_sided"].as_bool() == Some(true);
    wanted["tshark_agrees"][what].as_bool() == Some(true) && !gaps && !one_sided && !doubts
}

/// Our commands in a form that both sides can have.
fn commands(session: &Session) -> Vec<String> {
    let commands = session.lines.iter().filter(|line| matches!(line.kind, Kind::Command(_)));
    commands.map(|line| comparable(&line.lossy())).collect()
}

/// Without blanks around; of AUTH only verb and mechanism, as the rest is struck out.
fn comparable(command: &str) -> String {
    let command = command.trim();
    let mut words = command.split_ascii_whitespace();
    let verb = words.next().unwrap_or_default().to_ascii_uppercase();
    if verb == "AUTH" {
        return format!("{verb} {}", words.next().unwrap_or_default().to_ascii_uppercase());
    }
    command.to_owned()
}

/// The codes of our replies, one for each reply whatever its number of lines.
fn codes(session: &Session) -> Vec<u64> {
    let replies = session.lines.iter().filter(|line| {
        line.by == Party::Server
            && matches!(line.kind, Kind::Reply(_))
            && !line.is_continued_reply()
    });
    replies.filter_map(|line| line.lossy().get(..3)?.parse().ok()).collect()
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
