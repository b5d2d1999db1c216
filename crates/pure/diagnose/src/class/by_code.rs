//! The class that a status or a code stands for, where the words were not known.

use smtp::{EnhancedStatus, Stage};

use super::{Class, Refusal};

/// What known words mean together with code, status and stage. `words` are as they are compared.
pub(super) fn corrected(class: Class, refusal: &Refusal<'_>, words: &str) -> Class {
    if let Some(class) = at_stage(class, refusal, words) {
        return class;
    }
    let status = refusal.status.map(|status| (status.subject, status.detail));
    match (class, refusal.stage) {
        // Who says it for good says it over a connection that stands: it is the client that is refused.
        (Class::Network, _)
            if refusal.code.is_some_and(|code| code >= 500)
                && !matches!(status, Some((4, _)))
                && words.contains("connection refused") =>
        {
            Class::Blocklisted
        }
        // Resolvers say so of a name server that did not answer, not of a name that is not there.
        (Class::NoSuchHost, _) if words.contains("host not found, try again") => Class::Dns,
        // A precise status about an address comes before words that only say no, or that nobody is left.
        (Class::NotAuthorized | Class::Syntax, stage) if matches!(status, Some((1, 1..))) => {
            refusal.status.and_then(|status| of_status(status, stage)).unwrap_or(class)
        }
        // In a report's own words nobody is left to send it to; in a reply RCPT has told why before.
        (Class::Syntax, _) if refusal.code.is_none() && words.contains("no valid recipients") => {
            Class::NoSuchUser
        }
        // What milters say by default, whatever they found.
        (Class::Syntax, _) if matches!(status, Some((7, _))) => Class::Policy,
        // Hosts that are told to log in are told that they may not relay, too.
        (Class::RelayDenied, _)
            if ["turn on smtp authentication", "smtp authentication turned on"]
                .iter()
                .any(|advice| words.contains(advice)) =>
        {
            Class::Login
        }
        // `550 mailbox unavailable` is the very text of RFC 5321 section 4.2.2 for an unknown mailbox; where
        // nothing else is said, and a recipient was asked for, it is that.
        (Class::RecipientRefuses, stage)
            if refusal.code == Some(550)
                && (stage == Some(Stage::Rcpt) || matches!(status, Some((1 | 5, _))))
                && !matches!(status, Some((2, _)))
                && words.contains("mailbox unavailable") =>
        {
            Class::NoSuchUser
        }
        _ => class,
    }
}

/// What the stage makes of words that leave open whose trouble it is.
fn at_stage(class: Class, refusal: &Refusal<'_>, words: &str) -> Option<Class> {
    let code = refusal.code.unwrap_or_default();
    match refusal.stage? {
        // A server that knows its users says so at RCPT. Said after the content, without a status that
        // insists, it is a filter that speaks for the recipient.
        Stage::EndOfData | Stage::Content => {
            let insists =
                refusal.status.is_some_and(|status| status.subject == 1 && status.detail <= 1);
            (class == Class::NoSuchUser && !insists).then_some(Class::RecipientRefuses)
        }
        // What is unknown, unavailable or denied at MAIL is the sender.
        Stage::Mail => matches!(
            class,
            Class::NoSuchUser
                | Class::NoSuchHost
                | Class::NotAuthorized
                | Class::RecipientRefuses
                | Class::Suspended
        )
        .then_some(Class::SenderRefused),
        // Before any address was named, a refusal can only be about the client, unless it is the server's
        // own trouble. The text that RFC 5321 section 4.2.2 has for 421 says no more than the code.
        Stage::Connect | Stage::Greeting | Stage::Ehlo => match class {
            Class::NotAuthorized | Class::RecipientRefuses | Class::Suspended => code > 0,
            Class::NoSuchUser | Class::NoSuchHost | Class::Policy => code >= 500,
            Class::System => code >= 500 || code == 421 && words.contains("service not available"),
            _ => false,
        }
        .then_some(Class::Blocklisted),
        _ => None,
    }
}

