//! Postfix's log lines: `QUEUEID: to=<...>, ..., status=...`, `NOQUEUE: reject: ...`, and what its
//! daemons say of connections. With `-v` or `debug_peer_list` they hold dialogues, too.
//!
//! One file each for what a delivery's words mean (`trouble`), for deliveries, for the side that
//! receives, and for postscreen.

mod delivery;
mod postscreen;
mod reception;
mod trouble;

use super::{Record, line::Line, memory::Memory, sessions::Sessions};
use crate::{happening::What, session::Vantage};

/// Messages whose reverse-path is remembered.
const MESSAGES_MAX: usize = 50_000;

/// What is remembered of Postfix.
#[derive(Debug)]
pub(super) struct Postfix {
    /// Reverse-paths by queue id.
    messages: Memory<String>,
}

impl Default for Postfix {
    fn default() -> Self {
        Self { messages: Memory::new(MESSAGES_MAX) }
    }
}

/// Whether a program is one of Postfix's daemons.
pub(super) fn is_program(program: &str) -> bool {
    // `syslog_name` may be anything; the daemons' names behind it are Postfix's own.
    const DAEMONS: [&str; 14] = [
        "smtp",
        "smtpd",
        "lmtp",
        "qmgr",
        "cleanup",
        "local",
        "virtual",
        "pipe",
        "bounce",
        "postscreen",
        "pickup",
        "error",
        "discard",
        "trivial-rewrite",
    ];
    program.starts_with("postfix")
        || program.rsplit_once('/').is_some_and(|(_, daemon)| DAEMONS.contains(&daemon))
}

impl Postfix {
    /// Reads one line; false if it means nothing to us.
    pub fn read(
        &mut self,
        line: &Line<'_>,
        sessions: &mut Sessions,
        mut give: impl FnMut(Record),
    ) -> bool {
        let daemon = line.program.rsplit('/').next().unwrap_or_default();
        let (id, text) = queue_id(line.text);
        if let [mark @ (b'<' | b'>'), b' ', ..] = text.as_bytes()
            && id.is_none()
            && let Some(read) = verbose(line, daemon, *mark, &text[2..], sessions, &mut give)
        {
            return read;
        }
        if let Some(id) = id.filter(|_| text.starts_with("to=") && text.contains("status=")) {
            let reverse_path = self.messages.find(id).cloned();
            return delivery::read(line, daemon, id, text, reverse_path, give);
        }
        match daemon {
            "smtpd" | "cleanup" | "pickup" | "tlsproxy" => {
                reception::read(line, daemon, id, text, give)
            }
            "postscreen" => postscreen::read(line, text, give),
            "qmgr" | "nqmgr" => self.queue(line, id, text, give),
            "smtp" | "lmtp" => delivery::read_of_host(line, id, text, give),
            "bounce" if text.contains(" notification: ") => {
                noted(line, id, What::Reported, text, give)
            }
            "postsuper" if text == "removed" => noted(line, id, What::Removed, text, give),
            "postsuper" if text == "placed on hold" => noted(line, id, What::Diverted, text, give),
            "dnsblog" => listed(line, text, give),
            _ => warning(line, id, text, give),
        }
    }

    /// The queue manager: whose message it is, and when it is given up.
    fn queue(
        &mut self,
        line: &Line<'_>,
        id: Option<&str>,
        text: &str,
        mut give: impl FnMut(Record),
    ) -> bool {
        let Some(id) = id else { return warning(line, None, text, give) };
        if text == "removed" {
            self.messages.remove(id);
            return true;
        }
        let Some(reverse_path) = field(text, "from=") else {
            return warning(line, Some(id), text, give);
        };
        if let Some((_, status)) = text.split_once("status=") {
            let mut testimony = line.testimony("postfix");
            testimony.message = Some(id.to_owned());
            testimony.reverse_path = Some(reverse_path.to_owned());
            testimony.speaker = crate::testimony::Speaker::Writer;
            testimony.words = status.to_owned();
            give(Record::Testimony(testimony));
        } else if self.messages.find(id).is_none() {
            self.messages.put(id, reverse_path.to_owned());
        }
        true
    }
}

/// `< host[address]: EHLO a`, as the daemons write it when they are verbose: `<` is what they heard.
fn verbose(
    line: &Line<'_>,
    daemon: &str,
    mark: u8,
    text: &str,
    sessions: &mut Sessions,
    give: &mut dyn FnMut(Record),
) -> Option<bool> {
    let (peer, said) = super::peer::bracketed(text)?;
    let said = said.strip_prefix(": ").or_else(|| said.strip_prefix(":"))?;
    let vantage = match daemon {
        "smtpd" => Vantage::Server,
        "smtp" | "lmtp" => Vantage::Client,
        _ => return None,
    };
    let by_writer = mark == b'>';
    let by_client = by_writer == (vantage == Vantage::Client);
    let key = format!("postfix {} {}", line.process, text.split(": ").next().unwrap_or_default());
    // Each greeting and each connection has its own process or peer; a second greeting is a new session.
    sessions.said(
        &key,
        by_client,
        said.as_bytes(),
        line,
        |session| {
            session.source = crate::session::Source::Log("postfix".to_owned());
            session.vantage = vantage;
            let own = crate::session::Endpoint {
                address: None,
                name: (!line.host.is_empty()).then(|| line.host.to_owned()),
            };
            (session.client, session.server) =
                if vantage == Vantage::Client { (own, peer) } else { (peer, own) };
        },
        give,
    );
    Some(true)
}

