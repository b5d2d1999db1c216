//! Reading addresses, strictly, but for what the net is full of and hurts nobody: local-parts of up
//! to 128 octets (RFC 5321 section 4.5.3.1.1 has 64, list managers encode more) and `_` in domains.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use super::Address;

/// Octets of a local-part.
const LOCAL_PART_LENGTH_MAX: usize = 128;
/// RFC 5321 section 4.5.3.1.2.
const DOMAIN_LENGTH_MAX: usize = 255;
/// RFC 1035 section 2.3.4.
const LABEL_LENGTH_MAX: usize = 63;
/// RFC 5321 section 4.5.3.1.3 has 256 with both brackets.
const MAILBOX_LENGTH_MAX: usize = 254;

/// How a path or an address is wrong. The text is fit for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the texts say it
pub enum AddressError {
    NoBrackets,
    Unclosed,
    Empty,
    NoDomain,
    NoLocalPart,
    LocalPart,
    Quotes,
    Dots,
    LocalPartLength,
    Domain,
    DomainLength,
    Literal,
    PathLength,
    Route,
}

impl AddressError {
    /// What is wrong and how it would be right.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoBrackets => "a path stands in angle brackets, like <user@example.org>",
            Self::Unclosed => "the `>` at the end of the path is missing",
            Self::Empty => "the path is empty",
            Self::NoDomain => "the address has no domain",
            Self::NoLocalPart => "the address has no local-part",
            Self::LocalPart => {
                "a character in the local-part needs quotes, or may not be there at all"
            }
            Self::Quotes => "the quotes of the local-part do not end before the `@`",
            Self::Dots => "the local-part has a dot at its start, at its end, or two in a row",
            Self::LocalPartLength => "the local-part is longer than 128 octets",
            Self::Domain => {
                "the domain is not made of letters, digits and hyphens, with single dots between"
            }
            Self::DomainLength => {
                "the domain is longer than 255 octets, or a part of it longer than 63"
            }
            Self::Literal => "an address literal looks like [192.0.2.1] or [IPv6:2001:db8::1]",
            Self::PathLength => "the path is longer than 256 octets",
            Self::Route => "a source route looks like <@one.example,@two.example:user@example.org>",
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for AddressError {}

/// A path as it stands in MAIL or RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// `<>`
    Null,
    /// `<user@example.org>`; a source route before it is read and dropped (RFC 5321 appendix C).
    Address(Address),
}

impl Path {
    /// Reads the path at the front of `text` and gives what follows the `>`.
    pub fn split_from(text: &str) -> Result<(Self, &str), AddressError> {
        let inner = text.strip_prefix('<').ok_or(AddressError::NoBrackets)?;
        if let Some(rest) = inner.strip_prefix('>') {
            return Ok((Self::Null, rest));
        }
        let inner = if inner.starts_with('@') { after_source_route(inner)? } else { inner };
        let end = end_of_mailbox(inner).ok_or(AddressError::Unclosed)?;
        let address = mailbox(&inner[..end])?;
        Ok((Self::Address(address), &inner[end + 1..]))
    }
}

/// Where the `>` is that no quotes hide.
fn end_of_mailbox(text: &str) -> Option<usize> {
    let local_part = if text.starts_with('"') { end_of_quotes(text)? } else { 0 };
    memchr::memchr(b'>', &text.as_bytes()[local_part..]).map(|at| local_part + at)
}

