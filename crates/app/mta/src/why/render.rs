//! The answer as text. The first line says where the message is; what is wrong and what to do comes
//! before the evidence; then the newest attempt in full, older ones in a line each.

mod page;
mod sections;

use jiff::tz::TimeZone;
use smtp::Timestamp;

use self::page::Page;
use super::{Row, State, Story, Why, clauses, moments::Moments};

/// How the text shall look.
#[derive(Clone, Debug)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// ANSI colours.
    pub colour: bool,
    /// Whole dialogues, and every attempt in full.
    pub full: bool,
    /// What times are told in.
    pub zone: TimeZone,
}

/// For a terminal that says nothing of itself, in the machine's time zone.
impl Default for Look {
    fn default() -> Self {
        Self { width: 100, colour: false, full: false, zone: TimeZone::system() }
    }
}

impl Why {
    /// The text, for people. Ends in a line end.
    pub fn render(&self, look: &Look) -> String {
        let moments = Moments { now: self.asked, zone: &look.zone };
        let mut page = Page::new(look);
        if self.stories.is_empty() {
            nothing(&mut page, &self.subject);
        }
        if !self.rows.is_empty() {
            table(&mut page, self, &moments);
        }
        for story in &self.stories {
            if !self.rows.is_empty() {
                let which = if story.state.is_trouble() {
                    "The newest one in trouble"
                } else {
                    "The newest one"
                };
                page.blank();
                page.heading(which);
            }
            sections::story(&mut page, story, &moments);
        }
        page.finish()
    }
}

fn nothing(page: &mut Page<'_>, subject: &str) {
    page.strong(&format!("Nothing is known of {}.", clauses::clean(subject)));
    page.text(
        2,
        "It is not in the queue, and the evidence log has no word of it: it never came here, or it is so \
         long ago that its evidence was dropped (`evidence` in the configuration says how much is kept).",
    );
    page.text(
        2,
        "A queue id, an address, a domain or a Message-ID can be asked for; part of one can't.",
    );
}

fn table(page: &mut Page<'_>, why: &Why, moments: &Moments<'_>) {
    let troubled = why.rows.iter().filter(|row| row.state.is_trouble()).count();
    let count = match why.more {
        true => format!("the latest {} messages", why.rows.len()),
        false => format!("{} messages", why.rows.len()),
    };
    let trouble = match troubled {
        0 => "none in trouble".to_owned(),
        n => format!("{n} in trouble"),
    };
    page.strong(&format!("{}: {count}, {trouble}.", clauses::clean(&why.subject)));
    page.blank();
    let cells: Vec<[String; 5]> = why.rows.iter().map(|row| cells(row, moments)).collect();
    page.table(&["ID", "CAME", "FROM -> TO", "STATE", "LAST WORD"], &cells);
}

fn cells(row: &Row, moments: &Moments<'_>) -> [String; 5] {
    let from = match row.reverse_path.as_deref() {
        None => "?",
        Some("") => "<>",
        Some(path) => path,
    };
    let to = match &row.recipients[..] {
        [] => "?".to_owned(),
        [one] => one.clone(),
        [one, more @ ..] => format!("{one} +{}", more.len()),
    };
    let came = moments.brief(row.came);
    let id = row.id.clone().unwrap_or_else(|| "-".to_owned());
    [id, came, format!("{from} -> {to}"), state_word(row.state).to_owned(), row.said.clone()]
}

/// One word for lists.
fn state_word(state: State) -> &'static str {
    match state {
        State::Refused => "refused",
        State::Failed => "failed",
        State::Held => "on hold",
        State::Deferred => "deferred",
        State::Waiting => "waiting",
        State::Active => "being tried",
        State::Unknown => "gone",
        State::Removed => "removed",
        State::Relayed => "relayed",
    }
}

/// Where the message is now, in one sentence.
fn headline(story: &Story, moments: &Moments<'_>) -> String {
    let name = story.id.as_deref().unwrap_or("This mail");
    let count = |state: State| story.recipients.iter().filter(|r| r.state == state).count();
    let attempts =
        story.steps.iter().filter(|step| matches!(step, super::Step::Attempt(_))).count();
    let decided = story.recipients.iter().find(|r| r.state == story.state);
    let next_hop = decided.and_then(|r| r.next_hop.as_deref());
    let when = decided.and_then(|r| r.at).map(|at| moments.moment(at));
    let kinds: std::collections::BTreeSet<State> =
        story.recipients.iter().map(|r| r.state).collect();
    if kinds.len() > 1 {
        let parts: Vec<String> =
            kinds.iter().map(|state| format!("{} {}", count(*state), state_word(*state))).collect();
        return format!("{name} has recipients in different states: {}.", parts.join(", "));
    }
    let next = |due: Option<Timestamp>| match due {
        Some(due) if due > moments.now => {
            format!("the next attempt is due {}", moments.moment(due))
        }
        Some(_) => "the next attempt is due now".to_owned(),
        None => "the time of the next attempt is not known here".to_owned(),
    };
    match story.state {
        State::Refused => "This mail was refused: it is not in the queue and never was.".to_owned(),
        State::Failed => match when {
            Some(when) => format!("{name} failed for good {when}{}.", reported(story)),
            None => format!("{name} failed for good{}.", reported(story)),
        },
        State::Held => format!("{name} is on hold: it is not tried until an operator releases it."),
        State::Deferred => {
            let times =
                if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
            format!("{name} is waiting after {times} that did not go through; {}.", next(story.due))
        }
        State::Waiting => format!("{name} is waiting and was not tried yet; {}.", next(story.due)),
        State::Active => format!("{name} is being tried at this moment."),
        State::Unknown => {
            format!("{name} is not in the queue any more; how it ended is not in the evidence.")
        }
        State::Removed => format!("{name} was removed by an operator."),
        State::Relayed => match (next_hop, when) {
            (Some(hop), Some(when)) => format!("{name} was handed over to {hop} {when}."),
            _ => format!("{name} was handed over."),
        },
    }
}

fn reported(story: &Story) -> String {
    let report = story.reports.iter().rev().find(|report| report.kind == "failure");
    report.map_or(String::new(), |report| {
        format!("; {} was told so by the report {}", report.to, report.id)
    })
}
