//! Finding addresses, hosts and codes in running text.

use smtp::EnhancedStatus;

/// The first mail address in `text`, without brackets.
pub(super) fn first_address(text: &str) -> Option<String> {
    addresses(text).next()
}

/// The mail addresses in `text`, in order.
pub(super) fn addresses(text: &str) -> impl Iterator<Item = String> + '_ {
    let is_edge = |c: char| {
        c.is_whitespace()
            || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | '"' | '\'' | '|' | '`')
            || matches!(
                c,
                '\u{201c}' | '\u{201d}' | '\u{300c}' | '\u{300d}' | '\u{3000}' | '\u{ff1a}'
            )
    };
    let quoted = quoted_addresses(text);
    let bare = text.split(is_edge).filter_map(bare_address);
    quoted.into_iter().chain(bare)
}

/// `<"a b"@c.test>`: the one form whose local-part holds blanks.
fn quoted_addresses(text: &str) -> Vec<String> {
    let Some(start) = text.find("<\"") else { return Vec::new() };
    let rest = &text[start + 1..];
    let Some(end) = rest.find('>') else { return Vec::new() };
    let address = &rest[..end];
    let is_one = address.len() <= 320 && address.contains("\"@");
    if is_one { vec![address.to_owned()] } else { Vec::new() }
}

fn bare_address(word: &str) -> Option<String> {
    let word = word.strip_prefix("mailto:").unwrap_or(word);
    let word = word.trim_end_matches([':', '.']);
    let word = word.rsplit(':').next().unwrap_or(word);
    let word = word.trim_matches(['.', ':', '!', '?', '*', '=', '{', '}', '\\', '/', '#']);
    let (local, domain) = word.rsplit_once('@')?;
    let is_domain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '/');
    let plain = !local.is_empty()
        && local.len() <= 255
        && !domain.is_empty()
        && domain.len() <= 255
        && domain.chars().all(is_domain)
        && !domain.starts_with('.');
    plain.then(|| word.to_owned())
}

/// Where a reply code stands in `words`, and the code: three digits that begin a word, the first 4 or 5,
/// with a mark behind them that replies have.
pub(super) fn code(words: &str) -> Option<(usize, u16)> {
    code_from(words, |first| matches!(first, b'4' | b'5'))
}

/// The same with positive codes.
pub(super) fn any_code(words: &str) -> Option<(usize, u16)> {
    code_from(words, |first| matches!(first, b'2'..=b'5'))
}

fn code_from(words: &str, is_first: impl Fn(u8) -> bool) -> Option<(usize, u16)> {
    let octets = words.as_bytes();
    (0..octets.len().saturating_sub(2)).find_map(|at| {
        let digits = octets.get(at..at + 3)?;
        let is_code =
            is_first(digits[0]) && matches!(digits[1], b'0'..=b'7') && digits[2].is_ascii_digit();
        let before = at.checked_sub(1).map_or(b' ', |at| octets[at]);
        let opens = matches!(
            before,
            b' ' | b'\t'
                | b'\n'
                | b':'
                | b'\''
                | b'"'
                | b'['
                | b'#'
                | b'<'
                | b'('
                | b';'
                | b'='
                | b'`'
                | b'>'
        );
        let after = octets.get(at + 3).copied().unwrap_or(b' ');
        let closes = matches!(
            after,
            b' ' | b'-'
                | b'\t'
                | b'\n'
                | b'\r'
                | b':'
                | b'#'
                | b','
                | b'\''
                | b']'
                | b')'
                | b';'
                | b'<'
                | b'"'
        );
        if !(is_code && opens && closes) || at > 0 && is_quantity(&words[at + 3..]) {
            return None;
        }
        // `550,` in a sentence or `4:44` in a time are no codes.
        let follows = octets.get(at + 4).copied().unwrap_or(b' ');
        let is_time = after == b':'
            && follows.is_ascii_digit()
            && octets.get(at + 5).is_some_and(u8::is_ascii_digit);
        let is_number = matches!(after, b',' | b'-')
            && follows.is_ascii_digit()
            && !starts_with_status(&words[at + 4..]);
        if is_time || is_number {
            return None;
        }
        Some((at, words[at..at + 3].parse().ok()?))
    })
}

