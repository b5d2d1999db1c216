//! What an unknown refusal is about, by single words: for servers whose phrases nobody has written down.
//!
//! Asked only of short words that no phrase of `words` knows. [`STRONG`] words name one subject whatever
//! stands around them (`quota`, `DMARC`) and come before the enhanced status, which many servers set to a
//! catch-all; [`WEAK`] words (`denied`, `unknown`, `later`) come after it. A row is written as [`reduced`]
//! makes texts: words parted by one blank, so that ` ptr ` is no part of another word; `*` is a small gap.

use smtp::Stage;

use super::{Class, Refusal, words};

/// Of longer words than this, where no reply code stands in front, a single word tells nothing: they are a
/// report's own sentences, which speak of failures and errors whatever happened.
const SHORT: usize = 200;
/// The longest gap that a `*` stands for.
const GAP_MAX: usize = 60;

type Row = (Class, &'static [&'static str]);

/// Words that name one subject.
const STRONG: &[Row] = &[
    (Class::Virus, &[" virus", " malware", " trojan", " infected ", " worm "]),
    (
        Class::ReverseName,
        &[
            " reverse dns",
            " reverse lookup",
            " reverse name",
            " reverse hostname",
            " rdns ",
            " ptr ",
            " name lookup failed",
        ],
    ),
    (
        Class::NotCompliant,
        &[" rfc 5322 ", " rfc5322 ", " rfc 2822 ", " rfc2822 ", " rfc 822 ", " rfc822 "],
    ),
    (
        Class::Authentication,
        &[
            " spf ",
            " dkim ",
            " dmarc ",
            " authentication checks",
            " authentication information",
            " sender policy framework",
        ],
    ),
    (Class::BadReputation, &[" reputation", " user complaints"]),
    (Class::Greylisted, &[" greylist", " graylist", " grey list"]),
    (
        Class::TooManyConnections,
        &[
            " too many recipients",
            " too many rcpt",
            " too many connections",
            " too many sessions",
            " connection rate ",
            " connection limit",
            " simultaneous ",
            " concurrent ",
        ],
    ),
    (
        Class::RateLimit,
        &[
            " rate limit",
            " at a rate ",
            " too many messages",
            " too many emails",
            " too many mails",
            " messages per ",
            " per hour",
            " per day",
            " too quickly",
            " too fast",
            " too frequently",
            " throttl",
            " sending limit",
            " daily limit",
            " hourly limit",
        ],
    ),
    (
        Class::MailboxFull,
        &[
            " quota",
            " mailbox * full ",
            " inbox * full ",
            " folder * full ",
            " mailfolder * full ",
            " mailbox full ",
            " user * full ",
            " storage limit",
            " storage space",
        ],
    ),
    (
        Class::TooLarge,
        &[
            " too large ",
            " too big ",
            " message size",
            " size limit",
            " larger than ",
            " maximum size",
            " size exceed",
        ],
    ),
    (Class::RelayDenied, &[" relay ", " relaying ", " rcpthosts "]),
    (
        Class::Spam,
        &[
            " spam",
            " junk ",
            " unsolicited",
            " bulk mail",
            " bulk email",
            " phish",
            " anti spam",
            " antispam",
        ],
    ),
    (
        Class::Blocklisted,
        &[
            " blacklist",
            " black list",
            " blocklist",
            " block list",
            " blackhole",
            " dnsbl",
            " rbl ",
            " banned ip",
            " bad ip ",
            " ip * blocked ",
            " ip * banned ",
            " ip * listed ",
        ],
    ),
];

