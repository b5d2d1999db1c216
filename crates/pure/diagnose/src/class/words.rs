//! Known words: how servers say what they mean, one kind of refusal a file.
//!
//! A row is a pattern in lower case; `*` stands for anything. [`PRECISE`] tables are asked first, each
//! in its place: `user unknown` also stands in refusals that are about the sender. [`GENERAL`] ones are
//! asked when no single word (`gist`) told more: `access denied`, `try again later`. Words are compared as [`plain`] makes them.

mod address;
mod codes;
mod content;
mod mailbox;
mod network;
mod permission;
mod reputation;
mod spam;
mod system;
mod user;

use super::Class;

type Table = (Class, &'static [&'static str]);

/// Phrases that name one condition and leave no other, in the order in which they are asked.
const PRECISE: &[Table] = &[
    (Class::RecipientRefuses, mailbox::RECIPIENTS_OWN),
    (Class::Virus, content::VIRUS),
    (Class::ReverseName, address::REVERSE_NAME),
    (Class::Authentication, permission::AUTHENTICATION),
    (Class::BadReputation, reputation::BAD_REPUTATION),
    (Class::Greylisted, reputation::GREYLISTED),
    (Class::TooManyConnections, reputation::TOO_MANY_CONNECTIONS),
    (Class::RateLimit, reputation::RATE_LIMIT),
    (Class::NotCompliant, content::NOT_COMPLIANT),
    (Class::TakesNoMail, address::TAKES_NO_MAIL),
    (Class::MailboxFull, mailbox::MAILBOX_FULL),
    (Class::TooLarge, content::TOO_LARGE),
    (Class::SystemFull, system::SYSTEM_FULL),
    (Class::Suspended, mailbox::SUSPENDED),
    (Class::Moved, mailbox::MOVED),
    (Class::SenderRefused, address::SENDER_REFUSED),
    (Class::RelayDenied, permission::RELAY_DENIED),
    (Class::NoSuchHost, address::NO_SUCH_HOST),
    (Class::Mailer, system::MAILER),
    (Class::NoSuchUser, user::NO_SUCH_USER),
    (Class::Spam, spam::SPAM),
    (Class::Blocklisted, reputation::BLOCKLISTED),
    (Class::Tls, permission::TLS),
    (Class::Login, permission::LOGIN),
    (Class::Content, content::CONTENT),
    (Class::MailLoop, network::MAIL_LOOP),
    (Class::Dns, network::DNS),
    (Class::Network, network::NETWORK),
    (Class::Expired, network::EXPIRED),
    (Class::Syntax, system::SYNTAX),
];

/// Phrases that many a server says whatever its reason is: asked only where no single word named one.
const GENERAL: &[Table] = &[
    (Class::NotAuthorized, permission::NOT_AUTHORIZED),
    (Class::Policy, permission::POLICY),
    (Class::RecipientRefuses, mailbox::RECIPIENT_REFUSES),
    (Class::System, system::SYSTEM),
];

/// So many characters are the front of long words.
const FRONT: usize = 180;
/// Of longer words only so many octets are compared.
const LENGTH_MAX: usize = 16 * 1024;

/// Every row that stands in these words.
pub(super) fn rows_in(words: &str) -> Vec<&'static str> {
    let plain = plain(words);
    let rows = PRECISE.iter().chain(GENERAL).flat_map(|(_, rows)| rows.iter().copied());
    let codes = codes::CODES.iter().flat_map(|(_, codes)| codes.iter().copied());
    let codes = codes.filter(|code| holds_code(&plain, code));
    rows.filter(|row| matches(&plain, row)).chain(codes).collect()
}

/// The class that a provider's code or a precise phrase stands for, were it not for the rows of `unknown`.
/// The words are as they are compared.
pub(super) fn precise(plain: &str, unknown: &[&str]) -> Option<Class> {
    let is_said = |code: &&str| holds_code(plain, code) && !unknown.contains(code);
    let by_code = codes::CODES.iter().find(|(_, codes)| codes.iter().any(is_said));
    by_code.map(|(class, _)| *class).or_else(|| said(PRECISE, plain, unknown))
}

/// Whether the code stands there as a whole word.
fn holds_code(plain: &str, code: &str) -> bool {
    let (code, is_front) = code.strip_suffix('*').map_or((code, false), |front| (front, true));
    let goes_on = |c: char| c.is_ascii_alphanumeric();
    plain.match_indices(code).any(|(start, _)| {
        let rest = &plain[start + code.len()..];
        !plain[..start].ends_with(goes_on) && (is_front || !rest.starts_with(goes_on))
    })
}

