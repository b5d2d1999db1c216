//! Taking a message apart: header fields, what can be read, the machine-readable parts, and the header
//! section of the message that it is about. All of it bounded.

use mail_parser::{
    MessageParser, MessagePart, MimeHeaders, PartType,
    decoders::{charsets::map::charset_decoder, html::html_to_text},
};
use message::header;

use super::{
    OCTETS_MAX,
    notification::{self, Notification},
};

/// Of all that can be read so many octets are kept.
const TEXT_MAX: usize = 256 * 1024;
/// So many parts are looked at.
const PARTS_MAX: usize = 64;
/// A report in a forwarded message in a forwarded message...
const DEPTH_MAX: usize = 4;

/// A message in its parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// The header section's fields, names in lower case, values decoded and unfolded.
    pub fields: Vec<(String, String)>,
    /// What a person reads of it, without the returned message.
    pub text: String,
    /// `message/delivery-status` parts.
    pub status: Vec<String>,
    /// Whether it has a `message/feedback-report` part.
    pub feedback: bool,
    /// Whether it has a `message/disposition-notification` part.
    pub disposition: bool,
    /// The header section of the returned message, and perhaps more of it.
    pub returned: String,
    /// Whether a whole message is attached or quoted.
    pub has_returned: bool,
}

impl Parts {
    /// Reads octets, or a text that is only the readable part of a report.
    pub fn read(octets: &[u8]) -> Self {
        let octets = &octets[..octets.len().min(OCTETS_MAX)];
        let octets = without_envelope_line(octets);
        let mut parts = if has_header_section(octets) {
            from_message(octets, 0)
        } else {
            Self { text: bounded(&decoded(octets)), ..Self::default() }
        };
        parts.settle();
        parts
    }

    /// The first field of that name (lower case).
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether a field of that name holds `what` (lower case), wherever.
    pub fn field_has(&self, name: &str, what: &str) -> bool {
        self.fields
            .iter()
            .any(|(found, value)| found == name && value.to_ascii_lowercase().contains(what))
    }

    /// What is true of every source: what is quoted is parted from what is said, and a machine-readable
    /// part that lost its frame is one nevertheless.
    fn settle(&mut self) {
        match notification::read(&self.text) {
            Some(Notification::Status(fields)) => {
                self.status.push(fields);
                self.text.clear();
            }
            Some(Notification::Complaint) => self.feedback = true,
            None => {}
        }
        if let Some((cut, quoted)) = quoted_message(&self.text) {
            let rest = self.text[quoted..].to_owned();
            self.text.truncate(cut);
            if self.returned.is_empty() {
                self.returned = rest;
            }
            self.has_returned = true;
        }
        if self.status.is_empty() {
            let found = framed_status(&self.text).or_else(|| framed_status(&self.returned));
            self.status.extend(found);
        }
    }
}

fn from_message(octets: &[u8], depth: usize) -> Parts {
    let Some(message) = MessageParser::default().parse(octets) else {
        return Parts { text: bounded(&decoded(octets)), ..Parts::default() };
    };
    let mut parts = Parts { fields: header_fields(octets), ..Parts::default() };
    let mut html = String::new();
    for part in message.parts.iter().take(PARTS_MAX) {
        // Who reports does not forward a report: a message within one is the returned one.
        add_part(&mut parts, &mut html, part, if is_report(octets) { DEPTH_MAX } else { depth });
    }
    if parts.text.trim().is_empty() {
        parts.text = bounded(&html);
    }
    // A broken frame (a boundary that nobody declared, a field that was not folded) hides the words, not more.
    let is_bare = parts.status.is_empty() && !parts.has_returned;
    if parts.text.trim().is_empty() && is_bare {
        let mut fields = header::fields(octets);
        fields.by_ref().for_each(drop);
        parts.text = bounded(&decoded(fields.rest()));
    }
    parts
}

