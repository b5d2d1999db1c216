//! Fields for programs: `,"key":value` of a JSON object (RFC 8259).

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};

/// Writes the fields of an event behind what `out` holds.
pub(super) struct Fields<'o> {
    pub(super) out: &'o mut Vec<u8>,
}

impl Fields<'_> {
    fn key(&mut self, field: &Field) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(field.name().as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn text(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.key(field);
        self.out.push(b'"');
        let _ = Escaped(self.out).write_fmt(value); // it goes to memory
        self.out.push(b'"');
    }

    fn bare(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.key(field);
        let _ = Escaped(self.out).write_fmt(value); // it goes to memory
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.bare(field, format_args!("{value}"));
        } else {
            // RFC 8259 section 6: no such numbers.
            self.text(field, format_args!("{value}"));
        }
    }
}

struct Escaped<'o>(&'o mut Vec<u8>);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut start = 0;
        for (at, octet) in text.bytes().enumerate() {
            if octet >= 0x20 && !matches!(octet, b'"' | b'\\' | 0x7f) {
                continue;
            }
            self.0.extend_from_slice(&text.as_bytes()[start..at]);
            start = at + 1;
            match octet {
                b'"' | b'\\' => self.0.extend_from_slice(&[b'\\', octet]),
                b'\n' => self.0.extend_from_slice(b"\\n"),
                b'\r' => self.0.extend_from_slice(b"\\r"),
                b'\t' => self.0.extend_from_slice(b"\\t"),
                octet => {
                    let hex = |half: u8| b"0123456789abcdef"[usize::from(half & 15)];
                    self.0.extend_from_slice(&[
                        b'\\',
                        b'u',
                        b'0',
                        b'0',
                        hex(octet >> 4),
                        hex(octet),
                    ]);
                }
            }
        }
        self.0.extend_from_slice(&text.as_bytes()[start..]);
        Ok(())
    }
}
