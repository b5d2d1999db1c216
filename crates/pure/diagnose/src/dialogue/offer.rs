//! What a server offers: the keywords of its EHLO reply.

use super::{Dialogue, Exchange};

/// The keywords of one reply to EHLO or LHLO (RFC 5321 section 4.1.1.1).
#[derive(Clone, Debug, Default)]
pub struct Offer<'a> {
    /// The index of the line, the keyword as it is written, and its parameters.
    pub keywords: Vec<(usize, &'a str, &'a str)>,
}

impl<'a> Offer<'a> {
    /// Reads a reply to EHLO; the first line is the greeting and has none. Lines that are no UTF-8 are
    /// left out.
    pub fn of(dialogue: &Dialogue<'a>, exchange: &Exchange) -> Self {
        let mut keywords = Vec::new();
        for (index, line) in dialogue.reply_lines(exchange).skip(1) {
            let Some(words) = line.text.get(4..).and_then(|words| str::from_utf8(words).ok())
            else {
                continue;
            };
            let words = words.trim();
            let end = words.find([' ', '=', '\t']).unwrap_or(words.len());
            keywords.push((
                index,
                &words[..end],
                words[end..].trim_start_matches([' ', '=', '\t']),
            ));
        }
        Self { keywords }
    }

    /// Whether it has that keyword, in any case of letters.
    pub fn has(&self, keyword: &str) -> bool {
        self.line(keyword).is_some()
    }

    /// The line of that keyword.
    pub fn line(&self, keyword: &str) -> Option<usize> {
        let is_it = |(_, name, _): &&(usize, &str, &str)| name.eq_ignore_ascii_case(keyword);
        self.keywords.iter().find(is_it).map(|(index, ..)| *index)
    }
}

/// No keyword of any extension begins like that.
const X_MIN: usize = 3;

/// `XXXXXXXA`: X throughout, but for at most one letter at its end.
pub(crate) fn is_masked(word: &str) -> bool {
    let crosses = word.bytes().take_while(|octet| *octet == b'X').count();
    let rest = &word.as_bytes()[crosses..];
    crosses >= X_MIN && rest.len() <= 1 && rest.iter().all(u8::is_ascii_uppercase)
}
