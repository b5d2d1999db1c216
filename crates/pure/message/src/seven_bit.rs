//! Down-conversion of content to 7 bit, for a next hop without 8BITMIME or BINARYMIME (RFC 6152
//! section 4, RFC 3030 section 3).
//!
//! Walks through the MIME parts; leaves that need it become quoted-printable or base64, the labels
//! of what contains them are changed, and all that needs nothing stays octet for octet. No header
//! field but Content-Transfer-Encoding is altered (MIME-Version and Content-Type are added where
//! there are none). What is signed as multipart/signed is never touched: then it is refused, and the
//! message has to be returned.

use base64::{Engine, engine::general_purpose::STANDARD};
use memchr::memmem;

use crate::{
    header::{self, Field, TransferEncoding, content_facts},
    mime::ContentType,
    quoted_printable,
};

/// Why a content can't be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotConvert {
    /// RFC 2047 words can't be made without knowing the charset.
    #[error(
        "a header section has octets outside ASCII or bare line endings, and no meaning may be \
         guessed"
    )]
    Header,
    /// A conversion would break the signature (RFC 1847 section 2.1).
    #[error(
        "a signed part has 8-bit or binary content, and converting it would break the signature"
    )]
    Signed,
    /// A part of a kind that has to stay 7 bit (RFC 2046 section 5.2.2, RFC 3464 section 2.1) isn't.
    #[error("a part that must be 7 bit by its type is not")]
    NotEncodable,
    /// No boundary parameter, or none of the lines it announces.
    #[error("a multipart has no boundary, so its parts cannot be told apart")]
    NoBoundary,
    /// A Content-Transfer-Encoding that is not registered, or one that doesn't fit its content.
    #[error("a part has a transfer encoding that is unknown, broken or not allowed there")]
    Encoding,
    /// Nested deeper than anybody writes it.
    #[error("the parts are nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

/// Levels of nesting that are followed.
const DEPTH_MAX: usize = 40;
/// RFC 5322 section 2.1.1.
const LINE_LENGTH_MAX: usize = 998;

/// The content as 7 bit: ASCII without NUL, in lines of up to 998 octets (but for the header section,
/// whose lines stay as long as they are), ended by CRLF.
///
/// # Errors
/// [`CannotConvert`] tells why it can't be done without doing harm.
pub fn convert(content: &[u8]) -> Result<Vec<u8>, CannotConvert> {
    let mut out = Vec::with_capacity(content.len() + content.len() / 3 + 200);
    entity(
        content,
        &Place { is_message: true, in_digest: false, is_at_end: true, depth: 0 },
        &mut out,
    )?;
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

/// Where an entity stands.
struct Place {
    /// It is a message, not a part of one.
    is_message: bool,
    /// Its type is `message/rfc822` if it doesn't say (RFC 2046 section 5.1.5).
    in_digest: bool,
    /// Its last octet is the last of the content, which has to end with CRLF.
    is_at_end: bool,
    depth: usize,
}

/// A message or a part: header section, empty line, body.
fn entity(octets: &[u8], place: &Place, out: &mut Vec<u8>) -> Result<(), CannotConvert> {
    if place.depth > DEPTH_MAX {
        return Err(CannotConvert::TooDeep);
    }
    let facts = header::scan(octets);
    // The facts count octets of this very slice.
    let (header_length, body_start) = (facts.header_length as usize, facts.body_start as usize);
    let (section, body) = (&octets[..header_length], &octets[body_start..]);
    let of_section = content_facts(&octets[..body_start]);
    if of_section.eight_bit || of_section.nul || of_section.bare_line_ending {
        return Err(CannotConvert::Header);
    }
    if is_seven_bit(body) {
        out.extend_from_slice(octets);
        return Ok(());
    }
    let entity = Entity::new(section, body, place, &facts);
    let kind = &entity.kind;
    if kind.is("multipart", "signed") {
        return Err(CannotConvert::Signed);
    }
    match (kind.kind.as_str(), kind.subtype.as_str()) {
        ("multipart", _) => entity.multipart(out),
        ("message", "rfc822" | "news" | "external-body") => entity.message(out),
        ("message", "partial" | "delivery-status" | "disposition-notification") => {
            Err(CannotConvert::NotEncodable)
        }
        _ => entity.leaf(out),
    }
}

/// Nothing has to be done to it.
fn is_seven_bit(body: &[u8]) -> bool {
    let facts = content_facts(body);
    !(facts.eight_bit
        || facts.nul
        || facts.bare_line_ending
        || facts.line_length_max > LINE_LENGTH_MAX)
}

struct Entity<'a> {
    section: &'a [u8],
    body: &'a [u8],
    place: &'a Place,
    kind: ContentType,
    encoding: Option<TransferEncoding>,
    /// Fields that are missing and have to be there once something is encoded.
    added: &'static str,
}

