//! What a submission server adds to a message (RFC 6409 section 8): Date and Message-ID where they are
//! missing. From is the author's and stays as it is; a missing one is for policy to refuse.

use smtp::Timestamp;

use crate::{date, header::Facts};

/// Appends the missing fields, to stand in front of the header section as it came.
///
/// `unique` becomes the left side of a Message-ID: an atom that no other message of `host` has, for
/// example the queue id. Returns whether anything was added.
pub fn complete(
    facts: &Facts,
    at: Timestamp,
    offset: i16,
    unique: &str,
    host: &str,
    out: &mut Vec<u8>,
) -> bool {
    let length = out.len();
    if !facts.has_date {
        out.extend_from_slice(b"Date: ");
        date::write(out, at, offset);
        out.extend_from_slice(b"\r\n");
    }
    if !facts.has_message_id {
        for part in ["Message-ID: <", unique, "@", host, ">\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.len() > length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header;

    #[test]
    fn only_what_is_missing() {
        const DATE: &str = "Date: Fri, 20 Nov 2026 10:00:00 +0100\r\n";
        const ID: &str = "Message-ID: <q1@a.test>\r\n";
        for (content, added) in [
            ("From: a@a.test\r\n\r\n", format!("{DATE}{ID}")),
            ("Date: whenever\r\n\r\n", ID.to_owned()),
            ("Message-ID: <x@y>\r\n\r\n", DATE.to_owned()),
            ("Message-ID:\r\nDate: x\r\n\r\n", String::new()), // a second one would be worse than an empty one
            ("Date: x\r\nMessage-ID: <x@y>\r\n\r\n", String::new()),
        ] {
            let mut out = Vec::new();
            let at = Timestamp(1_795_165_200_000);
            let any = complete(&header::scan(content.as_bytes()), at, 60, "q1", "a.test", &mut out);
            assert_eq!((String::from_utf8(out).unwrap(), any), (added.clone(), !added.is_empty()));
        }
    }
}
