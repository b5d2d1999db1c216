//! Search filters as text (RFC 4515), with places for the user's name, made into what is sent (RFC 4511
//! section 4.5.1.7).
//!
//! The text is taken apart first and the name is put into the values after: whatever characters it has,
//! it is one value.

use super::{
    ber,
    template::{Names, Piece},
};

/// Parentheses in parentheses: more is no filter that anybody means.
const DEPTH_MAX: usize = 32;

type Value = Vec<Piece>;

/// A filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// And is 0, or is 1.
    Set(u8, Vec<Filter>),
    Not(Box<Filter>),
    /// Equality 3, at least 5, at most 6, approximately 8.
    Compared(u8, String, Value),
    Present(String),
    /// What stands between the asterisks, the first and the last perhaps empty.
    Like(String, Vec<Value>),
    /// Attribute, rule, and whether parts of the DN count.
    Extended(String, String, bool, Value),
}

impl Filter {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        let filter = parse(&mut rest, 0)?;
        match rest {
            "" => Ok(filter),
            rest => Err(format!("there is something behind its end: `{rest}`")),
        }
    }

    pub fn octets(&self, names: &Names<'_>) -> Vec<u8> {
        let octets = |value: &Value| -> Vec<u8> {
            value.iter().flat_map(|piece| piece.octets(names).iter().copied()).collect()
        };
        match self {
            Self::Set(kind, filters) => {
                let inner: Vec<Vec<u8>> = filters.iter().map(|it| it.octets(names)).collect();
                ber::constructed(0xa0 | kind, &inner)
            }
            Self::Not(filter) => ber::constructed(0xa2, &[filter.octets(names)]),
            Self::Compared(kind, attribute, value) => ber::constructed(
                0xa0 | kind,
                &[ber::octets(attribute.as_bytes()), ber::octets(&octets(value))],
            ),
            Self::Present(attribute) => ber::tagged(0x87, attribute.as_bytes()),
            Self::Like(attribute, values) => {
                let last = values.len() - 1;
                let parts = values.iter().enumerate().filter(|(_, value)| !value.is_empty());
                let parts = parts.map(|(place, value)| {
                    let kind = match place {
                        0 => 0x80,
                        place if place == last => 0x82,
                        _ => 0x81,
                    };
                    ber::tagged(kind, &octets(value))
                });
                let parts: Vec<Vec<u8>> = parts.collect();
                let parts = ber::constructed(0x30, &parts);
                ber::constructed(0xa4, &[ber::octets(attribute.as_bytes()), parts])
            }
            Self::Extended(attribute, rule, with_dn, value) => {
                let mut parts = Vec::new();
                let named = [(0x81, rule), (0x82, attribute)];
                for (kind, text) in named.into_iter().filter(|(_, text)| !text.is_empty()) {
                    parts.push(ber::tagged(kind, text.as_bytes()));
                }
                parts.push(ber::tagged(0x83, &octets(value)));
                if *with_dn {
                    parts.push(ber::tagged(0x84, &[0xff]));
                }
                ber::constructed(0xa9, &parts)
            }
        }
    }
}

fn parse(rest: &mut &str, depth: usize) -> Result<Filter, String> {
    if depth > DEPTH_MAX {
        return Err("it is nested too deeply".to_owned());
    }
    expect(rest, '(')?;
    let filter = match rest.chars().next() {
        Some(kind @ ('&' | '|')) => {
            *rest = &rest[1..];
            let mut filters = Vec::new();
            while rest.trim_start().starts_with('(') {
                *rest = rest.trim_start();
                filters.push(parse(rest, depth + 1)?);
            }
            Filter::Set(u8::from(kind == '|'), filters)
        }
        Some('!') => {
            *rest = &rest[1..];
            Filter::Not(Box::new(parse(rest, depth + 1)?))
        }
        _ => {
            let end = end_of_item(rest).ok_or("a `)` is missing")?;
            let item = &rest[..end];
            *rest = &rest[end..];
            self::item(item)?
        }
    };
    *rest = rest.trim_start();
    expect(rest, ')')?;
    Ok(filter)
}

fn expect(rest: &mut &str, c: char) -> Result<(), String> {
    *rest = rest.strip_prefix(c).ok_or_else(|| format!("`{c}` is missing before `{rest}`"))?;
    Ok(())
}

/// A closing parenthesis within a value is written `\29`.
fn end_of_item(text: &str) -> Option<usize> {
    text.find(')')
}

