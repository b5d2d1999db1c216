//! An exhibit, explained, for people and for programs.

use diagnose::{
    Finding, Session, Testimony,
    dialects::ndr::{Kind, Ndr},
    explanation::{self, Explanation, Permanence},
    finding::Weight,
    meanings::{self, CODES, Key},
};
use message::wrap;
use serde_json::{Value, json};
use smtp::{EnhancedStatus, Reply, Stage};

use super::recognise::Exhibit;
use crate::output::clean;

/// So many explanations of one input are shown in full; the rest is counted.
const SHOWN_MAX: usize = 10;

/// What programs get: a value for each recipient, reply or dialogue.
pub fn values(exhibit: &Exhibit) -> Vec<Value> {
    match exhibit {
        Exhibit::Code(code) => vec![json!(explanation::of_reply(&Reply::bare(*code, ""), None))],
        Exhibit::Status(status) => vec![json!(of_status(*status))],
        Exhibit::Reply(testimony) => vec![json!(explanation::of_words(testimony))],
        Exhibit::Report(report) => report_values(report),
        Exhibit::Dialogues(sessions) => sessions.iter().map(session_value).collect(),
        Exhibit::Log(testimonies, sessions) => {
            let told =
                testimonies.iter().map(|testimony| json!(explanation::of_log_line(testimony)));
            told.chain(sessions.iter().map(session_value)).collect()
        }
        Exhibit::Nothing => Vec::new(),
    }
}

fn report_values(report: &Ndr) -> Vec<Value> {
    if report.reports.is_empty() {
        return vec![
            json!({ "kind": report.kind, "dialect": report.dialect, "writer": report.writer }),
        ];
    }
    let value = |testimony| {
        json!({
            "kind": report.kind,
            "dialect": report.dialect,
            "original": report.original,
            "explanation": explanation::of_testimony(testimony),
        })
    };
    report.reports.iter().map(value).collect()
}

fn session_value((session, findings): &(Session, Vec<Finding>)) -> Value {
    json!({ "client": session.client, "server": session.server, "findings": findings })
}

/// The page for people.
pub fn page(name: &str, exhibit: &Exhibit, width: usize, colour: bool) -> String {
    let page = Page { width, colour };
    let mut out = String::new();
    if !name.is_empty() && name != "-" {
        out.push_str(&format!("{}\n\n", page.strong(&clean(name))));
    }
    match exhibit {
        Exhibit::Code(code) => out.push_str(&page.code(*code)),
        Exhibit::Status(status) => out.push_str(&page.explanation(&of_status(*status))),
        Exhibit::Reply(testimony) => {
            out.push_str(&page.explanation(&explanation::of_words(testimony)))
        }
        Exhibit::Report(report) => out.push_str(&page.report(report)),
        Exhibit::Dialogues(sessions) => out.push_str(&page.sessions(sessions)),
        Exhibit::Log(testimonies, sessions) => {
            let told: Vec<Explanation> = testimonies.iter().map(explanation::of_log_line).collect();
            out.push_str(&page.explanations(told));
            out.push_str(&page.sessions(sessions));
        }
        Exhibit::Nothing => {}
    }
    out
}

/// A bare status, as if a server had said it with a code of its class.
fn of_status(status: EnhancedStatus) -> Explanation {
    let testimony = Testimony { status: Some(status), ..Testimony::default() };
    let mut explained = explanation::of_testimony(&testimony);
    let class = explained.class;
    let meaning = meanings::of_status(status);
    if class == diagnose::Class::Unknown {
        // A status that means too much for a class: its row is all there is to say.
        explained.title = meaning.name;
        explained.means = vec![meaning.means.to_owned()];
        explained.causes.clear();
        explained.remedies = vec![meaning.check.trim_end_matches('.').to_owned()];
    } else {
        explained.means.insert(0, format!("{}: {}", meaning.name, meaning.means));
    }
    (explained.reply, explained.code, explained.words) = (None, None, None);
    explained.speaker = String::new();
    explained
}

pub(super) struct Page {
    pub width: usize,
    pub colour: bool,
}

