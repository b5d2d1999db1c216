//! Replies (RFC 5321 section 4.2): the one type for what we say and for what we hear.
//!
//! Texts that we send are made here and nowhere else, by constructors with a name.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::status::EnhancedStatus;

pub mod parse;
mod texts;
pub use texts::Missing;

/// One complete reply of one or several lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// 200-599; what a code that no RFC lists means, its first digit tells (RFC 5321 section 4.3.2).
    pub code: u16,
    /// The enhanced status of the first line, where there was one.
    pub status: Option<EnhancedStatus>,
    /// The text without code and enhanced status, lines parted by `\n`.
    pub text: Cow<'static, str>,
}

/// What only the spool can make: that a message survives a crash.
///
/// The sole way to a `250` after content is [`Reply::accepted`], which asks for one.
pub trait Proof {
    /// The queue id, as the client and the logs shall read it.
    fn queue_id(&self) -> &str;
}

impl Reply {
    /// A reply with an enhanced status.
    pub fn new(code: u16, status: (u8, u16, u16), text: impl Into<Cow<'static, str>>) -> Self {
        let status = Some(EnhancedStatus::new(status.0, status.1, status.2));
        Self { code, status, text: text.into() }
    }

    /// A reply for which RFC 2034 allows no enhanced status (greeting, EHLO, 354, 334).
    pub fn bare(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, status: None, text: text.into() }
    }

    /// The `250` after content: the message is ours now.
    pub fn accepted(proof: &impl Proof) -> Self {
        Self::new(250, (2, 0, 0), format!("kept as {}", proof.queue_id()))
    }

    /// 2yz.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 3yz.
    pub fn is_intermediate(&self) -> bool {
        self.code / 100 == 3
    }

    /// 4yz.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5yz.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// The lines of the text; at least one, which may be empty.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n')
    }

    /// Appends the reply as it goes over the wire, each line with code, enhanced status and CRLF.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        self.write(out, self.status);
    }

    /// The same without the enhanced status: for a client that was not offered any.
    pub fn write_plain_to(&self, out: &mut Vec<u8>) {
        self.write(out, None);
    }

    // Written for every command: digits by hand are several times faster than `write!`.
    fn write(&self, out: &mut Vec<u8>, status: Option<EnhancedStatus>) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            push_number(out, self.code);
            out.push(if lines.peek().is_some() { b'-' } else { b' ' });
            if let Some(status) = status {
                push_number(out, u16::from(status.class));
                out.push(b'.');
                push_number(out, status.subject);
                out.push(b'.');
                push_number(out, status.detail);
                out.push(b' ');
            }
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn push_number(out: &mut Vec<u8>, number: u16) {
    let mut rank = [10_000, 1_000, 100, 10].into_iter().find(|&rank| number >= rank).unwrap_or(1);
    while rank > 0 {
        out.push(b'0' + (number / rank % 10) as u8);
        rank /= 10;
    }
}

/// On one line, as people quote it: `550 5.1.1 no mailbox here by that name`.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(status) = self.status {
            write!(f, " {status}")?;
        }
        for line in self.lines().filter(|line| !line.is_empty()) {
            write!(f, " {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_says_is_quoted() {
        for (word, end) in [
            ("", ""),
            ("https://list.test/?ip=192.0.2.1", "; see https://list.test/?ip=192.0.2.1"),
            ("Blocked - see https://list.test/", "; Blocked - see https://list.test/"),
        ] {
            let reply = Reply::listed("192.0.2.1", "list.test", word, true);
            let said = "Email rejected because 192.0.2.1 is listed by list.test";
            assert_eq!(reply.text, format!("{said}{end}"));
        }
    }

    #[test]
    fn on_the_wire() {
        for (reply, wire) in [
            (Reply::new(250, (2, 1, 5), "fine"), "250 2.1.5 fine\r\n"),
            (Reply::new(450, (4, 7, 651), "later"), "450 4.7.651 later\r\n"),
            // RFC 2034 section 4: each line has the status
            (Reply::new(214, (2, 0, 0), "one\ntwo"), "214-2.0.0 one\r\n214 2.0.0 two\r\n"),
            // RFC 4954 section 4: an empty challenge is `334` and a blank
            (Reply::bare(334, ""), "334 \r\n"),
        ] {
            let mut out = Vec::new();
            reply.write_to(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), wire);
        }
    }
}
