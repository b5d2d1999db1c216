//! Command lines (RFC 5321 section 4.1.1): the verb and what follows it.

/// The verbs that this server knows, be it to say that it does not do them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are the verbs
pub enum Verb {
    Ehlo,
    Helo,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Quit,
    Vrfy,
    Help,
    StartTls,
    Auth,
    Expn,
    Etrn,
    Turn,
    Send,
    Soml,
    Saml,
    Lhlo,
    Atrn,
    XClient,
    XForward,
    XExps,
    XLink2State,
    XExch50,
    XAnonymousTls,
    Tls,
}

/// Verb, its text, and how a command with it is written; empty for those that are never done.
const TABLE: [(Verb, &str, &str); 28] = [
    (Verb::Ehlo, "EHLO", "say EHLO and your domain, or your address in brackets"),
    (Verb::Helo, "HELO", "say HELO and your domain"),
    (Verb::Mail, "MAIL", "say MAIL FROM:<user@example.org>, or MAIL FROM:<> for a DSN"),
    (Verb::Rcpt, "RCPT", "say RCPT TO:<user@example.org>"),
    (Verb::Data, "DATA", "say DATA alone, then the content, then a dot on a line"),
    (Verb::Bdat, "BDAT", "say BDAT and the chunk's octets, and LAST with the last one"),
    (Verb::Rset, "RSET", "say RSET alone"),
    (Verb::Noop, "NOOP", "say NOOP"),
    (Verb::Quit, "QUIT", "say QUIT alone"),
    (Verb::Vrfy, "VRFY", "say VRFY and a user or an address"),
    (Verb::Help, "HELP", "say HELP, or HELP and a verb"),
    (Verb::StartTls, "STARTTLS", "say STARTTLS alone"),
    (Verb::Auth, "AUTH", "say AUTH and a mechanism, and the initial response in base64"),
    (Verb::Expn, "EXPN", "say EXPN and the name of a list"),
    (Verb::Etrn, "ETRN", "say ETRN and a domain, or @domain for all below it too"),
    (Verb::Turn, "TURN", ""),
    (Verb::Send, "SEND", ""),
    (Verb::Soml, "SOML", ""),
    (Verb::Saml, "SAML", ""),
    (Verb::Lhlo, "LHLO", "say LHLO and your domain"),
    (Verb::Atrn, "ATRN", "say ATRN, or ATRN and domains with commas between them"),
    (Verb::XClient, "XCLIENT", "say XCLIENT and NAME=value, ADDR=value and the like"),
    (Verb::XForward, "XFORWARD", "say XFORWARD and NAME=value, ADDR=value and the like"),
    (Verb::XExps, "X-EXPS", "say X-EXPS and a mechanism, and the initial response in base64"),
    (Verb::XLink2State, "X-LINK2STATE", "say X-LINK2STATE and a chunk"),
    (Verb::XExch50, "XEXCH50", "say XEXCH50, a number of octets, and 2"),
    (Verb::XAnonymousTls, "X-ANONYMOUSTLS", "say X-ANONYMOUSTLS alone"),
    (Verb::Tls, "TLS", "say TLS alone"),
];

impl Verb {
    /// Reads a verb in any case of letters.
    pub fn parse(word: &str) -> Option<Self> {
        let row = TABLE.iter().find(|(_, text, _)| text.eq_ignore_ascii_case(word));
        row.map(|&(verb, ..)| verb)
    }

    /// In capitals.
    pub fn text(self) -> &'static str {
        self.row().1
    }

    /// How a command with this verb is written: for `501` and HELP. Empty if it is not implemented.
    pub fn usage(self) -> &'static str {
        self.row().2
    }

    /// Whether it is obsolete, or disclosing, or both, and only known in order to say so.
    pub fn is_refused(self) -> bool {
        self.usage().is_empty()
    }

    /// Whether it is nobody's but its makers': where it is not switched on, it is as unknown as any
    /// other word.
    pub fn is_private(self) -> bool {
        self as usize >= Self::Lhlo as usize && self != Self::Atrn
    }

    /// All of them, in the order of a session.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|&(verb, ..)| verb)
    }

    fn row(self) -> &'static (Self, &'static str, &'static str) {
        // The table is in the order of the enum; a test says so.
        &TABLE[self as usize]
    }
}

