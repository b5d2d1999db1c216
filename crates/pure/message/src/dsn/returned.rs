//! The third part of a DSN: what is returned of the original, and how that is labelled.

use smtp::{BodyType, Ret};

use super::{Action, Original, Report};
use crate::{encoded_word, header};

/// What was decided, and what the other parts want to know of the original.
pub(super) struct Returned {
    pub original: Original,
    /// What the octets returned are.
    pub body: BodyType,
    media_type: &'static str,
    description: &'static str,
    /// The original's Message-ID, where it is one.
    pub message_id: Option<String>,
    /// The original's Subject, decoded.
    pub subject: Option<String>,
    /// The original's Date, as it stands.
    pub date: Option<String>,
}

/// The whole is returned for failures only (RFC 3461 section 4.3), if RET asks for it, or if RET is
/// silent and the content small; never of a message that required TLS (RFC 8689 section 5), as the report may go
/// where there is none.
pub(super) fn decide(report: &Report<'_>) -> Returned {
    let head = report.content.head;
    let facts = header::scan(head);
    let any_failed = report.fates.iter().any(|fate| fate.action == Action::Failed);
    let is_small = report.content.length <= report.content.whole_length_max;
    let wants_whole = !report.envelope.require_tls
        && report.envelope.ret.map_or(is_small, |ret| ret == Ret::Full);
    let is_utf8 = facts.eight_bit && facts.utf8;
    let text = |name: &str| {
        let value = header::field(head, name)?.unfolded();
        let value = encoded_word::decode(&value).replace(|c: char| c.is_control(), " ");
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    let message_id = facts.message_id.as_deref().filter(|id| is_message_id(id)).map(str::to_owned);
    let (original, body, media_type, description) = if any_failed && wants_whole {
        let media_type = if is_utf8 { "message/global" } else { "message/rfc822" };
        let body = match report.envelope.body {
            BodyType::SevenBit if !head.is_ascii() => BodyType::EightBitMime,
            declared => declared,
        };
        (Original::Whole, body, media_type, "The message")
    } else {
        // RFC 6533 section 5; RFC 6522 section 4.
        let media_type = if is_utf8 { "message/global-headers" } else { "text/rfc822-headers" };
        let body = if facts.eight_bit { BodyType::EightBitMime } else { BodyType::SevenBit };
        (Original::Headers(facts.header_length), body, media_type, "Header section of the message")
    };
    let (subject, date) = (text("Subject"), text("Date"));
    Returned { original, body, media_type, description, message_id, subject, date }
}

impl Returned {
    /// The part's own header section, with the empty line.
    pub fn write_header(&self, out: &mut Vec<u8>) {
        for part in [
            "Content-Description: ",
            self.description,
            "\r\nContent-Type: ",
            self.media_type,
            "\r\nContent-Transfer-Encoding: ",
            encoding_name(self.body),
            "\r\n\r\n",
        ] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// How content of that kind is labelled when it stands unencoded (RFC 2045 section 6.2).
pub(super) fn encoding_name(body: BodyType) -> &'static str {
    match body {
        BodyType::SevenBit => "7bit",
        BodyType::EightBitMime => "8bit",
        BodyType::BinaryMime => "binary",
    }
}

/// Only what has the form of one is quoted in our own header section.
fn is_message_id(text: &str) -> bool {
    text.len() < 256
        && text.starts_with('<')
        && text.ends_with('>')
        && text.bytes().all(|octet| (0x21..=0x7e).contains(&octet))
}
