//! Python's smtplib with `set_debuglevel(1)`: `send: 'ehlo a\r\n'`, `reply: b'250-b\r\n'`.

use std::time::Duration;

use smtp::Party;

use super::{Line, notes, scribe::Scribe};
use crate::session::{Event, Session, Vantage};

/// Whether the lines are smtplib's.
pub(super) fn is_it(lines: &[Line<'_>]) -> bool {
    lines.iter().take(5_000).any(|line| matches!(entry(line.octets), Some(("reply", _))))
}

/// Reads the lines.
pub(super) fn read(lines: &[Line<'_>]) -> Option<Vec<Session>> {
    let mut scribe = Scribe::new(Vantage::Client);
    for line in lines {
        let Some((what, rest)) = entry(line.octets) else { continue };
        match what {
            "send" | "reply" => {
                let by = if what == "send" { Party::Client } else { Party::Server };
                let Some(octets) = literal(rest) else { continue };
                let octets = octets.strip_suffix(b"\n").unwrap_or(&octets);
                for said in octets.split(|&octet| octet == b'\n') {
                    let said = said.strip_suffix(b"\r").unwrap_or(said);
                    scribe.said(by, Duration::ZERO, said, line.number);
                }
            }
            _ => {
                let words = String::from_utf8_lossy(rest);
                let words = format!("connect: {words}");
                scribe.begins(notes::server(&words));
                let text = words.as_bytes();
                scribe.happened(Party::Note, Event::Remark, Duration::ZERO, text, line.number);
            }
        }
    }
    scribe.finish()
}

/// `send`, `reply` or `connect`, and what stands behind. A time of day may stand before
/// (`set_debuglevel(2)`). `reply: retcode (...)` and `data: (...)` repeat what was said.
fn entry(octets: &[u8]) -> Option<(&'static str, &[u8])> {
    let octets = octets.trim_ascii_start();
    let octets = match octets {
        [b'0'..=b'9', b'0'..=b'9', b':', ..] => {
            let end = octets.iter().position(|octet| *octet == b' ')?;
            octets[end..].trim_ascii_start()
        }
        _ => octets,
    };
    let known = ["send", "reply", "connect"];
    let what = known.into_iter().find(|word| octets.starts_with(word.as_bytes()))?;
    let rest = octets[what.len()..].strip_prefix(b":")?.trim_ascii();
    // `connect: b'...'` is the greeting's text once more.
    let is_literal = matches!(rest, [b'\'' | b'"', ..] | [b'b', b'\'' | b'"', ..]);
    let fits = if what == "connect" { rest.starts_with(b"(") } else { is_literal };
    fits.then_some((what, rest))
}

/// The octets of a Python literal: `'a\r\n'`, `b"a\x00"`. What comes behind it is left.
fn literal(rest: &[u8]) -> Option<Vec<u8>> {
    let rest = rest.strip_prefix(b"b").unwrap_or(rest);
    let (&quote, mut rest) = rest.split_first()?;
    let mut octets = Vec::with_capacity(rest.len());
    loop {
        match rest {
            [] => return Some(octets),
            [octet, ..] if *octet == quote => return Some(octets),
            [b'\\', b'x', high, low, left @ ..] => {
                let digit = |octet: &u8| (*octet as char).to_digit(16);
                octets.push((digit(high)? * 16 + digit(low)?) as u8);
                rest = left;
            }
            [b'\\', escaped, left @ ..] => {
                octets.push(match escaped {
                    b'r' => b'\r',
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'0' => 0,
                    other => *other,
                });
                rest = left;
            }
            [octet, left @ ..] => {
                octets.push(*octet);
                rest = left;
            }
        }
    }
}
