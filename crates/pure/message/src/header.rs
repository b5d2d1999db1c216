//! Looking through a header section as it arrives (RFC 5322 section 2.2), without keeping it.
//!
//! [`Scan`] is fed pieces of any size and stops at the end of the header section; a field that is
//! whole in one piece is looked at in place. The header section ends at the first empty line, or before
//! the first line that is neither a field nor the continuation of one. A line ends at LF, so that what
//! came by BDAT with bare LFs does not hide its Received fields.
//!
//! [`content_facts`] looks at a whole content; [`fields`] and [`field`] read single fields.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memrchr};

/// What a header section says that a transfer agent wants to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Octets up to the empty line (or the end of the header section, where there is none).
    pub header_length: u64,
    /// Octets up to the body: behind the empty line.
    pub body_start: u64,
    /// The end of the header section was seen.
    pub complete: bool,
    /// Received fields: the hops so far (RFC 5321 section 6.3).
    pub hops: u32,
    /// Message-ID as it stands, with its angle brackets, if there is one.
    pub message_id: Option<Box<str>>,
    /// There is a Message-ID field, be it empty.
    pub has_message_id: bool,
    /// There is a Date field.
    pub has_date: bool,
    /// There is a From field.
    pub has_from: bool,
    /// The values of all From fields, with commas between them; only of a [`Scan::with_author`].
    pub author: Option<Box<str>>,
    /// There is a Subject field.
    pub has_subject: bool,
    /// There is a MIME-Version field.
    pub has_mime_version: bool,
    /// There is a Content-Type field.
    pub has_content_type: bool,
    /// Content-Transfer-Encoding of the whole content.
    pub transfer_encoding: Option<TransferEncoding>,
    /// Solicitation as it stands, its lines joined (RFC 3865 section 2.6).
    pub solicitation: Option<Box<str>>,
    /// Require-Recipient-Valid-Since as they stand (RFC 7293 section 5.2), a line each.
    pub valid_since: Vec<Box<str>>,
    /// `TLS-Required: No` (RFC 8689 section 5).
    pub tls_optional: bool,
    /// Octets above 127 occur in the header section.
    pub eight_bit: bool,
    /// ... and they are all UTF-8 (RFC 6532).
    pub utf8: bool,
}

/// Content-Transfer-Encoding (RFC 2045 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferEncoding {
    /// `7bit`.
    SevenBit,
    /// `8bit`.
    EightBit,
    /// `binary`.
    Binary,
    /// `quoted-printable`.
    QuotedPrintable,
    /// `base64`.
    Base64,
    /// Something else: to be treated as octets that nobody can read (RFC 2045 section 6.4).
    Unknown,
}

impl TransferEncoding {
    /// Reads a field's value.
    pub fn parse(value: &[u8]) -> Self {
        let end = memchr(b';', value).or_else(|| memchr(b'(', value)).unwrap_or(value.len());
        let word = value[..end].trim_ascii();
        [
            (&b"7bit"[..], Self::SevenBit),
            (b"8bit", Self::EightBit),
            (b"binary", Self::Binary),
            (b"quoted-printable", Self::QuotedPrintable),
            (b"base64", Self::Base64),
        ]
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map_or(Self::Unknown, |(_, encoding)| encoding)
    }
}

/// A header section on its way through.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    facts: Facts,
    /// The beginning of a line whose end has not come yet.
    carry: Vec<u8>,
    /// Octets of that line that were not kept.
    dropped: u64,
    /// The field whose value may go on in the next line.
    awaited: Awaited,
    wants_author: bool,
}

/// Fields whose value is looked at may have it in a continuation line (Outlook folds Message-ID so).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Awaited {
    #[default]
    Nothing,
    Author,
    MessageId,
    TransferEncoding,
    Solicitation,
    ValidSince,
    TlsRequired,
}

/// Of a line that comes in pieces no more than this is kept: enough for every field looked at.
const LINE_KEPT_MAX: usize = 4_096;

