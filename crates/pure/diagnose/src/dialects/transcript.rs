//! Dialogues that tools and people wrote down: swaks, telnet, `openssl s_client`, `curl -v`, bmail,
//! Python's smtplib, Postfix's reports to the postmaster, our own `C:` and `S:`.
//!
//! Secrets are struck out as the lines are read: what follows AUTH, and the answers within it.
//!
//! Tools mark who spoke ([`marks`]); what people paste from telnet has no marks, and codes and verbs
//! tell ([`bare`]).

mod bare;
mod marks;
mod notes;
mod scribe;
mod smtplib;

use crate::session::Session;

/// Octets that are looked at; whoever pastes more has no dialogue.
const LENGTH_MAX: usize = 16 * 1024 * 1024;

/// One line of the text.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    /// Without its ending.
    octets: &'a [u8],
    /// From 1.
    number: u64,
}

/// Reads all dialogues of a text; `None` if it holds none. Line numbers are the text's, from 1. A
/// dialogue has at least one reply.
pub fn read(text: &[u8]) -> Option<Vec<Session>> {
    let text = &text[..text.len().min(LENGTH_MAX)];
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines: Vec<Line<'_>> = (1..)
        .zip(text.split(|&octet| octet == b'\n'))
        .map(|(number, octets)| Line {
            octets: octets.strip_suffix(b"\r").unwrap_or(octets),
            number,
        })
        .collect();
    let sessions = of_lines(&lines);
    if sessions.is_some() {
        return sessions;
    }
    of_lines(&unquoted(&lines)?)
}

fn of_lines(lines: &[Line<'_>]) -> Option<Vec<Session>> {
    if smtplib::is_it(lines) {
        return smtplib::read(lines);
    }
    match marks::family(lines) {
        Some(family) => marks::read(lines, family),
        None => bare::read(lines),
    }
}

/// The lines without the `> ` of a quoting mail; `None` if they are not quoted.
fn unquoted<'a>(lines: &[Line<'a>]) -> Option<Vec<Line<'a>>> {
    let filled = lines.iter().filter(|line| !line.octets.is_empty()).count();
    let quoted = lines.iter().filter(|line| line.octets.starts_with(b">")).count();
    if quoted == 0 || quoted * 4 < filled * 3 {
        return None;
    }
    let without = |line: &Line<'a>| {
        let octets = line.octets.strip_prefix(b">").unwrap_or(line.octets);
        Line { octets: octets.strip_prefix(b" ").unwrap_or(octets), ..*line }
    };
    Some(lines.iter().map(without).collect())
}

/// Whether a line is one of a reply: three digits, the first of them 2 to 5, then a blank, a hyphen or
/// nothing.
fn is_reply(octets: &[u8]) -> bool {
    let [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', rest @ ..] = octets else { return false };
    matches!(rest, [] | [b' ' | b'-' | b'\t', ..])
}

/// Whether it is the last line of a reply.
fn is_final(octets: &[u8]) -> bool {
    is_reply(octets) && octets.get(3) != Some(&b'-')
}
