//! Evidence from a testimony: what its words say happened, where it has no reply.

use std::time::Duration;

use smtp::{EnhancedStatus, Reply, Stage, Trouble};

use super::{Evidence, plain};
use crate::testimony::{Fate, Speaker, Testimony};

/// Words of a writer about a connection or a look-up of its own, in lower case, and what they tell of.
const SIGNS: [(&str, Sign); 36] = [
    ("null mx", Sign::NullMx),
    ("nullmx", Sign::NullMx),
    ("domain does not accept mail", Sign::NullMx),
    ("does not accept mail (nullmx)", Sign::NullMx),
    ("host or domain name not found", Sign::NoDomain),
    ("nxdomain", Sign::NoDomain),
    ("host not found", Sign::NoDomain),
    ("domain not found", Sign::NoDomain),
    ("host unknown", Sign::NoDomain),
    ("no such domain", Sign::NoDomain),
    ("couldn't find any host named", Sign::NoDomain),
    ("couldn't find a mail exchanger or ip address", Sign::NoDomain),
    ("host lookup did not complete", Sign::Dns),
    ("name service error", Sign::Dns),
    ("name server: timeout", Sign::Dns),
    ("dns error", Sign::Dns),
    ("servfail", Sign::Dns),
    ("loops back to myself", Sign::Loop),
    ("lowest numbered mx record points to local host", Sign::Loop),
    ("connection refused", Sign::Network),
    ("connection timed out", Sign::Network),
    ("operation timed out", Sign::Network),
    ("network is unreachable", Sign::Network),
    ("no route to host", Sign::Network),
    ("wasn't able to establish an smtp connection", Sign::Network),
    ("could not connect", Sign::Network),
    ("connection reset", Sign::Closed),
    ("lost connection", Sign::Closed),
    ("remote host closed connection", Sign::Closed),
    ("connection dropped", Sign::Closed),
    ("connected to the remote host but connection died", Sign::Closed),
    ("timed out while", Sign::Silence),
    ("smtp timeout", Sign::Silence),
    ("tls handshake", Sign::Tls),
    ("tls is required, but", Sign::Tls),
    ("certificate verification failed", Sign::Tls),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    NullMx,
    NoDomain,
    Dns,
    Loop,
    Network,
    Closed,
    Silence,
    Tls,
}

impl<'a> Evidence<'a> {
    /// What a report or a log line says of one recipient.
    pub fn of_testimony(testimony: &'a Testimony) -> Self {
        let trouble = trouble(testimony);
        let permanent = match (&trouble, testimony.status, testimony.fate) {
            (Trouble::Reply(reply), _, _) if reply.is_permanent() || reply.is_transient() => {
                reply.is_permanent()
            }
            (_, Some(status), _) => status.class == 5,
            (_, None, fate) => matches!(fate, Fate::Failed | Fate::Rejected),
        };
        let class = super::class_of_words(&testimony.words);
        let reply_words = testimony.reply.as_ref().map(|reply| plain(&reply.text));
        Self {
            stage: testimony.stage,
            permanent,
            is_ours: false,
            peer: speaker(testimony),
            recipient: testimony.recipient.clone(),
            dialogue: None,
            exchange: None,
            has_code: testimony.reply.is_some(),
            class,
            words: reply_words
                .filter(|words| !words.is_empty())
                .unwrap_or_else(|| plain(&testimony.words)),
            trouble: std::borrow::Cow::Owned(trouble),
        }
    }
}

fn speaker(testimony: &Testimony) -> String {
    let writer = testimony.writer.as_deref().filter(|name| !name.is_empty());
    match &testimony.speaker {
        Speaker::Remote(name) => crate::quote::clean(name),
        Speaker::Writer => writer.map_or("the reporting server".to_owned(), crate::quote::clean),
        Speaker::RemoteUnnamed | Speaker::Unknown => "the server".to_owned(),
    }
}

/// The reply if there is one; else what the words tell; else the status stands in for a reply.
fn trouble(testimony: &Testimony) -> Trouble {
    if let Some(reply) = &testimony.reply {
        return Trouble::Reply(reply.clone());
    }
    let words = plain(&testimony.words);
    let text = testimony.words.clone();
    let class = match testimony.status {
        Some(status) => status.class,
        None if testimony.fate == Fate::Deferred => 4,
        None if testimony.fate == Fate::Delivered => 2,
        None => 5,
    };
    let dns = |subject, detail| EnhancedStatus::new(class, subject, detail);
    let found = SIGNS.iter().find(|(phrase, _)| words.contains(phrase)).map(|(_, sign)| *sign);
    match found {
        Some(Sign::NullMx) => Trouble::Dns(dns(1, 10), text),
        Some(Sign::NoDomain) if class == 5 => Trouble::Dns(dns(1, 2), text),
        Some(Sign::NoDomain | Sign::Dns) => Trouble::Dns(dns(4, 3), text),
        Some(Sign::Loop) => Trouble::Dns(dns(4, 6), text),
        Some(Sign::Network) => Trouble::Network(text),
        Some(Sign::Closed) => Trouble::Closed,
        Some(Sign::Silence) => Trouble::Silence(Duration::ZERO),
        Some(Sign::Tls) if testimony.stage.is_none_or(|stage| stage == Stage::Tls) => {
            Trouble::Tls(text)
        }
        Some(Sign::Tls) | None => Trouble::Reply(Reply {
            code: u16::from(class) * 100,
            status: testimony.status,
            text: text.into(),
        }),
    }
}