fn add_part(parts: &mut Parts, html: &mut String, part: &MessagePart<'_>, depth: usize) {
    let kind = part.content_type();
    let subtype = kind.and_then(|kind| kind.subtype()).unwrap_or("plain").to_ascii_lowercase();
    match &part.body {
        PartType::Text(text) if subtype == "rfc822-headers" => parts.return_message(text),
        PartType::Text(text) if subtype.contains("delivery-status") => {
            parts.status.push(bounded(text));
        }
        PartType::Text(text) => {
            // An attached text file is the message, or a log, and nothing that the report says.
            let is_attached = part.content_disposition().is_some_and(|how| how.is_attachment())
                && !parts.text.trim().is_empty();
            if is_attached {
                parts.return_message(text);
            } else {
                push_bounded(&mut parts.text, &repaired(text));
            }
        }
        PartType::Html(text) => push_bounded(html, &plain_from_html(&bounded(text))),
        PartType::Message(inner) => add_message(parts, inner.raw_message(), depth),
        PartType::Binary(octets) | PartType::InlineBinary(octets) => {
            add_binary(parts, &subtype, octets);
        }
        PartType::Multipart(_) => {}
    }
}

/// A message within: the one that is returned, or, in a forwarded report, the report.
fn add_message(parts: &mut Parts, octets: &[u8], depth: usize) {
    let is_told = !parts.status.is_empty() || parts.feedback || parts.disposition;
    if depth < DEPTH_MAX && !is_told && is_report(octets) {
        let inner = from_message(octets, depth + 1);
        parts.fields = inner.fields;
        parts.text = inner.text;
        parts.status = inner.status;
        parts.feedback |= inner.feedback;
        parts.disposition |= inner.disposition;
        parts.returned = inner.returned;
        parts.has_returned |= inner.has_returned;
    } else {
        parts.return_message(&decoded(&octets[..octets.len().min(TEXT_MAX)]));
    }
}

fn add_binary(parts: &mut Parts, subtype: &str, octets: &[u8]) {
    match subtype {
        "delivery-status" | "global-delivery-status" => {
            parts.status.push(bounded(&repaired(&decoded(octets))));
        }
        "feedback-report" => parts.feedback = true,
        "disposition-notification" | "global-disposition-notification" => parts.disposition = true,
        "rfc822-headers" | "global-headers" => parts.return_message(&decoded(octets)),
        _ => {}
    }
}

impl Parts {
    fn return_message(&mut self, text: &str) {
        if self.returned.is_empty() {
            self.returned = bounded(text);
        }
        self.has_returned = true;
    }
}

/// Whether the header section says that the message is a report of some machine.
fn is_report(octets: &[u8]) -> bool {
    let fields = header_fields(&octets[..octets.len().min(64 * 1024)]);
    let has = |name: &str, whats: &[&str]| {
        fields.iter().any(|(found, value)| {
            let value = value.to_ascii_lowercase();
            found == name && whats.iter().any(|what| value.contains(what))
        })
    };
    has("content-type", &["report-type", "multipart/report"])
        || has("x-failed-recipients", &["@"])
        || has("from", &["mailer-daemon", "postmaster", "mail delivery s"])
        || has("return-path", &["<>"])
}

fn header_fields(octets: &[u8]) -> Vec<(String, String)> {
    header::fields(octets)
        .take(200)
        .map(|field| {
            let name = String::from_utf8_lossy(field.name).trim().to_ascii_lowercase();
            let value = field.unfolded();
            (name, message::encoded_word::decode(&value[..value.len().min(8 * 1024)]))
        })
        .collect()
}

/// Whether it begins like a message: at least two fields, one of them well known.
fn has_header_section(octets: &[u8]) -> bool {
    const KNOWN: [&str; 11] = [
        "received",
        "from",
        "return-path",
        "mime-version",
        "content-type",
        "message-id",
        "delivered-to",
        "x-failed-recipients",
        "date",
        "to",
        "subject",
    ];
    let known = |field: header::Field<'_>| KNOWN.iter().any(|name| field.is(name));
    let (mut all, mut well_known) = (0, 0);
    for field in header::fields(octets).take(50) {
        all += 1;
        well_known += usize::from(known(field));
    }
    all >= 2 && well_known >= 2
}

/// A mailbox file's `From ` line in front, and empty lines.
fn without_envelope_line(octets: &[u8]) -> &[u8] {
    let octets = octets.trim_ascii_start();
    if !(octets.starts_with(b"From ") || octets.starts_with(b">From ")) {
        return octets;
    }
    octets.iter().position(|octet| *octet == b'\n').map_or(octets, |end| &octets[end + 1..])
}

/// UTF-8 as it is, else what Japanese mailers send undeclared, else octets as Latin-1.
fn decoded(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => repaired(text).into_owned(),
        Err(_) => octets.iter().map(|octet| char::from(*octet)).collect(),
    }
}

