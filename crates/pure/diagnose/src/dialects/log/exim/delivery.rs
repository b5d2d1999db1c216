//! Deliveries: `** a@b <c@d> R=router T=transport H=mx [192.0.2.1]: words`, `== ... defer (-44): words`,
//! `=> ... C="250 OK"`; and what is said of one host while others are left.

use smtp::Stage;

use super::{Message, trouble};
use crate::{
    dialects::{
        log::{Record, line::Line, peer},
        quoted,
    },
    session::{Endpoint, Vantage},
    testimony::{Fate, Speaker, Testimony},
};

/// What stands between the flag and the words.
#[derive(Debug, Default)]
struct Fields<'a> {
    address: &'a str,
    /// The address that it came from, in angle brackets behind it.
    parent: Option<&'a str>,
    reverse_path: Option<&'a str>,
    router: Option<&'a str>,
    transport: Option<&'a str>,
    confirmation: Option<&'a str>,
    peer: Endpoint,
    is_routing: bool,
    words: &'a str,
}

/// Reads what stands behind the flag.
pub(super) fn read(
    line: &Line<'_>,
    id: &str,
    flag: &str,
    rest: &str,
    known: &Message,
) -> Option<Testimony> {
    let fields = Fields::read(rest);
    let mut testimony = line.testimony("exim");
    testimony.message = Some(id.to_owned());
    testimony.fate = match flag {
        "**" => Fate::Failed,
        "==" => Fate::Deferred,
        _ => Fate::Delivered,
    };
    testimony.recipient = fields.recipient();
    let told = fields.reverse_path.map(|path| path.trim_matches(['<', '>']).to_owned());
    testimony.reverse_path = told.or_else(|| known.reverse_path.clone());
    testimony.words = fields.words.to_owned();
    testimony.peer = fields.peer.clone();
    if testimony.fate == Fate::Delivered {
        delivered(&mut testimony, &fields);
    } else {
        held_up(&mut testimony, &fields, known);
    }
    Some(testimony)
}

/// `H=mx [192.0.2.1]: SMTP error from ...`, `H=mx [192.0.2.1] Connection refused`: the step, if it is
/// such a line.
pub(super) fn read_of_host(
    line: &Line<'_>,
    id: &str,
    give: &mut impl FnMut(Record),
) -> Option<Option<Stage>> {
    let (peer, words) = match line.text.strip_prefix("H=") {
        Some(host) => {
            let (peer, rest) = peer::within(host)?;
            (peer, rest.trim_start_matches([':', ' ']))
        }
        None if line.text.contains("MTP error from remote mail") => {
            (Endpoint::default(), line.text)
        }
        None => return None,
    };
    // The receiving side's lines begin with the client in the same way.
    if words.contains("rejected ") || words.starts_with("I=[") || words.contains(" F=<") {
        return None;
    }
    let trouble = trouble::read(words)?;
    let mut happening = line.happening("exim", trouble.what);
    happening.side = Vantage::Client;
    happening.peer = if peer == Endpoint::default() { trouble.peer } else { peer };
    happening.message = Some(id.to_owned());
    happening.stage = trouble.stage.map(|(stage, _)| stage);
    happening.reply = trouble.reply;
    happening.words = words.to_owned();
    let stage = happening.stage;
    give(Record::Happening(happening));
    Some(stage)
}

fn delivered(testimony: &mut Testimony, fields: &Fields<'_>) {
    testimony.reply = fields.confirmation.and_then(quoted::reply);
    testimony.speaker = match testimony.peer.name.clone() {
        Some(name) => Speaker::Remote(name),
        None if testimony.peer.address.is_some() => Speaker::RemoteUnnamed,
        None => Speaker::Writer,
    };
    let over_a_wire = testimony.reply.is_some() || testimony.speaker != Speaker::Writer;
    testimony.stage = Some(if over_a_wire { Stage::EndOfData } else { Stage::Mailbox });
    testimony.words = fields.confirmation.unwrap_or(fields.words).to_owned();
}

