//! Digests of a content while it passes: of each header field, and of the body at some places.
//!
//! Octets count as they are transferred, dots stuffed; the final dot's line does not. Memory is one line of
//! a header section, and what [`FIELDS_MAX`] and [`MARKS_MAX`] allow.

use aws_lc_rs::digest::{Context, SHA256};
use diagnose::fingerprint::{Digest, Fingerprint};

/// Fields that get a digest of their own; further ones are one field.
const FIELDS_MAX: usize = 100;
/// The name that those have.
const MORE: &str = "...";
/// Longest name that is kept.
const NAME_MAX: usize = 60;
/// A longer line of a header section is taken in pieces.
const LINE_MAX: usize = 4_096;
/// Marks of a body; when they are more, every second one is dropped.
const MARKS_MAX: usize = 32;
/// The first distance between marks.
const STEP: u64 = 1_024;
/// The final dot's line, CRLF included.
const DOT_LINE: usize = 3;

/// Makes the fingerprint of one content or chunk.
#[derive(Clone)]
pub(super) struct Printer {
    print: Fingerprint,
    part: Part,
    /// The newest octets: they may be the final dot's line.
    held: Vec<u8>,
    body: Context,
    step: u64,
}

/// What the next octets are of.
#[derive(Clone)]
enum Part {
    /// A header section: the line so far, and the field that is open.
    Header {
        line: Vec<u8>,
        field: Option<(String, Context)>,
    },
    Body,
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printer").field("print", &self.print).finish_non_exhaustive()
    }
}

impl Printer {
    /// Of a content, which begins with a header section.
    pub fn content() -> Self {
        Self::new(Part::Header { line: Vec::new(), field: None })
    }

    /// Of a chunk, in which nobody looks for fields.
    pub fn chunk() -> Self {
        Self::new(Part::Body)
    }

    fn new(part: Part) -> Self {
        Self {
            print: Fingerprint::default(),
            part,
            held: Vec::with_capacity(2 * DOT_LINE),
            body: Context::new(&SHA256),
            step: STEP,
        }
    }

    /// The next octets.
    pub fn read(&mut self, octets: &[u8]) {
        if octets.len() < DOT_LINE {
            self.held.extend_from_slice(octets);
            let past = self.held.len().saturating_sub(DOT_LINE);
            let known: Vec<u8> = self.held.drain(..past).collect();
            return self.take(&known);
        }
        let held = std::mem::take(&mut self.held);
        self.take(&held);
        let (known, last) = octets.split_at(octets.len() - DOT_LINE);
        self.take(known);
        self.held.extend_from_slice(last);
    }

    /// It ends; its last `dot_line` octets are not part of it.
    pub fn finish(mut self, dot_line: usize) -> Fingerprint {
        let mut held = std::mem::take(&mut self.held);
        held.truncate(held.len().saturating_sub(dot_line));
        self.take(&held);
        if let Part::Header { line, .. } = &mut self.part {
            let line = std::mem::take(line);
            if !line.is_empty() {
                self.header_line(&line);
            }
            self.close_field();
        }
        self.print.body = short(self.body);
        self.print
    }

    fn take(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while let Part::Header { line, .. } = &mut self.part {
            if rest.is_empty() {
                return;
            }
            let room = LINE_MAX.saturating_sub(line.len()).min(rest.len());
            let end = memchr::memchr(b'\n', &rest[..room]).map(|at| at + 1);
            line.extend_from_slice(&rest[..end.unwrap_or(room)]);
            rest = &rest[end.unwrap_or(room)..];
            if end.is_some() || line.len() >= LINE_MAX {
                let line = std::mem::take(line);
                self.header_line(&line);
            }
        }
        self.body(rest);
    }

