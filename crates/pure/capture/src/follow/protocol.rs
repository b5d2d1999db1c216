//! Telling mail from other protocols by how it begins. The port only decides where the words don't.

use super::{server::code_of, verb};

/// Ports where mail is expected: SMTP, submission, LMTP, and what filters and tests use.
const MAIL_PORTS: [u16; 13] =
    [24, 25, 26, 465, 587, 1025, 2525, 10024, 10025, 10026, 10027, 10028, 10029];

/// After so many octets of one side it has to be known.
pub(super) const BEGINNING_MAX: usize = 4 * 1024;

/// So much of a first line is looked at.
const FIRST_LINE_MAX: usize = 1_000;

/// How a connection begins, as far as it was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning<'a> {
    /// The client's octets, at most [`BEGINNING_MAX`].
    pub client: &'a [u8],
    /// The server's.
    pub server: &'a [u8],
    /// Both begin where the connection does.
    pub from_start: bool,
    /// The server's port is one of mail.
    pub mail_port: bool,
    /// Nothing more comes.
    pub last: bool,
}

/// What a side's first octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tongue {
    /// Not enough of them.
    Silent,
    /// Nothing else has this.
    Mail,
    /// Mail has this, and others too.
    Maybe,
    Other,
    Tls,
    /// A text or octets that could be the midst of anything.
    Unknown,
}

/// Whether mail is expected there; connections to it are sessions even where nothing was said.
pub(crate) fn is_mail_port(port: u16) -> bool {
    MAIL_PORTS.contains(&port)
}

/// Whether it is mail; `None` if more has to come.
pub(super) fn is_mail(beginning: Beginning<'_>) -> Option<bool> {
    let full = |text: &[u8]| text.len() >= BEGINNING_MAX;
    let last = beginning.last || full(beginning.client) || full(beginning.server);
    let client = client_tongue(beginning.client, last);
    let server = server_tongue(beginning.server, last);
    let by_port = Some(beginning.mail_port);
    match (client, server) {
        // A mail client waits for the server to speak: that it met something else is what it has to hear.
        (Tongue::Silent, Tongue::Other) if beginning.mail_port => last.then_some(true),
        (_, Tongue::Other) => Some(false),
        (_, Tongue::Mail) => Some(true),
        (Tongue::Mail, _) => Some(true),
        (Tongue::Tls, _) | (_, Tongue::Tls) => by_port,
        // A stranger at a mail server's door is a session of that server's.
        (Tongue::Other, Tongue::Maybe) => by_port,
        (Tongue::Other, _) if last || !beginning.mail_port => by_port,
        (_, Tongue::Maybe) if beginning.mail_port => Some(true),
        (Tongue::Unknown, _) if beginning.from_start && !beginning.mail_port => Some(false),
        (Tongue::Unknown, Tongue::Unknown) if beginning.from_start => by_port,
        _ if last => by_port,
        _ => None,
    }
}

/// Whether the roles are the other way round than they were guessed.
pub(super) fn is_swapped(client: &[u8], server: &[u8]) -> bool {
    let replies = |text: &[u8]| whole_lines(text).any(|line| code_of(line).is_some());
    let commands = |text: &[u8]| whole_lines(text).any(verb::looks_like_command);
    (replies(client) && !commands(client)) && !replies(server)
        || commands(server) && !replies(server) && !commands(client)
}

/// Lines that ended.
pub(super) fn whole_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = memchr::memrchr(b'\n', text).unwrap_or(0);
    let lines = text[..end].split(|&octet| octet == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(|line| !line.is_empty())
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(&text.to_ascii_uppercase(), word).is_some()
}

