//! Building a message from its parts, for `mailwright send`: header section, text, attachments.
//!
//! Date, Message-ID and boundary come from outside, so the same parts always give the same octets.

use smtp::Timestamp;

use crate::{
    date, encoded_word, header::content_facts, quoted_printable, seven_bit::write_base64,
    wrap::write_field,
};

/// A message to be built.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// `alice@a.test` or `Alice <alice@a.test>`.
    pub from: &'a str,
    /// To, in the same forms.
    pub to: &'a [&'a str],
    /// Cc, in the same forms.
    pub cc: &'a [&'a str],
    /// Empty: no Subject field.
    pub subject: &'a str,
    /// For the Date field.
    pub at: Timestamp,
    /// Minutes east of Greenwich.
    pub offset: i16,
    /// Without angle brackets.
    pub message_id: &'a str,
    /// For messages with attachments: up to 70 letters, digits or `=_.-` that no line of the parts
    /// begins with (behind `--`).
    pub boundary: &'a str,
    /// Further header fields, names and values.
    pub fields: &'a [(&'a str, &'a str)],
    /// The text, with whatever line endings; UTF-8 is labelled so, other octets as unknown.
    pub text: &'a [u8],
    /// Files that go with it.
    pub attachments: &'a [Attachment<'a>],
}

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct Attachment<'a> {
    /// Its name, without folders.
    pub name: &'a str,
    /// `application/pdf`; [`media_type`] guesses.
    pub media_type: &'a str,
    /// Its octets.
    pub content: &'a [u8],
}

/// The message: CRLF line endings, and 7 bit but for addresses that need SMTPUTF8.
pub fn write(parts: &Parts<'_>) -> Vec<u8> {
    let attached: usize = parts.attachments.iter().map(|attachment| attachment.content.len()).sum();
    let mut out = Vec::with_capacity(parts.text.len() * 2 + attached * 3 / 2 + 2048);
    out.extend_from_slice(b"Date: ");
    date::write(&mut out, parts.at, parts.offset);
    out.extend_from_slice(b"\r\n");
    write_field(&mut out, "From", &mailbox(parts.from));
    for (name, list) in [("To", parts.to), ("Cc", parts.cc)] {
        if !list.is_empty() {
            let list: Vec<String> = list.iter().map(|text| mailbox(text)).collect();
            write_field(&mut out, name, &list.join(", "));
        }
    }
    if !parts.subject.is_empty() {
        encoded_word::write_field(&mut out, "Subject", parts.subject);
    }
    write_field(&mut out, "Message-ID", &format!("<{}>", parts.message_id));
    for (name, value) in parts.fields {
        encoded_word::write_field(&mut out, name, value);
    }
    out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    if parts.attachments.is_empty() {
        write_text(parts.text, &mut out);
        if !out.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
    } else {
        write_multipart(parts, &mut out);
    }
    out
}

fn write_multipart(parts: &Parts<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Content-Type: multipart/mixed;\r\n\tboundary=\"");
    out.extend_from_slice(parts.boundary.as_bytes());
    out.extend_from_slice(b"\"\r\n\r\n");
    delimiter(parts.boundary, "\r\n", out);
    write_text(parts.text, out);
    for attachment in parts.attachments {
        out.extend_from_slice(b"\r\n");
        delimiter(parts.boundary, "\r\n", out);
        write_field(out, "Content-Type", attachment.media_type);
        write_disposition(attachment.name, out);
        write_field(out, "Content-Transfer-Encoding", "base64");
        out.extend_from_slice(b"\r\n");
        write_base64(out, attachment.content);
    }
    out.extend_from_slice(b"\r\n");
    delimiter(parts.boundary, "--\r\n", out);
}

fn delimiter(boundary: &str, end: &str, out: &mut Vec<u8>) {
    for part in ["--", boundary, end] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Appends Content-Type, Content-Transfer-Encoding, the empty line and the text.
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let text = with_crlf(text);
    let facts = content_facts(&text);
    let charset = match (facts.eight_bit, str::from_utf8(&text)) {
        (false, _) => "us-ascii",
        (true, Ok(_)) => "utf-8",
        (true, Err(_)) => "unknown-8bit",
    };
    write_field(out, "Content-Type", &format!("text/plain; charset={charset}"));
    let is_plain = !facts.eight_bit && !facts.nul && facts.line_length_max <= 998;
    write_field(
        out,
        "Content-Transfer-Encoding",
        if is_plain { "7bit" } else { "quoted-printable" },
    );
    out.extend_from_slice(b"\r\n");
    if is_plain {
        out.extend_from_slice(&text);
    } else {
        quoted_printable::write(out, &text);
    }
}

/// RFC 2183, with RFC 2231 for what is not ASCII.
fn write_disposition(name: &str, out: &mut Vec<u8>) {
    let is_plain =
        name.bytes().all(|octet| (0x20..=0x7e).contains(&octet) && !b"\"\\".contains(&octet));
    let parameter = if is_plain {
        format!("filename=\"{name}\"")
    } else {
        let mut encoded = String::from("filename*=utf-8''");
        for octet in name.bytes() {
            if octet.is_ascii_alphanumeric() || b".-_".contains(&octet) {
                encoded.push(char::from(octet));
            } else {
                encoded.push_str(&format!("%{octet:02X}"));
            }
        }
        encoded
    };
    // One line: folding inside the quotes would change the name.
    out.extend_from_slice(
        format!("Content-Disposition: attachment;\r\n\t{parameter}\r\n").as_bytes(),
    );
}

