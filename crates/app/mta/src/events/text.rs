//! Fields for people: ` key=value`, quoted and escaped where a value is not a plain word.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};

/// Writes the fields of an event behind what `out` holds.
pub(super) struct Fields<'o> {
    pub(super) out: &'o mut Vec<u8>,
    pub(super) colour: bool,
}

impl Fields<'_> {
    fn key(&mut self, field: &Field) {
        let (on, off) = if self.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        for part in [" ", on, field.name(), "=", off] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    fn value(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() == "message" {
            self.out.push(b' ');
            // The words of an event are ours, but a dependency's may not be constant.
            let _ = Escaped { out: self.out, plain: true }.write_fmt(value);
            return;
        }
        self.key(field);
        let start = self.out.len();
        self.out.push(b'"');
        let mut escaped = Escaped { out: self.out, plain: true };
        let _ = escaped.write_fmt(value); // it goes to memory
        if escaped.plain && self.out.len() > start + 1 {
            self.out.remove(start);
        } else {
            self.out.push(b'"');
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.value(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.value(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.value(field, format_args!("{value}"));
    }
}

/// Escapes what would break a line or a terminal, and notes whether a value can stand without quotes.
struct Escaped<'o> {
    out: &'o mut Vec<u8>,
    plain: bool,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && !matches!(octet, b'"' | b'\\' | b'='))
        {
            self.out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        for c in text.chars() {
            match c {
                '"' | '\\' => self.out.extend_from_slice(&[b'\\', c as u8]),
                c if c.is_control() => self.out.extend(c.escape_default().map(|c| c as u8)),
                c => self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.plain &= !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\' | '='));
        Ok(())
    }
}
