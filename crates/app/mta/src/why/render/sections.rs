//! The parts of a story's text.

use super::{headline, page::Page, state_word};
use crate::why::{
    AttemptStep, DialogueLine, State, Step, Story, Verdict,
    clauses::{grouped, joined},
    dialogue::around,
    moments::{Moments, span},
};

/// Recipients that are listed one by one.
const RECIPIENTS_MAX: usize = 12;
/// Findings that are told.
const FINDINGS_MAX: usize = 3;

pub(super) fn story(page: &mut Page<'_>, story: &Story, moments: &Moments<'_>) {
    page.strong(&headline(story, moments));
    page.blank();
    envelope(page, story, moments);
    if !story.findings.is_empty() {
        page.blank();
        page.heading("What is wrong");
    }
    for (index, verdict) in story.findings.iter().take(FINDINGS_MAX).enumerate() {
        if index > 0 {
            page.blank();
        }
        finding(page, verdict, story.recipients.len() > 1);
    }
    if story.findings.len() > FINDINGS_MAX {
        page.text(2, &format!("(and {} more, see --json)", story.findings.len() - FINDINGS_MAX));
    }
    history(page, story, moments);
    next(page, story, moments);
}

fn envelope(page: &mut Page<'_>, story: &Story, moments: &Moments<'_>) {
    match story.reverse_path.as_deref() {
        Some("") => {
            page.item("From", "<> (the null reverse-path: a report, never answered by one)")
        }
        Some(path) => page.item("From", path),
        None if story.state == State::Refused => {
            page.item("From", "(not said: the client never came to MAIL)")
        }
        None => page.item("From", "(not in the evidence any more)"),
    }
    for (index, recipient) in story.recipients.iter().take(RECIPIENTS_MAX).enumerate() {
        let name = if index == 0 { "To" } else { "" };
        let is_told = story.recipients.len() > 1 || recipient.state == State::Relayed;
        let text = match (&recipient.next_hop, &recipient.said) {
            _ if !is_told => recipient.address.clone(),
            (Some(hop), Some(said)) => {
                format!(
                    "{}: {}, {hop} said: {said}",
                    recipient.address,
                    state_word(recipient.state)
                )
            }
            (None, Some(said)) => {
                format!("{}: {}, {said}", recipient.address, state_word(recipient.state))
            }
            _ => format!("{}: {}", recipient.address, state_word(recipient.state)),
        };
        page.item(name, &text);
    }
    if story.recipients.len() > RECIPIENTS_MAX {
        page.item("", &format!("and {} more, see --json", story.recipients.len() - RECIPIENTS_MAX));
    }
    let Some(came) = &story.came else {
        return page.item("Came in", "(not in the evidence any more)");
    };
    page.item("Came in", &format!("{}, from {}", moments.moment(came.at), came.from));
    match (&came.message_id, came.size) {
        (Some(id), Some(size)) => {
            page.item("Message-ID", &format!("{id}, {} octets", grouped(size)))
        }
        (Some(id), None) => page.item("Message-ID", id),
        (None, Some(size)) => page.item("Message-ID", &format!("(none), {} octets", grouped(size))),
        (None, None) => {}
    }
}

fn finding(page: &mut Page<'_>, verdict: &Verdict, several: bool) {
    let finding = &verdict.finding;
    if several {
        page.text(2, &format!("For {}:", joined(verdict.recipients.iter().map(String::as_str))));
    }
    page.item("What", &finding.what);
    page.item("Why", &sentence(&finding.why));
    page.item("Lies with", &format!("{} ({})", finding.who, finding.confidence));
    page.item("What to do", &sentence(&finding.remedy));
    // The name by which `analyze`, `--json` and docs/rules.md call it.
    page.item("Rule", &finding.rule);
}

/// With a full stop, but not behind a reply's or an address's last character that might be mistaken.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let plain = text.ends_with(|c: char| c.is_alphanumeric() || c == ')');
    if plain { format!("{text}.") } else { text.to_owned() }
}

fn history(page: &mut Page<'_>, story: &Story, moments: &Moments<'_>) {
    let page_is_full = page.look.full;
    let newest = newest_of_each_job(&story.steps);
    let in_detail = |index: &usize| {
        let is_note = matches!(story.steps[*index], Step::Note { .. });
        !is_note && (page_is_full || newest.contains(index))
    };
    let several = newest.len() > 1;
    for index in (0..story.steps.len()).filter(in_detail) {
        in_full(page, &story.steps[index], several, moments);
    }
    let rest = (0..story.steps.len()).filter(|index| !in_detail(index));
    let rest: Vec<&Step> = rest.map(|index| &story.steps[index]).collect();
    if rest.is_empty() {
        return;
    }
    page.blank();
    page.heading(if newest.is_empty() { "What happened" } else { "What else happened" });
    let mut steps = rest.into_iter().peekable();
    while let Some(step) = steps.next() {
        let mut last = step;
        let mut times = 1;
        while let Some(same) = steps.next_if(|other| is_same(step, other)) {
            last = same;
            times += 1;
        }
        in_a_line(page, step, last, times, moments);
    }
}

/// Indices of the steps that are told in full: each job's newest attempt (the newest three), or the
/// refusal.
fn newest_of_each_job(steps: &[Step]) -> Vec<usize> {
    let mut newest: Vec<(Option<&str>, usize)> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let job = match step {
            Step::Attempt(attempt) => Some(attempt.job.as_str()),
            Step::Refusal { .. } => None,
            Step::Note { .. } => continue,
        };
        newest.retain(|(other, _)| *other != job);
        newest.push((job, index));
    }
    newest.split_off(newest.len().saturating_sub(3)).into_iter().map(|(_, index)| index).collect()
}

