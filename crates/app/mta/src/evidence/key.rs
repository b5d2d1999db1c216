//! What entries are found by. An index holds 64-bit hashes; whoever reads an entry checks the real
//! words, so a collision costs a read and never a wrong answer.

use std::net::IpAddr;

use smtp::{ReversePath, Stage};
use spool::MessageId;

use super::entry::{Decided, Decision, Entry, Kind, Origin};

/// What to look for. Addresses, domains and Message-IDs are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A queue id.
    Message(MessageId),
    /// A reverse-path or a forward-path, without angle brackets.
    Address(String),
    /// The domain of a reverse-path or a forward-path.
    Domain(String),
    /// A Message-ID, with or without angle brackets.
    MessageId(String),
    /// A client's address.
    Client(IpAddr),
}

/// One of an entry's keys, borrowed from it.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeyRef<'a> {
    Message(MessageId),
    Address(&'a str),
    Domain(&'a str),
    MessageId(&'a str),
    Client(IpAddr),
}

impl Key {
    pub(super) fn as_ref(&self) -> KeyRef<'_> {
        match self {
            Self::Message(id) => KeyRef::Message(*id),
            Self::Address(text) => KeyRef::Address(text),
            Self::Domain(text) => KeyRef::Domain(text),
            Self::MessageId(text) => KeyRef::MessageId(text),
            Self::Client(address) => KeyRef::Client(*address),
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.as_ref().hash()
    }

    /// Whether `entry` really is about this.
    pub(super) fn matches(&self, entry: &Entry<'_>) -> bool {
        let mut found = false;
        each_key(entry, &mut |key| found |= key.is_same(self.as_ref()));
        found
    }
}

impl KeyRef<'_> {
    /// Stable for ever: it is in the index files. FNV-1a over kind and folded text, then mixed so
    /// that the order of the hashes is even.
    pub(super) fn hash(self) -> u64 {
        match self {
            Self::Message(id) => mixed(fnv(fnv(START, b"q"), &id.0.to_le_bytes())),
            Self::Address(text) => mixed(fnv_folded(fnv(START, b"a"), text)),
            Self::Domain(text) => mixed(fnv_folded(fnv(START, b"d"), text)),
            Self::MessageId(text) => mixed(fnv_folded(fnv(START, b"m"), bare(text))),
            Self::Client(address) => match address.to_canonical() {
                IpAddr::V4(address) => mixed(fnv(fnv(START, b"c"), &address.octets())),
                IpAddr::V6(address) => mixed(fnv(fnv(START, b"c"), &address.octets())),
            },
        }
    }

    fn is_same(self, other: KeyRef<'_>) -> bool {
        match (self, other) {
            (Self::Message(a), KeyRef::Message(b)) => a == b,
            (Self::Address(a), KeyRef::Address(b)) | (Self::Domain(a), KeyRef::Domain(b)) => {
                is_same_folded(a, b)
            }
            (Self::MessageId(a), KeyRef::MessageId(b)) => is_same_folded(bare(a), bare(b)),
            (Self::Client(a), KeyRef::Client(b)) => a.to_canonical() == b.to_canonical(),
            _ => false,
        }
    }
}

/// Calls `visit` with each key of an entry; the same key may come several times.
pub(super) fn each_key<'e>(entry: &'e Entry<'_>, visit: &mut dyn FnMut(KeyRef<'e>)) {
    match &entry.kind {
        Kind::Received(received) => {
            visit(KeyRef::Message(received.message));
            match &received.origin {
                Origin::Dsn { about } => visit(KeyRef::Message(about.message)),
                Origin::Client(client) => visit(KeyRef::Client(client.address.ip())),
            }
            reverse_path_keys(&received.envelope.reverse_path, visit);
            let recipients = received.envelope.recipients.iter();
            path_keys(recipients.map(|recipient| recipient.forward_path.as_str()), visit);
            received.message_id.iter().for_each(|id| visit(KeyRef::MessageId(id)));
        }
        Kind::Refused(refused) => {
            visit(KeyRef::Client(refused.client.address.ip()));
            if refused.stage == Stage::Auth {
                refused.client.user.iter().for_each(|user| user_keys(user, visit));
            }
            path_keys(refused.reverse_path.iter().map(|path| &**path), visit);
            path_keys(refused.recipients.iter().map(|path| &**path), visit);
            refused.message_id.iter().for_each(|id| visit(KeyRef::MessageId(id)));
        }
        Kind::Attempted(attempted) => {
            visit(KeyRef::Message(attempted.job.message));
            visit(KeyRef::Domain(&attempted.lane));
            let outcomes = attempted.attempt.outcomes.iter();
            outcomes.for_each(|(path, _)| visit(KeyRef::Address(path.as_str())));
        }
        Kind::Decided(decided) => decided_keys(decided, visit),
        Kind::Learned(learned) => {
            visit(KeyRef::Domain(&learned.lane));
            learned.job.iter().for_each(|job| visit(KeyRef::Message(job.message)));
        }
    }
}

