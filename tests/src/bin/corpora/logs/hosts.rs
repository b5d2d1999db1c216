//! Lines in which fail2ban and CrowdSec see a misbehaving host: ours must name the same one.

use std::{collections::BTreeMap, fs, path::Path};

use diagnose::dialects::log::{Reader, Record};
use serde_json::Value;

use super::{address, by_line};
use crate::figure::{Figure, Misses};
use crate::tree::files;

pub fn score(logs: &Path, misses: &mut Misses) -> Vec<Figure> {
    let (right, of) = fail2ban(logs, misses);
    let (seen, all) = crowdsec(logs, misses);
    vec![
        Figure { name: "fail2ban: host of failing lines", right, of, wanted: 0.98 },
        Figure { name: "CrowdSec: host of failing lines", right: seen, of: all, wanted: 0.98 },
    ]
}

/// `# failJSON: {"match": true, "host": "192.0.2.1"}` before each line. Only logs of dialects that are
/// read count: Exim, Postfix, sendmail, OpenSMTPD.
fn fail2ban(logs: &Path, misses: &mut Misses) -> (usize, usize) {
    let (mut right, mut of) = (0, 0);
    let is_ours = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let known = ["exim", "postfix", "sendmail", "opensmtpd"];
        path.parent().is_some_and(|folder| folder.ends_with("fail2ban/logs"))
            && known.iter().any(|known| name.starts_with(known))
    };
    for file in files(logs, &is_ours) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let lines = by_line(text.as_bytes());
        let mut wanted: Option<Value> = None;
        for (number, line) in (1..).zip(text.lines()) {
            if let Some((_, json)) = line.split_once("failJSON:").filter(|_| line.starts_with('#'))
            {
                wanted = serde_json::from_str(json).ok();
                continue;
            }
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let Some(case) = wanted.take() else { continue };
            let Some(host) = case["host"].as_str().filter(|_| case["match"] == true) else {
                continue;
            };
            of += 1;
            let hosts: Vec<String> =
                lines.get(&number).into_iter().flatten().filter_map(address).collect();
            if hosts.iter().any(|have| have == host) {
                right += 1;
            } else {
                misses.note("logs fail2ban", format!("{}:{number}", file.display()), host, line);
            }
        }
    }
    (right, of)
}

/// `results["s01-parse"][...][N].Evt.Meta["source_ip"] == "192.0.2.1"` in `parser.assert` and
/// `scenario.assert` beside the log: each of these addresses must be told of somewhere in it.
fn crowdsec(logs: &Path, misses: &mut Misses) -> (usize, usize) {
    let (mut right, mut of) = (0, 0);
    let is_assertion =
        |path: &Path| path.extension().is_some_and(|extension| extension == "assert");
    for file in files(logs, &is_assertion) {
        let Some(folder) = file.parent() else { continue };
        let is_log = |path: &Path| path.extension().is_some_and(|extension| extension == "log");
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        let mut understood = 0;
        for log in files(folder, &is_log) {
            let mut reader = Reader::new(None);
            reader.feed(&fs::read(&log).unwrap_or_default());
            reader.finish();
            understood += reader.understood();
            let records: Vec<Record> = std::iter::from_fn(|| reader.take()).collect();
            for host in records.iter().filter_map(address) {
                *told.entry(host).or_default() += 1;
            }
        }
        if understood == 0 {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap_or_default();
        let mut wanted: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once("Meta[\"source_ip\"] == \"")?.1.split('"').next())
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        for host in wanted {
            of += 1;
            if told.contains_key(host) {
                right += 1;
            } else {
                misses.note("logs crowdsec", file.display(), host, "not told");
            }
        }
    }
    (right, of)
}
