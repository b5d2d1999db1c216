//! What an unknown refusal is about, by single words: for servers whose phrases nobody has written down.
//!
//! Asked only of words that no precise phrase of `words` knows. [`STRONG`] words name one subject whatever
//! stands around them (`quota`, `DMARC`) and come before the enhanced status, which many servers set to a
//! catch-all; the first one named decides, as reasons stand before advice. [`WEAK`] words (`denied`,
//! `unknown`, `later`) come after it, and only in what is short. A row is written as [`reduced`]
//! makes texts: words parted by one blank, so that ` ptr ` is no part of another word; `*` is a small gap.

mod strong;
mod weak;

use self::{strong::STRONG, weak::WEAK};
use smtp::Stage;

use super::{Class, Refusal, words};

/// Of longer words than this, where no reply code stands in front, a single word tells nothing: they are a
/// report's own sentences, which speak of failures and errors whatever happened.
const SHORT: usize = 200;
/// Of a report's own sentences so many characters are searched for words that name a subject.
const LONG_FRONT: usize = 800;
/// The longest gap that a `*` stands for.
const GAP_MAX: usize = 60;

/// What tells that words are about a recipient.
const RECIPIENTS: [&str; 7] =
    [" recipient", " user", " mailbox", " address", " account", " destinat", "@"];

type Row = (Class, &'static [&'static str]);

/// The class that one strong word, or a subject with its predicate, stands for. `words` are as they are
/// compared; `code` is the one they stand behind.
pub(super) fn strong(code: Option<u16>, words: &str) -> Option<Class> {
    let words = front(code, words).unwrap_or_else(|| words::first(words, LONG_FRONT));
    let by_reason = || earliest(STRONG, &reduced(reason(words)?));
    subject(words).or_else(by_reason).or_else(|| earliest(STRONG, &reduced(words)))
}

/// The class that a weak word leaves likely.
pub(super) fn weak(refusal: &Refusal<'_>, words: &str) -> Option<Class> {
    // That it closes the connection is what 421 says (RFC 5321 section 3.8), not why.
    let reduced = reduced(&front(refusal.code, words)?.replace("closing connection", ""));
    // After the content, what is unknown or invalid is a recipient only where one is named.
    let is_content = matches!(refusal.stage, Some(Stage::Content | Stage::EndOfData))
        && !RECIPIENTS.iter().any(|word| reduced.contains(word));
    // Who greets with `later` and no more says no to this client.
    let is_greeting = matches!(refusal.stage, Some(Stage::Connect | Stage::Greeting | Stage::Ehlo))
        && matches!(refusal.code, Some(421 | 550 | 554));
    let mut rows = WEAK.iter().filter(|(class, _)| match class {
        Class::NoSuchUser => !is_content,
        Class::System => !is_greeting,
        _ => true,
    });
    let is_said = |words: &[&str]| words.iter().any(|word| words::within(&reduced, word, GAP_MAX));
    let class = rows.find(|(_, words)| is_said(words)).map(|(class, _)| *class)?;
    // That something failed is what every report says; behind a code it is the server's reason.
    let is_reason = class != Class::System || refusal.code.is_some();
    is_reason.then_some(class)
}

/// What was done stands in front of why: `rate limited due to IP reputation`.
fn reason(words: &str) -> Option<&str> {
    let (_, reason) = ["due to ", "because "].iter().find_map(|link| words.split_once(link))?;
    Some(reason)
}

/// The front of the words, where the reason stands; `None` where they are no refusal's own.
fn front(code: Option<u16>, words: &str) -> Option<&str> {
    (code.is_some() || words.len() <= SHORT).then(|| words::front(words))
}

/// `bob@b.test does not exist` is about a mailbox, `b.test does not exist` about a domain.
fn subject(plain: &str) -> Option<Class> {
    const PREDICATES: [&str; 5] =
        [" does not exist", " doesn't exist", " not found", " is unknown", " unknown"];
    let end = PREDICATES.iter().filter_map(|predicate| plain.find(predicate)).min()?;
    let word = plain[..end].rsplit(' ').next()?;
    let word =
        word.trim_matches(['<', '>', '[', ']', '(', ')', '"', '\'', ',', ';', ':', '.', '!', '?']);
    let is_senders =
        ["sender", "mail from", "return path"].iter().any(|whose| plain[..end].contains(whose));
    if word.contains('@') {
        return Some(if is_senders { Class::SenderRefused } else { Class::NoSuchUser });
    }
    let top = word.rsplit_once('.')?.1;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let is_host = word.chars().all(is_part)
        && (2..=8).contains(&top.len())
        && top.chars().all(|c| c.is_ascii_lowercase());
    is_host.then_some(if is_senders { Class::SenderRefused } else { Class::NoSuchHost })
}

