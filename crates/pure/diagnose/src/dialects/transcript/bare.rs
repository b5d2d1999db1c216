//! Dialogues without marks: pasted from telnet, netcat, `openssl s_client`, or printed by bmail.
//!
//! A line that begins like a reply is the server's, one that begins with a verb the client's. What is
//! neither and stands between two replies is what the typist really typed. Some terminals show what
//! was typed with the backspaces that corrected it.

use std::{borrow::Cow, time::Duration};

use smtp::Party;

use super::{Line, is_final, is_reply, notes, scribe::Scribe};
use crate::{
    dialects::assembly::{is_command, is_verb},
    session::{Event, Session, Vantage},
};

/// Reads the lines; `None` unless there is a dialogue in them.
pub(super) fn read(lines: &[Line<'_>]) -> Option<Vec<Session>> {
    if !is_dialogue(lines) {
        return None;
    }
    let mut scribe = Scribe::new(Vantage::Client);
    let mut within = false;
    let dots = final_dots(lines);
    for (index, line) in lines.iter().enumerate() {
        let typed = corrected(line.octets);
        let by = speaker(&scribe, &typed, &lines[index + 1..], dots[index], within);
        match by {
            Some(Party::Note) => note(&mut scribe, &typed, line.number, &mut within),
            Some(by) => {
                within = true;
                // The octets as they stand, unless they hide a secret behind corrections.
                let secret = is_verb(&typed, b"AUTH") || scribe.is_challenged();
                let octets = if secret { &typed } else { line.octets };
                scribe.said(by, Duration::ZERO, octets, line.number);
            }
            None => {}
        }
    }
    scribe.finish()
}

/// At least one reply, and a command or a tool's beginning beside it; or replies and hardly anything
/// else (a terminal that does not show what is typed). A beginning and a failure to connect will do.
fn is_dialogue(lines: &[Line<'_>]) -> bool {
    let filled = lines.iter().filter(|line| !line.octets.trim_ascii().is_empty()).count();
    let replies = lines.iter().filter(|line| is_reply(line.octets)).count();
    let begun = |line: &Line<'_>| notes::is_beginning(&String::from_utf8_lossy(line.octets));
    if replies == 0 {
        let failed = |line: &Line<'_>| {
            let words = String::from_utf8_lossy(line.octets);
            matches!(notes::event(&words), Some((_, Event::NotConnected)))
        };
        return lines.iter().any(begun) && lines.iter().any(failed);
    }
    lines.iter().any(|line| is_command(&corrected(line.octets)))
        || lines.iter().any(begun)
        || lines.iter().any(|line| line.octets.starts_with(b"220")) && replies * 4 >= filled * 3
}

/// Who said a line; `None` for what belongs to no dialogue.
fn speaker(
    scribe: &Scribe,
    typed: &[u8],
    behind: &[Line<'_>],
    dot_follows: bool,
    within: bool,
) -> Option<Party> {
    if scribe.is_in_content() {
        // Where the final dot is not shown, a reply that nothing of the content follows is the server's.
        let ends = is_final(typed)
            && !dot_follows
            && next_said(behind).is_none_or(|next| is_command(next) || is_reply(next));
        return Some(if ends { Party::Server } else { Party::Client });
    }
    if is_reply(typed) {
        return Some(Party::Server);
    }
    if scribe.is_challenged() && !typed.is_empty() {
        return Some(Party::Client);
    }
    let words = String::from_utf8_lossy(typed);
    if is_remark(&words) {
        return Some(Party::Note);
    }
    if is_command(typed) {
        return Some(Party::Client);
    }
    if !within || typed.is_empty() {
        return None;
    }
    // Neither verb nor code, and the server answered: a mistake of the typist's.
    let answered = next_said(behind).is_some_and(is_reply);
    (scribe.is_answered() && answered).then_some(Party::Client)
}

/// The next line that is not empty.
fn next_said<'a>(behind: &[Line<'a>]) -> Option<&'a [u8]> {
    behind.iter().map(|line| line.octets).find(|octets| !octets.trim_ascii().is_empty())
}

/// For each line whether a final dot is still to come: a dot alone, before another content begins.
fn final_dots(lines: &[Line<'_>]) -> Vec<bool> {
    let mut dots = vec![false; lines.len()];
    let mut follows = false;
    for (line, dot) in lines.iter().zip(&mut dots).rev() {
        *dot = follows;
        follows = match line.octets {
            b"." => true,
            octets if octets.starts_with(b"354") => false,
            _ => follows,
        };
    }
    dots
}

/// What telnet, openssl and bmail print around a dialogue.
fn is_remark(words: &str) -> bool {
    const REMARKS: [&str; 13] = [
        "escape character",
        "^]",
        "telnet>",
        "depth=",
        "verify ",
        "renegotiating",
        "new, ",
        "done",
        "closed",
        "read:errno",
        "connection ",
        "command line smtp",
        "copyright",
    ];
    let lower = words.trim().to_ascii_lowercase();
    notes::is_beginning(words)
        || notes::event(words).is_some()
        || REMARKS.iter().any(|begins| lower.starts_with(begins))
}

fn note(scribe: &mut Scribe, typed: &[u8], number: u64, within: &mut bool) {
    let words = String::from_utf8_lossy(typed);
    let words = words.trim();
    *within |= notes::is_beginning(words)
        || matches!(notes::event(words), Some((_, Event::Connected | Event::NotConnected)));
    if *within {
        let event = notes::write(scribe, Duration::ZERO, words, number);
        *within = !matches!(event, Event::Closed | Event::Reset);
    }
}

/// What is left when backspaces have taken off what they correct. The blank that some terminals write to
/// wipe a letter out is taken off with it (`x BS blank BS`).
fn corrected(octets: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(0x08, 0x7f, octets).is_none() {
        return Cow::Borrowed(octets);
    }
    let mut left = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((&octet, behind)) = rest.split_first() {
        if matches!(octet, 0x08 | 0x7f) {
            left.pop();
            rest = match behind {
                [b' ', 0x08, behind @ ..] => behind,
                _ => behind,
            };
        } else {
            left.push(octet);
            rest = behind;
        }
    }
    Cow::Owned(left)
}
