//! Scoring non-delivery reports: what other tools read out of them, and what we do.
//!
//! The answers are other tools' readings, not truth. Where two of them differ, or one contradicts the
//! report's own text, it is counted apart and said.

mod reasons;
mod unseen;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use diagnose::{
    Class, class,
    dialects::ndr::{self, Kind, Ndr},
    testimony::{Fate, Speaker, Testimony},
};
use serde_json::Value;
use smtp::{Reply, Stage};

use crate::{
    figure::{Figure, Misses},
    tree::{files, read_json},
};

pub fn score(folder: &Path, misses: &mut Misses) -> Vec<Figure> {
    let mut tally = Tally::default();
    let bounces = folder.join("bounces");
    for tool in folders(&bounces) {
        let files = files(&tool, &|_| true);
        for answers in files.iter().filter(|path| name(path).ends_with("decoded.public.json")) {
            let Some(Value::Object(table)) = read_json(answers) else { continue };
            for (file, rows) in &table {
                let found =
                    files.iter().find(|path| name(path) == *file && !name(path).ends_with(".json"));
                let Some(octets) = found.and_then(|path| fs::read(path).ok()) else { continue };
                let case = Case { file: format!("{}/{file}", name(&tool)), octets: &octets };
                tally.compare(&case, rows, misses);
            }
        }
        for path in
            files.iter().filter(|path| path.components().any(|part| part.as_os_str() == "not"))
        {
            tally.no_bounce(path, misses);
        }
    }
    tally.replies(&folder.join("replies/labelled-public.json"), misses);
    for row in std::mem::take(&mut tally.unseen).rows() {
        if !tally.count(FIGURES[13].0, row.is_right_without) {
            let file = format!("{} class, without any phrase", row.file);
            let found = format!("{}: {}", row.found_without, row.shown);
            misses.note("bounces", file, &row.wanted, found);
        }
        if !tally.count(FIGURES[12].0, row.is_right) {
            let file = format!("{} class, unseen", row.file);
            misses.note("bounces", file, row.wanted, format!("{}: {}", row.found, row.shown));
        }
    }
    tally.figures()
}

struct Case<'a> {
    file: String,
    octets: &'a [u8],
}

/// Right ones and all, for each figure.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<&'static str, (usize, usize)>,
    unseen: unseen::Unseen,
}

const FIGURES: [(&str, f64); 14] = [
    ("recipients", 0.95),
    ("class as sisimai has it", 0.93),
    ("class, where one fact has two names there", 0.93),
    ("stage given", 0.85),
    ("stage told or derived, as sisimai has it", 0.97),
    ("stage that the report tells, as sisimai has it", 0.97),
    ("speaker", 0.95),
    ("fate", 0.95),
    ("recipients and fate as flufl.bounce has them", 0.90),
    ("class as bounceparser has it", 0.85),
    ("no report taken for one", 1.0),
    ("class of a bare reply", 0.90),
    ("class, without the phrases no other file has", 0.85),
    ("class, without any phrase", 0.0),
];

impl Tally {
    fn count(&mut self, figure: &'static str, is_right: bool) -> bool {
        let (right, of) = self.counts.entry(figure).or_default();
        *of += 1;
        *right += usize::from(is_right);
        is_right
    }

    fn figures(&self) -> Vec<Figure> {
        FIGURES
            .iter()
            .map(|(name, wanted)| {
                let (right, of) = self.counts.get(name).copied().unwrap_or_default();
                Figure { name, right, of, wanted: *wanted }
            })
            .collect()
    }

    fn compare(&mut self, case: &Case<'_>, rows: &Value, misses: &mut Misses) {
        let read = ndr::read(case.octets);
        match rows {
            Value::Array(rows) if rows.iter().any(|row| row.get("reason").is_some()) => {
                self.sisimai(case, &read, rows, misses);
            }
            Value::Object(row) if row.contains_key("permanent") => {
                self.flufl(case, &read, rows, misses)
            }
            Value::Object(row) if row.contains_key("reports") => {
                self.bounceparser(case, &read, rows, misses)
            }
            // An empty list: that tool made nothing of it, which proves nothing.
            _ => {}
        }
    }

