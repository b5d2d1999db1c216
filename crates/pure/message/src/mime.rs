//! The Content-Type field (RFC 2045 section 5.1), as far as walking through parts needs it.

/// Type, subtype and boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// `text`, in lower case.
    pub kind: String,
    /// `plain`, in lower case.
    pub subtype: String,
    /// The boundary parameter of a multipart, unquoted.
    pub boundary: Option<Vec<u8>>,
}

impl ContentType {
    /// What a missing field stands for.
    pub fn text_plain() -> Self {
        Self { kind: "text".to_owned(), subtype: "plain".to_owned(), boundary: None }
    }

    /// Reads a field's unfolded value; one without a `type/subtype` is `text/plain` (RFC 2045
    /// section 5.2).
    pub fn parse(value: &[u8]) -> Self {
        let mut parameters = Tokens { rest: value };
        let word = |octets: Vec<u8>| String::from_utf8_lossy(&octets).to_ascii_lowercase();
        let (kind, slash, subtype) = (parameters.next(), parameters.next(), parameters.next());
        let mut found = match (kind, slash, subtype) {
            (Some(Token::Word(kind)), Some(Token::Mark(b'/')), Some(Token::Word(subtype))) => {
                Self { kind: word(kind), subtype: word(subtype), boundary: None }
            }
            _ => return Self::text_plain(),
        };
        while let Some(token) = parameters.next() {
            let Token::Word(name) = token else { continue };
            let value = match (parameters.next(), parameters.next()) {
                (Some(Token::Mark(b'=')), Some(Token::Word(value))) => value,
                _ => continue,
            };
            if name.eq_ignore_ascii_case(b"boundary") && found.boundary.is_none() {
                found.boundary = Some(value).filter(|value| !value.is_empty());
            }
        }
        found
    }

    /// Whether it is `kind/subtype`.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind == kind && self.subtype == subtype
    }
}

enum Token {
    /// A token or the inside of a quoted string.
    Word(Vec<u8>),
    /// `/`, `;`, `=` or another special.
    Mark(u8),
}

/// The tokens of a structured field, without blanks and comments.
struct Tokens<'a> {
    rest: &'a [u8],
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let (&first, tail) = self.rest.split_first()?;
            match first {
                b' ' | b'\t' | b'\r' | b'\n' => self.rest = tail,
                b'(' => self.skip_comment(),
                b'"' => return Some(self.quoted()),
                b'/' | b';' | b'=' | b')' | b'<' | b'>' | b'@' | b',' | b'?' => {
                    self.rest = tail;
                    // `?` and `=` in an unquoted boundary are against the grammar and seen in the wild.
                    return Some(Token::Mark(first));
                }
                _ => {
                    let is_end = |octet: &u8| b" \t\r\n();\"/=".contains(octet);
                    let end = self.rest.iter().position(is_end).unwrap_or(self.rest.len());
                    let (word, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    return Some(Token::Word(word.to_vec()));
                }
            }
        }
    }
}

impl Tokens<'_> {
    fn skip_comment(&mut self) {
        let mut depth = 0usize;
        while let Some((&octet, tail)) = self.rest.split_first() {
            self.rest = tail;
            match octet {
                b'\\' => self.rest = self.rest.get(1..).unwrap_or(&[]),
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn quoted(&mut self) -> Token {
        let mut word = Vec::new();
        self.rest = &self.rest[1..];
        while let Some((&octet, tail)) = self.rest.split_first() {
            self.rest = tail;
            match octet {
                b'"' => break,
                b'\\' => {
                    if let Some((&quoted, tail)) = self.rest.split_first() {
                        word.push(quoted);
                        self.rest = tail;
                    }
                }
                octet => word.push(octet),
            }
        }
        Token::Word(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (value, kind, subtype, boundary) in [
            ("text/plain", "text", "plain", None),
            ("Text / HTML ; charset=utf-8", "text", "html", None),
            ("multipart/mixed; boundary=abc", "multipart", "mixed", Some("abc")),
            ("multipart/mixed; Boundary=\"a b\\\"c\"; x=y", "multipart", "mixed", Some("a b\"c")),
            ("multipart/mixed (so); (and) boundary (x) = abc", "multipart", "mixed", Some("abc")),
            ("multipart/mixed; boundary=\"\"", "multipart", "mixed", None),
            ("multipart/mixed; name=boundary; boundary=b", "multipart", "mixed", Some("b")),
            ("text", "text", "plain", None), // no subtype: as if it were not there
            ("", "text", "plain", None),
            ("(((", "text", "plain", None),
            ("a/b; boundary=\"unended", "a", "b", Some("unended")),
        ] {
            let found = ContentType::parse(value.as_bytes());
            assert_eq!((found.kind.as_str(), found.subtype.as_str()), (kind, subtype), "{value}");
            assert_eq!(found.boundary.as_deref(), boundary.map(str::as_bytes), "{value}");
        }
    }
}