/// A command line without its CRLF: the verb's word, and the argument without blanks around it.
///
/// Blanks before the verb are none of SMTP's: they make an empty word.
pub fn split(line: &str) -> (&str, &str) {
    let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
    (word, argument.trim_matches(' '))
}

/// What follows `FROM:` or `TO:` (`keyword`, with its colon), in any case of letters. A blank behind
/// the colon is an error that many clients make and nobody is hurt by.
pub fn after_keyword<'a>(argument: &'a str, keyword: &str) -> Option<&'a str> {
    let (start, rest) = argument.split_at_checked(keyword.len())?;
    start.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches(' '))
}

/// The ESMTP parameters behind a path: keyword, and value if there was a `=`.
///
/// `None` if something stands right behind the path.
pub fn parameters(text: &str) -> Option<impl Iterator<Item = (&str, Option<&str>)>> {
    if !text.is_empty() && !text.starts_with(' ') {
        return None;
    }
    let words = text.split(' ').filter(|word| !word.is_empty());
    Some(words.map(|word| match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    }))
}

/// BDAT's argument (RFC 3030 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// So many octets follow.
    Size {
        /// How many.
        size: u64,
        /// Nothing comes after them.
        last: bool,
        /// What should be `LAST` is something else. The octets follow all the same.
        misspelt: bool,
    },
    /// A number that does not fit.
    Overflow,
    /// Not a number.
    Malformed,
}

impl Chunk {
    /// Reads BDAT's argument.
    pub fn parse(argument: &str) -> Self {
        let (number, rest) = argument.split_once(' ').unwrap_or((argument, ""));
        if number.is_empty() || !number.bytes().all(|octet| octet.is_ascii_digit()) {
            return Self::Malformed;
        }
        let Ok(size) = number.parse() else { return Self::Overflow };
        let last = rest.trim_matches(' ').eq_ignore_ascii_case("LAST");
        Self::Size { size, last, misspelt: !last && !rest.is_empty() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (number, verb) in Verb::all().enumerate() {
            assert_eq!(verb as usize, number);
            assert_eq!(Verb::parse(verb.text()), Some(verb));
        }
    }

    #[test]
    fn verbs_and_arguments() {
        for (line, word, argument) in [
            ("NOOP", "NOOP", ""),
            ("NOOP  ", "NOOP", ""), // RFC 5321 section 4.1.1: trailing blanks are tolerated
            ("EHLO  a.example ", "EHLO", "a.example"),
            (" NOOP", "", "NOOP"),
            ("", "", ""),
        ] {
            assert_eq!(split(line), (word, argument), "{line:?}");
        }
        for word in ["NOO", "NOOPX", "", "NOOP\u{e9}"] {
            assert_eq!(Verb::parse(word), None, "{word:?}");
        }
    }

    #[test]
    fn chunks() {
        let size = |size, last, misspelt| Chunk::Size { size, last, misspelt };
        for (argument, expected) in [
            ("10", size(10, false, false)),
            ("0 LAST", size(0, true, false)),
            ("86 last", size(86, true, false)), // RFC 5321 section 2.4
            ("0 FIRST", size(0, false, true)),
            ("18446744073709551616", Chunk::Overflow),
            ("", Chunk::Malformed),
            ("-1", Chunk::Malformed),
            ("+1", Chunk::Malformed), // u64::from_str would take it
            ("LAST", Chunk::Malformed),
        ] {
            assert_eq!(Chunk::parse(argument), expected, "{argument:?}");
        }
    }
}