impl Page {
    fn report(&self, report: &Ndr) -> String {
        let kind = kind(report);
        let article = match report.kind {
            Kind::Other => "",
            Kind::AutoReply => "an ",
            _ => "a ",
        };
        let end = if kind.ends_with(':') { "" } else { "." };
        let mut out = match report.kind {
            Kind::AutoReply => self.lines(&format!("This is {article}{kind}{end}")),
            _ => self.lines(&format!("This is {article}{kind} ({}){end}", report.dialect)),
        };
        if let Some(subject) = &report.original.subject {
            out.push_str(&self.lines(&format!("It is about `{}`.", cut(subject, 120))));
        }
        if !report.reports.is_empty() {
            out.push('\n');
            let told = report.reports.iter().map(explanation::of_testimony).collect();
            out.push_str(&self.explanations(told));
        }
        out
    }

    /// Those who got the same answer are told together.
    fn explanations(&self, explanations: Vec<Explanation>) -> String {
        let mut groups = grouped(explanations);
        let count = groups.len();
        let mut out = String::new();
        for (index, (explained, recipients)) in groups.iter_mut().take(SHOWN_MAX).enumerate() {
            if index > 0 {
                out.push('\n');
            }
            if recipients.len() > 1 {
                explained.recipient = Some(named(recipients));
            }
            out.push_str(&self.explanation(explained));
        }
        if count > SHOWN_MAX {
            out.push_str(&format!(
                "\n... and {} more kinds; --json has them all\n",
                count - SHOWN_MAX
            ));
        }
        out
    }

    /// Who said what, why, and what to do: the answer within the first lines.
    fn explanation(&self, explained: &Explanation) -> String {
        let mut out = format!("{}\n", self.strong(&heading(explained)));
        let mut row = |label: &str, text: &str| out.push_str(&self.row(label, text));
        if let Some(recipient) = &explained.recipient {
            row("for", recipient);
        }
        if !explained.speaker.is_empty() && explained.speaker != "not told" {
            row("said by", &explained.speaker);
        }
        if let Some(writer) = explained.writer.as_ref().filter(|_| is_remote(explained)) {
            row("reported by", &format!("{writer}, which only passes the refusal on"));
        }
        if let Some(reply) = explained.reply.as_ref().or(explained.words.as_ref()) {
            row("words", &cut(reply, 400));
        }
        if let Some(stage) = explained.stage {
            let sure = if explained.stage_is_told {
                ""
            } else {
                " (not told; what such words leave likely)"
            };
            row("stage", &format!("{}{sure}", stage_name(stage)));
        }
        row("final", permanence(explained.fate));
        explained.means.iter().for_each(|means| row("means", means));
        if let Some(list) = &explained.blocklist {
            let address = list
                .address
                .map_or_else(|| "the sending address".to_owned(), |address| address.to_string());
            row("blocklist", &format!("{} ({}), {address}", list.name, list.about));
        }
        for (index, cause) in explained.causes.iter().enumerate() {
            row(if index == 0 { "causes" } else { "" }, &format!("{}. {cause}", index + 1));
        }
        for (index, remedy) in explained.remedies.iter().enumerate() {
            row(if index == 0 { "do" } else { "" }, &format!("{}. {remedy}", index + 1));
        }
        row("retry", explained.retry);
        row("who acts", &explained.who.to_string());
        if let Some(link) = explained.link {
            row("more", link);
        }
        out
    }

    /// A bare code: what it means, and what at each stage.
    fn code(&self, code: u16) -> String {
        let explained = explanation::of_reply(&Reply::bare(code, ""), None);
        let meaning = meanings::of_code(code, Stage::Other);
        let mut out = format!("{}\n", self.strong(&format!("{code}: {}", meaning.name)));
        out.push_str(&self.row("means", meaning.means));
        for row in CODES.iter() {
            if let Key::At(of, stage) = row.key
                && of == code
            {
                out.push_str(&self.row(&format!("at {stage}"), row.means));
            }
        }
        out.push_str(&self.row("final", permanence(explained.fate)));
        out.push_str(&self.row("class", &format!("{} ({})", explained.class, explained.title)));
        out.push_str(&self.row("do", meaning.check));
        if code >= 400 {
            if explained.class != diagnose::Class::Unknown {
                for (index, cause) in explained.causes.iter().enumerate() {
                    let label = if index == 0 { "causes" } else { "" };
                    out.push_str(&self.row(label, &format!("{}. {cause}", index + 1)));
                }
            }
            out.push_str(
                &self.row("", "the words behind the code tell more: explain the whole line"),
            );
        }
        out
    }

