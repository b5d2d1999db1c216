//! What logs tell of recipients and connections: counted, and troubles put together by what was said.

use std::collections::BTreeMap;

use diagnose::{
    Finding, Happening, Testimony, examine_testimony,
    testimony::{Fate, Speaker},
};
use serde::Serialize;

use super::ledger::wrapped;
use crate::output;

/// Kinds of trouble that are told apart; the rest is only counted.
const KINDS_MAX: usize = 2_000;
/// Kinds that are shown.
const SHOWN_MAX: usize = 40;

/// What logs told so far.
#[derive(Default)]
pub struct Records {
    fates: BTreeMap<&'static str, u64>,
    troubles: BTreeMap<Key, Trouble>,
    others: u64,
    happenings: BTreeMap<String, (u64, String)>,
}

/// What makes two troubles the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    fate: &'static str,
    rule: String,
    speaker: String,
    stage: String,
    code: u16,
}

struct Trouble {
    count: u64,
    example: Testimony,
    finding: Finding,
}

/// A testimony with what is found of it.
#[derive(Serialize)]
pub struct Told<'a> {
    testimony: &'a Testimony,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<Finding>,
}

/// For programs.
pub fn told(testimony: &Testimony) -> Told<'_> {
    let is_trouble = testimony.fate != Fate::Delivered;
    Told { testimony, finding: is_trouble.then(|| examine_testimony(testimony)) }
}

impl Records {
    /// Whether nothing was told.
    pub fn is_empty(&self) -> bool {
        self.fates.is_empty() && self.happenings.is_empty()
    }

    /// Counts one.
    pub fn testimony(&mut self, testimony: Testimony) {
        let fate = match testimony.fate {
            Fate::Failed => "failed",
            Fate::Deferred => "deferred",
            Fate::Rejected => "rejected",
            Fate::Delivered => "delivered",
        };
        *self.fates.entry(fate).or_default() += 1;
        if testimony.fate == Fate::Delivered {
            return;
        }
        let finding = examine_testimony(&testimony);
        let key = Key {
            fate,
            rule: finding.rule.clone(),
            speaker: speaker(&testimony),
            stage: testimony.stage.map_or_else(String::new, |stage| stage.to_string()),
            code: testimony.reply.as_ref().map_or(0, |reply| reply.code),
        };
        if let Some(known) = self.troubles.get_mut(&key) {
            known.count += 1;
        } else if self.troubles.len() < KINDS_MAX {
            self.troubles.insert(key, Trouble { count: 1, example: testimony, finding });
        } else {
            self.others += 1;
        }
    }

    /// Counts one.
    pub fn happening(&mut self, happening: Happening) {
        let kind = format!("{:?}", happening.what);
        let entry = self.happenings.entry(kind).or_insert((0, happening.words));
        entry.0 += 1;
    }

    /// All of it; empty if nothing was told.
    pub fn text(&self) -> String {
        let mut page = String::new();
        if !self.fates.is_empty() {
            let counts: Vec<String> =
                self.fates.iter().map(|(fate, count)| format!("{count} {fate}")).collect();
            page.push_str(&format!("Recipients: {}\n", counts.join(", ")));
        }
        let mut troubles: Vec<(&Key, &Trouble)> = self.troubles.iter().collect();
        troubles.sort_by_key(|(_, trouble)| std::cmp::Reverse(trouble.count));
        for (key, trouble) in troubles.iter().take(SHOWN_MAX) {
            page.push_str(&shown(key, trouble));
        }
        let left = troubles.len().saturating_sub(SHOWN_MAX) as u64 + self.others;
        if left > 0 {
            page.push_str(&format!("... and {left} other kinds (--json has all)\n"));
        }
        if !self.happenings.is_empty() {
            page.push_str("\nConnections:\n");
            for (kind, (count, words)) in &self.happenings {
                let words: String = output::clean(words).chars().take(90).collect();
                page.push_str(&format!("  {count:6} {:22} e.g. {words}\n", spaced(kind)));
            }
        }
        page
    }
}

fn shown(key: &Key, trouble: &Trouble) -> String {
    let width = output::prose_width().saturating_sub(9).max(40);
    let at = if key.stage.is_empty() { String::new() } else { format!(" at {}", key.stage) };
    let mut page = format!(
        "\n{:6}x {} by {}{at}: {} ({}; {})\n",
        trouble.count,
        key.fate,
        key.speaker,
        key.rule,
        trouble.finding.confidence,
        trouble.finding.who
    );
    let example = &trouble.example;
    let recipient = example.recipient.as_deref().unwrap_or("-");
    let place = match example.place.first {
        0 => String::new(),
        line => format!("line {line}, "),
    };
    let words = output::clean(&example.words);
    for text in [
        format!("e.g. {place}{}: {words}", output::clean(recipient)),
        format!("why: {}", output::clean(&trouble.finding.why)),
        format!("do:  {}", output::clean(&trouble.finding.remedy)),
    ] {
        for line in wrapped(&text, width) {
            page.push_str(&format!("        {line}\n"));
        }
    }
    page
}

fn speaker(testimony: &Testimony) -> String {
    match &testimony.speaker {
        Speaker::Remote(name) => output::clean(name),
        Speaker::Writer => match &testimony.writer {
            Some(writer) => format!("{} itself ({})", output::clean(writer), testimony.dialect),
            None => format!("{} itself", testimony.dialect),
        },
        Speaker::RemoteUnnamed => "another server".to_owned(),
        Speaker::Unknown => "somebody".to_owned(),
    }
}

/// `TimedOut` as `timed out`.
fn spaced(kind: &str) -> String {
    let mut words = String::new();
    for letter in kind.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
