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
        page.heading(if story.state == State::Failed { "Why it failed" } else { "What is wrong" });
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
        let mut text = recipient.address.clone();
        if story.recipients.len() > 1 {
            text += &format!(" - {}", state_word(recipient.state));
        }
        if story.recipients.len() > 1 || recipient.state == State::Relayed {
            if let (Some(hop), Some(said)) = (&recipient.next_hop, &recipient.said) {
                text += &format!(", {hop} said: {said}");
            }
        }
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
    page.item("What", &sentence(&finding.what));
    page.item("Why", &sentence(&finding.why));
    page.item("Who acts", &format!("{} ({})", finding.who, finding.confidence));
    page.item("What to do", &sentence(&finding.remedy));
}

/// Upper-case only where a sentence starts with a plain word, not with a name such as `mx1.b.test`.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?', ':']) { text.to_owned() } else { format!("{text}.") }
}

fn history(page: &mut Page<'_>, story: &Story, moments: &Moments<'_>) {
    let is_attempt = |step: &&Step| matches!(step, Step::Attempt(_) | Step::Refusal { .. });
    let newest = story.steps.iter().rposition(|step| is_attempt(&step));
    for (index, step) in story.steps.iter().enumerate() {
        if page.look.full || Some(index) == newest {
            in_full(page, step, moments);
        }
    }
    let rest: Vec<&Step> = story
        .steps
        .iter()
        .enumerate()
        .filter(|(index, step)| {
            let shown = is_attempt(step) && (page.look.full || Some(*index) == newest);
            !shown
        })
        .map(|(_, step)| step)
        .collect();
    if rest.is_empty() {
        return;
    }
    page.blank();
    page.heading(if newest.is_some() { "What else happened" } else { "What happened" });
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
            let until = moments.clock(b.at);
            page.text(
                2,
                &format!(
                    "{clock} to {until}: attempts {} to {}, each at {}",
                    a.number, b.number, a.next_hop
                ),
            );
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

fn in_full(page: &mut Page<'_>, step: &Step, moments: &Moments<'_>) {
    match step {
        Step::Attempt(attempt) => in_full_attempt(page, attempt, moments),
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

fn in_full_attempt(page: &mut Page<'_>, attempt: &AttemptStep, moments: &Moments<'_>) {
    page.blank();
    page.heading(&format!("Attempt {}", attempt.number));
    let took = span(std::time::Duration::from_millis(attempt.took));
    page.item("When", &format!("{}; it took {took}", moments.moment(attempt.at)));
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
                page.quote(&format!("              ... {left_out} lines, see --full"), false, true);
            }
        }
    }
}

fn next(page: &mut Page<'_>, story: &Story, moments: &Moments<'_>) {
    let Some(id) = &story.id else { return };
    let mut lines = Vec::new();
    match story.due {
        Some(due) if due > moments.now => {
            lines.push(format!("Tried again at {}.", moments.moment(due)))
        }
        Some(_) => lines.push(
            "Due now: it is tried as soon as a connection to the next hop is free.".to_owned(),
        ),
        None => {}
    }
    if let Some(next_hop) = &story.next_hop {
        lines.push(format!("It goes to {next_hop}."));
    }
    if let Some(gives_up) = story.gives_up {
        lines.push(format!(
            "Given up, with a report to the originator, at {}.",
            moments.moment(gives_up)
        ));
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