impl<'a> Entity<'a> {
    fn new(section: &'a [u8], body: &'a [u8], place: &'a Place, facts: &header::Facts) -> Self {
        let kind = match header::field(section, "Content-Type") {
            Some(field) => ContentType::parse(&field.unfolded()),
            None if place.in_digest => {
                ContentType { kind: "message".into(), subtype: "rfc822".into(), boundary: None }
            }
            None => ContentType::text_plain(),
        };
        let added = match (place.is_message, facts.has_mime_version, facts.has_content_type) {
            (true, false, false) => {
                "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
            }
            (true, false, true) => "MIME-Version: 1.0\r\n",
            _ => "",
        };
        Self { section, body, place, kind, encoding: facts.transfer_encoding, added }
    }

    /// The header section with another Content-Transfer-Encoding, and the empty line.
    fn write_section(&self, encoding: &str, out: &mut Vec<u8>) {
        let mut is_written = false;
        let mut write = |out: &mut Vec<u8>| {
            if !std::mem::replace(&mut is_written, true) {
                for part in ["Content-Transfer-Encoding: ", encoding, "\r\n"] {
                    out.extend_from_slice(part.as_bytes());
                }
            }
        };
        for Field { name, whole, .. } in header::fields(self.section) {
            if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
                write(out);
            } else {
                out.extend_from_slice(whole);
                if !whole.ends_with(b"\n") {
                    out.extend_from_slice(b"\r\n");
                }
            }
        }
        out.extend_from_slice(self.added.as_bytes());
        write(out);
        out.extend_from_slice(b"\r\n");
    }

    /// Composite types are never encoded themselves (RFC 2045 section 6.4): only labelled.
    fn write_composite_section(&self, out: &mut Vec<u8>) -> Result<(), CannotConvert> {
        use TransferEncoding::{Base64, QuotedPrintable, Unknown};
        if matches!(self.encoding, Some(Base64 | QuotedPrintable | Unknown)) {
            return Err(CannotConvert::Encoding);
        }
        self.write_section("7bit", out);
        Ok(())
    }

    fn inner(&self, is_message: bool) -> Place {
        let in_digest = self.kind.is("multipart", "digest");
        Place {
            is_message,
            in_digest,
            is_at_end: self.place.is_at_end,
            depth: self.place.depth + 1,
        }
    }

    fn message(&self, out: &mut Vec<u8>) -> Result<(), CannotConvert> {
        self.write_composite_section(out)?;
        entity(self.body, &self.inner(true), out)
    }

    fn multipart(&self, out: &mut Vec<u8>) -> Result<(), CannotConvert> {
        let boundary = self.kind.boundary.as_deref().ok_or(CannotConvert::NoBoundary)?;
        self.write_composite_section(out)?;
        let mut delimiters = Delimiters { body: self.body, boundary, from: 0 };
        let first = delimiters.next().ok_or(CannotConvert::NoBoundary)?;
        // What stands in front of the first part and behind the last is for nobody's eyes: it may go.
        let preamble = &self.body[..first.dashes];
        out.extend_from_slice(if is_seven_bit(preamble) { preamble } else { b"" });
        let mut delimiter = first;
        loop {
            for part in [b"--", boundary, if delimiter.is_last { b"--" } else { b"\r\n" }] {
                out.extend_from_slice(part);
            }
            if delimiter.is_last {
                let epilogue = &self.body[delimiter.end..];
                out.extend_from_slice(if is_seven_bit(epilogue) { epilogue } else { b"" });
                return Ok(());
            }
            let next = delimiters.next();
            let end = next.as_ref().map_or(self.body.len(), |next| next.start);
            let inner = Place { is_at_end: false, ..self.inner(false) };
            entity(&self.body[delimiter.end.min(end)..end], &inner, out)?;
            // A missing end is not invented: what follows may belong to an outer multipart.
            let Some(next) = next else { return Ok(()) };
            out.extend_from_slice(b"\r\n");
            delimiter = next;
        }
    }

    fn leaf(&self, out: &mut Vec<u8>) -> Result<(), CannotConvert> {
        use TransferEncoding::{Base64, QuotedPrintable, Unknown};
        match self.encoding {
            Some(Unknown) => return Err(CannotConvert::Encoding),
            // Says that it is encoded, yet holds what no encoding leaves: encoded anew, properly.
            Some(QuotedPrintable) => {
                self.write_section("quoted-printable", out);
                quoted_printable::write(out, &quoted_printable::decode(self.body));
                return Ok(());
            }
            Some(Base64) => {
                let is_digit = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
                let digits: Vec<u8> = self.body.iter().copied().filter(is_digit).collect();
                let octets = STANDARD.decode(digits).map_err(|_| CannotConvert::Encoding)?;
                self.write_section("base64", out);
                write_base64(out, &octets);
                return Ok(());
            }
            _ => {}
        }
        if self.is_readable_text() {
            self.write_section("quoted-printable", out);
            quoted_printable::write(out, self.body);
            if self.place.is_at_end && !self.body.ends_with(b"\r\n") {
                // The CRLF that has to end the content is not part of the text.
                out.extend_from_slice(b"=\r\n");
            }
        } else {
            self.write_section("base64", out);
            write_base64(out, self.body);
        }
        Ok(())
    }

    /// Text in lines, most of it ASCII: it stays legible as quoted-printable.
    fn is_readable_text(&self) -> bool {
        let facts = content_facts(self.body);
        let eight_bit = self.body.iter().filter(|octet| !octet.is_ascii()).count();
        self.kind.kind == "text"
            && !facts.nul
            && !facts.bare_line_ending
            && eight_bit <= self.body.len() / 4
    }
}