    fn sessions(&self, sessions: &[(Session, Vec<Finding>)]) -> String {
        let mut out = String::new();
        for (session, findings) in sessions.iter().take(SHOWN_MAX) {
            let name = session.server.name.clone();
            let with = name.or(session.server.address.map(|address| address.to_string()));
            let with = with.map_or_else(String::new, |with| format!(" with {}", clean(&with)));
            out.push_str(&format!(
                "{}\n",
                self.strong(&format!("dialogue{with}, {} lines", session.lines.len()))
            ));
            let told = findings
                .iter()
                .filter(|finding| finding.weight != Weight::Remark || findings.len() == 1);
            let mut any = false;
            for finding in told {
                out.push_str(&self.finding(session, finding));
                any = true;
            }
            if !any {
                out.push_str(&self.row("", "nothing wrong in it"));
            }
            out.push('\n');
        }
        out
    }

    fn finding(&self, session: &Session, finding: &Finding) -> String {
        let mut out = self.row("found", &finding.what);
        let lines = [finding.command, finding.line];
        for line in lines.into_iter().flatten().filter_map(|index| session.lines.get(index)) {
            let by = match line.by {
                smtp::Party::Client => "C:",
                smtp::Party::Server => "S:",
                smtp::Party::Note => "--",
            };
            let place = if line.place.first > 0 {
                format!("line {}", line.place.first)
            } else {
                String::new()
            };
            out.push_str(&self.row(&place, &format!("{by} {}", cut(&line.lossy(), 300))));
        }
        out.push_str(&self.row("means", &format!("{} ({})", finding.why, finding.confidence)));
        out.push_str(&self.row("do", &finding.remedy));
        if let Some(test) = &finding.next_test {
            out.push_str(&self.row("test", test));
        }
        out.push_str(&self.row("who acts", &finding.who.to_string()));
        out.push_str(&self.row("rule", &finding.rule));
        out
    }

    /// A label, and a text wrapped behind it.
    pub fn row(&self, label: &str, text: &str) -> String {
        const LABEL: usize = 13;
        let text = clean(text);
        let width = self.width.saturating_sub(LABEL + 2).max(30);
        let mut lines = String::new();
        wrap::paragraph(&mut lines, &text, "", width);
        let mut out = String::new();
        for (index, line) in lines.lines().enumerate() {
            let label = if index == 0 { label } else { "" };
            let padded = format!("{label:LABEL$}");
            let label = if label.is_empty() { padded } else { self.dim(&padded) };
            out.push_str(&format!("  {label}{line}\n"));
        }
        out
    }

    pub fn lines(&self, text: &str) -> String {
        let mut lines = String::new();
        wrap::paragraph(&mut lines, text, "", self.width);
        lines
    }