/// The offset behind the closing quote; `text` starts with the opening one.
fn end_of_quotes(text: &str) -> Option<usize> {
    let octets = text.as_bytes();
    let mut at = 1;
    loop {
        match octets.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// `@one,@two:rest` -> `rest`. RFC 5321 section 4.1.1.3: to be accepted, and best ignored.
fn after_source_route(text: &str) -> Result<&str, AddressError> {
    let mut rest = text;
    loop {
        rest = rest.strip_prefix('@').ok_or(AddressError::Route)?;
        let end = if rest.starts_with('[') {
            rest.find(']').map(|at| at + 1)
        } else {
            rest.find([',', ':', '>'])
        };
        let (hop, after) = rest.split_at(end.ok_or(AddressError::Route)?);
        domain(hop).map_err(|_| AddressError::Route)?;
        rest = match after.strip_prefix(':') {
            Some(mailbox) => return Ok(mailbox),
            None => after.strip_prefix(',').ok_or(AddressError::Route)?,
        };
    }
}

/// An address without brackets.
pub(super) fn mailbox(text: &str) -> Result<Address, AddressError> {
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    let at = if text.starts_with('"') {
        end_of_quotes(text).ok_or(AddressError::Quotes)?
    } else {
        memchr::memchr(b'@', text.as_bytes()).unwrap_or(text.len())
    };
    let (local_part, rest) = text.split_at_checked(at).ok_or(AddressError::Quotes)?;
    if rest.is_empty() {
        // RFC 5321 section 4.5.1: in any case of letters, and the only one.
        let postmaster = text.eq_ignore_ascii_case("postmaster");
        return postmaster.then(|| Address::without_domain(text)).ok_or(AddressError::NoDomain);
    }
    let name = rest.strip_prefix('@').ok_or(AddressError::Quotes)?;
    check_local_part(local_part)?;
    domain(name)?;
    if text.len() > MAILBOX_LENGTH_MAX {
        return Err(AddressError::PathLength);
    }
    Ok(Address { text: text.into(), at: at as u16 })
}

fn check_local_part(text: &str) -> Result<(), AddressError> {
    if text.is_empty() {
        return Err(AddressError::NoLocalPart);
    }
    if text.len() > LOCAL_PART_LENGTH_MAX {
        return Err(AddressError::LocalPartLength);
    }
    if text.starts_with('"') {
        // Quotes and backslashes are in place: `end_of_quotes` has been here.
        let printable = !text.chars().any(char::is_control);
        return if printable { Ok(()) } else { Err(AddressError::LocalPart) };
    }
    let mut before = b'.';
    for &octet in text.as_bytes() {
        if !is_atext(octet) && octet != b'.' {
            return Err(AddressError::LocalPart);
        }
        if octet == b'.' && before == b'.' {
            return Err(AddressError::Dots);
        }
        before = octet;
    }
    if before == b'.' { Err(AddressError::Dots) } else { check_unicode(text) }
}

/// RFC 5322 section 3.2.3, and RFC 6531 section 3.3: whatever is not ASCII.
fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet >= 0x80 || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}

/// The control characters of U+0080 to U+009F have no place in an address (RFC 6532 section 3.1
/// leaves them to RFC 5198, which warns of them).
fn check_unicode(text: &str) -> Result<(), AddressError> {
    let clean = text.is_ascii() || !text.chars().any(char::is_control);
    if clean { Ok(()) } else { Err(AddressError::LocalPart) }
}

/// A domain or an address literal, as in a path, a source route or EHLO.
pub(crate) fn domain(text: &str) -> Result<(), AddressError> {
    if let Some(literal) = text.strip_prefix('[') {
        return check_literal(literal.strip_suffix(']').ok_or(AddressError::Literal)?);
    }
    if text.len() > DOMAIN_LENGTH_MAX {
        return Err(AddressError::DomainLength);
    }
    if text.is_empty() {
        return Err(AddressError::NoDomain);
    }
    if !text.is_ascii() && text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(AddressError::Domain);
    }
    text.split('.').try_for_each(check_label)
}

fn check_label(label: &str) -> Result<(), AddressError> {
    let octets = label.as_bytes();
    let allowed = |&octet: &u8| {
        octet.is_ascii_alphanumeric() || octet >= 0x80 || octet == b'-' || octet == b'_'
    };
    let hyphen_outside = octets.first() == Some(&b'-') || octets.last() == Some(&b'-');
    if octets.is_empty() || hyphen_outside || !octets.iter().all(allowed) {
        return Err(AddressError::Domain);
    }
    // A label that is not ASCII gets longer or shorter as an A-label: DNS will tell.
    if octets.len() > LABEL_LENGTH_MAX && label.is_ascii() {
        return Err(AddressError::DomainLength);
    }
    Ok(())
}