/// What is kept of From fields: more authors than fit have never been seen.
const AUTHOR_MAX: usize = 64 * 1024;

/// The same of Solicitation: RFC 3865 section 2.2 has no more than 1,000 octets of keywords.
const SOLICITATION_MAX: usize = 4_096;

/// Fields Require-Recipient-Valid-Since that count, and octets of each.
const VALID_SINCE_MAX: usize = 100;
const VALID_SINCE_LENGTH_MAX: usize = 512;

impl Scan {
    /// One that keeps who the author is.
    pub fn with_author() -> Self {
        Self { wants_author: true, ..Self::default() }
    }

    /// Takes the next octets of the content; `true` when the end of the header section was seen
    /// (what is fed after that is ignored).
    pub fn feed(&mut self, octets: &[u8]) -> bool {
        let mut rest = octets;
        while !self.facts.complete {
            let Some(end) = memchr(b'\n', rest) else {
                self.keep(rest);
                break;
            };
            let (line, tail) = rest.split_at(end + 1);
            rest = tail;
            if self.carry.is_empty() {
                self.line(line, 0);
            } else {
                self.keep(line);
                let (carry, dropped) =
                    (std::mem::take(&mut self.carry), std::mem::take(&mut self.dropped));
                self.line(&carry, dropped);
            }
        }
        self.facts.complete
    }

    /// The facts, once no more is to come.
    pub fn finish(mut self) -> Facts {
        if !self.facts.complete && !self.carry.is_empty() {
            let carry = std::mem::take(&mut self.carry);
            self.line(&carry, self.dropped);
        }
        self.facts.utf8 &= self.facts.eight_bit;
        self.facts
    }

    fn keep(&mut self, octets: &[u8]) {
        let room = LINE_KEPT_MAX.saturating_sub(self.carry.len()).min(octets.len());
        self.carry.extend_from_slice(&octets[..room]);
        let over = &octets[room..];
        self.dropped += over.len() as u64;
        if !over.is_ascii() {
            self.note_eight_bit(false);
        }
    }

    /// One line with its line ending; `dropped` octets of it are missing at its end.
    fn line(&mut self, line: &[u8], dropped: u64) {
        let length = line.len() as u64 + dropped;
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let is_folded = matches!(text.first(), Some(b' ' | b'\t')) && self.facts.header_length > 0;
        let name_length = if is_folded { 0 } else { name_length(text) };
        if !is_folded && name_length == 0 {
            self.facts.complete = true;
            let is_empty = text.is_empty() && dropped == 0;
            self.facts.body_start = self.facts.header_length + if is_empty { length } else { 0 };
            return;
        }
        if !text.is_ascii() {
            let broken = |error: std::str::Utf8Error| dropped == 0 || error.error_len().is_some();
            self.note_eight_bit(!str::from_utf8(text).is_err_and(broken));
        }
        if is_folded {
            self.value(self.awaited, text);
        } else {
            let awaited = self.name(text[..name_length].trim_ascii_end());
            self.awaited = awaited;
            self.value(awaited, &text[name_length + 1..]);
        }
        self.facts.header_length += length;
        self.facts.body_start = self.facts.header_length;
    }

    fn note_eight_bit(&mut self, is_utf8: bool) {
        self.facts.utf8 = is_utf8 && (self.facts.utf8 || !self.facts.eight_bit);
        self.facts.eight_bit = true;
    }

    fn name(&mut self, name: &[u8]) -> Awaited {
        let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        match name.len() {
            4 if is(b"date") => self.facts.has_date = true,
            4 if is(b"from") => {
                self.facts.has_from = true;
                if self.wants_author {
                    self.author(b",");
                    return Awaited::Author;
                }
            }
            7 if is(b"subject") => self.facts.has_subject = true,
            8 if is(b"received") => self.facts.hops += 1,
            12 if is(b"mime-version") => self.facts.has_mime_version = true,
            12 if is(b"content-type") => self.facts.has_content_type = true,
            10 if is(b"message-id") => {
                self.facts.has_message_id = true;
                return Awaited::MessageId;
            }
            12 if is(b"solicitation") => return Awaited::Solicitation,
            12 if is(b"tls-required") => return Awaited::TlsRequired,
            29 if is(b"require-recipient-valid-since")
                && self.facts.valid_since.len() < VALID_SINCE_MAX =>
            {
                self.facts.valid_since.push("".into());
                return Awaited::ValidSince;
            }
            25 if is(b"content-transfer-encoding") => return Awaited::TransferEncoding,
            _ => {}
        }
        Awaited::Nothing
    }

