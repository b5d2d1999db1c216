//! Text with a user's name in it: `{user}`, `{local}`, `{domain}`.

/// A name and its parts.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    user: &'a str,
    local: &'a str,
    domain: &'a str,
}

impl<'a> Names<'a> {
    pub fn of(user: &'a str) -> Self {
        let (local, domain) = user.rsplit_once('@').unwrap_or((user, ""));
        Self { user, local, domain }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Octets(Vec<u8>),
    User,
    Local,
    Domain,
}

impl Piece {
    pub fn octets<'a>(&'a self, names: &Names<'a>) -> &'a [u8] {
        match self {
            Self::Octets(octets) => octets,
            Self::User => names.user.as_bytes(),
            Self::Local => names.local.as_bytes(),
            Self::Domain => names.domain.as_bytes(),
        }
    }

    /// `{user}` and the like in front of a text.
    pub fn placeholder(text: &str) -> Option<(Self, &str)> {
        [("{user}", Self::User), ("{local}", Self::Local), ("{domain}", Self::Domain)]
            .into_iter()
            .find_map(|(word, piece)| Some((piece, text.strip_prefix(word)?)))
    }
}

/// A DN with places for the user's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let (piece, behind) = match Piece::placeholder(rest) {
                Some(found) => found,
                None if rest.starts_with('{') => {
                    return Err("there are `{user}`, `{local}` and `{domain}`".to_owned());
                }
                None => {
                    let end = rest.find('{').unwrap_or(rest.len());
                    (Piece::Octets(rest.as_bytes()[..end].to_vec()), &rest[end..])
                }
            };
            pieces.push(piece);
            rest = behind;
        }
        Ok(Self(pieces))
    }

    pub fn dn(&self, names: &Names<'_>) -> String {
        let mut dn = String::new();
        for piece in &self.0 {
            let text = String::from_utf8_lossy(piece.octets(names));
            match piece {
                Piece::Octets(_) => dn.push_str(&text),
                _ => dn.push_str(&escaped(&text)),
            }
        }
        dn
    }
}

/// A value within a DN (RFC 4514 section 2.4).
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        let is_edge = at == 0 || at + c.len_utf8() == value.len();
        match c {
            '\0' => text.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => text.extend(['\\', c]),
            ' ' if is_edge => text.push_str("\\ "),
            '#' if at == 0 => text.push_str("\\#"),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_a_value() {
        let template = Template::parse("uid={local},ou={domain},dc=x").unwrap();
        for (name, dn) in [
            ("anna@a.test", "uid=anna,ou=a.test,dc=x"),
            ("a,ou=admins@a.test", "uid=a\\,ou\\=admins,ou=a.test,dc=x"),
            (" #a+b\\ ", "uid=\\ #a\\+b\\\\\\ ,ou=,dc=x"),
            ("#a", "uid=\\#a,ou=,dc=x"),
            ("a\0b", "uid=a\\00b,ou=,dc=x"),
        ] {
            assert_eq!(template.dn(&Names::of(name)), dn);
        }
        assert!(Template::parse("uid={name}").is_err());
    }
}