fn held_up(testimony: &mut Testimony, fields: &Fields<'_>, known: &Message) {
    testimony.speaker = Speaker::Writer;
    if let Some(trouble) = trouble::read(fields.words) {
        (testimony.stage, testimony.stage_is_told) =
            trouble.stage.map_or((None, false), |(stage, told)| (Some(stage), told));
        if testimony.peer == Endpoint::default() {
            testimony.peer = trouble.peer;
        }
        if trouble.reply.is_some() {
            let address = testimony.peer.address.map(|address| address.ip().to_string());
            let name = testimony.peer.name.clone().or(address);
            testimony.speaker = name.map_or(Speaker::RemoteUnnamed, Speaker::Remote);
        }
        testimony.status = trouble.reply.as_ref().and_then(|reply| reply.status);
        testimony.reply = trouble.reply;
        return;
    }
    let waits = quoted::strip(fields.words, "retry ").is_some();
    if fields.is_routing {
        testimony.stage = Some(Stage::Routing);
        testimony.stage_is_told = true;
        return;
    }
    if waits || fields.words.contains("have been failing") {
        // Too old now; what held it up stood on an earlier line.
        testimony.stage = known.stage;
        return;
    }
    testimony.stage = match (fields.router, fields.transport) {
        (Some(_), None) => Some(Stage::Routing),
        (_, Some(_)) if is_of_mailbox(fields.words) => Some(Stage::Mailbox),
        _ => None,
    };
    testimony.stage_is_told = testimony.stage == Some(Stage::Routing);
}

/// What local transports say.
fn is_of_mailbox(words: &str) -> bool {
    const WORDS: [&str; 13] = [
        "mailbox",
        "quota",
        "lock ",
        "Child process",
        "failed to open",
        "Permission denied",
        "file ",
        "directory",
        "appendfile",
        "Failed to get",
        "pipe",
        "command",
        "user ",
    ];
    WORDS.iter().any(|known| words.contains(known))
}

impl<'a> Fields<'a> {
    fn read(rest: &'a str) -> Self {
        let mut fields = Self::default();
        let end = address_end(rest);
        fields.address = rest[..end].trim_end_matches(':');
        let mut rest = &rest[end..];
        while let Some(left) = fields.take(rest.trim_start_matches(' ')) {
            rest = left;
        }
        let rest = rest.trim_start_matches(' ');
        // `routing defer (-51): retry time not reached`: it came to no transport.
        fields.is_routing = rest.starts_with("routing defer");
        let rest = rest.strip_prefix("routing ").unwrap_or(rest);
        let rest = match rest.strip_prefix("defer (") {
            Some(defer) => {
                let rest = defer.split_once(')').map_or("", |(_, rest)| rest);
                let mut rest = rest;
                while let Some(left) = fields.take(rest.trim_start_matches(' ')) {
                    rest = left;
                }
                rest
            }
            None => rest,
        };
        fields.words = rest.trim_start_matches([' ', ':']);
        fields
    }

