//! What may become of a content with octets beyond ASCII on its way to who can't take them (RFC 6152 section
//! 3): the same fields, but for the label of the encoding, and a body that decodes to the same octets.

use base64::{Engine, engine::general_purpose::STANDARD};

/// The trace fields on top of `arrived`, if the rest of it is a lawful conversion of `sent`.
pub fn trace<'a>(arrived: &'a [u8], sent: &[u8]) -> Option<&'a [u8]> {
    let first = sent.split_inclusive(|&octet| octet == b'\n').next()?;
    let at = memchr::memmem::find(arrived, first)?;
    let (head, body) = parts(&arrived[at..])?;
    let (head_sent, body_sent) = parts(sent)?;
    let label = "content-transfer-encoding: ";
    let others = |head: &str| -> Vec<String> {
        head.lines()
            .filter(|line| !line.to_lowercase().starts_with(label))
            .map(str::to_owned)
            .collect()
    };
    if !arrived.is_ascii() || others(&head) != others(&head_sent) {
        return None;
    }
    let encoding =
        head.to_lowercase().lines().find_map(|line| Some(line.strip_prefix(label)?.to_owned()));
    let decoded = match encoding?.trim() {
        "quoted-printable" => quoted_printable(body)?,
        "base64" => {
            let digits: Vec<u8> =
                body.iter().copied().filter(|octet| !b"\r\n".contains(octet)).collect();
            STANDARD.decode(digits).ok()?
        }
        // Labelled 8 bit, it had nothing beyond ASCII.
        "7bit" => body.to_vec(),
        _ => return None,
    };
    (decoded == body_sent).then_some(&arrived[..at])
}

fn parts(content: &[u8]) -> Option<(String, &[u8])> {
    let at = memchr::memmem::find(content, b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&content[..at]).into_owned(), &content[at + 4..]))
}

/// RFC 2045 section 6.7, strictly.
fn quoted_printable(body: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'=' if after.starts_with(b"\r\n") => rest = &after[2..],
            b'=' => {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                decoded.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &after[2..];
            }
            _ => decoded.push(octet),
        }
    }
    Some(decoded)
}