/// Words that only tell where nothing better does.
const WEAK: &[Row] = &[
    (
        Class::Mailer,
        &[" command died ", " command output ", " exit status", " child status ", " exit code "],
    ),
    (Class::Moved, &[" has moved ", " have moved ", " forwarding address ", " new address "]),
    (
        Class::Suspended,
        &[
            " disabled ",
            " suspended ",
            " deactivated ",
            " locked ",
            " frozen ",
            " inactive ",
            " account * closed ",
            " account * expired ",
        ],
    ),
    (Class::Tls, &[" tls ", " starttls ", " ssl ", " certificate ", " encryption "]),
    (
        Class::Login,
        &[
            " unauthenticated ",
            " authenticate ",
            " authenticated ",
            " login ",
            " log in ",
            " credentials ",
            " password",
            " authentication ",
        ],
    ),
    (
        Class::TakesNoMail,
        &[
            " not accept mail ",
            " not accept email ",
            " not accept e-mail ",
            " not accept any mail ",
            " not receive mail",
            " not receive email",
            " no mx ",
            " null mx ",
            " mail exchanger ",
        ],
    ),
    (
        Class::NotCompliant,
        &[
            " rfc compliant",
            " from header",
            " duplicate header",
            " multiple * header",
            " missing * header",
            " malformed ",
        ],
    ),
    (
        Class::NoSuchHost,
        &[
            " domain * not exist ",
            " domain * not found ",
            " host * not exist ",
            " host * not found ",
            " unknown host",
            " unknown domain",
            " host unknown ",
            " domain unknown ",
            " no such domain",
            " no such host",
            " unrouteable",
            " unroutable",
            " name or service not known ",
            " domain * not reachable ",
            " domain * invalid",
            " invalid domain",
            " nxdomain ",
        ],
    ),
    (
        Class::SenderRefused,
        &[
            " sender ",
            " mail from ",
            " mailfrom ",
            " from address ",
            " envelope from ",
            " return path ",
            " return-path ",
            " reverse path ",
            " non-member",
            " members only ",
            " may not have permission ",
        ],
    ),
    (
        Class::NoSuchUser,
        &[
            " unknown ",
            " no such ",
            " exist ",
            " not found ",
            " not known ",
            " invalid ",
            " not valid ",
            " not a valid ",
            " not recognized ",
            " misspelled ",
            " not an active ",
            " not listed ",
            " not our customer ",
            " address is correct ",
            " nobody ",
            " no mailbox ",
            " no user ",
            " no account ",
        ],
    ),
    (Class::Blocklisted, &[" blocked ", " banned ", " listed ", " block "]),
    (Class::Content, &[" attachment", " content ", " mime ", " charset ", " character set "]),
    (
        Class::RecipientRefuses,
        &[
            " filtered ",
            " filter ",
            " by recipient",
            " by the recipient",
            " mailbox unavailable ",
            " mailbox not available ",
            " mailbox * unavailable ",
            " mailbox * not available ",
            " recipient unavailable ",
        ],
    ),
    (
        Class::Policy,
        &[" policy ", " policies ", " violation", " violates ", " violate ", " header error "],
    ),
    (
        Class::NotAuthorized,
        &[
            " not allowed ",
            " not permitted ",
            " denied ",
            " not authorized ",
            " not authorised ",
            " unauthorized ",
            " permission",
            " prohibited ",
            " forbidden ",
            " restricted ",
        ],
    ),
    (
        Class::Network,
        &[
            " loop",
            " hops ",
            " timed out ",
            " timeout ",
            " unreachable ",
            " connection ",
            " no route ",
        ],
    ),
    (Class::Dns, &[" dns ", " name server ", " nameserver ", " lookup ", " resolve "]),
    (
        Class::Expired,
        &[" too long ", " giving up ", " in the queue ", " attempts ", " retries ", " expired "],
    ),
    (Class::SystemFull, &[" disk full ", " no space ", " insufficient "]),
    (Class::Syntax, &[" syntax ", " sequence ", " command ", " parameter", " not implemented "]),
    (
        Class::System,
        &[
            " system error ",
            " internal ",
            " temporarily ",
            " temporary ",
            " try again ",
            " later ",
            " busy ",
            " overload",
            " unavailable ",
            " transaction failed ",
            " configuration ",
            " error ",
            " failure ",
        ],
    ),
];

/// The class that one strong word, or a subject with its predicate, stands for.
pub(super) fn strong(refusal: &Refusal<'_>) -> Option<Class> {
    let plain = front(refusal)?;
    let class = subject(&plain).or_else(|| pick(STRONG, &reduced(&plain)))?;
    Some(at_stage(class, refusal.stage))
}

