//! Trace fields (RFC 5321 section 4.4): what each transfer agent writes on top of a message.
//!
//! [`received`] is on the way of every message: it appends and allocates nothing. Names that a client
//! chose are cleaned, so that no HELO and no address can write a header field or end a comment.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr},
};

use smtp::{ReversePath, Timestamp};

use crate::date;

/// What a Received field tells.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The name that the client gave in EHLO, HELO or LHLO, as sent.
    pub helo: &'a str,
    /// Where the connection came from; `None` for mail that came in over no network.
    pub peer: Option<IpAddr>,
    /// The verified name of `peer`, where it was looked up.
    pub peer_name: Option<&'a str>,
    /// Our own name.
    pub host: &'a str,
    /// How it came.
    pub protocol: Protocol,
    /// Version and cipher of TLS.
    pub tls: Option<(&'a str, &'a str)>,
    /// The queue id.
    pub queue_id: &'a str,
    /// The forward-path when there is exactly one: more would tell recipients of each other
    /// (RFC 5321 section 7.6).
    pub recipient: Option<&'a str>,
    /// MT-PRIORITY, where it was said (RFC 6710).
    pub priority: Option<i8>,
    /// When.
    pub at: Timestamp,
    /// Minutes east of Greenwich in which `at` is written.
    pub offset: i16,
}

/// What the `with` clause says (RFC 3848, RFC 6531 section 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// EHLO was used.
    pub extended: bool,
    /// LHLO was used.
    pub lmtp: bool,
    /// MAIL had SMTPUTF8.
    pub utf8: bool,
    /// Under TLS.
    pub tls: bool,
    /// After AUTH.
    pub authenticated: bool,
}

impl Protocol {
    /// The registered name.
    pub fn name(self) -> &'static str {
        const NAMES: [[&str; 4]; 4] = [
            ["ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"],
            ["LMTP", "LMTPA", "LMTPS", "LMTPSA"],
            ["UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"],
            ["UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"],
        ];
        if !self.extended && !self.lmtp && !self.tls {
            return "SMTP";
        }
        let row = usize::from(self.utf8) << 1 | usize::from(self.lmtp);
        NAMES[row][usize::from(self.tls) << 1 | usize::from(self.authenticated)]
    }
}

/// Appends the Received field, folded, CRLF included.
///
/// ```text
/// Received: from client.example (mail.client.example [192.0.2.1])
///     by mx.a.test (Mailwright) with ESMTPS (TLSv1.3 TLS13_AES_256_GCM_SHA384)
///     id 2K8PZ4 for <bob@a.test>; Fri, 20 Nov 2026 10:00:00 +0000
/// ```
pub fn received(from: &Received<'_>, out: &mut Vec<u8>) {
    out.reserve(320);
    out.extend_from_slice(b"Received: from ");
    write_name(out, from.helo);
    if let Some(peer) = from.peer {
        out.extend_from_slice(b" (");
        if let Some(name) = from.peer_name {
            write_name(out, name);
            out.push(b' ');
        }
        write_literal(out, peer);
        out.push(b')');
    }
    out.extend_from_slice(b"\r\n\tby ");
    write_name(out, from.host);
    out.extend_from_slice(b" (Mailwright) with ");
    out.extend_from_slice(from.protocol.name().as_bytes());
    if let Some((version, cipher)) = from.tls {
        out.extend_from_slice(b" (");
        write_name(out, version);
        out.push(b' ');
        write_name(out, cipher);
        out.push(b')');
    }
    out.extend_from_slice(b"\r\n\tid ");
    write_name(out, from.queue_id);
    let mut length = from.queue_id.len();
    if let Some(recipient) = from.recipient {
        length += recipient.len();
        out.extend_from_slice(b" for <");
        write_path(out, recipient);
        out.push(b'>');
    }
    if let Some(priority) = from.priority {
        // An additional clause of RFC 6710 section 4; it comes last.
        let _ = write!(out, "{}PRIORITY {priority}", if length > 24 { "\r\n\t" } else { " " });
    }
    out.extend_from_slice(if length > 24 && from.priority.is_none() { b";\r\n\t" } else { b"; " });
    date::write(out, from.at, from.offset);
    out.extend_from_slice(b"\r\n");
}

/// Appends the Return-Path field that final delivery writes (RFC 5321 section 4.4).
pub fn return_path(reverse_path: &ReversePath, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Return-Path: <");
    if let Some(address) = reverse_path {
        write_path(out, address.as_str());
    }
    out.extend_from_slice(b">\r\n");
}

/// Appends `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3).
fn write_literal(out: &mut Vec<u8>, peer: IpAddr) {
    match peer.to_canonical() {
        IpAddr::V4(address) => {
            out.push(b'[');
            write_ipv4(out, address);
        }
        IpAddr::V6(address) => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "[IPv6:{address}");
        }
    }
    out.push(b']');
}

fn write_ipv4(out: &mut Vec<u8>, address: Ipv4Addr) {
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        if octet >= 100 {
            out.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            out.push(b'0' + octet / 10 % 10);
        }
        out.push(b'0' + octet % 10);
    }
}

/// Longer names than a domain can be (RFC 5321 section 4.5.3.1.2) are cut.
const NAME_LENGTH_MAX: usize = 255;

