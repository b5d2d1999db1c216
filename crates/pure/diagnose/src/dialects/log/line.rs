//! One line of a log: when, on which host, which program, and the words.

use super::date;
use crate::{
    happening::{Happening, What},
    session::Place,
    testimony::Testimony,
};

/// A line, its header taken off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// When, in microseconds since 1970.
    pub at: Option<i64>,
    /// The host; empty where the line has none.
    pub host: &'a str,
    /// The program as syslog has it: `postfix/smtpd`; empty for logs of a program's own.
    pub program: &'a str,
    /// The process; 0 where there is none.
    pub process: u32,
    /// The words.
    pub text: &'a str,
    /// The line's number, from 1.
    pub number: u64,
}

impl<'a> Line<'a> {
    /// Takes the header off. Knows BSD and ISO syslog, RFC 5424, what journald prints, Exim's own, and
    /// lines without date that begin with `program[process]:`.
    pub fn read(whole: &'a str, number: u64, latest: Option<i64>) -> Self {
        let none = Line { at: None, host: "", program: "", process: 0, text: whole, number };
        let (text, priority) = without_priority(whole);
        if let Some(rest) = priority.then(|| text.strip_prefix("1 ")).flatten() {
            return none.structured(rest).unwrap_or(none);
        }
        let text = without_weekday(text);
        let dated = match text.as_bytes().first() {
            Some(b'0'..=b'9') => {
                date::iso(text).or_else(|| date::unix_time(text)).map(|(at, rest)| (Some(at), rest))
            }
            Some(b'@') => date::tai(text).map(|(at, rest)| (Some(at), rest)),
            Some(b'A'..=b'Z') => date::bsd(text, latest),
            Some(b'[') => since_start(text).map(|rest| (None, rest)),
            _ => None,
        };
        let Some((at, rest)) = dated else {
            // `host program[process]: words` without a date is what some journal readers hand on.
            let hosted = || none.hosted(text).filter(|line| program_is_known(line.program));
            return none.tagged(text).or_else(hosted).unwrap_or(none);
        };
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let rest = without_stream(rest);
        let dated = Line { at, text: rest, ..none };
        let line = dated.hosted(rest).or_else(|| dated.tagged(rest)).unwrap_or(dated);
        line.within()
    }

    /// The line of another program that this one hands on: `host journal[9]: postfix/smtp[12]: words`, or with a
    /// date of its own, which is the better one if it has a year.
    fn within(self) -> Self {
        if self.program.is_empty() {
            return match date::bsd(self.text, None) {
                Some((_, rest)) => {
                    let rest = rest.trim_start_matches(' ');
                    self.hosted(rest).filter(|line| program_is_known(line.program)).unwrap_or(self)
                }
                None => self,
            };
        }
        if program_is_known(self.program) {
            return self;
        }
        let is_line = |line: &Self| line.process > 0 && program_is_known(line.program);
        self.tagged(self.text).filter(is_line).unwrap_or(self)
    }

    /// A testimony with what the header says.
    pub fn testimony(&self, dialect: &str) -> Testimony {
        Testimony {
            dialect: dialect.to_owned(),
            writer: self.writer(),
            at: self.at,
            place: Place::at(self.number),
            ..Testimony::default()
        }
    }

    /// A happening with what the header says.
    pub fn happening(&self, dialect: &str, what: What) -> Happening {
        Happening {
            dialect: dialect.to_owned(),
            writer: self.writer(),
            daemon: if self.program.is_empty() { dialect } else { self.program }.to_owned(),
            at: self.at,
            what,
            words: self.text.to_owned(),
            place: Place::at(self.number),
            ..Happening::default()
        }
    }

    fn writer(&self) -> Option<String> {
        (!self.host.is_empty()).then(|| self.host.to_owned())
    }

    /// `host program[process]: words`.
    fn hosted(self, rest: &'a str) -> Option<Self> {
        let (host, rest) = rest.split_once(' ')?;
        // Exim's own `[process]` and message id are no host.
        if host.starts_with('[') || host.ends_with(':') || host.contains(['=', '"', '[']) {
            return None;
        }
        Line { host, ..self }.tagged(rest.trim_start_matches(' '))
    }

    /// `program[process]: words`, `program: words`.
    fn tagged(self, rest: &'a str) -> Option<Self> {
        let end = rest.bytes().position(|octet| matches!(octet, b' ' | b':' | b'['))?;
        let program = &rest[..end];
        if program.is_empty() || !program.bytes().all(is_of_program) {
            return None;
        }
        let rest = &rest[end..];
        let (process, rest) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (process, rest) = rest.split_once(']')?;
                let digits = process.bytes().all(|octet| octet.is_ascii_digit());
                if !digits || process.is_empty() {
                    return None;
                }
                (process.parse().unwrap_or(0), rest)
            }
            // Without a process only a known program is one: `reason: words` is everywhere.
            None if program_is_known(program) => (0, rest),
            None => return None,
        };
        let text = rest.strip_prefix(':')?;
        Some(Line { program, process, text: text.strip_prefix(' ').unwrap_or(text), ..self })
    }

    /// RFC 5424: `2024-08-29T01:08:59Z host program process message-id structured words`.
    fn structured(self, rest: &'a str) -> Option<Self> {
        let (at, rest) = match date::iso(rest) {
            Some((at, rest)) => (Some(at), rest.strip_prefix(' ')?),
            None => (None, rest.strip_prefix("- ")?),
        };
        let mut parts = rest.splitn(5, ' ');
        let (host, program) = (parts.next()?, parts.next()?);
        let process = parts.next()?.parse().unwrap_or(0);
        let (_, rest) = (parts.next()?, parts.next()?);
        let text = match rest.strip_prefix("- ") {
            Some(text) => text,
            None => &rest[rest.find("] ")? + 2..],
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let host = if host == "-" { "" } else { host };
        Some(Line { at, host, program, process, text, ..self })
    }
}