/// By status (RFC 3463, RFC 5248 and later registrations). What is too general to decide gives `None`.
pub(super) fn of_status(status: EnhancedStatus, stage: Option<Stage>) -> Option<Class> {
    let class = match (status.subject, status.detail) {
        (1, 0) if stage == Some(Stage::Mail) => Class::SenderRefused,
        (1, 0 | 1 | 3) => Class::NoSuchUser,
        (1, 2) => Class::NoSuchHost,
        (1, 4) => Class::NoSuchUser,
        (1, 6) => Class::Moved,
        (1, 7..=9) => Class::SenderRefused,
        // Exchange's own directory has no such recipient; elsewhere a null MX (RFC 7505).
        (1, 10) => Class::TakesNoMail,
        (1, 90) => Class::RateLimit,
        (2, 2) => Class::MailboxFull,
        (2, 3) | (3, 4) => Class::TooLarge,
        (2, 4) => Class::Mailer,
        (2, 121 | 122) => Class::RateLimit,
        (3, 1) => Class::SystemFull,
        (3, 2) if status.class == 4 => Class::System,
        (3, 2) => Class::TakesNoMail,
        (3, 3 | 5) => Class::System,
        // For good, `5.4.1` is what Microsoft's servers say of recipients that they do not have.
        (4, 1) if status.class == 5 => return None,
        (4, 1 | 2) => Class::Network,
        (4, 3) => Class::Dns,
        (4, 4) => Class::NoSuchHost,
        (4, 5) => Class::TooManyConnections,
        (4, 6) => Class::MailLoop,
        (4, 7 | 300) => Class::Expired,
        (4, 14) => Class::MailLoop,
        (4, 310) => Class::NoSuchHost,
        (4, 312) => Class::Dns,
        (4, 313..=320) => Class::Network,
        (5, 1 | 2 | 4 | 5) => Class::Syntax,
        (5, 3) => Class::TooManyConnections,
        (6, 1..=5) => Class::Content,
        (6, 6 | 7 | 9) => Class::NotCompliant,
        (7, 2) => Class::NotAuthorized,
        (7, 4 | 10 | 11) => Class::Tls,
        // Yahoo says `5.7.9` of its policies; about mechanisms (RFC 4954) it can only be before MAIL.
        (7, 9) if !matches!(stage, None | Some(Stage::Auth)) => return None,
        (7, 8 | 9 | 14) => Class::Login,
        (7, 13) => Class::Suspended,
        (7, 15..=18) => Class::Policy,
        (7, 20..=24 | 26 | 29 | 30) => Class::Authentication,
        (7, 25) => Class::ReverseName,
        (7, 27) => Class::SenderRefused,
        (7, 28) => Class::RateLimit,
        _ => return of_exchange_online(status),
    };
    Some(class)
}

/// What Exchange Online numbers beyond the registered ones, as Microsoft documents it.
fn of_exchange_online(status: EnhancedStatus) -> Option<Class> {
    let class = match (status.subject, status.detail) {
        (7, 12 | 124 | 129 | 133..=136) => Class::NotAuthorized,
        (7, 54 | 64) => Class::RelayDenied,
        (7, 57 | 139) => Class::Login,
        (7, 321..=325) => Class::Tls,
        (7, 501..=503) => Class::Spam,
        (7, 504 | 505) => Class::NoSuchUser,
        (7, 506 | 511 | 606..=649) => Class::Blocklisted,
        (7, 507 | 513) => Class::RecipientRefuses,
        (7, 508 | 705) => Class::RateLimit,
        (7, 652) => Class::TooManyConnections,
        (7, 509 | 515) => Class::Authentication,
        (7, 510) => Class::TakesNoMail,
        (7, 512) => Class::NotCompliant,
        (7, 650 | 651 | 700..=749) => Class::BadReputation,
        _ => return None,
    };
    Some(class)
}

/// By a status that only names a subject, or that many servers set beside other words, where no word told more
/// (RFC 3463 section 3).
pub(super) fn of_general_status(status: EnhancedStatus) -> Option<Class> {
    match (status.subject, status.detail) {
        (2, 0) => Some(Class::RecipientRefuses),
        // Seldom of a mailbox that is disabled: `5.2.1 User unknown`.
        (2, 1) => Some(Class::Suspended),
        (3, 0) => Some(Class::System),
        (4, 0) => Some(Class::Network),
        (6, 0) => Some(Class::Content),
        // For now: nothing is wrong with the message, but with who brings it.
        (7, 1) if status.class == 4 => Some(Class::Blocklisted),
        (7, 0 | 1) => Some(Class::NotAuthorized),
        _ => None,
    }
}

