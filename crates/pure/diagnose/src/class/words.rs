//! Known words: how servers say what they mean, one kind of refusal a file.
//!
//! A row is a pattern in lower case; `*` stands for anything. The tables are asked in the order of
//! [`TABLES`], a precise condition before a general one: `user unknown` also stands in refusals that
//! are about the sender. Words are compared as [`plain`] makes them.

mod address;
mod content;
mod mailbox;
mod network;
mod permission;
mod reputation;
mod spam;
mod system;
mod user;

use super::Class;

/// The tables, in the order in which they are asked.
const TABLES: [(Class, &[&str]); 32] = [
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
    (Class::NotAuthorized, permission::NOT_AUTHORIZED),
    (Class::Content, content::CONTENT),
    (Class::Dns, network::DNS),
    (Class::Policy, permission::POLICY),
    (Class::RecipientRefuses, mailbox::RECIPIENT_REFUSES),
    (Class::Network, network::NETWORK),
    (Class::Expired, network::EXPIRED),
    (Class::Syntax, system::SYNTAX),
    (Class::System, system::SYSTEM),
];

/// So many characters are the front of long words.
const FRONT: usize = 180;
/// Of longer words only so many octets are compared.
const LENGTH_MAX: usize = 16 * 1024;

/// The class that known words stand for.
pub(super) fn class_of(words: &str) -> Option<Class> {
    let plain = plain(words);
    let said = |words: &str| {
        let is_said = |rows: &[&str]| rows.iter().any(|row| matches(words, row));
        TABLES.iter().find(|(_, rows)| is_said(rows)).map(|(class, _)| *class)
    };
    said(front(&plain)).or_else(|| said(&plain))
}

/// The reason comes first; what stands behind it is advice, which names other reasons too.
pub(super) fn front(plain: &str) -> &str {
    let end = plain.char_indices().nth(FRONT).map_or(plain.len(), |(end, _)| end);
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
        for (class, rows) in TABLES {
            for row in rows {
                assert_eq!(plain(row), *row, "a row is written as words are compared");
                let said = format!("the server says: {} (a1b2)", row.replace('*', " x "));
                if class_of(&said) != Some(class) {
                    wrong.push(format!("{row}: {class} is {:?}", class_of(&said)));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn no_row_twice_and_no_table_twice() {
        let mut rows: Vec<&str> =
            TABLES.iter().flat_map(|(_, rows)| rows.iter().copied()).collect();
        let count = rows.len();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), count);
        let mut classes: Vec<Class> = TABLES.iter().map(|(class, _)| *class).collect();
        classes.sort();
        classes.dedup();
        assert_eq!(classes.len(), TABLES.len());
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
