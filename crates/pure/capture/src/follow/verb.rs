//! What a client's line is, and what of it may be shown.

use smtp::command::Chunk;

/// What a command means for how the dialogue goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Mail,
    Rcpt,
    Data,
    Bdat(Chunk),
    /// AUTH, or X-EXPS of the Exchange family.
    Auth,
    /// STARTTLS, or X-ANONYMOUSTLS of the Exchange family.
    StartTls,
    /// XEXCH50: its blob has so many octets.
    Xexch50(u64),
    /// X-LINK2STATE: so many octets of its chunk come behind its line.
    LinkState(u64),
    /// LHLO: the server answers the end of content for each recipient (RFC 2033).
    Lhlo,
    /// EHLO, HELO, RSET: the transaction is gone.
    Reset,
    Quit,
    Other,
}

/// What has to stand behind a verb for a line to look like a command.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// Nothing.
    Alone,
    /// At most one word.
    Word,
    /// One word or more.
    Words,
    /// That word, and a colon somewhere.
    Path(&'static str),
    /// Digits.
    Number,
}

/// Verbs that are in use, with the shape that tells them from a line of a letter.
const VERBS: [(&str, Shape); 36] = [
    ("EHLO", Shape::Word),
    ("HELO", Shape::Word),
    ("LHLO", Shape::Word),
    ("MAIL", Shape::Path("FROM")),
    ("RCPT", Shape::Path("TO")),
    ("DATA", Shape::Alone),
    ("BDAT", Shape::Number),
    ("RSET", Shape::Alone),
    ("NOOP", Shape::Word),
    ("QUIT", Shape::Alone),
    ("VRFY", Shape::Word),
    ("EXPN", Shape::Word),
    ("HELP", Shape::Word),
    ("STARTTLS", Shape::Alone),
    ("AUTH", Shape::Words),
    ("ETRN", Shape::Word),
    ("ATRN", Shape::Word),
    ("TURN", Shape::Alone),
    ("SEND", Shape::Path("FROM")),
    ("SOML", Shape::Path("FROM")),
    ("SAML", Shape::Path("FROM")),
    ("BURL", Shape::Words),
    ("ONEX", Shape::Alone),
    ("VERB", Shape::Alone),
    ("XCLIENT", Shape::Words),
    ("XFORWARD", Shape::Words),
    ("XEXCH50", Shape::Number),
    ("X-EXPS", Shape::Words),
    ("X-LINK2STATE", Shape::Words),
    ("X-ANONYMOUSTLS", Shape::Alone),
    ("XSHADOW", Shape::Words),
    ("XSHADOWREQUEST", Shape::Words),
    ("XPROXY", Shape::Words),
    ("XPROXYFROM", Shape::Words),
    ("XSESSIONPARAMS", Shape::Words),
    ("XXXX", Shape::Words),
];

/// Mechanisms that are shown in whatever case they are written.
const MECHANISMS: [&[u8]; 12] = [
    b"PLAIN",
    b"LOGIN",
    b"NTLM",
    b"GSSAPI",
    b"CRAM-MD5",
    b"DIGEST-MD5",
    b"XOAUTH2",
    b"OAUTHBEARER",
    b"EXTERNAL",
    b"SCRAM-SHA-1",
    b"SCRAM-SHA-256",
    b"ANONYMOUS",
];

/// What stands for a secret.
pub(super) const SECRET: &str = "****";

/// The verb and what follows it, both without blanks around.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii();
    let end = line.iter().position(|octet| matches!(octet, b' ' | b'\t')).unwrap_or(line.len());
    (&line[..end], line[end..].trim_ascii())
}

/// Whether a line has the verb and the shape of a command, so that it is hardly a line of a letter, of a
/// chunk or of a password.
pub(super) fn looks_like_command(line: &[u8]) -> bool {
    let (verb, rest) = split(line);
    // `MAIL FROM:` is seen as `MAIL` and `FROM:`; blanks before a verb are none of SMTP's.
    if line.first().is_some_and(u8::is_ascii_whitespace) {
        return false;
    }
    let Some((_, shape)) = VERBS.iter().find(|(text, _)| is(verb, text)) else { return false };
    let words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
    match shape {
        Shape::Alone => words == 0,
        Shape::Word => words <= 1,
        Shape::Words => words >= 1,
        Shape::Number => rest.first().is_some_and(u8::is_ascii_digit) || rest.is_empty(),
        Shape::Path(keyword) => {
            rest.get(..keyword.len()).is_some_and(|start| is(start, keyword))
                && rest.contains(&b':')
        }
    }
}

/// Whether a line says by itself that this is mail; other protocols have `QUIT`, `HELP` and `AUTH`.
pub(super) fn is_mail_for_sure(line: &[u8]) -> bool {
    let (verb, rest) = split(line);
    let greets = ["EHLO", "HELO", "LHLO"].iter().any(|text| is(verb, text)) && !rest.is_empty();
    let envelope = ["MAIL", "RCPT"].iter().any(|text| is(verb, text));
    (greets || envelope) && looks_like_command(line)
}

