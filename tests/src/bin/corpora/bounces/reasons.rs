//! Our classes beside other tools' words for them. Only the score needs this.

use diagnose::{Class, testimony::Testimony};
use smtp::Stage;

/// Sisimai's reason for a class of ours. Where it has several names within one class, the words choose.
pub fn of(class: Class, words: &str) -> &'static str {
    let words = diagnose::class::plain(words);
    let by_words = BY_WORDS.iter().find(|(of, said, _)| *of == class && words.contains(said));
    by_words.map_or_else(|| by_class(class), |(_, _, reason)| reason)
}

/// One class here, several reasons there: sisimai goes by what failed, not by what is thereby known. Each row
/// is a way of speaking, not a message.
const BY_WORDS: [(Class, &str, &str); 5] = [
    // The name server's own answer, quoted: the network's trouble there, an unknown domain here.
    (Class::NoSuchHost, "dns error", "networkerror"),
    (Class::NoSuchHost, "responded with code", "networkerror"),
    // No connection in time, whether or not it is tried again.
    (Class::Network, "connection timed out", "expired"),
    (Class::Network, "did not accept our requests to connect", "expired"),
    // A connection that the peer cut counts as a refusal of the client.
    (Class::Network, "reset by peer", "blocked"),
];

/// The same of a report, by what it holds. Sisimai takes the words of an unknown user for a filter's where it sees
/// neither RCPT nor a status of an address, unless it knows the reporter.
pub fn of_report(class: Class, report: &Testimony, shows_data: bool) -> &'static str {
    let status = report.reply.as_ref().and_then(|reply| reply.status).or(report.status);
    let is_others = match (&report.reply, status) {
        (Some(_), Some(status)) => matches!(status.subject, 0 | 2 | 7),
        (None, None) => matches!(report.dialect.as_str(), "rfc3464" | "plain"),
        _ => false,
    };
    let is_told = report.stage_is_told && report.stage == Some(Stage::Rcpt) && !shows_data;
    if class == Class::NoSuchUser && is_others && !is_told {
        "filtered"
    } else {
        of(class, &report.words)
    }
}

/// Whether a report's dialogue shows DATA as the command that was refused, as Sendmail's does with pipelining:
/// sisimai goes by it, though RCPT was answered.
pub fn shows_data(octets: &[u8]) -> bool {
    let text = String::from_utf8_lossy(octets).to_lowercase();
    text.contains(">>> data") && !text.contains(">>> rcpt")
}

fn by_class(class: Class) -> &'static str {
    match class {
        Class::NoSuchUser => "userunknown",
        Class::NoSuchHost => "hostunknown",
        Class::TakesNoMail => "notaccept",
        Class::Moved => "hasmoved",
        Class::Suspended => "suspend",
        Class::MailboxFull => "mailboxfull",
        Class::RecipientRefuses => "filtered",
        Class::SenderRefused => "rejected",
        Class::NotAuthorized | Class::Login => "securityerror",
        Class::RelayDenied => "norelaying",
        Class::Blocklisted => "blocked",
        Class::BadReputation => "badreputation",
        Class::RateLimit => "speeding",
        Class::TooManyConnections => "toomanyconn",
        Class::Greylisted => "greylisted",
        Class::Spam => "spamdetected",
        Class::Virus => "virusdetected",
        Class::Content => "contenterror",
        Class::Policy => "policyviolation",
        Class::Authentication => "authfailure",
        Class::ReverseName => "requireptr",
        // Sisimai tells the server's limit (mesgtoobig) from the mailbox's (exceedlimit).
        Class::TooLarge => "mesgtoobig",
        Class::NotCompliant => "notcompliantrfc",
        Class::Syntax => "syntaxerror",
        Class::Tls => "failedstarttls",
        Class::Dns | Class::Network | Class::MailLoop => "networkerror",
        Class::Expired => "expired",
        Class::SystemFull => "systemfull",
        Class::System => "systemerror",
        Class::Mailer => "mailererror",
        Class::Unknown => "undefined",
    }
}

/// Where sisimai tells apart what is one class here: no reading of the same words could differ.
pub fn is_coarser(class: Class, reason: &str) -> bool {
    matches!(
        (class, reason),
        // Whether the server or the mailbox set the limit.
        (Class::TooLarge, "mesgtoobig" | "exceedlimit")
            // It could not decide, in two shades.
            | (Class::Unknown, "onhold" | "undefined")
    )
}

/// Where sisimai has two names for what is one fact here, or gives one fact now this name and now that one.
pub fn are_one(class: Class, reason: &str) -> bool {
    matches!(
        (class, reason),
        // A name that does not resolve: `hostunknown` in Postfix' words, `networkerror` in Google's.
        (Class::NoSuchHost | Class::TakesNoMail | Class::Dns, "hostunknown" | "networkerror" | "notaccept")
            // An attempt that timed out until the time was over: now the one, now the other.
            | (Class::Network, "expired")
            | (Class::Expired, "networkerror")
            // The same `User unknown` after the content, by the same server: `filtered`, `userunknown` and `rejected`.
            | (Class::RecipientRefuses, "userunknown")
            | (Class::NoSuchUser, "filtered")
    )
}

/// Whether bounceparser's standard reason is that class, in its coarser words.
pub fn is_bounceparsers(class: Class, reason: &str) -> bool {
    match reason {
        "user_unknown" => {
            matches!(class, Class::NoSuchUser | Class::RecipientRefuses | Class::Moved)
        }
        "over_quota" => class == Class::MailboxFull,
        "domain_error" => {
            matches!(class, Class::NoSuchHost | Class::Dns | Class::TakesNoMail | Class::Network)
        }
        "user_disabled" => class == Class::Suspended,
        "message_too_large" => class == Class::TooLarge,
        "spam" => matches!(
            class,
            Class::Spam
                | Class::Blocklisted
                | Class::BadReputation
                | Class::Policy
                | Class::Content
        ),
        _ => false,
    }
}
