//! The end of the dialogue, with the line that decided pointed at.

use smtp::{Party, transcript::Line};

use crate::dsn::Fate;

/// Lines shown in front of the one that decided.
const BEFORE: usize = 7;
/// Lines shown behind it.
const AFTER: usize = 1;
/// Columns of a line's text; the rest is cut off and said so.
const TEXT_WIDTH: usize = 100;

/// Appends the lines, if there are any.
pub(super) fn write(host: &str, fate: &Fate<'_>, out: &mut String) {
    let Some(attempt) = fate.attempt else { return };
    let lines: Vec<Line<'_>> = attempt.transcript.lines().collect();
    let Some(last) = lines.len().checked_sub(1) else { return };
    let decided = fate.explanation.and_then(|e| e.line).filter(|&line| line <= last);
    let command = fate.explanation.and_then(|e| e.command).filter(|&line| line <= last);
    let focus = decided.unwrap_or(last);
    let from = focus.saturating_sub(BEFORE);
    let to = (focus + AFTER).min(last);
    out.push_str("\nThe end of the dialogue ");
    out.push_str(&format!("(C: is {host}, S: is {}):\n\n", attempt.next_hop));
    // With pipelining the command may stand well before its answer.
    if let Some(command) = command.filter(|&command| command < from) {
        write_line(&lines[command], false, out);
        if command + 1 < from {
            out.push_str("       ...\n");
        }
    }
    for (index, line) in lines.iter().enumerate().take(to + 1).skip(from) {
        write_line(line, decided == Some(index), out);
    }
}

fn write_line(line: &Line<'_>, is_decisive: bool, out: &mut String) {
    let text = String::from_utf8_lossy(line.text).replace(|c: char| c.is_control(), "?");
    let party = match line.by {
        Party::Client => "C: ",
        Party::Server => "S: ",
        Party::Note => "-- ",
    };
    out.push_str(if is_decisive { "  >> " } else { "     " });
    out.push_str(party);
    out.extend(text.chars().take(TEXT_WIDTH));
    if text.chars().nth(TEXT_WIDTH).is_some() {
        out.push_str("...");
    }
    out.push('\n');
}