    fn sisimai(&mut self, case: &Case<'_>, read: &Ndr, rows: &[Value], misses: &mut Misses) {
        if rows.iter().any(|row| text(row, "reason") == "feedback") {
            let is_right = read.kind == Kind::Feedback;
            for figure in [FIGURES[1].0, FIGURES[2].0] {
                if !self.count(figure, is_right) {
                    misses.note(
                        "bounces",
                        format!("{} {figure}", case.file),
                        "feedback",
                        format!("{:?}", read.kind),
                    );
                }
            }
            return;
        }
        for row in rows {
            let wanted = text(row, "recipient").to_lowercase();
            let alias = text(row, "alias").to_lowercase();
            let same = |report: &&Testimony| {
                let ours = report.recipient.as_deref().unwrap_or("").to_lowercase();
                ours == wanted || (!alias.is_empty() && ours == alias)
            };
            let found = read.reports.iter().find(same);
            if !self.count(FIGURES[0].0, found.is_some()) {
                let ours: Vec<&str> =
                    read.reports.iter().filter_map(|report| report.recipient.as_deref()).collect();
                misses.note(
                    "bounces",
                    format!("{} recipient", case.file),
                    &wanted,
                    format!("{ours:?}"),
                );
            }
            let only = read.reports.first().filter(|_| rows.len() == 1);
            let Some(report) = found.or(only) else {
                for figure in [FIGURES[1].0, FIGURES[2].0, FIGURES[3].0] {
                    self.count(figure, false);
                }
                misses.note(
                    "bounces",
                    format!("{} class", case.file),
                    text(row, "reason"),
                    format!("nothing, {:?}", read.kind),
                );
                continue;
            };
            self.class_of(case, report, row, misses);
            self.stage_of(case, report, row, misses);
            self.speaker_of(case, report, row, misses);
            self.fate_of(case, report, row, misses);
        }
    }

    fn class_of(&mut self, case: &Case<'_>, report: &Testimony, row: &Value, misses: &mut Misses) {
        let wanted = text(row, "reason");
        let ours = class::class_of_testimony(report);
        let shows_data = reasons::shows_data(case.octets);
        let name = match report.fate {
            Fate::Delivered => "delivered",
            _ => reasons::of_report(ours, report, shows_data),
        };
        let is_right =
            name == wanted || (report.fate != Fate::Delivered && reasons::is_coarser(ours, wanted));
        self.count(FIGURES[1].0, is_right);
        if report.fate != Fate::Delivered {
            let (file, report, wanted) = (case.file.clone(), report.clone(), wanted.to_owned());
            self.unseen.add(unseen::Case { file, report, shows_data, wanted });
        }
        let is_same = is_right || reasons::are_one(ours, wanted);
        self.count(FIGURES[2].0, is_same);
        if !is_right {
            let how = if is_same { "class (another name)" } else { "class" };
            misses.note(
                "bounces",
                format!("{} {how}", case.file),
                wanted,
                format!("{name}: {}", shown(report)),
            );
        }
    }

    fn stage_of(&mut self, case: &Case<'_>, report: &Testimony, row: &Value, misses: &mut Misses) {
        if report.fate == Fate::Delivered {
            return;
        }
        if !self.count(FIGURES[3].0, report.stage.is_some()) {
            misses.note(
                "bounces",
                format!("{} stage", case.file),
                "one",
                format!("none: {}", shown(report)),
            );
        }
        let wanted = text(row, "smtpcommand");
        if wanted.is_empty() {
            return;
        }
        if is_void(case.octets, wanted) {
            misses.note(
                "bounces",
                format!("{} stage", case.file),
                format!("{wanted} (contradicts the report)"),
                format!("{:?}", report.stage),
            );
            return;
        }
        let Some(stage) = report.stage else { return };
        let is_right = is_stage(stage, wanted);
        self.count(FIGURES[4].0, is_right);
        if report.stage_is_told {
            self.count(FIGURES[5].0, is_right);
        }
        if !is_right {
            let told = if report.stage_is_told { "told" } else { "derived" };
            misses.note(
                "bounces",
                format!("{} stage", case.file),
                wanted,
                format!("{stage:?} ({told}): {}", shown(report)),
            );
        }
    }

    fn speaker_of(
        &mut self,
        case: &Case<'_>,
        report: &Testimony,
        row: &Value,
        misses: &mut Misses,
    ) {
        let wanted = text(row, "rhost").trim_end_matches(',').to_lowercase();
        // Where it has none of its own, sisimai takes a host of a Received field: no answer.
        if wanted.is_empty() || !is_told(case.octets, &wanted) {
            return;
        }
        let ours = match &report.speaker {
            Speaker::Remote(host) => host.to_lowercase(),
            Speaker::Writer => {
                format!("writer {}", report.writer.as_deref().unwrap_or("?").to_lowercase())
            }
            other => format!("{other:?}"),
        };
        let is_right = ours == wanted || ours == format!("writer {wanted}");
        if !self.count(FIGURES[6].0, is_right) {
            misses.note(
                "bounces",
                format!("{} speaker", case.file),
                &wanted,
                format!("{ours}: {}", shown(report)),
            );
        }
    }

