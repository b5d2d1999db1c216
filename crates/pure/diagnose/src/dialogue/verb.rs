//! The commands that a session knows, and the step each belongs to.

use smtp::Stage;

/// A command's first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// No command: the greeting's place, or a reply that nothing asked for.
    None,
    /// HELO.
    Helo,
    /// EHLO.
    Ehlo,
    /// LHLO (RFC 2033).
    Lhlo,
    /// STARTTLS (RFC 3207), and Exchange's X-ANONYMOUSTLS.
    StartTls,
    /// AUTH (RFC 4954), and Exchange's X-EXPS.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// BDAT (RFC 3030).
    Bdat,
    /// XEXCH50, by which old Exchange servers hand over properties of a message.
    Xexch50,
    /// X-LINK2STATE, by which old Exchange servers tell each other about their routes.
    Xlink2State,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// VRFY.
    Vrfy,
    /// EXPN.
    Expn,
    /// HELP.
    Help,
    /// ETRN, TURN or ATRN: the queue's run is asked for.
    Turn,
    /// Postfix's XCLIENT; the server greets anew after it.
    Xclient,
    /// Postfix's XFORWARD.
    Xforward,
    /// QUIT.
    Quit,
    /// Another word, or what is no command at all.
    Unknown,
}

const NAMES: [(&str, Verb); 22] = [
    ("EHLO", Verb::Ehlo),
    ("HELO", Verb::Helo),
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    ("QUIT", Verb::Quit),
    ("RSET", Verb::Rset),
    ("BDAT", Verb::Bdat),
    ("STARTTLS", Verb::StartTls),
    ("AUTH", Verb::Auth),
    ("LHLO", Verb::Lhlo),
    ("NOOP", Verb::Noop),
    ("VRFY", Verb::Vrfy),
    ("EXPN", Verb::Expn),
    ("HELP", Verb::Help),
    ("XEXCH50", Verb::Xexch50),
    ("X-LINK2STATE", Verb::Xlink2State),
    ("X-EXPS", Verb::Auth),
    ("X-ANONYMOUSTLS", Verb::StartTls),
    ("ETRN", Verb::Turn),
    ("XCLIENT", Verb::Xclient),
    ("XFORWARD", Verb::Xforward),
];

impl Verb {
    /// The verb of a command line, in any case of letters.
    pub fn of(line: &[u8]) -> Self {
        let word = first_word(line);
        let is_it = |(name, _): &&(&str, Self)| word.eq_ignore_ascii_case(name.as_bytes());
        match NAMES.iter().find(is_it) {
            Some((_, verb)) => *verb,
            None if word.eq_ignore_ascii_case(b"TURN") || word.eq_ignore_ascii_case(b"ATRN") => {
                Self::Turn
            }
            None => Self::Unknown,
        }
    }

    /// The word as it is written; empty for what has none.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, verb)| *verb == self).map_or("", |(name, _)| name)
    }

    /// The step that it belongs to. BDAT belongs to [`Stage::EndOfData`] only with its LAST chunk.
    pub fn stage(self) -> Stage {
        match self {
            Self::Ehlo | Self::Helo | Self::Lhlo => Stage::Ehlo,
            Self::StartTls => Stage::StartTls,
            Self::Auth => Stage::Auth,
            Self::Mail => Stage::Mail,
            Self::Rcpt => Stage::Rcpt,
            Self::Data | Self::Bdat => Stage::Data,
            _ => Stage::Other,
        }
    }

    /// Whether it opens the session: EHLO, HELO or LHLO.
    pub fn is_hello(self) -> bool {
        matches!(self, Self::Ehlo | Self::Helo | Self::Lhlo)
    }

    /// Whether mail goes on without it: refusing it is the server's right, and harms nothing.
    pub fn is_optional(self) -> bool {
        matches!(
            self,
            Self::Vrfy
                | Self::Expn
                | Self::Help
                | Self::Turn
                | Self::Xexch50
                | Self::Xlink2State
                | Self::Xclient
                | Self::Xforward
                | Self::Noop
        )
    }
}

/// Up to the first blank or colon (`MAIL:` is a beginner's slip and still MAIL).
fn first_word(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|octet| octet.is_ascii_whitespace() || *octet == b':');
    &line[..end.unwrap_or(line.len())]
}

/// Whether this BDAT line announces the last chunk.
pub(crate) fn is_last_chunk(line: &[u8]) -> bool {
    line.split(u8::is_ascii_whitespace).skip(2).any(|word| word.eq_ignore_ascii_case(b"LAST"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (line, verb) in [
            ("MAIL FROM:<>", Verb::Mail),
            ("mail from:<>", Verb::Mail),
            ("MAILER", Verb::Unknown),
            ("quit", Verb::Quit),
            ("X-EXPS LOGIN", Verb::Auth),
            ("X-LINK2STATE FIRST CHUNK={}", Verb::Xlink2State),
            ("ATRN", Verb::Turn),
            ("", Verb::Unknown),
            ("XXXX x", Verb::Unknown),
        ] {
            assert_eq!(Verb::of(line.as_bytes()), verb, "{line}");
        }
        assert_eq!(Verb::Auth.name(), "AUTH");
        assert!(is_last_chunk(b"bdat 12 last") && !is_last_chunk(b"BDAT 12"));
    }
}
