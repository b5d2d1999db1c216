//! The EHLO reply repeats whom the server sees (the *echo rule*): another address than ours is translation or
//! a proxy. A remark: both are common.

use std::net::IpAddr;

use smtp::Stage;

use super::{About, Observed};
use crate::{
    dialogue::Exchange,
    finding::{Confidence, Finding, Party, Weight},
};

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    let Some(client) = dialogue.session.client.address.map(|address| address.ip().to_canonical())
    else {
        return;
    };
    let Some(hello) = dialogue.at(Stage::Ehlo).find(|exchange| exchange.is_positive()) else {
        return;
    };
    let line = dialogue.text(hello.first);
    let Some(seen) = address_in(&line).filter(|seen| *seen != client) else { return };
    let name = |exchange: &Exchange| {
        let words = dialogue.text(exchange.command?);
        words.split_whitespace().nth(1).map(crate::quote::clean)
    };
    let sent = name(hello).unwrap_or_default();
    found.push(observed.finding("address-translated", Some(hello.first), About {
        what: format!(
            "the server sees the client as {seen}, its packets come from {client} here, and it calls itself `{sent}`"
        ),
        who: Party::Unknown,
        confidence: Confidence::Likely,
        why: "Between here and the server the client's address is changed: translation at a router (NAT), or a proxy that \
              makes a connection of its own. Blocklists, SPF and reverse names are about the address that the server sees."
            .to_owned(),
        remedy: "Nothing to do, unless the server refuses that address.".to_owned(),
        weight: Weight::Remark,
        ..About::default()
    }));
}

/// The first address in brackets: `Hello a.test [192.0.2.1]`, `[IPv6:2001:db8::1]`.
fn address_in(text: &str) -> Option<IpAddr> {
    let parts = text.split(['[', ']', '(', ')', ' ']);
    parts
        .map(|part| part.trim_end_matches([',', '.', ';']))
        .map(|part| part.strip_prefix("IPv6:").unwrap_or(part))
        .find_map(|part| part.parse::<IpAddr>().ok())
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{none, one};

    fn text(hello: &str) -> String {
        format!(
            "-- client: 192.0.2.1:40000\nS: 220 r\nC: EHLO a.test\nS: 250-{hello}\nS: 250 SIZE\nC: QUIT\nS: 221 b"
        )
    }

    #[test]
    fn another_address() {
        let finding =
            one(&text("r Hello a.test [198.51.100.7], pleased to meet you"), "address-translated");
        assert_eq!(finding.weight, Weight::Remark);
        assert!(finding.what.contains("198.51.100.7") && finding.what.contains("192.0.2.1"));
        for hello in [
            "r Hello a.test [192.0.2.1]",
            "r Hello [::ffff:192.0.2.1]",
            "r",
            "r at your service 5.1",
        ] {
            none(&text(hello), "address-translated");
        }
    }
}