/// The class that a weak word leaves likely.
pub(super) fn weak(refusal: &Refusal<'_>) -> Option<Class> {
    let class = pick(WEAK, &reduced(&front(refusal)?))?;
    // That something failed is what every report says; behind a code it is the server's reason.
    let is_reason = class != Class::System || refusal.code.is_some();
    is_reason.then_some(at_stage(class, refusal.stage))
}

/// The front of the words, where the reason stands; `None` where they are no refusal's own.
fn front(refusal: &Refusal<'_>) -> Option<String> {
    let plain = words::plain(refusal.words);
    let may = refusal.code.is_some() || plain.len() <= SHORT;
    may.then(|| words::front(&plain).to_owned())
}

/// `bob@b.test does not exist` is about a mailbox, `b.test does not exist` about a domain.
fn subject(plain: &str) -> Option<Class> {
    const PREDICATES: [&str; 5] =
        [" does not exist", " doesn't exist", " not found", " is unknown", " unknown"];
    let end = PREDICATES.iter().filter_map(|predicate| plain.find(predicate)).min()?;
    let word = plain[..end].rsplit(' ').next()?;
    let word =
        word.trim_matches(['<', '>', '[', ']', '(', ')', '"', '\'', ',', ';', ':', '.', '!', '?']);
    if word.contains('@') {
        return Some(Class::NoSuchUser);
    }
    let top = word.rsplit_once('.')?.1;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let is_host = word.chars().all(is_part)
        && (2..=8).contains(&top.len())
        && top.chars().all(|c| c.is_ascii_lowercase());
    is_host.then_some(Class::NoSuchHost)
}

/// What is unknown or denied at MAIL is the sender; an unknown user after the content, a filter's word.
fn at_stage(class: Class, stage: Option<Stage>) -> Class {
    match (class, stage) {
        (Class::NoSuchUser | Class::NoSuchHost | Class::NotAuthorized, Some(Stage::Mail)) => {
            Class::SenderRefused
        }
        (Class::NoSuchUser, Some(Stage::EndOfData | Stage::Content)) => Class::RecipientRefuses,
        _ => class,
    }
}

fn pick(rows: &[Row], reduced: &str) -> Option<Class> {
    let is_said = |words: &[&str]| words.iter().any(|word| words::within(reduced, word, GAP_MAX));
    rows.iter().find(|(_, words)| is_said(words)).map(|(class, _)| *class)
}

/// Words parted by one blank each, with one in front and behind; addresses and names stay whole.
fn reduced(plain: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '-' | '\'');
    let mut reduced = String::from(" ");
    for word in plain.split(|c| !is_part(c)) {
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

    fn refusal(code: u16, words: &str) -> Refusal<'_> {
        Refusal { words, code: Some(code), ..Refusal::default() }
    }

    #[test]
    fn rows_are_written_as_texts_are_reduced() {
        for (class, rows) in STRONG.iter().chain(WEAK) {
            for row in *rows {
                let word = row.replace('*', "x");
                assert!(row.starts_with(' '), "{class}: {row}");
                assert_eq!(
                    reduced(&words::plain(&word)).trim_end(),
                    word.trim_end(),
                    "{class}: {row}"
                );
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
            assert_eq!(strong(&refusal(550, words)), Some(class), "{words}");
        }
        // No part of another word, and nothing in a host's name.
        for words in ["see http://quota.example/", "the scriptrunner", "spampot.example took it"] {
            let found = strong(&refusal(550, words));
            assert_ne!(found, Some(Class::ReverseName), "{words}");
        }
    }

    #[test]
    fn a_reports_own_sentences_are_not_judged_by_single_words() {
        let words = "An error occurred. ".repeat(20);
        assert_eq!(weak(&Refusal { words: &words, ..Refusal::default() }), None);
        assert_eq!(weak(&refusal(550, &words)), Some(Class::System));
        assert_eq!(weak(&refusal(550, "qwertz")), None);
    }

    #[test]
    fn the_stage_tells_whose_trouble_it_is() {
        let mut at_mail = refusal(550, "unknown");
        at_mail.stage = Some(Stage::Mail);
        assert_eq!(weak(&at_mail), Some(Class::SenderRefused));
        at_mail.stage = Some(Stage::EndOfData);
        assert_eq!(weak(&at_mail), Some(Class::RecipientRefuses));
    }
}
