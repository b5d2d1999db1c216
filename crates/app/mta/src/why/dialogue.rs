//! A transcript as lines to show, with the decisive one marked.

use smtp::{Party, Transcript};

use super::DialogueLine;

/// The lines; `decisive` and `commands` are indices into the transcript.
pub(super) fn lines(
    transcript: &Transcript,
    decisive: &[usize],
    commands: &[usize],
) -> Vec<DialogueLine> {
    let line = |(index, line): (usize, smtp::transcript::Line<'_>)| DialogueLine {
        at: u64::try_from(line.at.as_millis()).unwrap_or(u64::MAX),
        by: match line.by {
            Party::Client => 'C',
            Party::Server => 'S',
            Party::Note => '-',
        },
        text: visible(line.text),
        decisive: decisive.contains(&index),
        command: commands.contains(&index),
    };
    transcript.lines().enumerate().map(line).collect()
}

/// A peer's octets, safe for a terminal: what is not printable is shown as `\x1b` and the like.
pub(super) fn visible(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for octet in chunk.invalid() {
            text.push_str(&format!("\\x{octet:02x}"));
        }
    }
    text
}

/// Which lines to show when not all are wanted: the first, and some around each marked one.
/// An `Err` stands for that many lines left out.
pub(super) fn around(lines: &[DialogueLine]) -> Vec<Result<&DialogueLine, usize>> {
    const BEFORE: usize = 3;
    const AFTER: usize = 2;
    let marked = |line: &DialogueLine| line.decisive || line.command;
    let wanted = |index: usize| {
        let from = index.saturating_sub(AFTER);
        let to = (index + BEFORE + 1).min(lines.len());
        index == 0 || lines[from..to].iter().any(marked)
    };
    let none_is_marked = !lines.iter().any(marked);
    let mut shown: Vec<Result<&DialogueLine, usize>> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let is_end = none_is_marked && index + 6 >= lines.len();
        if wanted(index) || is_end {
            shown.push(Ok(line));
        } else if let Some(Err(left_out)) = shown.last_mut() {
            *left_out += 1;
        } else {
            shown.push(Err(1));
        }
    }
    // A gap of one line takes as much room as the line.
    let mut index = 0;
    for place in &mut shown {
        let width = place.err().unwrap_or(1);
        if width == 1 {
            *place = Ok(&lines[index]);
        }
        index += width;
    }
    shown
}