    /// Takes one field off: `R=router`, `<parent>`.
    fn take(&mut self, rest: &'a str) -> Option<&'a str> {
        if let Some(inside) = rest.strip_prefix('<') {
            let (parent, left) = inside.split_once('>')?;
            self.parent = Some(parent);
            return Some(left);
        }
        let letters =
            rest.bytes().take_while(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit());
        let letters = letters.count();
        let value = rest[letters..].strip_prefix('=')?;
        if !(1..=4).contains(&letters) {
            return None;
        }
        if let Some(quoted) = value.strip_prefix('"') {
            let end = closing_quote(quoted);
            if &rest[..letters] == "C" {
                self.confirmation = Some(&quoted[..end]);
            }
            return Some(quoted.get(end + 1..).unwrap_or_default());
        }
        if &rest[..letters] == "H" {
            let (peer, left) = peer::within(value)?;
            self.peer = peer;
            // Some ports are told by a name.
            let port = left.starts_with(':') && !left.starts_with(": ");
            let left = if port {
                left.split_once([' ', ':']).map_or("", |_| after_port(left))
            } else {
                left
            };
            return Some(left);
        }
        let end = value_end(value);
        match &rest[..letters] {
            "R" => self.router = Some(&value[..end]),
            "T" => self.transport = Some(&value[..end]),
            "F" | "P" => self.reverse_path = Some(&value[..end]),
            _ => {}
        }
        Some(&value[end..])
    }

    /// The address, or the one that it came from where it is only a local part, a file or a pipe.
    fn recipient(&self) -> Option<String> {
        let is_address = self.address.contains('@') && !self.address.starts_with(['|', '/', ':']);
        let address = if is_address { Some(self.address) } else { self.parent };
        let named = self.router.is_some() || self.transport.is_some() || is_address;
        address.or(named.then_some(self.address)).map(str::to_owned)
    }
}

/// Where a quoted value ends. It may hold quotes of its own: the one that counts has nothing behind it, a
/// colon, or another field.
fn closing_quote(quoted: &str) -> usize {
    let closes = |&(at, _): &(usize, &str)| match quoted[at + 1..].strip_prefix(' ') {
        None => quoted[at + 1..].is_empty() || quoted[at + 1..].starts_with(':'),
        Some(next) => {
            let letters = next.bytes().take_while(u8::is_ascii_uppercase).count();
            letters > 0 && next.as_bytes().get(letters) == Some(&b'=') || next.starts_with(": ")
        }
    };
    quoted.match_indices('"').find(closes).map_or(quoted.len(), |(at, _)| at)
}

/// Behind `:25` or `:name`.
fn after_port(left: &str) -> &str {
    let port = left[1..].find([' ', ':']).map_or(left.len(), |end| end + 1);
    &left[port..]
}

/// Where a value ends: at a blank, or at a colon with a blank behind.
fn value_end(value: &str) -> usize {
    let octets = value.as_bytes();
    (0..octets.len())
        .find(|&at| {
            octets[at] == b' '
                || octets[at] == b':' && matches!(octets.get(at + 1), None | Some(b' '))
        })
        .unwrap_or(octets.len())
}

/// Where the address ends. A pipe's command and a quoted local part have blanks in them.
fn address_end(rest: &str) -> usize {
    if rest.starts_with(['|', '/', '"']) {
        let ends = [" <", " R=", " F=<", " T=", ": "];
        return ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    }
    value_end(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_words() {
        for (rest, address, transport, words) in [
            (
                "a@b.test <c@d.test> F=<> R=r1 T=smtp H=mx (x) [192.0.2.1]:25 X=TLS1.3:y:1 CV=no: no: thanks",
                "a@b.test",
                Some("smtp"),
                "no: thanks",
            ),
            ("a@b.test: retry timeout exceeded", "a@b.test", None, "retry timeout exceeded"),
            ("a@b.test R=r1 : forced", "a@b.test", None, "forced"),
            (
                "a@b.test R=r1 T=t1 defer (-44) H=mx [192.0.2.1]:PORT: SMTP error",
                "a@b.test",
                Some("t1"),
                "SMTP error",
            ),
            (
                "a@b.test R=r1 T=t1 defer (110): Connection timed out",
                "a@b.test",
                Some("t1"),
                "Connection timed out",
            ),
            ("|/bin/x y <a@b.test> R=r T=pipe", "|/bin/x y", Some("pipe"), ""),
        ] {
            let fields = Fields::read(rest);
            assert_eq!(
                (fields.address, fields.transport, fields.words),
                (address, transport, words),
                "{rest}"
            );
        }
        let fields = Fields::read("a@b R=r T=t H=mx [192.0.2.1] C=\"250 said \"ok\" id=1\" QT=1s");
        assert_eq!(fields.confirmation, Some("250 said \"ok\" id=1"));
    }
}