/// An address with a display name gets the name quoted or encoded where it has to be.
fn mailbox(text: &str) -> String {
    let text = text.trim();
    let Some((name, address)) = text.rsplit_once('<') else { return text.to_owned() };
    let name = name.trim().trim_matches('"');
    let is_atom = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c);
    match name {
        "" => format!("<{address}"),
        name if name.chars().all(is_atom) && !name.contains("=?") => format!("{name} <{address}"),
        name if name.is_ascii() => {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{quoted}\" <{address}")
        }
        name => format!("{} <{address}", encoded_word::encode(name)),
    }
}

/// `text` with every line ending (CRLF, LF or CR) as CRLF.
pub fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 32 + 2);
    let mut rest = text;
    while let Some(end) = memchr::memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..end]);
        out.extend_from_slice(b"\r\n");
        rest = if rest[end..].starts_with(b"\r\n") { &rest[end + 2..] } else { &rest[end + 1..] };
    }
    out.extend_from_slice(rest);
    out
}

/// The media type that a file's name suggests.
pub fn media_type(name: &str) -> &'static str {
    let extension =
        name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    match extension.as_str() {
        "txt" | "log" => "text/plain",
        "csv" => "text/csv",
        "htm" | "html" => "text/html",
        "md" => "text/markdown",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "xml" => "application/xml",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ics" => "text/calendar",
        // A message as a file: message/rfc822 may not be base64 (RFC 2046 section 5.2.1).
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample<'a>() -> Parts<'a> {
        Parts {
            from: "Alice <alice@a.test>",
            to: &["bob@b.test", "J\u{fc}rgen <j@c.test>"],
            cc: &[],
            subject: "Caf\u{e9}",
            at: Timestamp(1_795_168_800_000),
            offset: 60,
            message_id: "1@a.test",
            boundary: "=_b",
            fields: &[("X-Test", "yes\r\nBcc: no")],
            text: b"caf\xc3\xa9\n.\nbye",
            attachments: &[],
        }
    }

    #[test]
    fn text_only() {
        let expected = "Date: Fri, 20 Nov 2026 11:00:00 +0100\r\n\
            From: Alice <alice@a.test>\r\n\
            To: bob@b.test, =?utf-8?B?SsO8cmdlbg==?= <j@c.test>\r\n\
            Subject: =?utf-8?B?Q2Fmw6k=?=\r\n\
            Message-ID: <1@a.test>\r\n\
            X-Test: yes Bcc: no\r\n\
            MIME-Version: 1.0\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n\
            caf=C3=A9\r\n=2E\r\nbye\r\n";
        assert_eq!(String::from_utf8(write(&sample())).unwrap(), expected);
    }

    #[test]
    fn attachments_are_read_back_by_somebody_else() {
        let binary: Vec<u8> = (0..=255).cycle().take(5_000).collect();
        let attachments = [
            Attachment { name: "a b.bin", media_type: media_type("a b.bin"), content: &binary },
            Attachment { name: "\u{e9}\".pdf", media_type: media_type("\u{e9}.PDF"), content: b"" },
        ];
        let octets = write(&Parts { attachments: &attachments, ..sample() });
        assert!(octets.is_ascii());
        let message = mail_parser::MessageParser::default().parse(&octets).unwrap();
        assert_eq!(message.subject(), Some("Caf\u{e9}"));
        assert_eq!(message.body_text(0).unwrap().trim_end(), "caf\u{e9}\r\n.\r\nbye");
        let read: Vec<_> = message.attachments().map(|part| part.contents().to_vec()).collect();
        assert_eq!(read, [binary.clone(), Vec::new()]);
        use mail_parser::MimeHeaders;
        let names: Vec<_> =
            message.attachments().filter_map(|part| part.attachment_name()).collect();
        assert_eq!(names, ["a b.bin", "\u{e9}\".pdf"]);
    }

    #[test]
    fn line_endings() {
        for (text, expected) in [
            ("a\nb", "a\r\nb"),
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a\rb", "a\r\nb"),
            ("\n\r\n\r", "\r\n\r\n\r\n"),
            ("", ""),
        ] {
            assert_eq!(with_crlf(text.as_bytes()), expected.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn display_names() {
        for (text, expected) in [
            ("a@b.test", "a@b.test"),
            ("Alice B <a@b.test>", "Alice B <a@b.test>"),
            ("Alice (B.) <a@b.test>", "\"Alice (B.)\" <a@b.test>"),
            ("\"B, Alice\" <a@b.test>", "\"B, Alice\" <a@b.test>"),
            ("<a@b.test>", "<a@b.test>"),
        ] {
            assert_eq!(mailbox(text), expected);
        }
    }
}
