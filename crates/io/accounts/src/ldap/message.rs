//! The messages that we send and read (RFC 4511 section 4).

use super::ber::{self, Reader};

/// A search: the whole tree below `base`, at most two entries, as one is wanted.
pub struct Search<'a> {
    pub base: &'a str,
    pub filter: Vec<u8>,
    pub attributes: Vec<&'a str>,
}

/// What came of something (LDAPResult).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub code: u32,
    /// The directory's words.
    pub text: String,
}

/// An entry that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub attributes: Vec<(String, Vec<String>)>,
}

/// What is received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    Entry(Entry),
    /// The end of whatever was asked; the tag says what that was.
    End(u8, Outcome),
    /// Elsewhere there might be more.
    Reference,
}

impl Entry {
    pub fn values(&self, attribute: &str) -> impl Iterator<Item = &str> {
        let fits = |name: &str| !attribute.is_empty() && name.eq_ignore_ascii_case(attribute);
        let found = self.attributes.iter().find(|(name, _)| fits(name));
        found.into_iter().flat_map(|(_, values)| values.iter().map(String::as_str))
    }
}

pub const BIND_END: u8 = 0x61;
pub const SEARCH_END: u8 = 0x65;
pub const EXTENDED_END: u8 = 0x78;
/// RFC 4511 section 4.14.1.
const STARTTLS: &str = "1.3.6.1.4.1.1466.20037";

/// A simple bind (section 4.2).
pub fn bind(id: u32, dn: &str, password: &str) -> Vec<u8> {
    let parts =
        [ber::number(0x02, 3), ber::octets(dn.as_bytes()), ber::tagged(0x80, password.as_bytes())];
    message(id, ber::constructed(0x60, &parts))
}

pub fn search(id: u32, search: &Search<'_>) -> Vec<u8> {
    // RFC 4511 section 4.5.1.8: `1.1` asks for no attributes, none at all asks for every one.
    let wanted = if search.attributes.is_empty() { &["1.1"][..] } else { &search.attributes };
    let attributes: Vec<Vec<u8>> = wanted.iter().map(|name| ber::octets(name.as_bytes())).collect();
    let parts = [
        ber::octets(search.base.as_bytes()),
        ber::number(0x0a, 2), // wholeSubtree
        ber::number(0x0a, 0), // neverDerefAliases
        ber::number(0x02, 2), // at most so many entries
        ber::number(0x02, 0), // our own patience ends it
        ber::tagged(0x01, &[0]),
        search.filter.clone(),
        ber::constructed(0x30, &attributes),
    ];
    message(id, ber::constructed(0x63, &parts))
}

pub fn starttls(id: u32) -> Vec<u8> {
    message(id, ber::constructed(0x77, &[ber::tagged(0x80, STARTTLS.as_bytes())]))
}

fn message(id: u32, operation: Vec<u8>) -> Vec<u8> {
    ber::constructed(0x30, &[ber::number(0x02, id), operation])
}

/// The content of a received message: its number, and what it says. `None`: it is none that we know.
pub fn read(octets: &[u8]) -> Option<(u32, Received)> {
    let mut reader = Reader(octets);
    let id = reader.number(0x02)?;
    let (tag, content) = reader.next()?;
    let mut content = Reader(content);
    let received = match tag {
        0x64 => Received::Entry(entry(&mut content)?),
        0x73 => Received::Reference,
        tag => {
            let code = content.number(0x0a)?;
            let _matched = content.text()?;
            Received::End(
                tag,
                Outcome { code, text: content.text()?.trim_end_matches('\0').to_owned() },
            )
        }
    };
    Some((id, received))
}

fn entry(content: &mut Reader<'_>) -> Option<Entry> {
    let name = content.text()?;
    let mut list = Reader(content.expect(0x30)?);
    let mut attributes = Vec::new();
    while let Some(attribute) = list.expect(0x30) {
        let mut attribute = Reader(attribute);
        let name = attribute.text()?;
        let mut set = Reader(attribute.expect(0x31)?);
        let mut values = Vec::new();
        while let Some(value) = set.text() {
            values.push(value);
        }
        attributes.push((name, values));
    }
    Some(Entry { name, attributes })
}

/// Its name in the RFC's appendix A, for the codes that logins meet.
pub fn word(code: u32) -> String {
    let word = match code {
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        8 => "strongerAuthRequired",
        10 => "referral",
        13 => "confidentialityRequired",
        19 => "constraintViolation",
        32 => "noSuchObject",
        34 => "invalidDNSyntax",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        other => return format!("result {other}"),
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_directory_says() {
        // As slapd sent them.
        let refused = b"\x02\x01\x01\x61\x07\x0a\x01\x31\x04\x00\x04\x00";
        let outcome = Outcome { code: 49, text: String::new() };
        assert_eq!(read(refused), Some((1, Received::End(BIND_END, outcome))));
        let found = b"\x02\x01\x02\x64\x1c\x04\x04cn=a\x30\x14\x30\x12\x04\x04mail\x31\x0a\x04\x03a@a\x04\x03b@b";
        let Some((2, Received::Entry(entry))) = read(found) else { panic!() };
        assert_eq!(entry.name, "cn=a");
        assert_eq!(entry.values("MAIL").collect::<Vec<_>>(), ["a@a", "b@b"]);
        assert_eq!(entry.values("").count(), 0);
    }

    #[test]
    fn what_is_sent() {
        assert_eq!(
            bind(1, "cn=a", "pw"),
            b"\x30\x12\x02\x01\x01\x60\x0d\x02\x01\x03\x04\x04cn=a\x80\x02pw"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets: Vec<u8>) {
            let _ = read(&octets);
        }
    }
}