/// `500 messages`; but in `550 Messages should have a Date` a sentence begins.
fn is_quantity(rest: &str) -> bool {
    const UNITS: [&str; 16] = [
        "hour",
        "minute",
        "second",
        "day",
        "byte",
        "octet",
        "kb",
        "KB",
        "mb",
        "MB",
        "messages",
        "message(s)",
        "times",
        "recipients",
        "more ",
        "lines",
    ];
    let rest = rest.trim_start();
    UNITS.iter().any(|unit| rest.starts_with(unit))
}

fn starts_with_status(text: &str) -> bool {
    text.split(' ').next().is_some_and(|word| word.len() <= 12 && status(word).is_some())
}

/// The first enhanced status in `words` that stands alone: `5.1.1`, `#5.1.1`, `(5.1.1`, but not a part of an
/// address.
pub(super) fn status(words: &str) -> Option<EnhancedStatus> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let mut offset = 0;
    while let Some(start) = words[offset..].find(is_part) {
        let start = offset + start;
        let length = words[start..].find(|c| !is_part(c)).unwrap_or(words.len() - start);
        let before = words[..start].chars().next_back().unwrap_or(' ');
        let after = words[start + length..].chars().next().unwrap_or(' ');
        let alone = !before.is_alphanumeric()
            && !matches!(before, '-' | '/' | '_' | '@')
            && !after.is_alphanumeric()
            && !matches!(after, '/' | '_' | '@');
        let word = words[start..start + length].trim_end_matches('.');
        if let Some(found) = word.parse::<EnhancedStatus>().ok().filter(|_| alone) {
            return Some(found);
        }
        offset = start + length;
    }
    None
}

/// Runs of blanks and line ends as one blank, at most `length_max` octets.
pub(super) fn joined(text: &str, length_max: usize) -> String {
    let mut joined = String::new();
    for word in text.split_whitespace() {
        if joined.len() + word.len() + 1 > length_max {
            break;
        }
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    joined
}

/// A host's name or address at the start of `text`.
pub(super) fn host_at_start(text: &str) -> Option<String> {
    let text = text.trim_start_matches([' ', '\t', '<', '[', '"', '\'']);
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let host = text[..end].trim_end_matches(['.', ':', '-']);
    let is_host = host.len() <= 255
        && host.len() >= 3
        && (host.contains('.') || host.contains("::"))
        && !host.starts_with('.');
    is_host.then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_what_looks_like_one() {
        for (words, found) in [
            ("550 messages without a date are refused", Some(550)),
            ("mx said: 550 Messages should have one From header", Some(550)),
            ("at most 500 messages an hour", None),
            ("550 no", Some(550)),
            ("said: 550-5.1.1 no", Some(550)),
            ("'550 5.1.1 x'", Some(550)),
            ("#550 5.7.1 RESOLVER", Some(550)),
            ("421", Some(421)),
            ("retried for 432 hours", None),
            ("port 25, 10.22.550.1", None),
            ("id 1550 x", None),
            ("at 450:12:33", None),
            ("phone 555-1234", None),
            ("size 500 KB", None),
        ] {
            assert_eq!(code(words).map(|(_, code)| code), found, "{words}");
        }
    }

    #[test]
    fn statuses_and_what_looks_like_one() {
        for (words, found) in [
            ("550 5.1.1 no", Some("5.1.1")),
            ("sorry (#5.7.1)", Some("5.7.1")),
            ("host 4.4.4.4 said", None),
            ("version 5.6.7-rc", Some("5.6.7")), // a word of its own; the caller asks only where a reply stands
            ("v5.6.7", None),
            ("5.1.1.", Some("5.1.1")),
        ] {
            assert_eq!(status(words).map(|status| status.to_string()).as_deref(), found, "{words}");
        }
    }

    #[test]
    fn addresses_in_text() {
        for (text, found) in [
            ("<bob@b.test>:", Some("bob@b.test")),
            ("to bob@b.test.", Some("bob@b.test")),
            ("bob@b.test:", Some("bob@b.test")),
            ("mailto:bob@b.test", Some("bob@b.test")),
            ("rfc822;bob@b.test", Some("bob@b.test")),
            ("<\"b o b\"@b.test>", Some("\"b o b\"@b.test")),
            ("bob at b.test", None),
            ("@b.test", None),
        ] {
            assert_eq!(first_address(text).as_deref(), found, "{text}");
        }
    }
}
