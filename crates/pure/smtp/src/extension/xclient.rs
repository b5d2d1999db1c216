//! XCLIENT (as Postfix has it): a trusted proxy says whom it speaks for.
//!
//! `XCLIENT NAME=host ADDR=192.0.2.1 PORT=4711 PROTO=ESMTP HELO=host LOGIN=user DESTADDR=... DESTPORT=...`, values in
//! xtext, `[UNAVAILABLE]` and `[TEMPUNAVAIL]` for what isn't known. Then the session begins anew with a
//! greeting, and everything is judged by the client's address: what only the proxy was trusted with is gone.

use std::net::IpAddr;

use super::{Extension, Features, Ground, Lines, Offered};
use crate::xtext;

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::XCLIENT,
    specified: "Postfix",
    offered: Offered::IfConfigured,
    switch: "`xclient`: the proxies that may",
    server: "The session goes on as that of the client that the proxy names.",
    client: "Not used.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::XCLIENT) {
        lines.push("XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT");
    }
}

/// What a proxy says of its client. What it doesn't say stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The client's address; none within: it has none that is known, and it is not the proxy's.
    pub address: Option<Option<IpAddr>>,
    /// Its port.
    pub port: Option<u16>,
    /// The name that the proxy found for it.
    pub name: Option<String>,
    /// What it said in HELO or EHLO.
    pub helo: Option<String>,
    /// Whether that was EHLO.
    pub extended: Option<bool>,
    /// As whom it has authenticated; none within: not at all.
    pub login: Option<Option<String>>,
    /// Where it connected to.
    pub local: Option<IpAddr>,
    /// At which port.
    pub local_port: Option<u16>,
}

impl Claim {
    /// Reads XCLIENT's argument; `None` if a word is no attribute, or a value none of its kind.
    pub(crate) fn parse(argument: &str) -> Option<Self> {
        let mut claim = Self::default();
        for (name, value) in attributes(argument)? {
            match name.as_str() {
                "ADDR" => claim.address = Some(known(value, address)?),
                "PORT" => claim.port = known(value, |text| text.parse().ok())?,
                "NAME" => claim.name = value,
                "HELO" => claim.helo = known(value, domain)?,
                "PROTO" => {
                    let extended = known(value, |text| match text.to_ascii_uppercase().as_str() {
                        "SMTP" => Some(false),
                        "ESMTP" => Some(true),
                        _ => None,
                    });
                    claim.extended = extended?;
                }
                "LOGIN" => claim.login = Some(value.filter(|user| !user.is_empty())),
                "DESTADDR" => claim.local = known(value, address)?,
                "DESTPORT" => claim.local_port = known(value, |text| text.parse().ok())?,
                _ => return None,
            }
        }
        Some(claim)
    }
}

/// The attributes of XCLIENT and XFORWARD: names in capitals, values decoded; none for those that the
/// other end doesn't know. `None` if something is no attribute.
pub(super) fn attributes(argument: &str) -> Option<Vec<(String, Option<String>)>> {
    let words = argument.split(' ').filter(|word| !word.is_empty());
    let read = |word: &str| {
        let (name, value) = word.split_once('=')?;
        if !xtext::is_valid(value) {
            return None;
        }
        let value = String::from_utf8(xtext::decode(value).into_owned()).ok()?;
        // It gets into logs and trace fields.
        let clean = !value.chars().any(|c| c.is_control() || c == ' ');
        let unknown =
            ["[UNAVAILABLE]", "[TEMPUNAVAIL]"].iter().any(|word| value.eq_ignore_ascii_case(word));
        clean.then(|| (name.to_ascii_uppercase(), (!unknown && !value.is_empty()).then_some(value)))
    };
    let attributes: Option<Vec<_>> = words.map(read).collect();
    attributes.filter(|attributes| !attributes.is_empty())
}

/// An unknown value is fine; one that can't be read is not.
fn known<T>(value: Option<String>, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match value {
        Some(text) => read(&text).map(Some),
        None => Some(None),
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let tagged = text.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("IPV6:"));
    let text = if tagged { &text[5..] } else { text };
    text.parse().ok()
}

fn domain(text: &str) -> Option<String> {
    let fits = text.is_ascii() && crate::address::check_domain(text).is_ok();
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims() {
        let full = Claim::parse(
            "NAME=spike.b.test ADDR=IPV6:2001:db8::1 PORT=4711 PROTO=ESMTP HELO=spike LOGIN=ann+40b.test",
        );
        let full = full.expect("a claim");
        assert_eq!(full.address, Some("2001:db8::1".parse().ok()));
        assert_eq!((full.port, full.extended), (Some(4711), Some(true)));
        assert_eq!(full.helo.as_deref(), Some("spike"));
        assert_eq!(full.login, Some(Some("ann@b.test".into())));
        let unknown = Claim::parse("name=[UNAVAILABLE] ADDR=[unavailable] LOGIN=[UNAVAILABLE]");
        assert_eq!(
            unknown,
            Some(Claim { address: Some(None), login: Some(None), ..Claim::default() })
        );
        for wrong in [
            "",
            "ADDR",
            "ADDR=1.2.3",
            "PORT=99999",
            "PROTO=X",
            "WHO=me",
            "HELO=a+0D+0AMAIL",
            "NAME=a+20b",
            "HELO=two@signs",
            "NAME=+4",
        ] {
            assert_eq!(Claim::parse(wrong), None, "{wrong}");
        }
    }
}