    fn fate_of(&mut self, case: &Case<'_>, report: &Testimony, row: &Value, misses: &mut Misses) {
        let wanted = match text(row, "action") {
            "failed" | "expired" => Fate::Failed,
            "delayed" => Fate::Deferred,
            "delivered" | "relayed" | "expanded" => Fate::Delivered,
            _ => return,
        };
        // Sisimai calls everything delayed that it classes as expired; a report that says it has given up
        // is right about itself.
        if text(row, "reason") == "expired" && wanted == Fate::Deferred && has_given_up(case.octets)
        {
            return;
        }
        // And failed what OpenSMTPD's warnings say of themselves is no failure.
        if wanted == Fate::Failed && is_only_late(case.octets) {
            return;
        }
        if !self.count(FIGURES[7].0, report.fate == wanted) {
            misses.note(
                "bounces",
                format!("{} fate", case.file),
                format!("{wanted:?}"),
                format!("{:?}: {}", report.fate, shown(report)),
            );
        }
    }

    fn flufl(&mut self, case: &Case<'_>, read: &Ndr, row: &Value, misses: &mut Misses) {
        let list = |key: &str| -> Vec<String> {
            let rows = row.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
            let mut list: Vec<String> =
                rows.iter().filter_map(Value::as_str).map(str::to_lowercase).collect();
            list.sort();
            list.dedup();
            list
        };
        let (temporary, permanent) = (list("temporary"), list("permanent"));
        if temporary.is_empty() && permanent.is_empty() {
            return;
        }
        let of = |fate: Fate| -> Vec<String> {
            let reports = read.reports.iter().filter(|report| report.fate == fate);
            let mut list: Vec<String> = reports
                .filter_map(|report| report.recipient.as_deref())
                .map(str::to_lowercase)
                .collect();
            list.sort();
            list.dedup();
            list
        };
        let ours = (of(Fate::Deferred), of(Fate::Failed));
        if !self.count(FIGURES[8].0, ours == (temporary.clone(), permanent.clone())) {
            misses.note(
                "bounces",
                format!("{} flufl", case.file),
                format!("later {temporary:?} never {permanent:?}"),
                format!("later {:?} never {:?}", ours.0, ours.1),
            );
        }
    }

    fn bounceparser(&mut self, case: &Case<'_>, read: &Ndr, row: &Value, misses: &mut Misses) {
        for told in row.get("reports").and_then(Value::as_array).into_iter().flatten() {
            let wanted = text(told, "std_reason");
            if wanted == "unknown" || wanted.is_empty() {
                continue;
            }
            let address = text(told, "email").to_lowercase();
            let same = |report: &&Testimony| {
                report.recipient.as_deref().unwrap_or("").to_lowercase() == address
            };
            let report = read.reports.iter().find(same).or(read.reports.first());
            let ours = report.map_or(Class::Unknown, class::class_of_testimony);
            if !self.count(FIGURES[9].0, reasons::is_bounceparsers(ours, wanted)) {
                misses.note(
                    "bounces",
                    format!("{} bounceparser", case.file),
                    wanted,
                    format!("{ours}: {}", report.map(shown).unwrap_or_default()),
                );
            }
        }
    }

    fn no_bounce(&mut self, path: &Path, misses: &mut Misses) {
        let Ok(octets) = fs::read(path) else { return };
        let read = ndr::read(&octets);
        let is_right = matches!(read.kind, Kind::Other | Kind::AutoReply | Kind::Receipt);
        if !self.count(FIGURES[10].0, is_right) {
            misses.note(
                "bounces",
                path.display(),
                "no report",
                format!("{:?} {}", read.kind, read.dialect),
            );
        }
    }

