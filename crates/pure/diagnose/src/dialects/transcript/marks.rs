//! Transcripts in which each line is marked with who said it.

use std::time::Duration;

use smtp::Party;

use super::{Line, is_reply, notes, scribe::Scribe};
use crate::{
    dialects::assembly::is_command,
    session::{Event, Session, Vantage},
};

/// How one tool marks its lines. Of several marks that fit the first counts.
#[derive(Debug)]
pub(super) struct Family {
    marks: &'static [(&'static str, Party)],
    /// Blanks behind a client's mark that are not the client's.
    client_blanks: usize,
    /// Whether lines without a mark go on with a reply (Exim).
    continues: bool,
    vantage: Vantage,
}

use Party::{Client, Note, Server};

/// In this order: swaks (`<-` and `->`, tildes under TLS, stars for what it did not want); ours and the
/// RFCs'; Postfix's reports to the postmaster; Exim's debugging; sendmail's reports; PHPMailer; curl;
/// and two that people use.
static FAMILIES: [Family; 9] = [
    Family {
        marks: &[
            ("->", Client),
            ("~>", Client),
            ("*>", Client),
            ("**>", Client),
            ("<-", Server),
            ("<~*", Server),
            ("<~", Server),
            ("<**", Server),
            ("<*", Server),
            ("===", Note),
            ("***", Note),
        ],
        client_blanks: 1,
        continues: false,
        vantage: Vantage::Client,
    },
    Family {
        marks: &[("C:", Client), ("S:", Server), ("--", Note), ("==", Note)],
        client_blanks: 1,
        continues: false,
        vantage: Vantage::Client,
    },
    Family {
        marks: &[("In:", Client), ("Out:", Server)],
        client_blanks: 2,
        continues: false,
        vantage: Vantage::Server,
    },
    Family {
        marks: &[
            ("SMTP>>", Client),
            ("SMTP|>", Client),
            ("SMTP>|", Client),
            ("SMTP+>", Client),
            ("SMTP<<", Server),
        ],
        client_blanks: 1,
        continues: true,
        vantage: Vantage::Client,
    },
    Family {
        marks: &[(">>>", Client), ("<<<", Server), ("... while talking to", Note)],
        client_blanks: 1,
        continues: false,
        vantage: Vantage::Client,
    },
    Family {
        marks: &[
            ("CLIENT -> SERVER:", Client),
            ("SERVER -> CLIENT:", Server),
            ("Connection:", Note),
        ],
        client_blanks: 1,
        continues: true,
        vantage: Vantage::Client,
    },
    Family {
        marks: &[(">", Client), ("<", Server), ("*", Note)],
        client_blanks: 1,
        continues: false,
        vantage: Vantage::Client,
    },
    Family {
        marks: &[("client:", Client), ("server:", Server)],
        client_blanks: 1,
        continues: false,
        vantage: Vantage::Wire,
    },
    Family {
        marks: &[("c->", Client), ("s->", Server), ("c:", Client), ("s:", Server)],
        client_blanks: 1,
        continues: false,
        vantage: Vantage::Wire,
    },
];