/// The beginning of words that are kept once for each of many recipients.
pub(super) fn excerpt(words: &str) -> &str {
    const LENGTH_MAX: usize = 2 * 1024;
    let end = (0..=words.len().min(LENGTH_MAX)).rev().find(|&end| words.is_char_boundary(end));
    &words[..end.unwrap_or(0)]
}

/// `<22>` in front, as it goes over the wire.
fn without_priority(text: &str) -> (&str, bool) {
    let Some(rest) = text.strip_prefix('<') else { return (text, false) };
    match rest.find('>') {
        Some(end @ 1..=3) if rest[..end].bytes().all(|octet| octet.is_ascii_digit()) => {
            (&rest[end + 1..], true)
        }
        _ => (text, false),
    }
}

/// `Thu 2024-08-29 ...`, as `journalctl -o short-full` has it.
fn without_weekday(text: &str) -> &str {
    const DAYS: [&str; 7] = ["Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun "];
    match text.get(..4) {
        Some(day) if DAYS.contains(&day) => &text[4..],
        _ => text,
    }
}

/// `[   12.345678] `, the seconds since the machine's start: `journalctl -o short-monotonic`.
fn since_start(text: &str) -> Option<&str> {
    let (inner, rest) = text.strip_prefix('[')?.split_once("] ")?;
    let (seconds, fraction) = inner.trim_start_matches(' ').split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    (digits(seconds) && digits(fraction)).then_some(rest)
}

/// `stdout F `, which container runtimes write behind the date.
fn without_stream(text: &str) -> &str {
    ["stdout F ", "stderr F "].iter().find_map(|stream| text.strip_prefix(stream)).unwrap_or(text)
}

fn is_of_program(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'/' | b'-' | b'_' | b'.' | b'+')
}

/// Programs that some syslog daemons write without a process.
fn program_is_known(program: &str) -> bool {
    const KNOWN: [&str; 9] = [
        "exim",
        "exim4",
        "sendmail",
        "sm-mta",
        "sm-msp-queue",
        "smtpd",
        "qmail",
        "mailwright",
        "qmail-send",
    ];
    super::postfix::is_program(program) || KNOWN.contains(&program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        for (whole, host, program, process, text) in [
            ("Jun  3 10:40:57 mail postfix/smtp[97]: A1: x", "mail", "postfix/smtp", 97, "A1: x"),
            ("<22>Jun  3 10:40:57 mail exim[7]: x", "mail", "exim", 7, "x"),
            (
                "<22>1 2024-08-29T01:08:59Z mx postfix/qmgr 12 - - A1: x",
                "mx",
                "postfix/qmgr",
                12,
                "A1: x",
            ),
            ("<22>1 2024-08-29T01:08:59Z mx smtpd - ID47 [a@1 b=\"c\"] x", "mx", "smtpd", 0, "x"),
            ("2024-08-29T01:08:59+00:00 m postfix/smtpd[1]: x", "m", "postfix/smtpd", 1, "x"),
            ("2024-08-29T01:08:59+0200 m postfix/smtpd[1]: x", "m", "postfix/smtpd", 1, "x"),
            ("Thu 2024-08-29 01:08:59 UTC m postfix/smtpd[1]: x", "m", "postfix/smtpd", 1, "x"),
            ("2019-10-22 03:39:17 mx1.test exim[29786]: x y", "mx1.test", "exim", 29_786, "x y"),
            (
                "2013-06-10 10:10:59 H=a.test (b) [192.0.2.1] x: y",
                "",
                "",
                0,
                "H=a.test (b) [192.0.2.1] x: y",
            ),
            (
                "2013-06-10 10:10:59 [12] 1abcde-000001-AB == a@b",
                "",
                "",
                0,
                "[12] 1abcde-000001-AB == a@b",
            ),
            ("postfix/smtpd[12]: connect", "", "postfix/smtpd", 12, "connect"),
            (
                "mail.test exim[7]: 2021-07-17 23:20:49 x",
                "mail.test",
                "exim",
                7,
                "2021-07-17 23:20:49 x",
            ),
            ("Mar  4 00:11:00 ix sendmail: x", "ix", "sendmail", 0, "x"),
            ("1795168801.123456 mx postfix/smtp[1]: x", "mx", "postfix/smtp", 1, "x"),
            ("[   12.345678] mx postfix/smtp[1]: x", "mx", "postfix/smtp", 1, "x"),
            ("Nov 20 10:00:04 mx journal[9]: postfix/smtp[1]: x", "mx", "postfix/smtp", 1, "x"),
            ("2026-11-20T10:00:05.1Z stdout F postfix/smtp[1]: x", "", "postfix/smtp", 1, "x"),
            (
                "2026-11-20T10:00:05.1Z Nov 20 10:00:05 mx postfix/smtp[1]: x",
                "mx",
                "postfix/smtp",
                1,
                "x",
            ),
            ("Nov 20 10:00:04 mx relay-out/smtp[1]: x", "mx", "relay-out/smtp", 1, "x"),
            ("Nov 20 10:00:04 mx sshd[9]: postfix: x", "mx", "sshd", 9, "postfix: x"),
            ("no header: at all", "", "", 0, "no header: at all"),
            ("", "", "", 0, ""),
        ] {
            let line = Line::read(whole, 1, None);
            assert_eq!(
                (line.host, line.program, line.process, line.text),
                (host, program, process, text),
                "{whole}"
            );
        }
    }
}
