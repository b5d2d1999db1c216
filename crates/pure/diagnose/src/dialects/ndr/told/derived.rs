//! The stage that code and words leave, where nobody named it.

use smtp::Stage;

use crate::{
    class::{self, Class},
    testimony::{Speaker, Testimony},
};

/// The likeliest stage of a refusal of that class; `None` where several are as likely.
pub(in super::super) fn stage(testimony: &Testimony) -> Option<Stage> {
    let class = class::class_of_testimony(testimony);
    let is_own = testimony.speaker == Speaker::Writer;
    let says = |what: &str| testimony.words.to_ascii_lowercase().contains(what);
    let code = testimony.reply.as_ref().map(|reply| reply.code);
    match class {
        Class::NoSuchUser | Class::Moved | Class::Suspended | Class::MailboxFull if is_own => {
            Some(Stage::Mailbox)
        }
        // Found in the directory of whoever wrote, and quoted without any code: no dialogue was needed.
        Class::NoSuchUser if code.is_none() => Some(Stage::Mailbox),
        Class::MailboxFull if code.is_none() => Some(Stage::Mailbox),
        Class::NoSuchUser
        | Class::Moved
        | Class::Suspended
        | Class::MailboxFull
        | Class::RelayDenied
        | Class::Greylisted => Some(Stage::Rcpt),
        Class::NotAuthorized if says("access denied") => None,
        Class::NotAuthorized => Some(Stage::Rcpt),
        Class::Expired if says("connect") || says("not responding") => Some(Stage::Connect),
        Class::RecipientRefuses if says("filter") => Some(Stage::EndOfData),
        Class::RecipientRefuses => Some(Stage::Rcpt),
        Class::NoSuchHost | Class::Dns => Some(Stage::Routing),
        Class::TakesNoMail if code.is_none() => Some(Stage::Routing),
        Class::TakesNoMail => Some(Stage::Rcpt),
        Class::SenderRefused => Some(Stage::Mail),
        Class::Login => Some(Stage::Mail),
        Class::Authentication if says("spf") && !says("dmarc") && !says("dkim") => {
            Some(Stage::Mail)
        }
        Class::Authentication
        | Class::Spam
        | Class::Virus
        | Class::Content
        | Class::NotCompliant
        | Class::Policy => Some(Stage::EndOfData),
        Class::TooLarge if says("fixed maximum") || says("5.3.4") => Some(Stage::Mail),
        Class::TooLarge if is_own => Some(Stage::Routing),
        Class::TooLarge => Some(Stage::EndOfData),
        Class::Mailer => Some(Stage::Mailbox),
        Class::TooManyConnections if says("recipients") => Some(Stage::Rcpt),
        Class::TooManyConnections => Some(Stage::Greeting),
        Class::Blocklisted if matches!(code, Some(421 | 554)) && says("connection") => {
            Some(Stage::Greeting)
        }
        Class::Blocklisted => Some(Stage::Rcpt),
        Class::ReverseName => Some(Stage::Rcpt),
        Class::BadReputation if code == Some(421) => Some(Stage::Mail),
        Class::BadReputation => Some(Stage::EndOfData),
        Class::RateLimit => Some(Stage::Rcpt),
        Class::Syntax if code == Some(503) => Some(Stage::Rcpt),
        Class::Network
            if says("connect") && !says("reset") && !says("dropped") && !says("closed") =>
        {
            Some(Stage::Connect)
        }
        Class::MailLoop => Some(Stage::EndOfData),
        // Who answers with a code is connected.
        Class::Network if code.is_none() && (says("timed out") || says("timeout")) => {
            Some(Stage::Connect)
        }
        Class::Tls => Some(Stage::Tls),
        Class::SystemFull => Some(Stage::Mail),
        Class::Syntax | Class::Network | Class::Expired | Class::System | Class::Unknown => None,
    }
}