/// What is between the brackets. RFC 5321 section 4.1.3 allows other tags once they are standardized;
/// none is.
fn check_literal(text: &str) -> Result<(), AddressError> {
    let tag = "IPv6:";
    let valid = match text.split_at_checked(tag.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(tag) => rest.parse::<Ipv6Addr>().is_ok(),
        _ => text.parse::<Ipv4Addr>().is_ok(),
    };
    if valid { Ok(()) } else { Err(AddressError::Literal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let long = |length: usize| "u".repeat(length);
        use AddressError as E;
        for (text, expected) in [
            ("user@example.org", Ok(4)),
            ("PostMaster", Ok(10)), // RFC 5321 section 4.5.1: without a domain, in any case
            ("user", Err(E::NoDomain)), // only postmaster may
            ("\"john doe\"@example.org", Ok(10)),
            (r#""a\"b@c"@example.org"#, Ok(8)), // a quoted quote and a quoted @
            (r#""a\"@example.org"#, Err(E::Quotes)), // the backslash quotes the end
            ("\"user@example.org\"", Err(E::NoDomain)), // one quoted string is no mailbox
            ("\"a\"b@example.org", Err(E::Quotes)), // section 4.1.2: dot-string or quoted, not both
            ("\"\"@example.org", Ok(2)),        // QcontentSMTP may be empty
            ("a..b@example.org", Err(E::Dots)),
            (".a@example.org", Err(E::Dots)),
            ("a.@example.org", Err(E::Dots)),
            ("@example.org", Err(E::NoLocalPart)),
            ("a@", Err(E::NoDomain)),
            ("a@b@example.org", Err(E::Domain)),
            ("two words@example.org", Err(E::LocalPart)),
            ("a\u{1}b@example.org", Err(E::LocalPart)),
            ("a#$&'*+-/=?^_`{|}~9!%@example.org", Ok(21)), // all of atext
            ("a@example..org", Err(E::Domain)),
            ("a@example.org.", Err(E::Domain)), // a trailing dot is DNS's, not SMTP's
            ("a@-a.example", Err(E::Domain)),
            ("a@a_b.example", Ok(1)), // not RFC, but met
            ("a@[192.0.2.1]", Ok(1)),
            ("a@[IPv6:2001:db8::1]", Ok(1)),
            ("a@[ipv6:::1]", Ok(1)), // tags are literals of ABNF: any case
            ("a@[2001:db8::1]", Err(E::Literal)), // the tag is missing
            ("a@[1.2.3]", Err(E::Literal)),
            ("a@[256.1.1.1]", Err(E::Literal)),
            ("a@[]", Err(E::Literal)),
            ("a@[", Err(E::Literal)),
            ("a@[x:y]", Err(E::Literal)),
            ("δοκιμή@παράδειγμα.gr", Ok(12)),            // RFC 6531
            ("a\u{85}b@example.org", Err(E::LocalPart)), // C1 control
        ] {
            let found = mailbox(text).map(|address| usize::from(address.at));
            assert_eq!(found, expected, "{text}");
        }
        assert!(mailbox(&format!("{}@example.org", long(128))).is_ok());
        assert_eq!(mailbox(&format!("{}@example.org", long(129))), Err(E::LocalPartLength));
        assert!(mailbox(&format!("a@{}.example", long(63))).is_ok());
        assert_eq!(mailbox(&format!("a@{}.example", long(64))), Err(E::DomainLength));
        let path = |length: usize| format!("a@{}{}", "d.".repeat((length - 2) / 2 - 1), long(2));
        assert_eq!(path(254).len(), 254);
        assert!(mailbox(&path(254)).is_ok());
        assert_eq!(mailbox(&path(256)), Err(E::PathLength));
    }

    #[test]
    fn paths() {
        for (text, expected) in [
            ("<>", Some(("", ""))),
            ("<> SIZE=1", Some(("", " SIZE=1"))),
            ("<a@b.example>", Some(("a@b.example", ""))),
            ("<\">\"@b.example> X", Some(("\">\"@b.example", " X"))), // a quoted > ends nothing
            ("<@one.example,@[192.0.2.1]:a@b.example>", Some(("a@b.example", ""))),
            ("<@one.example:>", None),
            ("<@one.example>", None), // a route to nowhere
            ("<@one.example,two.example:a@b.example>", None),
            ("a@b.example", None),
            ("<a@b.example", None),
            ("<<a@b.example>>", None),
            ("<a@b.example><c@d.example>", Some(("a@b.example", "<c@d.example>"))),
        ] {
            let found = Path::split_from(text).ok().map(|(path, rest)| match path {
                Path::Null => (String::new(), rest),
                Path::Address(address) => (address.as_str().to_owned(), rest),
            });
            assert_eq!(found, expected.map(|(path, rest)| (path.to_owned(), rest)), "{text}");
        }
    }

    #[test]
    fn what_quotes_mean() {
        for (text, meaning) in [
            ("user@example.org", "user"),
            ("\"user\"@example.org", "user"), // RFC 5321 section 4.1.2: the same mailbox
            (r#""a\"b\\"@example.org"#, r#"a"b\"#),
        ] {
            assert_eq!(mailbox(text).unwrap().local_part_unquoted(), meaning, "{text}");
        }
    }
}