/// Reads a command.
pub(super) fn command(line: &[u8]) -> Command {
    let (verb, rest) = split(line);
    match &verb.to_ascii_uppercase()[..] {
        b"MAIL" => Command::Mail,
        b"RCPT" => Command::Rcpt,
        b"DATA" => Command::Data,
        b"BDAT" => Command::Bdat(Chunk::parse(str::from_utf8(rest).unwrap_or(""))),
        b"AUTH" | b"X-EXPS" => Command::Auth,
        b"STARTTLS" | b"X-ANONYMOUSTLS" => Command::StartTls,
        b"XEXCH50" => number(rest).map_or(Command::Other, Command::Xexch50),
        b"X-LINK2STATE" => Command::LinkState(chunk_behind(line)),
        b"LHLO" => Command::Lhlo,
        b"EHLO" | b"HELO" | b"RSET" => Command::Reset,
        b"QUIT" => Command::Quit,
        _ => Command::Other,
    }
}

/// The line without what is secret in it, as our own machines write it down.
pub(super) fn strike_out(line: &[u8]) -> Vec<u8> {
    let (verb, rest) = split(line);
    let (mechanism, secret) = split(rest);
    let known = MECHANISMS.iter().any(|known| known.eq_ignore_ascii_case(mechanism));
    // RFC 4422 section 3.1: capitals. What does not look like a mechanism might be a password.
    let capital = |&octet: &u8| matches!(octet, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
    let shown = known || (mechanism.len() <= 20 && mechanism.iter().all(capital));
    let parts: &[&[u8]] = match (rest.is_empty(), shown, secret.is_empty()) {
        (true, ..) => &[verb],
        (_, false, _) => &[verb, SECRET.as_bytes()],
        (_, true, true) => &[verb, mechanism],
        (_, true, false) => &[verb, mechanism, SECRET.as_bytes()],
    };
    parts.join(&b' ')
}

/// Whether it may be a response of SASL, or a part of one: one word of base64. Asked where it is not known
/// what came before.
pub(super) fn looks_like_response(line: &[u8]) -> bool {
    let base64 = |&octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
    line.len() >= 4 && line.iter().all(base64)
}

/// Whether a mechanism's name stands behind a verb, be it one that a box in the path has masked.
pub(super) fn may_hold_secret(line: &[u8]) -> bool {
    let (verb, rest) = split(line);
    let mechanism = split(rest).0;
    is(verb, "AUTH") || MECHANISMS.iter().any(|known| known.eq_ignore_ascii_case(mechanism))
}

fn is(word: &[u8], text: &str) -> bool {
    word.eq_ignore_ascii_case(text.as_bytes())
}

fn number(text: &[u8]) -> Option<u64> {
    let end = text.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(text.len());
    str::from_utf8(&text[..end]).ok()?.parse().ok()
}

/// `CHUNK={0000003d} ...`: the chunk has that many octets (hexadecimal), and begins on the command's line.
fn chunk_behind(line: &[u8]) -> u64 {
    let length = || {
        let open = memchr::memmem::find(line, b"={")? + 2;
        let close = open + memchr::memchr(b'}', &line[open..])?;
        let announced = u64::from_str_radix(str::from_utf8(&line[open..close]).ok()?, 16).ok()?;
        let here = line.len() - close - 1 + b"\r\n".len();
        Some(announced.saturating_sub(here as u64))
    };
    length().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_lines_of_a_letter() {
        for (line, expected) in [
            ("MAIL FROM:<a@a.test>", true),
            ("mail from: <>", true),
            ("Mail from Bob", false),
            ("DATA", true),
            ("data sheet", false),
            ("Help is near", false),
            ("QUIT ", true),
            ("quit smoking: now", false),
            ("RCPT TO:<a@a.test> NOTIFY=NEVER", true),
            ("BDAT 12 LAST", true),
            ("BDAT", true),
            (" RSET", false),
            ("XXXX A.TEST", true),
            ("", false),
        ] {
            assert_eq!(looks_like_command(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn secrets_are_struck_out_as_our_machines_do() {
        for (line, shown) in [
            ("AUTH PLAIN AGEAYg==", "AUTH PLAIN ****"),
            ("auth login", "auth login"),
            ("AUTH LOGIN dXNlcg==", "AUTH LOGIN ****"),
            ("AUTH dXNlcg==", "AUTH ****"),
            ("AUTH SCRAM-SHA-512-PLUS x", "AUTH SCRAM-SHA-512-PLUS ****"),
            ("X-EXPS NTLM TlRMTVNTUAAB", "X-EXPS NTLM ****"),
            ("AUTH", "AUTH"),
        ] {
            assert_eq!(strike_out(line.as_bytes()), shown.as_bytes(), "{line}");
        }
    }

    #[test]
    fn announced_octets() {
        assert_eq!(command(b"XEXCH50 1904 2"), Command::Xexch50(1904));
        assert_eq!(command(b"xexch50 x"), Command::Other);
        assert_eq!(
            command(b"X-LINK2STATE LAST CHUNK={00000010} 0123456789abc"),
            Command::LinkState(0)
        );
        assert_eq!(
            command(b"X-LINK2STATE LAST CHUNK={00000020} 0123456789abc"),
            Command::LinkState(16)
        );
        assert_eq!(command(b"BDAT -1"), Command::Bdat(Chunk::Malformed));
    }
}
