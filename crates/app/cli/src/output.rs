//! Tables, times and sizes for people.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use comfy_table::{ContentArrangement, Table, presets};
use mta::config::units;
use smtp::Timestamp;

const EX_OK: i32 = 0;
/// What was to be shown could not be written.
const EX_IOERR: i32 = 74;

/// How wide tables are: as the terminal (`None`), or 100 columns where there is none.
pub fn width() -> Option<u16> {
    (!std::io::stdout().is_terminal()).then_some(100)
}

/// How wide text is wrapped: as the terminal, as far as lines can be read; 100 columns without one.
pub fn prose_width() -> usize {
    Table::new().width().map_or(100, |columns| usize::from(columns).clamp(60, 160))
}

/// Whether standard output shows colours, and its reader wants them (<https://no-color.org>).
pub fn colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

/// A plain table, without lines.
pub fn table(head: &[&str], width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table.set_header(head);
    table
}

/// `3h`, `2d4h`: two units at most, since more is noise in a table.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let unit = match seconds {
        0..60 => 1,
        60..3_600 => 1,
        3_600..86_400 => 60,
        _ => 3_600,
    };
    units::show_duration(Duration::from_secs(seconds - seconds % unit))
}

/// `in 5m`, `3h ago`, `now`.
pub fn relative(time: Timestamp, now: Timestamp) -> String {
    match (time.since(now), now.since(time)) {
        (ahead, _) if ahead >= Duration::from_secs(1) => format!("in {}", span(ahead)),
        (_, behind) if behind >= Duration::from_secs(1) => format!("{} ago", span(behind)),
        _ => "now".to_owned(),
    }
}

/// `1.5 MiB`.
pub fn size(octets: u64) -> String {
    let (mut number, mut unit) = (octets as f64, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if number < 1_024.0 {
            break;
        }
        (number, unit) = (number / 1_024.0, larger);
    }
    match unit {
        "B" => format!("{octets} B"),
        unit => format!("{number:.1} {unit}"),
    }
}

/// Says something on standard output. Whoever has read enough (`| head`, a pager that was left) ends the
/// command: nobody is there for the rest.
pub fn put(octets: &[u8]) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(octets) {
        let is_left = error.kind() == std::io::ErrorKind::BrokenPipe;
        if !is_left {
            eprintln!("cannot write to standard output: {error}");
        }
        std::process::exit(if is_left { EX_OK } else { EX_IOERR });
    }
}

/// The same of a text.
pub fn put_text(text: impl AsRef<str>) {
    put(text.as_ref().as_bytes());
}

/// `println!` for what a command was asked for: [`put`] decides where nobody reads.
macro_rules! say {
    ($($words:tt)*) => { $crate::output::put_text(format!("{}\n", format_args!($($words)*))) };
}
pub(crate) use say;

/// `println!` for what goes on whether or not anybody reads: a server does not end with the pager.
macro_rules! announce {
    ($($words:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}
pub(crate) use announce;

/// One JSON value a line, for programs.
pub fn json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => put_text(format!("{text}\n")),
        Err(error) => eprintln!("cannot be shown as JSON: {error}"),
    }
}

/// What a command that changes something came to, for programs: `{"done":"held","count":3,"notes":[]}`.
#[derive(serde::Serialize)]
pub struct Done<'a> {
    /// In a word or two, the same as people read.
    pub done: &'a str,
    /// How many of what it was about: jobs, messages; 1 where it is about the server.
    pub count: u64,
    /// What should be known besides, a sentence each.
    pub notes: Vec<String>,
}

impl Done<'_> {
    /// The value as JSON, or the line for people and the notes below it.
    pub fn tell(&self, as_json: bool, line: &str) {
        if as_json {
            return json(self);
        }
        let notes: String = self.notes.iter().map(|note| format!("{note}\n")).collect();
        put_text(format!("{line}\n{notes}"));
    }
}

/// What became of entries that were to be forgotten.
pub fn forgotten(count: u64, notes: Vec<String>, as_json: bool) {
    let line = match count {
        1 => "1 entry forgotten".to_owned(),
        count => format!("{count} entries forgotten"),
    };
    Done { done: "forgotten", count, notes }.tell(as_json, &line);
}

/// What an order came to: `3 jobs held`.
pub fn count(count: u64, what: &str, done: &str) -> String {
    match count {
        1 => format!("1 {what} {done}"),
        count => format!("{count} {what}s {done}"),
    }
}

/// A table as text, without the blanks at the ends of lines.
pub fn text(table: &Table) -> String {
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Foreign text without what would act on a terminal or turn its reading direction.
pub fn clean(text: &str) -> String {
    let is_direction = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() || is_direction(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// `2026-11-22 05:43:00Z`.
pub fn utc(time: Timestamp) -> String {
    let moment =
        i64::try_from(time.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(String::new, |moment| moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}