/// ISO-2022-JP that nobody declared shows by its escapes.
fn repaired(text: &str) -> std::borrow::Cow<'_, str> {
    let is_escaped = text.contains("\u{1b}$B") || text.contains("\u{1b}$@");
    match charset_decoder(b"iso-2022-jp").filter(|_| is_escaped) {
        Some(decoder) => decoder(text.as_bytes()).into(),
        None => text.into(),
    }
}

/// Text of HTML, with a line end where a block ends.
fn plain_from_html(html: &str) -> String {
    const BLOCKS: [&str; 8] =
        ["</div>", "</tr>", "</li>", "</h1>", "</h2>", "</h3>", "</td>", "<p>"];
    let mut broken = html.to_owned();
    for block in BLOCKS {
        broken = broken.replace(block, &format!("<br>{block}"));
        let upper = block.to_ascii_uppercase();
        broken = broken.replace(&upper, &format!("<br>{upper}"));
    }
    html_to_text(&broken)
}

/// Where a quoted message begins: up to where the text is the report's own, and from where the quote is
/// the message.
fn quoted_message(text: &str) -> Option<(usize, usize)> {
    const MARKS: [&str; 42] = [
        "--- below this line is a copy of the message",
        "--- below the next line is a copy of the message",
        "--- below this line is the original bounce",
        "--- the message body follows",
        "--- enclosed is a copy of the message",
        "--- enclosed are the original headers of the message",
        "--- undelivered message follows",
        "--- this is a copy of the message",
        "--- this is a copy of your message",
        "--- this is the original message",
        "--- original message",
        "-- original message",
        "-----original message",
        "- original message -",
        "---------- original message",
        "--- original mail message",
        "--- message header follows",
        "--- unsent message follows",
        "--- unsent message below",
        "--- returned message",
        "--- returned mail follows",
        "--- body of message generated response",
        "--- headers of the message",
        "--- original header",
        "--- undelivered message",
        "--- the header of the original message",
        "--- message follows",
        "--- here is a copy of the message",
        "--- attached is a copy of",
        "-------original message",
        "original message headers:",
        "original message header:",
        "original headers:",
        "received: from ",
        "received:from ",
        "received: by ",
        "return-path: <",
        "your original message headers are included below",
        "the following is a copy of the headers of your message",
        "original message follows",
        "the text you sent follows",
        "a copy of the original message below this line:",
    ];
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = line.trim_start_matches([' ', '\t', '>', '|']).to_ascii_lowercase();
        let dashed = start.trim_start_matches('-').len() < start.len();
        let is_mark = |mark: &&str| {
            let bare = mark.trim_start_matches(['-', ' ']);
            match mark.starts_with('-') {
                true => dashed && start.trim_start_matches(['-', ' ', '*', '=']).starts_with(bare),
                false => start.starts_with(*mark),
            }
        };
        if let Some(mark) = MARKS.iter().find(|mark| is_mark(mark)) {
            let is_field = mark.starts_with("received") || mark.starts_with("return-path");
            // A report that is only a quote tells nothing; then all of it is text.
            let is_first = text[..offset].trim().is_empty();
            if !is_first {
                return Some((offset, if is_field { offset } else { offset + line.len() }));
            }
        }
        offset += line.len();
    }
    None
}

/// The fields of RFC 3464 within a text, where the parts of the message were not marked as such.
fn framed_status(text: &str) -> Option<String> {
    let is_field = |line: &str| {
        let line = line.trim_start().to_ascii_lowercase();
        ["reporting-mta:", "final-recipient:", "original-recipient:", "diagnostic-code:"]
            .iter()
            .any(|name| line.starts_with(name))
    };
    let names_recipient = text.lines().any(|line| {
        let line = line.trim_start().to_ascii_lowercase();
        line.starts_with("final-recipient:") || line.starts_with("original-recipient:")
    });
    if !names_recipient {
        return None;
    }
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if is_field(line) {
            return Some(text[offset..].to_owned());
        }
        offset += line.len();
    }
    None
}

fn bounded(text: &str) -> String {
    let mut kept = String::new();
    push_bounded(&mut kept, text);
    kept
}

fn push_bounded(kept: &mut String, text: &str) {
    let mut room = TEXT_MAX.saturating_sub(kept.len()).min(text.len());
    while !text.is_char_boundary(room) {
        room -= 1;
    }
    kept.push_str(&text[..room]);
    if !kept.ends_with('\n') {
        kept.push('\n');
    }
}