fn first_line(text: &[u8], last: bool) -> Option<&[u8]> {
    let text = &text[..text.len().min(FIRST_LINE_MAX)];
    let last = last || text.len() == FIRST_LINE_MAX;
    let line = &text[..memchr::memchr(b'\n', text).or(last.then_some(text.len()))?];
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

fn server_tongue(text: &[u8], last: bool) -> Tongue {
    if text.is_empty() {
        return Tongue::Silent;
    }
    if is_tls(text) {
        return Tongue::Tls;
    }
    const OTHERS: [&[u8]; 9] =
        [b"HTTP/", b"SSH-", b"+OK", b"-ERR", b"* OK", b"* BYE", b"* PREAUTH", b"RFB ", b"\x16\x02"];
    let begins = |other: &&[u8]| {
        let length = other.len().min(text.len());
        other[..length] == text[..length]
    };
    if OTHERS.iter().any(|other| begins(other) && text.len() >= other.len()) {
        return Tongue::Other;
    }
    let Some(line) = first_line(text, last) else { return Tongue::Silent };
    let Some((code, _)) = code_of(line) else { return Tongue::Unknown };
    let all = &text[..text.len().min(FIRST_LINE_MAX)];
    let says_mail = [&b"SMTP"[..], b"LMTP", b"MAIL", b"POSTFIX", b"EXIM"];
    let says_mail = says_mail.iter().any(|word| contains(all, word));
    match code {
        // FTP begins with 220 too (RFC 959 section 5.4), NNTP with 200 and 201 (RFC 3977 section 5.1).
        220 if says_mail && !contains(all, b"FTP") => Tongue::Mail,
        220 if contains(all, b"FTP") && !contains(all, b"SMTP") => Tongue::Other,
        200 | 201 if contains(all, b"NNTP") || contains(all, b"NEWS") => Tongue::Other,
        _ if says_mail && code != 200 && code != 201 => Tongue::Mail,
        _ if has_status(line) => Tongue::Mail,
        _ => Tongue::Maybe,
    }
}

/// `250 2.1.5 ...`: an enhanced status of the code's class (RFC 2034).
fn has_status(line: &[u8]) -> bool {
    let status = line.get(4..).unwrap_or_default();
    matches!(status, [class, b'.', subject, b'.' | b'0'..=b'9', ..]
        if *class == line[0] && subject.is_ascii_digit())
}

fn client_tongue(text: &[u8], last: bool) -> Tongue {
    if text.is_empty() {
        return Tongue::Silent;
    }
    if is_tls(text) {
        return Tongue::Tls;
    }
    if whole_lines(text).any(verb::is_mail_for_sure) {
        return Tongue::Mail;
    }
    let Some(line) = first_line(text, last) else { return Tongue::Silent };
    if verb::is_mail_for_sure(line) {
        return Tongue::Mail;
    }
    let word = line.split(|&octet| octet == b' ').next().unwrap_or_default().to_ascii_uppercase();
    match &word[..] {
        b"GET" | b"POST" | b"HEAD" | b"PUT" | b"OPTIONS" | b"PRI" | b"CONNECT" => Tongue::Other,
        b"USER" | b"PASS" | b"FEAT" | b"SYST" | b"OPTS" | b"PWD" | b"TYPE" | b"PASV" | b"EPSV" => {
            Tongue::Other
        }
        b"CAPA" | b"APOP" | b"STAT" | b"MODE" | b"GROUP" | b"LIST" | b"CAPABILITIES" => {
            Tongue::Other
        }
        _ if line.starts_with(b"SSH-") || line.to_ascii_uppercase().starts_with(b"AUTH TLS") => {
            Tongue::Other
        }
        _ if verb::looks_like_command(line) => Tongue::Maybe,
        _ => Tongue::Unknown,
    }
}

/// A record of TLS: a handshake's, or one from the midst of a session.
pub(super) fn is_tls(text: &[u8]) -> bool {
    matches!(text, [20..=23, 3, 0..=4, ..])
}

/// Whether octets are no text, so that neither commands nor content can be read in them.
pub(super) fn is_binary(text: &[u8]) -> bool {
    let odd = |&&octet: &&u8| octet < 9 || (14..32).contains(&octet) || octet >= 127;
    text.len() >= 64 && text.iter().filter(odd).count() > text.len() / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(client: &str, server: &str, mail_port: bool, expected: Option<bool>) {
        let (client, server) = (client.as_bytes(), server.as_bytes());
        let beginning = Beginning { client, server, from_start: true, mail_port, last: false };
        assert_eq!(is_mail(beginning), expected, "{beginning:?}");
    }

    #[test]
    fn mail_on_any_port() {
        check("", "220 mx.a.test ESMTP Postfix\r\n", false, Some(true));
        check("", "220-mx.a.test\r\n220 hello\r\n", false, None);
        check("EHLO b.test\r\n", "220 mx.a.test\r\n", false, Some(true));
        check("EHLO b.test\r\n", "", false, Some(true));
        check("", "220 ****************\r\n", true, Some(true));
        check("", "554 5.7.1 go away\r\n", false, Some(true));
        check("", "554 no\r\n", true, Some(true));
        check("", "554 no\r\n", false, None);
        check("", "", true, None);
        check("EHL", "", false, None);
    }

    #[test]
    fn others_are_not_mail() {
        check("", "220 (vsFTPd 3.0.3)\r\n", false, Some(false));
        check("USER anonymous\r\n", "220 Welcome\r\n", false, Some(false));
        check("AUTH TLS\r\n", "220 Welcome\r\n", false, Some(false));
        check("", "+OK POP3 ready\r\n", false, Some(false));
        check("", "* OK [CAPABILITY IMAP4rev1] ready\r\n", false, Some(false));
        check("", "200 news.a.test NNTP ready\r\n", false, Some(false));
        check("GET / HTTP/1.1\r\n", "", false, Some(false));
        check("GET / HTTP/1.1\r\n", "", true, None);
        check("GET / HTTP/1.1\r\n", "HTTP/1.1 400 Bad\r\n", true, Some(false));
        check("", "HTTP/1.1 400 Bad\r\n", true, None);
        check("GET / HTTP/1.1\r\n", "220 mx.a.test ESMTP\r\n", true, Some(true));
        check("SSH-2.0-x\r\n", "SSH-2.0-y\r\n", true, Some(false));
        check("\u{16}\u{3}\u{1}", "", false, Some(false));
        check("\u{16}\u{3}\u{1}", "", true, Some(true));
    }

    #[test]
    fn roles_are_seen_in_what_is_said() {
        assert!(is_swapped(b"220 hello\r\n", b"EHLO a.test\r\n"));
        assert!(is_swapped(b"250 2.1.0 Ok\r\n", b""));
        assert!(is_swapped(b"", b"MAIL FROM:<>\r\n"));
        assert!(!is_swapped(b"EHLO a.test\r\n", b"250 hello\r\n"));
        assert!(!is_swapped(b"some text\r\n", b"250 hello\r\n"));
    }
}