fn is_same(a: &Step, b: &Step) -> bool {
    match (a, b) {
        (Step::Attempt(a), Step::Attempt(b)) => {
            (&a.next_hop, &a.summary, &a.job) == (&b.next_hop, &b.summary, &b.job)
        }
        _ => false,
    }
}

fn in_a_line(page: &mut Page<'_>, first: &Step, last: &Step, times: usize, moments: &Moments<'_>) {
    let clock = moments.clock(first.at());
    match (first, last) {
        (Step::Attempt(a), Step::Attempt(b)) if times > 1 => {
            let range = moments.range(a.at, b.at);
            let between = if times == 2 { "and" } else { "to" };
            let numbers = format!("{} {between} {}", a.number, b.number);
            page.text(2, &format!("{range}: attempts {numbers}, each at {}", a.next_hop));
            page.text(6, &a.summary);
        }
        (Step::Attempt(attempt), _) => {
            page.text(2, &format!("{clock}: attempt {} at {}", attempt.number, attempt.next_hop));
            page.text(6, &attempt.summary);
        }
        (Step::Refusal { reply, stage, .. }, _) => {
            page.text(2, &format!("{clock}: refused at {stage}: {reply}"));
        }
        (Step::Note { text, .. }, _) => page.text(2, &format!("{clock}: {text}")),
    }
}

fn in_full(page: &mut Page<'_>, step: &Step, several: bool, moments: &Moments<'_>) {
    match step {
        Step::Attempt(attempt) => in_full_attempt(page, attempt, several, moments),
        Step::Refusal { stage, reply, rule, dialogue, .. } => {
            page.blank();
            page.heading("The refusal");
            page.item("At", stage);
            page.item("We said", reply);
            page.item("Because of", rule);
            quoted(page, dialogue);
        }
        Step::Note { .. } => {}
    }
}

fn in_full_attempt(
    page: &mut Page<'_>,
    attempt: &AttemptStep,
    several: bool,
    moments: &Moments<'_>,
) {
    page.blank();
    let of_job = if several { format!(" of {}", attempt.job) } else { String::new() };
    page.heading(&format!("Attempt {}{of_job}", attempt.number));
    let took = span(std::time::Duration::from_millis(attempt.took));
    page.item("When", &format!("{}, it took {took}", moments.moment(attempt.at)));
    let address = attempt.address.as_deref();
    let address =
        address.map_or(String::from(" (no connection)"), |address| format!(" at {address}"));
    page.item("Next hop", &format!("{}{address}", attempt.next_hop));
    for (index, line) in attempt.route.iter().enumerate() {
        page.item(if index == 0 { "Chosen by" } else { "" }, line);
    }
    if attempt.address.is_some() {
        page.item("TLS", attempt.tls.as_deref().unwrap_or("none, in clear"));
    }
    match &attempt.outcomes[..] {
        [one] => page.item("Outcome", &outcome(state_word(one.state), one.said.as_deref())),
        several => {
            for (index, one) in several.iter().take(RECIPIENTS_MAX).enumerate() {
                let words = outcome(state_word(one.state), one.said.as_deref());
                let name = if index == 0 { "Outcome" } else { "" };
                page.item(name, &format!("{}: {words}", one.address));
            }
        }
    }
    quoted(page, &attempt.dialogue);
}

fn outcome(word: &str, said: Option<&str>) -> String {
    said.map_or_else(|| word.to_owned(), |said| format!("{word}: {said}"))
}

/// `  ->   0.310 S: 503 5.5.1 Bad sequence`.
fn quoted(page: &mut Page<'_>, dialogue: &[DialogueLine]) {
    if dialogue.is_empty() {
        return;
    }
    page.blank();
    let shown = if page.look.full { dialogue.iter().map(Ok).collect() } else { around(dialogue) };
    for line in shown {
        match line {
            Ok(line) => {
                let mark = if line.decisive { "->" } else { "  " };
                let (seconds, millis) = (line.at / 1_000, line.at % 1_000);
                let by = match line.by {
                    '-' => "  ".to_owned(),
                    by => format!("{by}:"),
                };
                let text = format!("  {mark} {seconds:>4}.{millis:03} {by} {}", line.text);
                page.quote(text.trim_end(), line.decisive, false);
            }
            Err(left_out) => {
                page.quote(
                    &format!("                 ... {left_out} lines, see --full"),
                    false,
                    true,
                );
            }
        }
    }
}

fn next(page: &mut Page<'_>, story: &Story, moments: &Moments<'_>) {
    let Some(id) = &story.id else { return };
    let mut lines = Vec::new();
    let whereto = story.next_hop.as_ref().map_or(String::new(), |hop| format!(", at {hop}"));
    match story.due {
        Some(due) if due > moments.now => {
            lines.push(format!("The next attempt is due {}{whereto}.", moments.moment(due)));
        }
        Some(_) => lines.push(format!(
            "The next attempt is due now{whereto}: it waits for a free connection only."
        )),
        None => {}
    }
    if let Some(gives_up) = story.gives_up {
        let report = match story.reverse_path.as_deref() {
            Some("") => "without a report, as it has a null reverse-path".to_owned(),
            Some(path) => format!("and {path} gets a report"),
            None => "and its originator gets a report".to_owned(),
        };
        let when = moments.moment(gives_up);
        lines.push(format!("If nothing changes, it is given up {when}, {report}."));
    }
    match story.state {
        State::Held => lines.push(format!("`mailwright queue release {id}` lets it go on.")),
        State::Deferred => lines.push(format!("`mailwright queue retry {id}` tries it at once.")),
        _ => {}
    }
    if lines.is_empty() {
        return;
    }
    page.blank();
    page.heading("What comes next");
    for line in lines {
        page.text(2, &line);
    }
}
