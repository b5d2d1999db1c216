//! What each class means, why it comes, and who can do what: the texts that `explain` shows.

mod recipients;
mod senders;
mod systems;

use super::{Class, Profile};

/// All classes, in the order of [`Class`].
pub(super) const PROFILES: [&Profile; 34] = [
    &recipients::NO_SUCH_USER,
    &recipients::NO_SUCH_HOST,
    &recipients::TAKES_NO_MAIL,
    &recipients::MOVED,
    &recipients::SUSPENDED,
    &recipients::MAILBOX_FULL,
    &recipients::RECIPIENT_REFUSES,
    &senders::SENDER_REFUSED,
    &senders::NOT_AUTHORIZED,
    &senders::LOGIN,
    &senders::RELAY_DENIED,
    &senders::BLOCKLISTED,
    &senders::BAD_REPUTATION,
    &senders::RATE_LIMIT,
    &senders::TOO_MANY_CONNECTIONS,
    &senders::GREYLISTED,
    &senders::SPAM,
    &senders::VIRUS,
    &senders::CONTENT,
    &senders::POLICY,
    &senders::AUTHENTICATION,
    &senders::REVERSE_NAME,
    &senders::TOO_LARGE,
    &senders::NOT_COMPLIANT,
    &systems::SYNTAX,
    &systems::TLS,
    &systems::DNS,
    &systems::NETWORK,
    &systems::MAIL_LOOP,
    &systems::EXPIRED,
    &systems::SYSTEM_FULL,
    &systems::SYSTEM,
    &systems::MAILER,
    &systems::UNKNOWN,
];

pub(super) fn of(class: Class) -> &'static Profile {
    PROFILES.iter().find(|profile| profile.class == class).unwrap_or(&&systems::UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_row_in_order_and_every_row_says_something() {
        for (index, profile) in PROFILES.iter().enumerate() {
            assert_eq!(profile.class as usize, index, "{}", profile.name);
            assert_eq!(of(profile.class).class, profile.class);
            assert!(profile.means.ends_with('.'), "{}", profile.name);
            assert!(!profile.causes.is_empty() && !profile.remedies.is_empty(), "{}", profile.name);
            for text in profile.causes.iter().chain(profile.remedies) {
                assert!(!text.ends_with('.') && text.len() <= 220, "{}: {text}", profile.name);
            }
            let plain = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(profile.name.chars().all(plain) && !profile.title.ends_with('.'));
        }
    }

    #[test]
    fn names_are_those_of_the_type() {
        // `--json` writes the type; the table is what people read. They must not part.
        for profile in PROFILES {
            let debug = format!("{:?}", profile.class);
            let mut kebab = String::new();
            for c in debug.chars() {
                if c.is_ascii_uppercase() && !kebab.is_empty() {
                    kebab.push('-');
                }
                kebab.push(c.to_ascii_lowercase());
            }
            assert_eq!(kebab, profile.name);
        }
    }
}