/// Appends what may stand as a domain, address literal or atom; `?` for every other octet.
fn write_name(out: &mut Vec<u8>, name: &str) {
    if name.is_empty() {
        return out.extend_from_slice(b"unknown");
    }
    let harmless = |octet: u8| {
        octet.is_ascii_alphanumeric() || octet >= 0x80 || b".-_:[]/+=*".contains(&octet)
    };
    let mut end = name.len().min(NAME_LENGTH_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let kept = &name.as_bytes()[..end];
    out.extend(kept.iter().map(|&octet| if harmless(octet) { octet } else { b'?' }));
}

/// Appends a path that was parsed before; only what could break the line or the brackets is replaced.
fn write_path(out: &mut Vec<u8>, path: &str) {
    let start = out.len();
    out.extend_from_slice(path.as_bytes());
    for octet in &mut out[start..] {
        if octet.is_ascii_control() {
            *octet = b'?';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample<'a>() -> Received<'a> {
        Received {
            helo: "client.example",
            peer: Some(IpAddr::from([192, 0, 2, 101])),
            peer_name: None,
            host: "mx.a.test",
            protocol: Protocol { extended: true, ..Protocol::default() },
            tls: None,
            queue_id: "2K8PZ4",
            recipient: Some("bob@a.test"),
            priority: None,
            at: Timestamp(1_795_168_800_000),
            offset: 0,
        }
    }

    fn written(received: &Received<'_>) -> String {
        let mut out = Vec::new();
        super::received(received, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain() {
        assert_eq!(
            written(&sample()),
            "Received: from client.example ([192.0.2.101])\r\n\
             \tby mx.a.test (Mailwright) with ESMTP\r\n\
             \tid 2K8PZ4 for <bob@a.test>; Fri, 20 Nov 2026 10:00:00 +0000\r\n"
        );
    }

    #[test]
    fn everything() {
        let received = Received {
            peer: Some("2001:db8::25".parse().unwrap()),
            peer_name: Some("mail.client.example"),
            protocol: Protocol {
                extended: true,
                tls: true,
                authenticated: true,
                ..Protocol::default()
            },
            tls: Some(("TLSv1.3", "TLS13_AES_256_GCM_SHA384")),
            recipient: None,
            ..sample()
        };
        assert_eq!(
            written(&received),
            "Received: from client.example (mail.client.example [IPv6:2001:db8::25])\r\n\
             \tby mx.a.test (Mailwright) with ESMTPSA (TLSv1.3 TLS13_AES_256_GCM_SHA384)\r\n\
             \tid 2K8PZ4; Fri, 20 Nov 2026 10:00:00 +0000\r\n"
        );
    }

    #[test]
    fn a_client_writes_no_field_of_its_own() {
        let received = Received {
            helo: "a\r\nSubject: x (\\) ",
            peer: Some("::ffff:192.0.2.1".parse().unwrap()),
            recipient: Some("\"x\r\ny\"@a.test"),
            ..sample()
        };
        let field = written(&received);
        assert!(
            field.starts_with("Received: from a??Subject:?x????? ([192.0.2.1])\r\n"),
            "{field}"
        );
        assert!(field.contains("for <\"x??y\"@a.test>"), "{field}");
        assert_eq!(field.matches("\r\n").count(), 3);
        assert!(written(&Received { helo: "", ..sample() }).contains("from unknown ("));
        let long = "é".repeat(300);
        assert!(written(&Received { helo: &long, ..sample() }).len() < 500);
    }

    #[test]
    fn long_recipient_gets_a_line_of_its_own() {
        let recipient = format!("{}@a.test", "x".repeat(40));
        let field = written(&Received { recipient: Some(&recipient), ..sample() });
        assert!(field.lines().all(|line| line.len() < 78), "{field}");
    }

    #[test]
    fn a_priority_is_the_last_clause() {
        let hurry = Received { priority: Some(-3), ..sample() };
        assert!(written(&hurry).contains("for <bob@a.test> PRIORITY -3; Fri"));
        assert!(
            written(&Received { recipient: None, ..hurry }).contains("id 2K8PZ4 PRIORITY -3; ")
        );
        let recipient = format!("{}@a.test", "x".repeat(40));
        let field = written(&Received { recipient: Some(&recipient), ..hurry });
        assert!(field.contains(">\r\n\tPRIORITY -3; "), "{field}");
        assert!(field.lines().all(|line| line.len() < 78), "{field}");
    }

    #[test]
    fn protocol_names() {
        let none = Protocol::default();
        for (protocol, name) in [
            (none, "SMTP"),
            (Protocol { extended: true, ..none }, "ESMTP"),
            (Protocol { extended: true, authenticated: true, ..none }, "ESMTPA"),
            (Protocol { tls: true, ..none }, "ESMTPS"), // HELO under TLS: no name of its own
            (Protocol { lmtp: true, ..none }, "LMTP"),
            (Protocol { extended: true, utf8: true, tls: true, ..none }, "UTF8SMTPS"),
        ] {
            assert_eq!(protocol.name(), name);
        }
    }

    #[test]
    fn null_return_path() {
        let mut out = Vec::new();
        return_path(&None, &mut out);
        assert_eq!(out, b"Return-Path: <>\r\n");
    }
}