    fn author(&mut self, more: &[u8]) {
        let author = self.facts.author.take().map_or_else(String::new, String::from);
        let more = String::from_utf8_lossy(more);
        // What does not fit makes it nobody's: a cut address is another one.
        let author = match author.len() + more.len() <= AUTHOR_MAX {
            true => author + &more + " ",
            false => ",<".to_owned(),
        };
        self.facts.author = Some(author.into());
    }

    fn value(&mut self, of: Awaited, value: &[u8]) {
        if of == Awaited::Nothing {
            return;
        }
        let value = value.trim_ascii();
        if value.is_empty() {
            return;
        }
        match of {
            Awaited::MessageId if self.facts.message_id.is_none() => {
                self.facts.message_id = Some(String::from_utf8_lossy(value).into());
            }
            Awaited::TransferEncoding if self.facts.transfer_encoding.is_none() => {
                self.facts.transfer_encoding = Some(TransferEncoding::parse(value));
            }
            // RFC 8689 section 5 has no other value.
            Awaited::TlsRequired => self.facts.tls_optional |= value.eq_ignore_ascii_case(b"no"),
            // A list of authors may have as many lines as a header section.
            Awaited::Author => return self.author(value),
            Awaited::Solicitation => {
                // Its list may go on for as many lines as a header section has.
                return join(
                    self.facts.solicitation.get_or_insert_default(),
                    value,
                    SOLICITATION_MAX,
                );
            }
            Awaited::ValidSince => {
                if let Some(last) = self.facts.valid_since.last_mut() {
                    join(last, b" ", VALID_SINCE_LENGTH_MAX);
                    join(last, value, VALID_SINCE_LENGTH_MAX);
                }
                return;
            }
            _ => {}
        }
        self.awaited = Awaited::Nothing;
    }
}

/// Adds a line's part of a value, if it is not too much.
fn join(joined: &mut Box<str>, value: &[u8], most: usize) {
    if joined.len() + value.len() <= most {
        let before = String::from(std::mem::take(joined));
        *joined = (before + &String::from_utf8_lossy(value)).into();
    }
}

/// The facts of a content that is here as a whole, or whose first octets are.
pub fn scan(content: &[u8]) -> Facts {
    let mut scan = Scan::default();
    scan.feed(content);
    scan.finish()
}

/// Length of the field name in front of the colon, blanks before the colon included (RFC 5322
/// section 4.5.3); 0 if the line begins no field.
fn name_length(line: &[u8]) -> usize {
    let Some(colon) = memchr(b':', line) else { return 0 };
    let name = line[..colon].trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(|octet| (0x21..=0x7e).contains(octet));
    if is_name { colon } else { 0 }
}

/// What kind of octets a content consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentFacts {
    /// Octets above 127 occur: 8BITMIME is needed (RFC 6152).
    pub eight_bit: bool,
    /// NUL occurs: BINARYMIME is needed (RFC 3030).
    pub nul: bool,
    /// A CR without LF or a LF without CR occurs: BINARYMIME is needed.
    pub bare_line_ending: bool,
    /// Octets of the longest line, CRLF not counted; over 998 is too long (RFC 5322 section 2.1.1).
    pub line_length_max: usize,
}

