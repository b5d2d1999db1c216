//! Exchange's logs: SMTP protocol logs and message tracking, 2003 and since 2007.
//!
//! `#Software` and `#Fields` lines say what follows, and in which columns; a piece of a protocol log
//! since 2007 is known without them.

mod keywords;
mod protocol;
mod tracking;
mod tracking_2003;
mod w3c;

use super::{Record, sessions::Sessions};

/// What the header lines said.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    format: Format,
    /// The columns' names, lower case.
    columns: Vec<String>,
    /// `#Log-type`.
    log_type: String,
    /// `#Date`.
    date: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Format {
    #[default]
    None,
    /// Protocol log since 2007.
    Protocol,
    /// Message tracking since 2007.
    Tracking,
    /// IIS's W3C extended format, with SMTP in it.
    W3c,
    /// Message tracking of 2000 and 2003, parted by tabs.
    Tracking2003,
}

impl Exchange {
    /// Reads one line; `None` if it is none of Exchange's.
    pub fn read(
        &mut self,
        text: &str,
        number: u64,
        sessions: &mut Sessions,
        give: &mut dyn FnMut(Record),
    ) -> Option<()> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(header) = text.strip_prefix('#') {
            return self.header(header);
        }
        match self.format {
            Format::Protocol => {
                protocol::read(text, number, &self.columns, &self.log_type, sessions, give)
            }
            Format::Tracking => tracking::read(text, number, &self.columns, give),
            Format::W3c => w3c::read(text, number, &self.columns, &self.date, sessions, give),
            Format::Tracking2003 => tracking_2003::read(text, number, &self.columns, give),
            Format::None if is_protocol_line(text) => {
                protocol::read(text, number, &[], "", sessions, give)
            }
            Format::None => None,
        }
    }

    /// Whether its format is known, so that other dialects need not be asked.
    pub fn is_sure(&self) -> bool {
        self.format != Format::None
    }

    fn header(&mut self, header: &str) -> Option<()> {
        let header = header.trim_end();
        if let Some(log_type) =
            header.strip_prefix("Log-type:").or(header.strip_prefix("Log-Type:"))
        {
            self.log_type = log_type.trim().to_ascii_lowercase();
        } else if let Some(date) = header.strip_prefix("Date:") {
            self.date = date.trim().split(' ').next().unwrap_or_default().to_owned();
        } else if let Some(fields) = header.strip_prefix("Fields:") {
            self.columns(fields.trim());
        } else if header.trim_start().starts_with("Date\tTime\t") {
            self.format = Format::Tracking2003;
            self.columns =
                header.split('\t').map(|name| name.trim().to_ascii_lowercase()).collect();
        } else {
            const KNOWN: [&str; 5] =
                ["Software:", "Version:", "Remark:", " Message Tracking Log", " Exchange System"];
            return KNOWN.iter().any(|known| header.starts_with(known)).then_some(());
        }
        Some(())
    }

    fn columns(&mut self, fields: &str) {
        let lower = fields.to_ascii_lowercase();
        let by_comma = lower.contains(',');
        let names = lower.split(|sign: char| if by_comma { sign == ',' } else { sign == ' ' });
        self.columns = names.map(|name| name.trim().to_owned()).collect();
        let has = |name: &str| self.columns.iter().any(|column| column == name);
        self.format = if has("session-id") && has("sequence-number") {
            Format::Protocol
        } else if has("event-id") && (has("recipient-address") || has("recipient-status")) {
            Format::Tracking
        } else if has("cs-method") || has("cs-uri-query") {
            Format::W3c
        } else {
            Format::None
        };
    }
}

/// `2022-07-20T21:12:06.270Z,CONNECTOR,08DA4F7C11473A60,9,192.0.2.1:25,192.0.2.2:53722,>,...`.
fn is_protocol_line(text: &str) -> bool {
    let begins = text.len() > 30 && text.as_bytes()[10] == b'T' && text.as_bytes()[4] == b'-';
    if !begins {
        return false;
    }
    let mut fields = text.split(',').skip(2);
    let session = fields.next().unwrap_or_default();
    let sequence = fields.next().unwrap_or_default();
    let event = fields.nth(2).unwrap_or_default();
    session.len() == 16
        && session.bytes().all(|octet| octet.is_ascii_hexdigit())
        && sequence.parse::<u32>().is_ok()
        && matches!(event, "+" | "-" | ">" | "<" | "*")
}

/// The fields of a CSV line: quotes are taken off, doubled quotes are one.
fn csv(text: &str) -> Vec<String> {
    let mut fields = Vec::with_capacity(16);
    let mut rest = text.trim_end_matches(['\r', '\n']);
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find(',').unwrap_or(rest.len());
            fields.push(rest[..end].to_owned());
            match rest.get(end + 1..) {
                Some(left) => rest = left,
                None => return fields,
            }
            continue;
        };
        let mut field = String::new();
        let mut inside = quoted;
        loop {
            let Some((piece, behind)) = inside.split_once('"') else {
                field.push_str(inside);
                fields.push(field);
                return fields;
            };
            field.push_str(piece);
            match behind.strip_prefix('"') {
                Some(left) => {
                    field.push('"');
                    inside = left;
                }
                None => {
                    inside = behind;
                    break;
                }
            }
        }
        fields.push(field);
        match inside.find(',') {
            Some(comma) => rest = &inside[comma + 1..],
            None => return fields,
        }
    }
}

/// The value in the column of that name.
fn column<'a>(fields: &'a [String], columns: &[String], name: &str) -> &'a str {
    let at = columns.iter().position(|column| column == name);
    at.and_then(|at| fields.get(at)).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_of_csv() {
        assert_eq!(csv("a,\"b,\"\"c\"\"\",,d"), ["a", "b,\"c\"", "", "d"]);
        assert_eq!(csv("a,\"open"), ["a", "open"]);
        assert_eq!(csv(""), [""]);
        assert_eq!(csv("a,"), ["a", ""]);
    }
}