/// By code and stage, when nothing else told. What is too general to decide gives `None`.
pub(super) fn of_code(code: u16, stage: Option<Stage>) -> Option<Class> {
    let class = match (code, stage) {
        (552, Some(Stage::Rcpt)) => Class::MailboxFull,
        (552, Some(Stage::Mail | Stage::Data | Stage::EndOfData)) => Class::TooLarge,
        (552, _) => Class::MailboxFull,
        (452, Some(Stage::Rcpt)) => Class::TooManyConnections,
        (452, _) => Class::SystemFull,
        (551, _) => Class::Moved,
        (550 | 553, Some(Stage::Mail)) => Class::SenderRefused,
        (550, Some(Stage::Connect | Stage::Greeting | Stage::Ehlo)) => Class::Blocklisted,
        (554 | 421, Some(Stage::Connect | Stage::Greeting | Stage::Ehlo)) => Class::Blocklisted,
        (550, Some(Stage::Rcpt)) => Class::NoSuchUser,
        (553, Some(Stage::Rcpt)) => Class::NoSuchUser,
        (450, Some(Stage::Rcpt)) => Class::Greylisted,
        (451 | 421, _) => Class::System,
        (500..=504, _) => Class::Syntax,
        (521 | 556, _) => Class::TakesNoMail,
        // Symantec's: the address is none of its customer's.
        (542, _) => Class::NoSuchUser,
        (523, _) => Class::TooLarge,
        (530 | 534 | 535 | 538, _) => Class::Login,
        (454, Some(Stage::StartTls | Stage::Tls)) => Class::Tls,
        (454, Some(Stage::Auth)) => Class::Login,
        _ => return None,
    };
    Some(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_tell_codes_apart() {
        for (code, stage, class) in [
            (550, Some(Stage::Rcpt), Some(Class::NoSuchUser)),
            (550, Some(Stage::Mail), Some(Class::SenderRefused)),
            (550, None, None), // could be anything
            (552, Some(Stage::Mail), Some(Class::TooLarge)),
            (552, Some(Stage::Rcpt), Some(Class::MailboxFull)),
            (503, Some(Stage::Rcpt), Some(Class::Syntax)),
            (535, Some(Stage::Auth), Some(Class::Login)),
            (554, Some(Stage::EndOfData), None),
            (554, Some(Stage::Greeting), Some(Class::Blocklisted)),
        ] {
            assert_eq!(of_code(code, stage), class, "{code} at {stage:?}");
        }
    }

    #[test]
    fn a_name_server_that_did_not_answer_is_no_missing_domain() {
        let of = |words| super::super::classify(&Refusal { words, ..Refusal::default() }).0;
        assert_eq!(of("Name service error for b.test: Host not found, try again"), Class::Dns);
        assert_eq!(of("Name service error for b.test: Host not found"), Class::NoSuchHost);
    }

    #[test]
    fn unknown_user_after_the_content_is_the_recipients_filter() {
        let refusal = |status, stage| Refusal { status, stage, ..Refusal::default() };
        let bare = refusal(None, Some(Stage::EndOfData));
        assert_eq!(corrected(Class::NoSuchUser, &bare, ""), Class::RecipientRefuses);
        let sure = refusal(Some(EnhancedStatus::new(5, 1, 1)), Some(Stage::EndOfData));
        assert_eq!(corrected(Class::NoSuchUser, &sure, ""), Class::NoSuchUser);
        assert_eq!(
            corrected(Class::NoSuchUser, &refusal(None, Some(Stage::Rcpt)), ""),
            Class::NoSuchUser
        );
    }

    #[test]
    fn who_says_no_before_any_address_says_it_to_the_client() {
        let of = |code, words, stage| {
            let refusal = Refusal { words, code: Some(code), status: None, stage: Some(stage) };
            super::super::classify(&refusal).0
        };
        let bare = "mx.b.test Service not available, closing transmission channel";
        for (code, words, stage, class) in [
            (421, bare, Stage::Greeting, Class::Blocklisted),
            (421, bare, Stage::EndOfData, Class::System),
            (421, "Not allowed.", Stage::Greeting, Class::Blocklisted),
            (421, "Server too busy", Stage::Greeting, Class::System),
            (550, "IP is hangup", Stage::Connect, Class::Blocklisted),
            (554, "Connection refused - bad IP profile", Stage::Greeting, Class::Blocklisted),
            (451, "Connection refused by the back end", Stage::Rcpt, Class::Network),
        ] {
            assert_eq!(of(code, words, stage), class, "{code} {words} at {stage:?}");
        }
    }

    #[test]
    fn a_status_alone_tells_its_subject_where_it_is_for_good() {
        for (status, class) in [
            ("5.2.0", Class::RecipientRefuses),
            ("5.3.0", Class::System),
            ("5.4.0", Class::Network),
            ("5.6.0", Class::Content),
            ("5.7.0", Class::NotAuthorized),
            ("5.0.0", Class::Unknown),
            ("4.4.0", Class::Unknown),
        ] {
            let refusal = Refusal { status: status.parse().ok(), ..Refusal::default() };
            assert_eq!(super::super::classify(&refusal).0, class, "{status}");
        }
    }

    #[test]
    fn a_status_and_words_correct_each_other() {
        for (code, status, words, class) in [
            (554, "5.1.3", "sorry, no valid recipients", Class::NoSuchUser),
            (554, "5.5.1", "no valid recipients", Class::Syntax),
            // Many servers set it, whatever they mean.
            (550, "5.2.1", "to us that user is unknown", Class::NoSuchUser),
            (550, "5.2.1", "qwertz", Class::Suspended),
            (451, "4.7.1", "qwertz", Class::Blocklisted),
            (451, "4.7.650", "qwertz", Class::BadReputation),
            (542, "5.0.0", "bob@b.test Rejected", Class::NoSuchUser),
        ] {
            let status = status.parse().ok();
            let refusal = Refusal { words, code: Some(code), status, stage: None };
            assert_eq!(super::super::classify(&refusal).0, class, "{code} {status:?} {words}");
        }
    }
}
