//! What can be asked about.

use std::net::IpAddr;

use serde::Serialize;
use spool::{JobId, MessageId};

use crate::evidence::Key;

/// One reading of what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A queue id without a part: the whole message.
    Message(MessageId),
    /// A queue id with a part: one job.
    Job(JobId),
    /// An address, of a sender or a recipient.
    Address(String),
    /// A domain, of a sender or a recipient.
    Domain(String),
    /// A Message-ID field.
    MessageId(String),
    /// A client's address.
    Client(IpAddr),
}

/// Nothing that can be looked up.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is nothing that can be looked up: give a queue id (00A7KQ), an address (bob@b.test), \
     a domain (b.test), a Message-ID (<...>) or a client's address (192.0.2.1)"
)]
pub struct UnclearSubject(pub String);

impl Subject {
    /// What `text` can mean, the likeliest first. `localhost` might be a queue id, a Message-ID looks
    /// like an address without its brackets: the evidence decides.
    pub fn readings(text: &str) -> Result<Vec<Self>, UnclearSubject> {
        let word = text.trim();
        let unclear = || UnclearSubject(text.to_owned());
        if word.is_empty() || word.contains(char::is_whitespace) {
            return Err(unclear());
        }
        let literal = word.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = literal.parse() {
            return Ok(vec![Self::Client(address)]);
        }
        if word.starts_with('<') && word.ends_with('>') {
            let inner = word[1..word.len() - 1].to_owned();
            return Ok(vec![Self::MessageId(word.to_owned()), Self::Address(inner)]);
        }
        if word.contains('@') {
            return Ok(vec![Self::Address(word.to_owned()), Self::MessageId(word.to_owned())]);
        }
        let domain = || Self::Domain(word.trim_end_matches('.').to_owned());
        Ok(match word.parse::<JobId>() {
            Ok(id) if word.contains('.') => vec![Self::Job(id), domain()],
            Ok(id) => vec![Self::Message(id.message), domain()],
            Err(_) => vec![domain()],
        })
    }

    /// What the evidence log finds it by.
    pub fn key(&self) -> Key {
        match self {
            Self::Message(id) => Key::Message(*id),
            Self::Job(id) => Key::Message(id.message),
            Self::Address(text) => Key::Address(text.clone()),
            Self::Domain(text) => Key::Domain(text.clone()),
            Self::MessageId(text) => Key::MessageId(text.clone()),
            Self::Client(address) => Key::Client(*address),
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Message(id) => id.fmt(f),
            Self::Job(id) => id.fmt(f),
            Self::Address(text) | Self::Domain(text) | Self::MessageId(text) => f.write_str(text),
            Self::Client(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_of_what_is_typed() {
        let message = MessageId(0xA7 << 10);
        let kinds = |text: &str| -> Vec<&'static str> {
            let readings = Subject::readings(text).unwrap_or_default();
            let kind = |subject: &Subject| match subject {
                Subject::Message(_) => "message",
                Subject::Job(_) => "job",
                Subject::Address(_) => "address",
                Subject::Domain(_) => "domain",
                Subject::MessageId(_) => "message-id",
                Subject::Client(_) => "client",
            };
            readings.iter().map(kind).collect()
        };
        for (text, expected) in [
            ("00A7KQ", &["message", "domain"][..]),
            ("00a7kq.2", &["job", "domain"]),
            ("localhost", &["message", "domain"]), // all of its letters are digits of an id
            ("b.test", &["domain"]),
            ("b.test.", &["domain"]), // as dig shows it
            ("bob@b.test", &["address", "message-id"]),
            ("<x@y>", &["message-id", "address"]),
            ("192.0.2.1", &["client"]),
            ("[2001:db8::1]", &["client"]),
            ("", &[]),
            ("two words", &[]),
        ] {
            assert_eq!(kinds(text), expected, "{text}");
        }
        assert_eq!(Subject::readings(&message.to_string()).unwrap()[0], Subject::Message(message));
    }
}
