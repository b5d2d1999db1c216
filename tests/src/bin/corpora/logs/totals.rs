//! pflogsumm's grand totals of a log, beside ours.

use std::{collections::BTreeSet, fs, path::Path};

use diagnose::{dialects::log::Record, happening::What, testimony::Fate};

use super::records;
use crate::figure::{Figure, Misses};
use crate::tree::files;

/// What is counted, as pflogsumm names it.
const NAMES: [&str; 6] =
    ["received", "delivered", "deferred", "bounced", "rejected", "reject warnings"];

pub fn score(logs: &Path, misses: &mut Misses) -> Vec<Figure> {
    let (mut right, mut of) = (0, 0);
    let is_summary =
        |path: &Path| path.components().any(|part| part.as_os_str() == "pflogsumm-oracle");
    for summary in files(logs, &is_summary) {
        let name = summary.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // The summary is named for the log, perhaps with the log's folder before it.
        let is_log = |path: &Path| {
            let log = path.file_name().unwrap_or_default().to_string_lossy();
            name == log || name.ends_with(&format!("-{log}"))
        };
        let Some(log) = files(logs, &is_log).into_iter().next() else { continue };
        let wanted = fs::read_to_string(&summary).unwrap_or_default();
        let ours = totals(&fs::read(&log).unwrap_or_default());
        for (what, have) in NAMES.into_iter().zip(ours) {
            let Some(want) = total(&wanted, what) else { continue };
            of += 1;
            if want == have {
                right += 1;
            } else {
                misses.note("logs total", format!("{} {what}", log.display()), want, have);
            }
        }
    }
    vec![Figure { name: "totals as pflogsumm has them", right, of, wanted: 0.98 }]
}

/// `    202   received`, `      7   rejected (2%)`.
fn total(summary: &str, name: &str) -> Option<usize> {
    let totals = summary.split("message deferral detail").next().unwrap_or_default();
    totals.lines().find_map(|line| {
        let (number, what) = line.trim().split_once(' ')?;
        let what = what.trim().split(" (").next().unwrap_or_default();
        if what == name { number.parse().ok() } else { None }
    })
}

/// pflogsumm counts a message that was deferred several times once.
fn totals(octets: &[u8]) -> [usize; 6] {
    let [mut received, mut delivered, mut bounced, mut rejected, mut warnings] = [0; 5];
    let mut deferred = BTreeSet::new();
    for record in records(octets) {
        match record {
            Record::Testimony(testimony) => match testimony.fate {
                Fate::Delivered => delivered += 1,
                Fate::Failed => bounced += 1,
                Fate::Rejected => rejected += 1,
                Fate::Deferred => {
                    deferred.insert(testimony.message);
                }
            },
            Record::Happening(happening) if happening.what == What::Received => received += 1,
            Record::Happening(happening) if happening.words.starts_with("reject_warning") => {
                warnings += 1;
            }
            _ => {}
        }
    }
    [received, delivered, deferred.len(), bounced, rejected, warnings]
}