/// The row that is named first: reasons stand before advice.
fn earliest(rows: &[Row], reduced: &str) -> Option<Class> {
    let at = |words: &[&str]| {
        let said = words.iter().filter(|word| words::within(reduced, word, GAP_MAX));
        said.filter_map(|word| reduced.find(word.split('*').next()?)).min()
    };
    let found = rows.iter().filter_map(|(class, words)| Some((at(words)?, *class)));
    found.min_by_key(|(at, _)| *at).map(|(_, class)| class)
}

/// Words parted by one blank each, with one in front and behind; addresses and names stay whole. URLs are left
/// out: their parts are names, not what is said.
fn reduced(plain: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '-' | '\'');
    let mut reduced = String::from(" ");
    let said = plain.split(' ').filter(|text| !text.contains("://"));
    for word in said.flat_map(|text| text.split("..")).flat_map(|text| text.split(|c| !is_part(c)))
    {
        let word = word.trim_matches(['.', '-', '\'']);
        if !word.is_empty() {
            reduced.push_str(word);
            reduced.push(' ');
        }
    }
    reduced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strong_of(words: &str) -> Option<Class> {
        strong(Some(550), &words::plain(words))
    }

    #[test]
    fn rows_are_written_as_texts_are_reduced() {
        for (class, rows) in STRONG.iter().chain(WEAK) {
            for row in *rows {
                let word = row.replace('*', "x");
                // Languages without blanks between words have their rows found anywhere.
                let is_alphabetic = row.trim().chars().next() < Some('\u{2000}');
                assert_eq!(row.starts_with(' '), is_alphabetic, "{class}: {row}");
                let reduced = reduced(&words::plain(&word));
                assert_eq!(reduced.trim_end(), format!(" {}", word.trim()), "{class}: {row}");
            }
        }
    }

    #[test]
    fn one_word_names_the_subject_of_an_unknown_phrase() {
        for (words, class) in [
            ("Sorry Dave, the quota of that box is used up", Class::MailboxFull),
            ("we want a DMARC pass, you have none", Class::Authentication),
            ("No PTR for you", Class::ReverseName),
            ("this smells of spam", Class::Spam),
            ("<bob@b.test>... does not exist", Class::NoSuchUser),
            ("b.test does not exist", Class::NoSuchHost),
        ] {
            assert_eq!(strong_of(words), Some(class), "{words}");
        }
        // No part of another word, and nothing in a host's name.
        for words in ["see http://quota.example/", "the scriptrunner", "spampot.example took it"] {
            assert_ne!(strong_of(words), Some(Class::ReverseName), "{words}");
        }
    }

    #[test]
    fn a_reports_own_sentences_are_not_judged_by_single_words() {
        let words = "An error occurred. ".repeat(20);
        let words = words::plain(&words);
        let reply = Refusal { code: Some(550), ..Refusal::default() };
        assert_eq!(weak(&Refusal::default(), &words), None);
        assert_eq!(weak(&reply, &words), Some(Class::System));
        assert_eq!(weak(&reply, "qwertz"), None);
    }

    #[test]
    fn the_stage_tells_whose_trouble_it_is() {
        let at = |words, stage| {
            let refusal = super::super::Refusal { words, code: Some(550), status: None, stage };
            super::super::classify(&refusal).0
        };
        assert_eq!(at("unknown", Some(smtp::Stage::Mail)), Class::SenderRefused);
        assert_eq!(at("unknown", Some(smtp::Stage::EndOfData)), Class::Unknown);
        assert_eq!(
            at("to us this user is unknown", Some(smtp::Stage::EndOfData)),
            Class::RecipientRefuses
        );
        assert_eq!(at("denied here", Some(smtp::Stage::Greeting)), Class::Blocklisted);
        assert_eq!(
            at("Sender a@a.test does not exist", Some(smtp::Stage::Rcpt)),
            Class::SenderRefused
        );
    }

    #[test]
    fn the_reason_stands_behind_what_was_done() {
        let words = "mail is rate limited for some hours due to reputation matters";
        assert_eq!(strong_of(words), Some(Class::BadReputation));
        assert_eq!(strong_of("please see http://antispam.b.test/deny?ip=192.0.2.1"), None);
    }

    #[test]
    fn after_the_content_nothing_is_unknown_but_a_recipient_that_is_named() {
        let at = |stage, words| {
            let refusal = Refusal { words, code: Some(552), status: None, stage: Some(stage) };
            weak(&refusal, &words::plain(words))
        };
        assert_eq!(at(Stage::EndOfData, "MIME/REJECT: Invalid structure"), Some(Class::Content));
        assert_eq!(at(Stage::EndOfData, "that user is invalid here"), Some(Class::NoSuchUser));
        assert_eq!(at(Stage::Rcpt, "invalid"), Some(Class::NoSuchUser));
    }

    #[test]
    fn the_reason_stands_before_the_advice() {
        let words = "rejected as junk by our scanner; check your SPF, DKIM and PTR records";
        assert_eq!(strong_of(words), Some(Class::Spam));
    }
}