/// Looks through a whole content.
pub fn content_facts(content: &[u8]) -> ContentFacts {
    let mut facts = ContentFacts {
        eight_bit: !content.is_ascii(),
        nul: memchr(0, content).is_some(),
        ..ContentFacts::default()
    };
    let (mut start, mut line_feeds) = (0, 0usize);
    for end in memchr_iter(b'\n', content) {
        let has_return = end > start && content[end - 1] == b'\r';
        facts.bare_line_ending |= !has_return;
        facts.line_length_max = facts.line_length_max.max(end - start - usize::from(has_return));
        start = end + 1;
        line_feeds += 1;
    }
    facts.line_length_max = facts.line_length_max.max(content.len() - start);
    facts.bare_line_ending |= memchr_iter(b'\r', content).count() != line_feeds;
    facts
}

/// One header field, as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// In front of the colon.
    pub name: &'a [u8],
    /// Behind the colon, still folded, without the last line ending.
    pub value: &'a [u8],
    /// All of its octets, line endings included.
    pub whole: &'a [u8],
}

impl<'a> Field<'a> {
    /// The value without folds and outer blanks (RFC 5322 section 2.2.3).
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        let value = self.value.trim_ascii();
        if memchr::memchr2(b'\r', b'\n', value).is_none() {
            return Cow::Borrowed(value);
        }
        Cow::Owned(value.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect())
    }

    /// Whether it is called `name`, in whatever case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The fields of the header section at the front of `content`, in order.
pub fn fields(content: &[u8]) -> Fields<'_> {
    Fields { rest: content }
}

/// The first field of that name.
pub fn field<'a>(content: &'a [u8], name: &str) -> Option<Field<'a>> {
    fields(content).find(|field| field.is(name))
}