/// The family whose marks fit best: at least one reply behind a server's mark, and more lines that make
/// sense than of any other.
pub(super) fn family(lines: &[Line<'_>]) -> Option<&'static Family> {
    let mut best: Option<(usize, &'static Family)> = None;
    for family in &FAMILIES {
        let (mut replies, mut commands) = (0, 0);
        for line in lines.iter().take(5_000) {
            match marked(line.octets, family) {
                Some((Server, text, _)) if is_reply(text) => replies += 1,
                Some((Client, text, _)) if is_command(text) => commands += 1,
                _ => {}
            }
        }
        let fits = replies + commands;
        if replies > 0 && best.is_none_or(|(most, _)| fits > most) {
            best = Some((fits, family));
        }
    }
    // A pasted dialogue without marks has more replies at the beginning of lines than behind marks.
    let bare = lines.iter().filter(|line| is_reply(line.octets)).count();
    best.filter(|(fits, _)| *fits >= bare).map(|(_, family)| family)
}

/// Reads the lines.
pub(super) fn read(lines: &[Line<'_>], family: &'static Family) -> Option<Vec<Session>> {
    let mut scribe = Scribe::new(family.vantage);
    let mut last = None;
    for line in lines {
        let Some((by, text, at)) = marked(line.octets, family) else {
            let text = line.octets.trim_ascii_start();
            if family.continues && last == Some(Server) && is_reply(text) {
                scribe.said(Server, Duration::ZERO, text, line.number);
            } else if notes::is_beginning(&String::from_utf8_lossy(text)) {
                note(&mut scribe, Duration::ZERO, text, line.number);
            }
            continue;
        };
        match by {
            Note => note(&mut scribe, at, text, line.number),
            Server if !is_reply(text) => unusual(&mut scribe, at, text, line.number),
            _ => scribe.said(by, at, text, line.number),
        }
        last = Some(by);
    }
    scribe.finish()
}

/// A server's line that is no reply: what it really said, unless it is empty: then it said nothing.
fn unusual(scribe: &mut Scribe, at: Duration, text: &[u8], number: u64) {
    if text.trim_ascii().is_empty() {
        scribe.happened(Server, Event::Closed, at, b"no reply", number);
    } else {
        scribe.said(Server, at, text, number);
    }
}

fn note(scribe: &mut Scribe, at: Duration, text: &[u8], number: u64) {
    let words = String::from_utf8_lossy(text);
    notes::write(scribe, at, words.trim(), number);
}

/// A line's speaker, text and time. `-> ` of a decisive line and a time may stand before the mark.
fn marked<'a>(octets: &'a [u8], family: &Family) -> Option<(Party, &'a [u8], Duration)> {
    let trimmed = octets.trim_ascii_start();
    let direct = family.marked(trimmed);
    if direct.is_some() {
        return direct.map(|(by, text)| (by, text, Duration::ZERO));
    }
    let trimmed = trimmed.strip_prefix(b"-> ").unwrap_or(trimmed).trim_ascii_start();
    let end = trimmed.iter().position(|octet| *octet == b' ')?;
    let at = time(&trimmed[..end])?;
    let (by, text) = family.marked(trimmed[end..].trim_ascii_start())?;
    Some((by, text, at))
}

impl Family {
    fn marked<'a>(&self, octets: &'a [u8]) -> Option<(Party, &'a [u8])> {
        let (mark, by) = self.marks.iter().find(|(mark, _)| octets.starts_with(mark.as_bytes()))?;
        let mut text = &octets[mark.len()..];
        // The mark is a word; Exim's `SMTP>>` and curl's `>` may have nothing behind.
        if !matches!(text.first(), None | Some(b' ' | b'\t')) {
            return None;
        }
        if *by == Server {
            // Replies have no blank in front.
            return Some((*by, text.trim_ascii_start()));
        }
        for _ in 0..self.client_blanks {
            text = text.strip_prefix(b" ").or(text.strip_prefix(b"\t")).unwrap_or(text);
        }
        Some((*by, text))
    }
}

/// `0.310` seconds since the beginning, or a time of day, which says nothing here.
fn time(word: &[u8]) -> Option<Duration> {
    let word = str::from_utf8(word).ok()?;
    let word = word.trim_matches(['[', ']', '(', ')']);
    let digits = word.bytes().all(|octet| octet.is_ascii_digit() || matches!(octet, b'.' | b':'));
    if !digits || !word.contains(['.', ':']) {
        return None;
    }
    let seconds = word.parse::<f64>().ok().filter(|seconds| (0.0..1e9).contains(seconds));
    Some(seconds.map_or(Duration::ZERO, Duration::from_secs_f64))
}