    /// Reply texts with a reason, as lines that somebody pastes.
    fn replies(&mut self, path: &Path, misses: &mut Misses) {
        let Some(Value::Array(rows)) = read_json(path) else { return };
        for row in &rows {
            let wanted = text(row, "reason");
            if wanted.is_empty() || matches!(wanted, "undefined" | "onhold" | "delivered") {
                continue;
            }
            let number = |key: &str| {
                row.get(key)
                    .and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()))
            };
            let code = number("code").and_then(|code| u16::try_from(code).ok()).unwrap_or(550);
            let status = text(row, "status")
                .parse()
                .ok()
                .filter(|status: &smtp::EnhancedStatus| status.detail < 900);
            let reply = Reply { code, status, text: text(row, "text").to_owned().into() };
            let stage = match text(row, "stage") {
                "RCPT" => Some(Stage::Rcpt),
                "MAIL" => Some(Stage::Mail),
                "DATA" => Some(Stage::EndOfData),
                _ => None,
            };
            let ours = class::class_of(&reply, stage);
            let is_right = reasons::of(ours, &reply.text) == wanted
                || reasons::is_coarser(ours, wanted)
                || reasons::are_one(ours, wanted);
            if !self.count(FIGURES[11].0, is_right) {
                misses.note(
                    "bounces",
                    format!("reply of {}", text(row, "src")),
                    wanted,
                    format!("{ours}: {reply}"),
                );
            }
        }
    }
}

/// Whether sisimai's command contradicts the report: Sendmail shows the last command that it had sent, with
/// pipelining DATA, though the refusal answers RCPT; that shows where DATA is refused for want of a recipient.
fn is_void(octets: &[u8], wanted: &str) -> bool {
    let text = String::from_utf8_lossy(octets).to_lowercase();
    let wants_recipient =
        ["<<< 503", "need rcpt", "no valid recipients", "<<< 554 error: no valid"];
    matches!(wanted, "DATA" | "EHLO" | "HELO")
        && wants_recipient.iter().any(|words| text.contains(words))
}

fn is_stage(stage: Stage, command: &str) -> bool {
    match command {
        "CONN" | "EHLO" | "HELO" => matches!(stage, Stage::Connect | Stage::Greeting | Stage::Ehlo),
        "STARTTLS" => matches!(stage, Stage::StartTls | Stage::Tls),
        "AUTH" => stage == Stage::Auth,
        "MAIL" => stage == Stage::Mail,
        "RCPT" => stage == Stage::Rcpt,
        "DATA" | "QUIT" => matches!(stage, Stage::Data | Stage::Content | Stage::EndOfData),
        _ => false,
    }
}

fn has_given_up(octets: &[u8]) -> bool {
    const SIGNS: [&str; 9] = [
        "action: failed",
        "giving up",
        "given up",
        "permanent",
        "will be deleted",
        "not going to try again",
        "envelope expired",
        "could not be delivered",
        "returning message to sender",
    ];
    let text = String::from_utf8_lossy(octets).to_lowercase();
    SIGNS.iter().any(|sign| text.contains(sign)) && !text.contains("action: delayed")
}

fn is_only_late(octets: &[u8]) -> bool {
    String::from_utf8_lossy(octets).contains("this is only a temporary failure report")
}

/// Whether the report's own words name that host as the one that was talked to.
fn is_told(octets: &[u8], host: &str) -> bool {
    let text = String::from_utf8_lossy(octets).to_lowercase();
    let forms = [
        format!("remote-mta: dns; {host}"),
        format!("remote-mta: dns;{host}"),
        format!("remote-mta: {host}"),
        format!("remote-mta: <{host}"),
        format!("host {host}["),
        format!("host {host} ["),
        format!("remote host {host} said"),
        format!("talking to {host}"),
        format!("{host} does not like"),
        format!("{host} failed after"),
        format!("connected to {host} but"),
        format!("{host} ["),
        format!("{host} #5"),
        format!("smtp server <{host}>"),
        format!("by {host}. ["),
        format!("remote system: dns; {host}"),
        format!("rcpt host {host}"),
    ];
    let is_way =
        |line: &str| line.starts_with("received") || line.contains("from ") && line.contains("by ");
    text.lines()
        .filter(|line| !is_way(line))
        .any(|line| forms.iter().any(|form| line.contains(form)))
}

fn shown(report: &Testimony) -> String {
    let reply = report.reply.as_ref().map_or("-".to_owned(), ToString::to_string);
    let cut = |text: &str| text.chars().take(160).collect::<String>();
    let status = report.status.map_or("-".to_owned(), |status| status.to_string());
    format!(
        "{} {:?} {:?} [{}] status {status} words {}",
        report.dialect,
        report.stage,
        report.speaker,
        cut(&reply),
        cut(&report.words)
    )
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or("")
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn folders(below: &Path) -> Vec<PathBuf> {
    entries(below).into_iter().filter(|path| path.is_dir()).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(read) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = read.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