/// The class that a general phrase stands for.
pub(super) fn general(plain: &str, unknown: &[&str]) -> Option<Class> {
    said(GENERAL, plain, unknown)
}

fn said(tables: &[Table], plain: &str, unknown: &[&str]) -> Option<Class> {
    let within = |words: &str| {
        let is_said =
            |rows: &[&str]| rows.iter().any(|row| matches(words, row) && !unknown.contains(row));
        tables.iter().find(|(_, rows)| is_said(rows)).map(|(class, _)| *class)
    };
    within(front(plain)).or_else(|| within(plain))
}

/// The reason comes first; what stands behind it is advice, which names other reasons too.
pub(super) fn front(plain: &str) -> &str {
    first(plain, FRONT)
}

/// At most so many characters.
pub(super) fn first(plain: &str, count: usize) -> &str {
    let end = plain.char_indices().nth(count).map_or(plain.len(), |(end, _)| end);
    &plain[..end]
}

/// Words as they are compared: lower case, every run of blanks and line ends one blank, typographic
/// quotes and apostrophes plain.
pub fn plain(words: &str) -> String {
    let mut end = words.len().min(LENGTH_MAX);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    let mut plain = String::with_capacity(end);
    for c in words[..end].chars() {
        match c {
            '\u{2018}' | '\u{2019}' | '\u{b4}' | '`' => plain.push('\''),
            '\u{201c}' | '\u{201d}' => plain.push('"'),
            c if c.is_whitespace() || c.is_control() => {
                if !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            c => plain.extend(c.to_lowercase()),
        }
    }
    plain
}

/// Whether `words` hold the parts of `row` in their order. A gap is at most [`GAP_MAX`] long: what
/// stands farther apart is another sentence.
pub(crate) fn matches(words: &str, row: &str) -> bool {
    within(words, row, GAP_MAX)
}

/// The same with gaps of at most `gap_max` octets.
pub(super) fn within(words: &str, row: &str, gap_max: usize) -> bool {
    let mut parts = row.split('*');
    let Some(first) = parts.next() else { return false };
    let rest: Vec<&str> = parts.collect();
    if rest.is_empty() {
        return words.contains(first);
    }
    words.match_indices(first).take(16).any(|(start, _)| {
        let mut from = start + first.len();
        rest.iter().all(|part| match words[from..].find(part) {
            Some(gap) if gap <= gap_max => {
                from += gap + part.len();
                true
            }
            _ => false,
        })
    })
}

/// Longest gap that a `*` stands for, in octets.
const GAP_MAX: usize = 220;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_reached_and_means_its_class() {
        let mut wrong = Vec::new();
        for (class, rows) in PRECISE.iter().chain(GENERAL) {
            for row in *rows {
                assert_eq!(plain(row), *row, "a row is written as words are compared");
                let said = format!("the server says: {} (a1b2)", row.replace('*', " x "));
                let found = precise(&said, &[]).or_else(|| general(&said, &[]));
                if found != Some(*class) {
                    wrong.push(format!("{row}: {class} is {found:?}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn no_row_twice_and_no_table_twice() {
        let mut rows: Vec<&str> =
            PRECISE.iter().chain(GENERAL).flat_map(|(_, rows)| rows.iter().copied()).collect();
        let count = rows.len();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), count);
    }

    #[test]
    fn a_providers_code_is_a_whole_word_wherever_it_stands() {
        for (class, codes) in codes::CODES {
            for code in codes.iter() {
                assert_eq!(plain(code), *code);
                let said =
                    format!("550 mail refused {} {}", "x".repeat(300), code.replace('*', "0"));
                assert_eq!(precise(&said, &[]), Some(*class), "{code}");
            }
        }
        for text in ["queued as 4ib1050f", "id s31405", "mib101", "see rcp-p20"] {
            assert_eq!(precise(text, &[]), None, "{text}");
        }
    }

    #[test]
    fn gaps_blanks_and_quotes() {
        assert!(matches("user bob@b.test is not known here", "user * not known"));
        assert!(!matches("not known user", "user * not known"));
        assert_eq!(plain("Can\u{2019}t\r\n   GO"), "can't go");
        let far = format!("user {} not known", "x".repeat(300));
        assert!(!matches(&far, "user * not known"));
    }
}