    fn header_line(&mut self, line: &[u8]) {
        if matches!(line, b"\r\n" | b"\n") {
            self.close_field();
            self.part = Part::Body;
            return;
        }
        let name = name(line);
        let Part::Header { field, .. } = &mut self.part else { return };
        let goes_on = matches!(line[0], b' ' | b'\t');
        match (field, name) {
            // What follows a line cut for its length goes on as well: it has no name.
            (Some((_, context)), None) => context.update(line),
            (Some((_, context)), _) if goes_on => context.update(line),
            (_, Some(name)) => {
                self.close_field();
                let name =
                    if self.print.fields.len() < FIELDS_MAX { name } else { MORE.to_owned() };
                let mut context = Context::new(&SHA256);
                context.update(line);
                if let Part::Header { field, .. } = &mut self.part {
                    *field = Some((name, context));
                }
            }
            (None, None) => {
                // No header section at all.
                self.part = Part::Body;
                self.body(line);
            }
        }
    }

    fn close_field(&mut self) {
        if let Part::Header { field, .. } = &mut self.part
            && let Some((name, context)) = field.take()
        {
            if self.print.fields.len() <= FIELDS_MAX {
                self.print.fields.push((name, short(context)));
            } else {
                self.print.more_fields = true;
            }
        }
    }

    fn body(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() {
            let to_mark = self.step - self.print.body_octets % self.step;
            let count = rest.len().min(usize::try_from(to_mark).unwrap_or(usize::MAX));
            self.body.update(&rest[..count]);
            self.print.body_octets += count as u64;
            rest = &rest[count..];
            if count as u64 == to_mark {
                self.mark();
            }
        }
    }

    fn mark(&mut self) {
        let at = self.print.body_octets;
        self.print.marks.push((at, short(self.body.clone())));
        if self.print.marks.len() > MARKS_MAX {
            self.step *= 2;
            let step = self.step;
            self.print.marks.retain(|(at, _)| at % step == 0);
        }
    }
}

/// A field's name, if the line begins one.
fn name(line: &[u8]) -> Option<String> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_name.then(|| {
        let name = &name[..name.len().min(NAME_MAX)];
        String::from_utf8_lossy(name).to_ascii_lowercase()
    })
}

fn short(context: Context) -> Digest {
    let mut digest = Digest::default();
    let whole = context.finish();
    let length = digest.len();
    digest.copy_from_slice(&whole.as_ref()[..length]);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(content: &[u8], piece: usize) -> Fingerprint {
        let mut printer = Printer::content();
        content.chunks(piece).for_each(|piece| printer.read(piece));
        printer.finish(DOT_LINE)
    }

    #[test]
    fn pieces_make_no_difference() {
        let body = "Octets and more octets.\r\n".repeat(2_000);
        let content = format!("From: <a@a.test>\r\nSubject: x\r\n folded\r\n\r\n{body}.\r\n");
        let whole = print(content.as_bytes(), content.len());
        assert_eq!(whole.body_octets, body.len() as u64);
        let names: Vec<&str> = whole.fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["from", "subject"]);
        assert!(whole.marks.len() > 8 && whole.marks.len() <= MARKS_MAX, "{}", whole.marks.len());
        for piece in [1, 2, 3, 7, 1_460] {
            assert_eq!(print(content.as_bytes(), piece), whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn one_octet_is_seen_and_where() {
        let body = "0123456789abcdef".repeat(1_000);
        let content = |body: &str| format!("Subject: x\r\n\r\n{body}\r\n.\r\n").into_bytes();
        let altered = format!("{}X{}", &body[..9_000], &body[9_001..]);
        let (sent, came) = (print(&content(&body), 100), print(&content(&altered), 333));
        let told = sent.differences(&came);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("first between its octets 8192 and 9216"), "{told:?}");
    }

    #[test]
    fn what_has_no_header_section_is_all_body() {
        assert_eq!(print(b"just words\r\n.\r\n", 4).body_octets, 12);
        assert_eq!(print(b".\r\n", 1), print(b".\r\n", 3));
        let endless = vec![b'a'; 100_000];
        assert_eq!(print(&endless, 1_000).body_octets, 100_000 - 3);
        let many = "X: y\r\n".repeat(1_000);
        assert_eq!(print(many.as_bytes(), 11).fields.len(), FIELDS_MAX + 1);
    }
}
