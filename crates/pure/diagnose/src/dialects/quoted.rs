//! Replies and commands as reports and logs quote them: on one line, with a word or two around.

use std::borrow::Cow;

use smtp::{EnhancedStatus, Reply, Stage};

/// A reply at the beginning of `words`. Lines of one reply may be parted by line ends, by `\n` as two
/// characters (Exim), or by blanks alone (Postfix: `550-5.1.1 no such 550 5.1.1 user`).
///
/// The code is what stands there, of three digits from 2 on, be it one that SMTP does not have.
pub(crate) fn reply(words: &str) -> Option<Reply> {
    let words = words.trim_start();
    let code = code_at(words)?;
    let mut status = None;
    let mut text = String::with_capacity(words.len());
    for (number, line) in lines(words).into_iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        let found = EnhancedStatus::split_from(line)
            .filter(|(found, _)| u16::from(found.class) == code / 100)
            .filter(|(found, _)| *status.get_or_insert(*found) == *found);
        text.push_str(found.map_or(line, |(_, rest)| rest).trim());
    }
    Some(Reply { code, status, text: Cow::Owned(text) })
}

/// The step that a command belongs to, as logs name it: `RCPT TO:<a@b>`, `end of data`,
/// `pipelined MAIL FROM:<a@b> SIZE=1`, `END-OF-MESSAGE`, `initial connection`.
pub(crate) fn stage(words: &str) -> Option<Stage> {
    let words = words.trim_start();
    let words = strip(words, "pipelined ").unwrap_or(words);
    let words = strip(words, "sending ").unwrap_or(words);
    let words = strip(words, "the ").unwrap_or(words);
    // The longer ones first: the first that fits is it.
    const STEPS: [(&str, Stage); 28] = [
        ("end of data", Stage::EndOfData),
        ("end-of-message", Stage::EndOfData),
        ("end-of-data", Stage::EndOfData),
        ("final dot", Stage::EndOfData),
        ("data block", Stage::Content),
        ("message body", Stage::Content),
        ("message content", Stage::Content),
        ("data", Stage::Data),
        ("bdat", Stage::EndOfData),
        ("rcpt", Stage::Rcpt),
        ("mail", Stage::Mail),
        ("ehlo", Stage::Ehlo),
        ("helo", Stage::Ehlo),
        ("lhlo", Stage::Ehlo),
        ("starttls", Stage::StartTls),
        ("auth", Stage::Auth),
        ("initial connection", Stage::Greeting),
        ("initial server greeting", Stage::Greeting),
        ("initial smtp greeting", Stage::Greeting),
        ("initial lmtp greeting", Stage::Greeting),
        ("initial greeting", Stage::Greeting),
        ("greeting", Stage::Greeting),
        ("banner", Stage::Greeting),
        ("connect", Stage::Connect),
        ("initial protocol handshake", Stage::Ehlo),
        ("proxy", Stage::Connect),
        ("vrfy", Stage::Other),
        ("expn", Stage::Other),
    ];
    STEPS
        .into_iter()
        .find(|(step, _)| strip(words, step).is_some())
        .map(|(_, stage)| stage)
        .or_else(|| {
            const OTHERS: [&str; 8] =
                ["etrn", "quit", "rset", "noop", "help", "xforward", "xclient", "unknown"];
            let other = OTHERS.iter().any(|verb| strip(words, verb).is_some());
            other.then_some(Stage::Other)
        })
}

/// What stands behind `prefix`, whatever the case of its ASCII letters.
pub(crate) fn strip<'a>(words: &'a str, prefix: &str) -> Option<&'a str> {
    let start = words.as_bytes().get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix.as_bytes()).then(|| &words[prefix.len()..])
}

/// Three digits, the first of them 2 to 9, and behind them a mark, a blank or nothing.
pub(crate) fn code_at(words: &str) -> Option<u16> {
    let [hundreds @ b'2'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] =
        words.as_bytes()
    else {
        return None;
    };
    let digit = |octet: &u8| u16::from(octet - b'0');
    matches!(
        rest,
        [] | [b' ' | b'-' | b'\r' | b'\n' | b'\\' | b'\t' | b',' | b';' | b'=' | b'#', ..]
    )
    .then(|| digit(hundreds) * 100 + digit(tens) * 10 + digit(ones))
}

/// The texts of a reply's lines, code and mark taken off.
fn lines(words: &str) -> Vec<&str> {
    let code = &words[..3];
    let mut lines = Vec::new();
    let mut rest = words;
    loop {
        let continued = rest.as_bytes().get(3) == Some(&b'-');
        let text = rest.get(4..).unwrap_or_default();
        match if continued { next_line(text, code) } else { line_end(text, code) } {
            Some((end, next)) => {
                lines.push(&text[..end]);
                rest = &text[next..];
            }
            None => {
                lines.push(text);
                return lines;
            }
        }
    }
}

/// Where a line ends and the reply's next one begins.
fn next_line(text: &str, code: &str) -> Option<(usize, usize)> {
    memchr::memmem::find_iter(text.as_bytes(), code.as_bytes()).find_map(|at| {
        let mark = text.as_bytes().get(at + 3);
        if !matches!(mark, None | Some(b'-' | b' ')) {
            return None;
        }
        let before = &text[..at];
        let end = before.strip_suffix("\\n").unwrap_or(before).trim_end().len();
        (end < at).then_some((end, at))
    })
}

/// The same behind a line that said to be the last: only a line end parts it from more.
fn line_end(text: &str, code: &str) -> Option<(usize, usize)> {
    next_line(text, code).filter(|&(end, next)| {
        let between = &text[end..next];
        between.contains('\n') || between.contains("\\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_on_one_line() {
        for (words, expected) in [
            ("550 5.1.1 <a@b> User unknown", Some("550 5.1.1 <a@b> User unknown")),
            (
                "550-5.1.1 no such 550-5.1.1 user 550 5.1.1 at all",
                Some("550 5.1.1 no such user at all"),
            ),
            ("550-I don't\\n550 like it", Some("550 I don't like it")),
            ("550-one\n550 two", Some("550 one two")),
            ("421", Some("421")),
            ("850 NONSENSE", Some("850 NONSENSE")),
            ("550 mailbox 550 is full", Some("550 mailbox 550 is full")),
            ("451 5.7.1 wrong class", Some("451 5.7.1 wrong class")),
            ("5501 no", None),
            ("no 550", None),
        ] {
            assert_eq!(reply(words).map(|reply| reply.to_string()).as_deref(), expected, "{words}");
        }
    }

    #[test]
    fn stages() {
        for (words, expected) in [
            ("RCPT TO:<a@b>", Some(Stage::Rcpt)),
            ("pipelined MAIL FROM:<a@b> SIZE=1", Some(Stage::Mail)),
            ("end of DATA command", Some(Stage::EndOfData)),
            ("sending data block (3 bytes written)", Some(Stage::Content)),
            ("DATA", Some(Stage::Data)),
            ("END-OF-MESSAGE", Some(Stage::EndOfData)),
            ("initial connection", Some(Stage::Greeting)),
            ("the initial server greeting", Some(Stage::Greeting)),
            ("UNKNOWN", Some(Stage::Other)),
            ("nothing known", None),
        ] {
            assert_eq!(stage(words), expected, "{words}");
        }
    }
}
