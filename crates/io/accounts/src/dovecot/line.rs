//! One line of the protocol: a word, a number, fields. Tabs and line ends within them are escaped.

use base64::{Engine, engine::general_purpose::STANDARD};
use sasl::Mechanism;

use crate::Visit;

/// A line from Dovecot, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(Vec<String>);

impl Line {
    pub fn parse(text: &str) -> Self {
        Self(text.split('\t').map(unescape).collect())
    }

    pub fn word(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// The field at that place; the word is at 0.
    pub fn at(&self, place: usize) -> Option<&str> {
        self.0.get(place).map(String::as_str)
    }

    /// The login that it is about.
    pub fn number(&self) -> Option<u32> {
        self.at(1)?.parse().ok()
    }

    /// Whether a field stands there by itself.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().skip(1).any(|field| field == name)
    }

    /// What stands behind `name=`.
    pub fn value(&self, name: &str) -> Option<&str> {
        let fields = self.0.iter().skip(1);
        fields
            .filter_map(|field| field.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|it| it.1)
    }
}

/// `AUTH`: `resp` has to be the last field. Refusals are held back by our own guard, for all back ends alike:
/// Dovecot's penalty would come on top, and be longer than anybody waits for it.
pub fn auth(id: u32, mechanism: Mechanism, visit: &Visit, initial: Option<&[u8]>) -> String {
    let (client, local) = (visit.client, visit.local);
    let mut line = format!(
        "AUTH\t{id}\t{mechanism}\tservice=smtp\tfinal-resp-ok\tno-penalty\trip={}\trport={}\tlip={}\tlport={}",
        client.ip().to_canonical(),
        client.port(),
        local.ip().to_canonical(),
        local.port()
    );
    if visit.is_encrypted {
        line.push_str("\tsecured=tls");
    }
    if visit.certificate.is_some() {
        line.push_str("\tvalid-client-cert");
    }
    if let Some(initial) = initial {
        line.push_str("\tresp=");
        line.push_str(&STANDARD.encode(initial));
    }
    line.push('\n');
    line
}

/// 0x01 stands in front of `0`, `1`, `t`, `r`, `n` for NUL, itself, tab, CR, LF.
fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut rest = field.chars();
    while let Some(c) = rest.next() {
        text.push(match c {
            '\x01' => match rest.next() {
                Some('0') => '\0',
                Some('1') => '\x01',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('n') => '\n',
                Some(other) => other,
                None => break,
            },
            c => c,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let line = Line::parse("OK\t7\tuser=anna\x01tb\tresp=dj1=\tnodelay");
        assert_eq!((line.word(), line.number()), ("OK", Some(7)));
        assert_eq!(line.value("user"), Some("anna\tb"));
        assert_eq!(line.value("resp"), Some("dj1="));
        assert!(line.has("nodelay") && !line.has("temp"));
        assert_eq!(Line::parse("").number(), None);
    }

    #[test]
    fn what_a_login_is_announced_with() {
        let visit = Visit {
            client: "[::ffff:192.0.2.1]:4711".parse().unwrap(),
            local: "192.0.2.2:587".parse().unwrap(),
            is_encrypted: true,
            certificate: None,
        };
        assert_eq!(
            auth(3, Mechanism::Plain, &visit, Some(b"\0a\0b")),
            "AUTH\t3\tPLAIN\tservice=smtp\tfinal-resp-ok\tno-penalty\trip=192.0.2.1\trport=4711\tlip=192.0.2.2\tlport=587\
             \tsecured=tls\tresp=AGEAYg==\n"
        );
    }
}
