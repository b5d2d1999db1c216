//! A mailbox's or folder's messages, each on its own, in short, and what they come to in all.

use std::collections::BTreeMap;

use diagnose::{
    dialects::ndr::Kind,
    explanation::{self, Explanation},
};
use serde_json::json;

use super::{
    recognise::Exhibit,
    show::{self, Page},
    source::Item,
};
use crate::output;

/// So many different answers of one message are shown.
const SHOWN_MAX: usize = 3;

/// What has been seen so far.
#[derive(Default)]
pub struct Several {
    messages: u64,
    without: u64,
    classes: BTreeMap<&'static str, u64>,
}

/// One JSON value a line; of one message among others, with where it stands.
pub fn json(item: &Item, exhibit: &Exhibit) {
    for mut value in show::values(exhibit) {
        if let (true, Some(object)) = (item.is_one_of_many, value.as_object_mut()) {
            object.insert("file".to_owned(), json!(item.name));
            if let Some((message, line)) = item.message {
                object.insert("message".to_owned(), json!(message));
                object.insert("line".to_owned(), json!(line));
            }
        }
        output::json(&value);
    }
}

impl Several {
    /// One message in a few lines.
    pub fn page(&mut self, item: &Item, exhibit: &Exhibit, width: usize, colour: bool) -> String {
        let page = Page { width, colour };
        self.messages += 1;
        let place = match item.message {
            Some((message, line)) => format!("{}, message {message} (line {line})", item.name),
            None => item.name.clone(),
        };
        let (what, explanations) = told(exhibit);
        if explanations.is_empty() {
            self.without += 1;
        }
        let mut out = page.lines(&format!("{}: {what}", output::clean(&place)));
        let groups = show::grouped(explanations);
        for (explained, recipients) in &groups {
            let count = recipients.len() as u64;
            *self.classes.entry(explained.class.name()).or_default() += count;
        }
        for (explained, recipients) in groups.iter().take(SHOWN_MAX) {
            out.push_str(&format!("  {}\n", page.strong(&show::heading(explained))));
            out.push_str(&brief(&page, explained, recipients));
        }
        if groups.len() > SHOWN_MAX {
            out.push_str(&page.row("", &format!("and {} more kinds", groups.len() - SHOWN_MAX)));
        }
        out.push('\n');
        out
    }

    /// What they come to; nothing where there was only one.
    pub fn end(&self) -> String {
        if self.messages == 0 {
            return String::new();
        }
        let mut classes: Vec<(&str, u64)> =
            self.classes.iter().map(|(class, count)| (*class, *count)).collect();
        classes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let parts: Vec<String> =
            classes.iter().map(|(class, count)| format!("{count} {class}")).collect();
        let mut end = output::count(self.messages, "message", "in all");
        if !parts.is_empty() {
            end.push_str(&format!("; recipients by class: {}", parts.join(", ")));
        }
        if self.without > 0 {
            end.push_str(&format!("; without a refusal: {}", self.without));
        }
        end + "\n"
    }
}

/// What it is, and what it says of each recipient.
fn told(exhibit: &Exhibit) -> (String, Vec<Explanation>) {
    match exhibit {
        Exhibit::Report(report) => {
            let kind = show::kind(report).trim_end_matches(':').to_owned();
            let about = report.original.subject.as_ref().map(|subject| show::cut(subject, 80));
            let what = match (report.kind, about) {
                (Kind::Failure | Kind::Delay | Kind::Success, Some(about)) => {
                    format!("{kind} ({}), about `{}`", report.dialect, output::clean(&about))
                }
                (Kind::Failure | Kind::Delay | Kind::Success, None) => {
                    format!("{kind} ({})", report.dialect)
                }
                _ => kind,
            };
            (what, report.reports.iter().map(explanation::of_testimony).collect())
        }
        Exhibit::Reply(testimony) => ("a reply".to_owned(), vec![explanation::of_words(testimony)]),
        Exhibit::Log(testimonies, _) => (
            "lines of a log".to_owned(),
            testimonies.iter().map(explanation::of_log_line).collect(),
        ),
        Exhibit::Dialogues(_) => ("a dialogue; explain it alone".to_owned(), Vec::new()),
        Exhibit::Code(_) | Exhibit::Status(_) => {
            ("a code; explain it alone".to_owned(), Vec::new())
        }
        Exhibit::Nothing => ("nothing that could be explained".to_owned(), Vec::new()),
    }
}

fn brief(page: &Page, explained: &Explanation, recipients: &[String]) -> String {
    let mut out = String::new();
    let mut row = |label: &str, text: &str| out.push_str(&page.row(label, text));
    let named = show::named(recipients);
    if !named.is_empty() {
        row("for", &named);
    }
    if explained.speaker != "not told" {
        row("said by", &explained.speaker);
    }
    if let Some(words) = explained.reply.as_ref().or(explained.words.as_ref()) {
        row("words", &show::cut(words, 160));
    }
    row("final", show::permanence(explained.fate));
    if let Some(remedy) = explained.remedies.first() {
        row("do", remedy);
    }
    row("who acts", &explained.who.to_string());
    out
}

#[cfg(test)]
mod tests {
    use super::super::recognise;
    use super::*;

    fn item(number: u64, text: &str) -> (Item, Exhibit) {
        let item = Item {
            name: "box".to_owned(),
            message: Some((number, number * 10)),
            is_one_of_many: true,
            ..Item::default()
        };
        (item, recognise::exhibit(text.as_bytes()))
    }

    #[test]
    fn each_message_in_short_and_a_sum_at_the_end() {
        let report = "From: MAILER-DAEMON@mx.a.test\nTo: anna@a.test\nSubject: Undelivered\n\nThis is the mail system \
                      at host mx.a.test.\n\n<bob@b.test>: host mx.b.test[192.0.2.9] said: 550 5.1.1 unknown user (in \
                      reply to RCPT TO command)\n\n<eve@b.test>: host mx.b.test[192.0.2.9] said: 550 5.1.1 unknown \
                      user (in reply to RCPT TO command)\n";
        let lunch = "From: bob@b.test\nTo: anna@a.test\nSubject: lunch\n\nAt noon?\n";
        let mut several = Several::default();
        assert_eq!(several.end(), "");
        let mut shown = String::new();
        for (number, text) in [(1, report), (2, lunch)] {
            let (item, exhibit) = item(number, text);
            shown.push_str(&several.page(&item, &exhibit, 100, false));
        }
        shown.push_str(&several.end());
        insta::assert_snapshot!(shown);
    }
}
