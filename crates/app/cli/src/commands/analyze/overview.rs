//! The table of sessions, and how often each thing was found.

use std::collections::BTreeMap;

use comfy_table::{ColumnConstraint, Width};
use diagnose::{Finding, Session, Weight, summary::Summary};

use super::ledger;
use crate::output;

/// Rows kept; beyond it only those with findings, and of these as many again.
const ROWS_MAX: usize = 10_000;
/// Rows shown without `--all`: beyond it only those with findings.
const SHOWN_MAX: usize = 60;

/// Columns of a rule's name with a comma and blanks around: `command-taken-away,`.
const RULE_WIDTH: u16 = 21;
/// The same of an IPv4 address with its port.
const ADDRESS_WIDTH: u16 = 22;
/// Narrower tables have both ends in one column.
const WIDE_MIN: usize = 100;

/// Every session in a line.
#[derive(Default)]
pub struct Overview {
    rows: Vec<Row>,
    count: usize,
    with_findings: usize,
    messages: u64,
    found: BTreeMap<String, (Weight, usize)>,
}

/// One session.
pub struct Row {
    /// Its number, from 1.
    pub number: usize,
    /// When it began.
    pub time: String,
    /// The end that connected.
    pub client: String,
    /// The end that answered.
    pub server: String,
    /// The last step at which the server said yes.
    pub reached: String,
    /// What came of it.
    pub outcome: String,
    /// The rules that found something, those with weight first.
    pub findings: Vec<Rule>,
}

impl Row {
    /// Its cells; `is_narrow`: both ends in one.
    fn cells(&self, is_narrow: bool) -> Vec<String> {
        let ends = match is_narrow {
            true => vec![format!("{}\n{}", self.client, self.server)],
            false => vec![self.client.clone(), self.server.clone()],
        };
        let rules: Vec<String> = self.findings.iter().map(Rule::shown).collect();
        let mut cells = vec![self.number.to_string(), self.time.clone()];
        cells.extend(ends);
        cells.extend([self.reached.clone(), self.outcome.clone(), rules.join(", ")]);
        cells
    }
}

/// A rule that found something in a session.
pub struct Rule {
    /// Its name.
    pub name: String,
    /// The weight of its worst finding.
    pub weight: Weight,
    /// How often it did.
    pub count: usize,
}

impl Rule {
    /// `greylisting`, `greylisting (4)`.
    pub fn shown(&self) -> String {
        match self.count {
            1 => self.name.clone(),
            count => format!("{} ({count})", self.name),
        }
    }

    /// Each rule once, the worst first, else in the order of the findings.
    fn of(findings: &[Finding]) -> Vec<Self> {
        let mut rules: Vec<Self> = Vec::new();
        let mut by_weight: Vec<&Finding> = findings.iter().collect();
        by_weight.sort_by_key(|finding| std::cmp::Reverse(finding.weight));
        for finding in by_weight {
            match rules.iter_mut().find(|rule| rule.name == finding.rule) {
                Some(rule) => rule.count += 1,
                None => rules.push(Self {
                    name: finding.rule.clone(),
                    weight: finding.weight,
                    count: 1,
                }),
            }
        }
        rules
    }
}

impl Overview {
    /// Adds a session; its number.
    pub fn push(&mut self, session: &Session, summary: &Summary, findings: &[Finding]) -> usize {
        self.count += 1;
        self.messages += u64::from(summary.messages);
        self.with_findings += usize::from(!findings.is_empty());
        for finding in findings {
            let entry = self.found.entry(finding.rule.clone()).or_insert((finding.weight, 0));
            entry.1 += 1;
            entry.0 = entry.0.max(finding.weight);
        }
        let limit = if findings.is_empty() { ROWS_MAX } else { 2 * ROWS_MAX };
        if self.rows.len() < limit {
            self.rows.push(Row {
                number: self.count,
                time: ledger::time(session).unwrap_or_default(),
                client: ledger::end(&session.client),
                server: ledger::end(&session.server),
                reached: summary.reached.to_string(),
                outcome: summary.result.to_string(),
                findings: Rule::of(findings),
            });
        }
        self.count
    }

    /// How many sessions there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The kept ones.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// A sentence about all of them.
    pub fn sentence(&self) -> String {
        let plural = |count: u64, what: &str| match count {
            1 => format!("1 {what}"),
            count => format!("{count} {what}s"),
        };
        format!(
            "{}, {} taken over, findings in {}",
            plural(self.count as u64, "session"),
            plural(self.messages, "message"),
            self.with_findings
        )
    }

    /// Rule, worst weight, how often; the worst and most frequent first.
    pub fn found(&self) -> Vec<(&str, Weight, usize)> {
        let mut found: Vec<(&str, Weight, usize)> = self
            .found
            .iter()
            .map(|(rule, (weight, count))| (rule.as_str(), *weight, *count))
            .collect();
        found.sort_by_key(|(_, weight, count)| std::cmp::Reverse((*weight, *count)));
        found
    }

    /// The table; empty without sessions.
    pub fn text(&self, all: bool) -> String {
        if self.count == 0 {
            return String::new();
        }
        let is_short = self.count <= SHOWN_MAX || all;
        let is_narrow = output::prose_width() < WIDE_MIN;
        let head: &[&str] = if is_narrow {
            &["#", "began", "client, server", "got to", "outcome", "findings"]
        } else {
            &["#", "began", "client", "server", "got to", "outcome", "findings"]
        };
        let mut table = output::table(head, output::width());
        let shown: Vec<&Row> =
            self.rows.iter().filter(|row| is_short || !row.findings.is_empty()).collect();
        for row in shown.iter().take(if all { usize::MAX } else { SHOWN_MAX }) {
            table.add_row(row.cells(is_narrow));
        }
        // Names of rules and addresses are not broken.
        let boundaries = [(head.len() - 1, RULE_WIDTH), (2, ADDRESS_WIDTH)];
        for (index, width) in &boundaries[..if is_narrow { 2 } else { 1 }] {
            if let Some(column) = table.column_mut(*index) {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(*width)));
            }
        }
        let mut page = output::text(&table);
        page.push('\n');
        let left = self.count - shown.len().min(if all { usize::MAX } else { SHOWN_MAX });
        if left > 0 {
            let more = if all || left > ROWS_MAX { "--json has all" } else { "--all lists them" };
            page.push_str(&format!("... and {left} more sessions ({more})\n"));
        }
        page.push_str(&format!("\n{}\n", self.sentence()));
        for (rule, weight, count) in self.found() {
            let weight = match weight {
                Weight::Failure => "failure",
                Weight::Fault => "fault",
                Weight::Remark => "remark",
            };
            page.push_str(&format!("  {count:6} {weight:8} {rule}\n"));
        }
        page
    }
}
