//! What the class is worth where nobody has seen the words: each report judged as if the phrases that no
//! other file has were in no table.

use std::collections::{BTreeMap, BTreeSet};

use diagnose::{class, testimony::Testimony};

use super::{reasons, shown};

/// The reports whose class has an answer.
#[derive(Default)]
pub struct Unseen {
    cases: Vec<Case>,
}

/// A report with sisimai's reason for it.
pub struct Case {
    pub file: String,
    pub report: Testimony,
    pub shows_data: bool,
    pub wanted: String,
}

/// One report without what only it taught.
pub struct Row {
    pub file: String,
    pub wanted: String,
    pub found: &'static str,
    pub is_right: bool,
    /// What it is without any phrase at all: by single words, status, code and stage.
    pub found_without: &'static str,
    pub is_right_without: bool,
    pub shown: String,
}

impl Unseen {
    pub fn add(&mut self, case: Case) {
        self.cases.push(case);
    }

    pub fn rows(self) -> impl Iterator<Item = Row> {
        let mut files: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for case in &self.cases {
            for phrase in class::phrases_in(&case.report) {
                files.entry(phrase).or_default().insert(&case.file);
            }
        }
        let only: BTreeSet<&'static str> = self
            .cases
            .iter()
            .flat_map(|case| class::phrases_in(&case.report))
            .filter(|phrase| files[phrase].len() == 1)
            .collect();
        self.cases.into_iter().map(move |Case { file, report, shows_data, wanted }| {
            let judge = |unknown: &[&str]| {
                let (ours, _) = class::classify_testimony_without(&report, unknown);
                let found = reasons::of_report(ours, &report, shows_data);
                (found, found == wanted || reasons::is_coarser(ours, &wanted))
            };
            let all = class::phrases_in(&report);
            let own: Vec<&str> = all.iter().copied().filter(|row| only.contains(row)).collect();
            let (found, is_right) = judge(&own);
            let (found_without, is_right_without) = judge(&all);
            let shown = shown(&report);
            Row { file, wanted, found, is_right, found_without, is_right_without, shown }
        })
    }
}