    pub fn strong(&self, text: &str) -> String {
        if self.colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn dim(&self, text: &str) -> String {
        if self.colour { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// What kind of message it is, in words.
pub(super) fn kind(report: &Ndr) -> &'static str {
    match report.kind {
        Kind::Failure => "non-delivery report",
        Kind::Delay => "delay report: it is still being tried",
        Kind::Success => "delivery report: nothing went wrong",
        Kind::Feedback => {
            "complaint of a recipient (feedback loop), no failure: the mail arrived and was called spam. \
                           Take the recipient off your lists"
        }
        Kind::AutoReply if report.reports.is_empty() => {
            "automatic answer, no failure: the mail arrived"
        }
        Kind::AutoReply => {
            "automatic answer: it calls itself `auto-replied`, as no report of a mail server should. What it \
             says all the same:"
        }
        Kind::Receipt => "receipt of the reader's program, no failure",
        Kind::Other => "no report",
    }
}

/// The explanations that say the same, with the recipients they are about.
pub(super) fn grouped(explanations: Vec<Explanation>) -> Vec<(Explanation, Vec<String>)> {
    let mut groups: Vec<(Explanation, Vec<String>)> = Vec::new();
    for explained in explanations {
        let recipient = explained.recipient.clone().unwrap_or_default();
        let is_same = |known: &&mut (Explanation, Vec<String>)| {
            known.0.class == explained.class
                && known.0.speaker == explained.speaker
                && known.0.status == explained.status
                && known.0.stage == explained.stage
                && known.0.code == explained.code
        };
        match groups.iter_mut().find(is_same) {
            Some((_, recipients)) => recipients.push(recipient),
            None => groups.push((explained, vec![recipient])),
        }
    }
    groups
}

/// The first few recipients, and how many more there are.
pub(super) fn named(recipients: &[String]) -> String {
    let shown = recipients.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    match recipients.len().saturating_sub(5) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

pub(super) fn heading(explained: &Explanation) -> String {
    let mut title = explained.title.to_owned();
    if explained.fate == Permanence::Done {
        title = "no refusal".to_owned();
    }
    let status = explained.status.as_ref().map_or_else(String::new, |status| format!(" {status}"));
    match explained.code {
        Some(code) => format!("{code}{status}: {title} [{}]", explained.class),
        None => format!(
            "{}{title} [{}]",
            status.trim_start().to_owned() + if status.is_empty() { "" } else { ": " },
            explained.class
        ),
    }
}

fn is_remote(explained: &Explanation) -> bool {
    explained.writer.as_ref().is_some_and(|writer| !explained.speaker.contains(writer.as_str()))
}

pub(super) fn permanence(fate: Permanence) -> &'static str {
    match fate {
        Permanence::Done => "nothing was refused",
        Permanence::Transient => "no: transient, it is tried again",
        Permanence::Permanent => "yes: permanent, it is not tried again",
    }
}

fn stage_name(stage: Stage) -> String {
    let about = match stage {
        Stage::Routing => "before any connection: finding out where to go",
        Stage::Connect => "opening the connection",
        Stage::Greeting => "the greeting, before any command",
        Stage::Ehlo => "EHLO: who the client says it is",
        Stage::StartTls | Stage::Tls => "starting TLS",
        Stage::Auth => "logging in",
        Stage::Mail => "MAIL FROM: the sender's address",
        Stage::Rcpt => "RCPT TO: the recipient's address",
        Stage::Data => "DATA, before the content",
        Stage::Content => "while the content was sent",
        Stage::EndOfData => "after the whole content: the message itself was looked at",
        Stage::Mailbox => "writing into the mailbox",
        Stage::Other => "another command",
    };
    about.to_owned()
}

pub(super) fn cut(text: &str, length_max: usize) -> String {
    match text.char_indices().nth(length_max) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::recognise::{Exhibit, exhibit};

    /// What a tired administrator pastes, and what the page says of it, without colours.
    fn page(text: &str, width: usize) -> String {
        super::page("", &exhibit(text.as_bytes()), width, false)
    }

    const BAD_SEQUENCE: &str = "Delivery has failed to these recipients or groups:\n\nbob@customer.example\n\n\
        Diagnostic information for administrators:\n\nGenerating server: EXSRV.example.local\n\nbob@customer.example\n\
        relay.provider.example #503 5.5.1 Error: Bad sequence ##\n\nOriginal message headers:\n\n\
        Received: from EXSRV.example.local (192.0.2.2) by EXSRV.example.local\nSubject: Invoice\n";

    #[test]
    fn the_relay_said_503_and_the_exchange_server_only_reports_it() {
        insta::assert_snapshot!(page(BAD_SEQUENCE, 100));
    }

    #[test]
    fn a_blocklist() {
        insta::assert_snapshot!(page(
            "550 5.7.1 Email rejected because 192.0.2.41 is listed by zen.spamhaus.org. Please see http://x.test",
            100
        ));
    }

    #[test]
    fn a_narrow_terminal_holds_every_line() {
        for line in page(BAD_SEQUENCE, 60).lines() {
            assert!(line.chars().count() <= 60, "{line}");
        }
    }

    #[test]
    fn a_refused_verb_between_exchange_servers() {
        insta::assert_snapshot!(page("504 Need to authenticate first", 100));
    }

    #[test]
    fn codes_and_statuses() {
        insta::assert_snapshot!(format!(
            "{}\n{}\n{}",
            page("421", 100),
            page("5.1.1", 100),
            page("5.7.1", 100)
        ));
    }

    #[test]
    fn several_recipients_with_one_answer_are_told_together() {
        let report = "From: MAILER-DAEMON@mx.a.test\nTo: anna@a.test\nSubject: Undelivered\n\nThis is the mail system at host \
                      mx.a.test.\n\n<bob@b.test>: host mx.b.test[192.0.2.9] said: 550 5.1.1 unknown user (in reply to RCPT TO \
                      command)\n\n<eve@b.test>: host mx.b.test[192.0.2.9] said: 550 5.1.1 unknown user (in reply to RCPT TO \
                      command)\n";
        let shown = page(report, 100);
        assert!(shown.contains("bob@b.test, eve@b.test"), "{shown}");
        assert_eq!(shown.matches("said by").count(), 1, "{shown}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let shown = page("550 5.1.1 \u{1b}[2Juser unknown \u{7}", 100);
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
    }

    /// What was pasted, however it is marked, and where nobody knows it was written down.
    #[test]
    fn a_pasted_dialogue_is_one_whatever_its_marks() {
        let marked = "S: 220 mx.b.test\nC: EHLO me\nS: 250 mx.b.test\nC: RCPT TO:<bob@b.test>\nS: 503 need MAIL\n\
                      C: DATA\nS: 503 need RCPT\n";
        let bare = marked.replace("S: ", "").replace("C: ", "");
        for text in [marked, &bare] {
            let shown = page(text, 100);
            assert!(shown.starts_with("dialogue"), "{shown}");
            assert_eq!(shown.matches("command-missing").count(), 1, "{shown}");
            assert!(shown.contains("(likely)") && !shown.contains("(certain)"), "{shown}");
        }
    }

    #[test]
    fn what_went_well_has_no_causes() {
        for text in [
            "250 2.6.0 <1@a.test> Queued mail for delivery",
            "250 2.1.5 ok",
            "354 go ahead",
            "2.6.0",
        ] {
            let shown = page(text, 100);
            let is_plain = !shown.contains("causes") && shown.contains("nothing was refused");
            assert!(is_plain && !shown.contains("media"), "{shown}");
        }
    }

    #[test]
    fn a_message_that_is_no_report_is_none() {
        let shown = page(
            "From: bob@b.test\nTo: anna@a.test\nSubject: lunch\nX-Version: 2.1.39\n\nAt 550 Main Street?\n",
            100,
        );
        assert!(shown.contains("no report") && !shown.contains("2.1.39"), "{shown}");
    }

    #[test]
    fn a_report_that_quotes_a_dialogue_is_a_report() {
        let shown =
            page(include_str!("../../../../../pure/diagnose/tests/ndr/courier-pasted.eml"), 100);
        assert!(shown.contains("non-delivery report (courier)"), "{shown}");
        assert!(shown.contains("said by      mx.b.test"), "{shown}");
    }

    #[test]
    fn lines_of_a_log_are_no_report() {
        let unknown = "2026-11-22T10:00:01Z haraka[12]: delivery to bob@b.test failed: 550 5.7.1 Blocked by spam filter\n\
                       2026-11-22T10:00:02Z haraka[12]: delivery to eve@b.test failed: 550 5.1.1 unknown user\n";
        let known = "Nov 22 10:00:01 mx1 postfix/smtp[123]: 4F1A2B3C4D: to=<bob@b.test>, relay=none, delay=1, \
                     dsn=4.4.1, status=deferred (connect to mx.b.test[192.0.2.9]:25: Connection timed out)\n";
        for (text, words) in [(unknown, ["[spam]", "eve@b.test"]), (known, ["[network]", "mx1"])] {
            let shown = page(text, 100);
            assert!(words.iter().all(|word| shown.contains(word)), "{shown}");
            assert!(!shown.contains("report"), "{shown}");
        }
    }

    #[test]
    fn what_is_nothing_is_said_to_be_nothing() {
        for text in ["", "hello there", "what is 12345"] {
            assert!(matches!(exhibit(text.as_bytes()), Exhibit::Nothing), "{text}");
        }
    }
}