fn item(item: &str) -> Result<Filter, String> {
    let (left, value) = item.split_once('=').ok_or_else(|| format!("`{item}` has no `=`"))?;
    let (attribute, kind) = match left.char_indices().last() {
        Some((at, '>')) => (&left[..at], 5),
        Some((at, '<')) => (&left[..at], 6),
        Some((at, '~')) => (&left[..at], 8),
        Some((at, ':')) => return extended(&left[..at], value),
        _ => (left, 3),
    };
    let attribute = attribute.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ';' | '.' | '_');
    if attribute.is_empty() || !attribute.chars().all(fits) {
        return Err(format!("`{attribute}` is no attribute"));
    }
    let attribute = attribute.to_owned();
    match (kind, value) {
        (3, "*") => Ok(Filter::Present(attribute)),
        (3, value) if value.contains('*') => {
            let values = value.split('*').map(self::value).collect::<Result<Vec<_>, _>>()?;
            Ok(Filter::Like(attribute, values))
        }
        (kind, text) => Ok(Filter::Compared(kind, attribute, self::value(text)?)),
    }
}

/// `attribute[:dn][:rule]:=value`
fn extended(left: &str, text: &str) -> Result<Filter, String> {
    let mut parts = left.split(':');
    let attribute = parts.next().unwrap_or_default().trim().to_owned();
    let mut with_dn = false;
    let mut rule = String::new();
    for part in parts {
        match part {
            "dn" => with_dn = true,
            part => part.clone_into(&mut rule),
        }
    }
    Ok(Filter::Extended(attribute, rule, with_dn, value(text)?))
}

/// A value with `\2a` and the like decoded, and the places of names found.
fn value(text: &str) -> Result<Value, String> {
    let (mut pieces, mut octets, mut rest) = (Vec::new(), Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        if let Some((piece, behind)) = Piece::placeholder(rest) {
            if !octets.is_empty() {
                pieces.push(Piece::Octets(std::mem::take(&mut octets)));
            }
            pieces.push(piece);
            rest = behind;
        } else if c == '\\' {
            let hex = rest.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
            octets.push(hex.ok_or_else(|| format!("`{rest}`: two hex digits belong behind `\\`"))?);
            rest = &rest[3..];
        } else if c == '{' || c == '(' {
            return Err(format!("`{c}` in a value; there are {{user}}, {{local}} and {{domain}}"));
        } else {
            octets.extend_from_slice(&rest.as_bytes()[..c.len_utf8()]);
            rest = &rest[c.len_utf8()..];
        }
    }
    if !octets.is_empty() {
        pieces.push(Piece::Octets(octets));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(filter: &str, name: &str) -> Vec<u8> {
        Filter::parse(filter).unwrap().octets(&Names::of(name))
    }

    #[test]
    fn as_it_is_sent() {
        assert_eq!(sent("(uid={local})", "anna@a.test"), b"\xa3\x0b\x04\x03uid\x04\x04anna");
        assert_eq!(sent("(uid=*)", ""), b"\x87\x03uid");
        assert_eq!(sent("(!(a=b))", ""), b"\xa2\x08\xa3\x06\x04\x01a\x04\x01b");
        assert_eq!(
            sent("(&(a=b)(c>=d))", ""),
            b"\xa0\x10\xa3\x06\x04\x01a\x04\x01b\xa5\x06\x04\x01c\x04\x01d"
        );
        assert_eq!(sent("(a=x*y*)", ""), b"\xa4\x0b\x04\x01a\x30\x06\x80\x01x\x81\x01y");
        assert_eq!(sent("(a:dn:1.2:=b)", ""), b"\xa9\x0e\x81\x031.2\x82\x01a\x83\x01b\x84\x01\xff");
        assert_eq!(sent("(a=\\2a\\29)", ""), b"\xa3\x07\x04\x01a\x04\x02*)");
    }

    #[test]
    fn a_name_is_one_value() {
        // The injection of the textbooks: as a value it finds nobody.
        let name = "*)(uid=*))(|(uid=*";
        let mut expected = vec![0xa3, 7 + name.len() as u8, 4, 3];
        expected.extend_from_slice(b"uid\x04");
        expected.push(name.len() as u8);
        expected.extend_from_slice(name.as_bytes());
        assert_eq!(sent("(uid={user})", name), expected);
    }

    #[test]
    fn what_is_no_filter() {
        for text in [
            "",
            "uid=x",
            "(uid=x",
            "(uid=x))",
            "(uid)",
            "(=x)",
            "(a=\\2)",
            "(a={name})",
            "(&(a=b)",
            "(a=b)(c=d)",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
        assert!(Filter::parse(&"(!".repeat(10_000)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[(){}=*&|!\\\\:a-z0-9<>~ ]{0,40}") {
            if let Ok(filter) = Filter::parse(&text) {
                let _ = filter.octets(&Names::of("anna@a.test"));
            }
        }
    }
}