/// Iterator over the fields of a header section.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// What follows the fields seen so far: the empty line and the body, once `next` gave `None`.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let first = memchr(b'\n', self.rest).map_or(self.rest.len(), |end| end + 1);
        let colon = match name_length(&self.rest[..first]) {
            0 => return None,
            colon => colon,
        };
        let mut end = first;
        while let Some(b' ' | b'\t') = self.rest.get(end) {
            end += memchr(b'\n', &self.rest[end..]).map_or(self.rest.len() - end, |more| more + 1);
        }
        let (whole, rest) = self.rest.split_at(end);
        self.rest = rest;
        let value = &whole[colon + 1..];
        let value = match memrchr(b'\n', value) {
            Some(last) if last + 1 == value.len() => {
                value[..last].strip_suffix(b"\r").unwrap_or(&value[..last])
            }
            _ => value,
        };
        Some(Field { name: whole[..colon].trim_ascii_end(), value, whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &[u8] = b"Received: from a by b; x\r\nRECEIVED : from c\r\n\tby d; y\r\n\
        Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nFrom: Alice <alice@a.test>\r\n\
        Message-ID:\r\n <1@a.test>\r\nSubject: \xc3\xa9\r\nMIME-Version: 1.0\r\n\
        Content-Transfer-Encoding:  8BIT (so)\r\n\r\nReceived: not this one\r\n";

    fn in_pieces(content: &[u8], size: usize) -> Facts {
        let mut scan = Scan::default();
        for piece in content.chunks(size) {
            scan.feed(piece);
        }
        scan.finish()
    }

    #[test]
    fn sample_whole_and_in_pieces() {
        let facts = scan(SAMPLE);
        let header_length = SAMPLE.len() - b"\r\nReceived: not this one\r\n".len();
        let expected = Facts {
            header_length: header_length as u64,
            body_start: header_length as u64 + 2,
            complete: true,
            hops: 2,
            message_id: Some("<1@a.test>".into()),
            has_message_id: true,
            has_date: true,
            has_from: true,
            author: None,
            has_subject: true,
            has_mime_version: true,
            has_content_type: false,
            transfer_encoding: Some(TransferEncoding::EightBit),
            eight_bit: true,
            utf8: true,
            solicitation: None,
            valid_since: Vec::new(),
            tls_optional: false,
        };
        assert_eq!(facts, expected);
        for size in 1..=SAMPLE.len() {
            assert_eq!(in_pieces(SAMPLE, size), expected, "pieces of {size}");
        }
    }

    #[test]
    fn where_the_header_section_ends() {
        for (content, header_length, body_start, complete) in [
            (&b"A: b\r\n\r\nbody"[..], 6, 8, true),
            (b"A: b\n\nbody", 5, 6, true),         // bare LFs by BDAT
            (b"A: b\r\nno field\r\n", 6, 6, true), // no empty line: the body begins at what is no field
            (b"no field\r\n", 0, 0, true),
            (b"\r\nbody", 0, 2, true), // no header section at all
            (b" folded: what\r\n", 0, 0, true),
            (b"A: b\r\n", 6, 6, false), // ends before the empty line
            (b"A: b", 4, 4, false),
            (b"", 0, 0, false),
            (b": no name\r\n", 0, 0, true),
            (b"From alice Fri Nov 20 10:00:00 2026\r\n", 0, 0, true), // an mbox line is no field
        ] {
            for size in [1, 2, 3, 1000] {
                let facts = in_pieces(content, size);
                let found = (facts.header_length, facts.body_start, facts.complete);
                assert_eq!(
                    found,
                    (header_length, body_start, complete),
                    "{:?}",
                    content.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn octets_that_are_not_utf8() {
        for (content, eight_bit, utf8) in [
            (&b"Subject: plain\r\n\r\n"[..], false, false),
            (b"Subject: \xe9\r\nTo: \xc3\xa9\r\n\r\n", true, false),
            (b"Subject: \xc3\xa9\r\nTo: \xe9\r\n\r\n", true, false),
            (b"Subject: x\r\n\r\n\xe9", false, false), // in the body
        ] {
            let facts = scan(content);
            assert_eq!(
                (facts.eight_bit, facts.utf8),
                (eight_bit, utf8),
                "{:?}",
                content.escape_ascii()
            );
        }
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let mut scan = Scan::default();
        scan.feed(b"Subject: ");
        for _ in 0..1000 {
            scan.feed(&[b'x'; 1000]);
        }
        assert!(scan.carry.len() <= LINE_KEPT_MAX);
        scan.feed(b"\r\nDate: x\r\n\r\n");
        let facts = scan.finish();
        assert!(facts.complete && facts.has_subject && facts.has_date);
        assert_eq!(facts.body_start, 9 + 1_000_000 + 2 + 9 + 2);
    }

    #[test]
    fn kinds_of_content() {
        let none = ContentFacts::default();
        for (content, expected) in [
            (&b""[..], none),
            (b"ab\r\nabc\r\n", ContentFacts { line_length_max: 3, ..none }),
            (b"a\r\nabcd", ContentFacts { line_length_max: 4, ..none }),
            (b"\xe9\r\n", ContentFacts { line_length_max: 1, eight_bit: true, ..none }),
            (b"a\nb\r\n", ContentFacts { line_length_max: 1, bare_line_ending: true, ..none }),
            (b"a\rb\r\n", ContentFacts { line_length_max: 3, bare_line_ending: true, ..none }),
            (b"\0\r\n", ContentFacts { line_length_max: 1, nul: true, ..none }),
            (b"\n\r", ContentFacts { line_length_max: 1, bare_line_ending: true, ..none }),
        ] {
            assert_eq!(content_facts(content), expected, "{:?}", content.escape_ascii());
        }
    }

    #[test]
    fn single_fields() {
        let found = field(SAMPLE, "message-id").map(|field| field.unfolded());
        assert_eq!(found.as_deref(), Some(&b"<1@a.test>"[..]));
        assert_eq!(field(SAMPLE, "Bcc"), None);
        let mut all = fields(SAMPLE);
        assert_eq!(all.by_ref().count(), 8);
        assert!(all.rest().starts_with(b"\r\nReceived: not"));
        let wholes: Vec<u8> = fields(SAMPLE).flat_map(|field| field.whole.to_vec()).collect();
        assert_eq!(wholes, SAMPLE[..scan(SAMPLE).header_length as usize]);
    }
}