/// A user's name is looked up as what it looks like.
fn user_keys<'e>(user: &'e str, visit: &mut dyn FnMut(KeyRef<'e>)) {
    match user.contains('@') {
        true => visit(KeyRef::Address(user)),
        false => visit(KeyRef::Domain(user)),
    }
}

fn decided_keys<'e>(decided: &'e Decided<'_>, visit: &mut dyn FnMut(KeyRef<'e>)) {
    visit(KeyRef::Message(decided.job.message));
    path_keys(decided.recipients.iter().map(smtp::Address::as_str), visit);
    if let Decision::DsnSent { dsn, to, .. } = &decided.decision {
        visit(KeyRef::Message(*dsn));
        visit(KeyRef::Address(to.as_str()));
    }
}

fn reverse_path_keys<'e>(path: &'e ReversePath, visit: &mut dyn FnMut(KeyRef<'e>)) {
    path_keys(path.iter().map(smtp::Address::as_str), visit);
}

/// Addresses, and each domain once where the same follows itself (as it mostly does).
fn path_keys<'e>(paths: impl Iterator<Item = &'e str>, visit: &mut dyn FnMut(KeyRef<'e>)) {
    let mut last = "";
    for path in paths.filter(|path| !path.is_empty()) {
        visit(KeyRef::Address(path));
        let domain = path.rsplit_once('@').map_or("", |(_, domain)| domain);
        if !domain.is_empty() && domain != last {
            visit(KeyRef::Domain(domain));
            last = domain;
        }
    }
}

fn bare(message_id: &str) -> &str {
    let inner = message_id.trim();
    inner.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(inner)
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn is_same_folded(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!(a.is_ascii() && b.is_ascii()) && folded(a).eq(folded(b)))
}

const START: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv(start: u64, octets: &[u8]) -> u64 {
    octets.iter().fold(start, |hash, &octet| step(hash, octet))
}

fn fnv_folded(start: u64, text: &str) -> u64 {
    if text.is_ascii() {
        return text.bytes().fold(start, |hash, octet| step(hash, octet.to_ascii_lowercase()));
    }
    folded(text).fold(start, |hash, c| fnv(hash, c.encode_utf8(&mut [0; 4]).as_bytes()))
}

fn step(hash: u64, octet: u8) -> u64 {
    (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
}

fn mixed(mut hash: u64) -> u64 {
    hash ^= hash >> 31;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_without_case() {
        let client = |text: &str| KeyRef::Client(text.parse().unwrap());
        for (a, b, same) in [
            (KeyRef::Address("Bob@B.test"), KeyRef::Address("bob@b.TEST"), true),
            (KeyRef::Domain("BÜCHER.test"), KeyRef::Domain("bücher.test"), true),
            (KeyRef::MessageId("<X@y>"), KeyRef::MessageId("x@y"), true), // brackets may be left out
            (KeyRef::Address("b.test"), KeyRef::Domain("b.test"), false), // kinds are apart
            (KeyRef::Message(MessageId(7)), KeyRef::Message(MessageId(8)), false),
            (KeyRef::Address("a@b.test"), KeyRef::Address("aa@b.test"), false),
            (client("192.0.2.1"), client("::ffff:192.0.2.1"), true),
            (client("192.0.2.1"), client("192.0.2.2"), false),
        ] {
            assert_eq!(a.is_same(b), same, "{a:?} {b:?}");
            assert_eq!(a.hash() == b.hash(), same, "{a:?} {b:?}");
        }
    }

    #[test]
    fn the_hash_is_part_of_the_file_format() {
        assert_eq!(KeyRef::Address("bob@b.test").hash(), HASH_OF_BOB);
    }

    const HASH_OF_BOB: u64 = 16089218796760540667;
}