/// Appends base64 in lines of 76 (RFC 2045 section 6.8), without a CRLF behind the last.
pub(crate) fn write_base64(out: &mut Vec<u8>, octets: &[u8]) {
    for (index, line) in octets.chunks(57).enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(STANDARD.encode(line).as_bytes());
    }
}

/// A line between the parts of a multipart.
struct Delimiter {
    /// Where the CRLF in front of it begins, which belongs to it (RFC 2046 section 5.1.1).
    start: usize,
    /// Where its `--` begins.
    dashes: usize,
    /// Where the part behind it begins; of the last one, where the epilogue with its CRLF begins.
    end: usize,
    is_last: bool,
}

/// Finds the delimiter lines of one boundary.
struct Delimiters<'a> {
    body: &'a [u8],
    boundary: &'a [u8],
    from: usize,
}

impl Iterator for Delimiters<'_> {
    type Item = Delimiter;

    fn next(&mut self) -> Option<Delimiter> {
        while let Some(found) = memmem::find(&self.body[self.from..], self.boundary) {
            let at = self.from + found;
            self.from = at + self.boundary.len();
            let Some(dashes) = at.checked_sub(2).filter(|&dashes| &self.body[dashes..at] == b"--")
            else {
                continue;
            };
            let start = match dashes {
                0 => 0,
                _ if self.body[..dashes].ends_with(b"\r\n") => dashes - 2,
                _ => continue,
            };
            let (is_last, tail) = match self.body[self.from..].strip_prefix(b"--") {
                Some(tail) => (true, tail),
                None => (false, &self.body[self.from..]),
            };
            let blank =
                tail.iter().position(|octet| !matches!(octet, b' ' | b'\t')).unwrap_or(tail.len());
            let after = &tail[blank..];
            if !(after.is_empty() || after.starts_with(b"\r\n")) {
                continue;
            }
            let line_end = self.body.len() - after.len();
            let end = if is_last { line_end } else { (line_end + 2).min(self.body.len()) };
            // The CRLF behind this line may be the one in front of the next.
            self.from = line_end;
            return Some(Delimiter { start, dashes, end, is_last });
        }
        None
    }
}

#[cfg(test)]
mod tests;