/// A happening of a whole message or of none.
fn noted(
    line: &Line<'_>,
    id: Option<&str>,
    what: What,
    text: &str,
    mut give: impl FnMut(Record),
) -> bool {
    let mut happening = line.happening("postfix", what);
    happening.message = id.map(str::to_owned);
    happening.words = text.to_owned();
    give(Record::Happening(happening));
    true
}

/// `addr 192.0.2.1 listed by domain zen.spamhaus.org as 127.0.0.2`: what a list said of a client.
fn listed(line: &Line<'_>, text: &str, mut give: impl FnMut(Record)) -> bool {
    let Some((address, _)) = text.strip_prefix("addr ").and_then(|rest| rest.split_once(' '))
    else {
        return warning(line, None, text, give);
    };
    let mut happening = line.happening("postfix", What::Warning);
    happening.side = Vantage::Server;
    happening.peer.address = super::peer::address(address, 0);
    happening.stage = Some(smtp::Stage::Connect);
    give(Record::Happening(happening));
    true
}

/// What begins with `warning:` and the like.
fn warning(line: &Line<'_>, id: Option<&str>, text: &str, give: impl FnMut(Record)) -> bool {
    const LEVELS: [&str; 4] = ["warning: ", "error: ", "fatal: ", "panic: "];
    let Some(words) = LEVELS.iter().find_map(|level| text.strip_prefix(level)) else {
        // A line with a queue id is Postfix's, though it tells nothing here; so are its counts.
        const SILENT: [&str; 8] = [
            "statistics: ",
            "daemon started",
            "Deleted: ",
            "Requeued: ",
            "Placed on hold: ",
            "Released from hold: ",
            "cache ",
            "reload ",
        ];
        return id.is_some() || SILENT.iter().any(|begins| text.starts_with(begins));
    };
    let what = if words.starts_with("TLS library problem") || words.contains("SSL_") {
        What::TlsFailed
    } else {
        What::Warning
    };
    noted(line, id, what, words, give)
}

/// The queue id in front: hexadecimal, or of letters and digits (`enable_long_queue_ids`). `NOQUEUE` is
/// taken off, and is none.
fn queue_id(text: &str) -> (Option<&str>, &str) {
    let end = text.bytes().take_while(u8::is_ascii_alphanumeric).take(24).count();
    let (id, rest) = text.split_at(end);
    let Some(rest) = rest.strip_prefix(": ") else { return (None, text) };
    if id == "NOQUEUE" {
        return (None, rest);
    }
    let short = id.len() >= 5 && id.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'A'..=b'F'));
    let long = id.len() >= 10 && id.bytes().any(|octet| octet.is_ascii_digit());
    if short || long { (Some(id), rest) } else { (None, text) }
}

/// The value of `name=`, at the beginning or behind a blank: without its angle brackets, or up to the
/// next comma or blank.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let at = memchr::memmem::find_iter(text.as_bytes(), name.as_bytes())
        .find(|&at| at == 0 || matches!(text.as_bytes()[at - 1], b' ' | b','))?;
    let value = &text[at + name.len()..];
    match value.strip_prefix('<') {
        // An address may hold `>` in quotes; the bracket that counts has a blank, a comma or nothing behind.
        Some(value) => {
            let closes = |&(at, _): &(usize, &str)| {
                matches!(value.as_bytes().get(at + 1), None | Some(b',' | b' ' | b';' | b':'))
            };
            value.match_indices('>').find(closes).map(|(end, _)| &value[..end])
        }
        None => Some(value.split([',', ' ']).next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_ids() {
        for (text, expected) in [
            ("4AA091855DA0: x", (Some("4AA091855DA0"), "x")),
            ("48rT2v1hQrz1J0N: x", (Some("48rT2v1hQrz1J0N"), "x")),
            ("NOQUEUE: reject: x", (None, "reject: x")),
            ("warning: x", (None, "warning: x")),
            ("statistics: x", (None, "statistics: x")),
            ("connect from a", (None, "connect from a")),
        ] {
            assert_eq!(queue_id(text), expected, "{text}");
        }
    }

    #[test]
    fn fields() {
        let text = "to=<a, b>c@d>, orig_to=<e@f>, relay=none, dsn=5.1.1";
        assert_eq!(field(text, "to="), Some("a, b>c@d"));
        assert_eq!(field(text, "orig_to="), Some("e@f"));
        assert_eq!(field(text, "relay="), Some("none"));
        assert_eq!(field(text, "dsn="), Some("5.1.1"));
        assert_eq!(field(text, "conn_use="), None);
    }
}
