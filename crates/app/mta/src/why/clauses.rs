//! Parts of sentences: clients, TLS, decisions.

use smtp::TlsFacts;

use super::{dialogue::visible, moments::span};
use crate::evidence::{Client, Decided, Decision, DsnKind, Learned};

/// `192.0.2.7, which called itself mail.a.test, over TLSv1.3, logged in as alice`.
pub(super) fn client(client: &Client<'_>) -> String {
    let mut text = client.address.ip().to_string();
    match &client.helo {
        Some(helo) => text += &format!(", which called itself {}", clean(helo)),
        None => text += ", which said no EHLO",
    }
    match &client.tls {
        Some(tls) => text += &format!(", over {}", clean(&tls.version)),
        None => text += ", in clear",
    }
    match &client.user {
        Some(user) => text += &format!(", logged in as {}", clean(user)),
        None => text += ", not logged in",
    }
    text + &format!(", to listener {}", client.listener)
}

/// `TLSv1.3 TLS13_AES_256_GCM_SHA384; certificate verified: ...`.
pub(super) fn tls(facts: &TlsFacts) -> String {
    let verified = match &facts.verified {
        Ok(against) => format!("certificate verified ({})", clean(against)),
        Err(why) => format!("certificate not verified ({})", clean(why)),
    };
    format!("{} {}, {verified}", clean(&facts.version), clean(&facts.cipher))
}

/// What was decided, as a sentence without its full stop.
pub(super) fn decision(decided: &Decided<'_>) -> String {
    let who = decided.by.as_ref().map_or("this server".to_owned(), |by| format!("{by} (operator)"));
    let whom = match &*decided.recipients {
        [] => String::new(),
        paths => format!(" for {}", joined(paths.iter().map(smtp::Address::as_str))),
    };
    match &decided.decision {
        Decision::Held => format!("{who} put it on hold{whom}"),
        Decision::Released => format!("{who} released it{whom}"),
        Decision::RetryNow => format!("{who} asked for an attempt at once{whom}"),
        Decision::Removed => format!("{who} removed it{whom}, without a report to the originator"),
        Decision::Bounced => format!("{who} gave it up{whom}"),
        Decision::Rerouted { next_hop } => format!("{who} sent it by way of {next_hop}{whom}"),
        Decision::Expired { after } => {
            format!("given up{whom}: it was in the queue for {}", span(*after))
        }
        Decision::DsnSent { dsn, to, kind } => {
            format!("a {} report{whom} went to {to} as {dsn}", dsn_kind(*kind))
        }
        Decision::DsnWithheld { why } => format!("no report was sent{whom}: {why}"),
    }
}

/// What was learned, as a sentence without its full stop.
pub(super) fn lesson(learned: &Learned<'_>) -> String {
    format!("learned of {}: {}, because {}", learned.site, learned.change, clean(&learned.because))
}

pub(super) fn dsn_kind(kind: DsnKind) -> &'static str {
    match kind {
        DsnKind::Failure => "failure",
        DsnKind::Delay => "delay",
        DsnKind::Success => "success",
    }
}

/// `a`, `a and b`, `a, b and 7 more`.
pub(super) fn joined<'t>(words: impl Iterator<Item = &'t str>) -> String {
    let words: Vec<&str> = words.collect();
    match &words[..] {
        [] => "nobody".to_owned(),
        [one] => clean(one),
        [one, two] => format!("{} and {}", clean(one), clean(two)),
        [one, two, more @ ..] => {
            format!("{}, {} and {} more", clean(one), clean(two), more.len())
        }
    }
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Words of a peer, safe for a terminal.
pub(super) fn clean(text: &str) -> String {
    visible(text.as_bytes())
}
