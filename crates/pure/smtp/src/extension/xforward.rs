//! XFORWARD (as Postfix has it): a filter's client says where the next message came from, for logs and
//! trace; nothing is judged by it.
//!
//! `XFORWARD NAME=host ADDR=192.0.2.1 PORT=4711 PROTO=ESMTP HELO=host IDENT=queue-id SOURCE=REMOTE`, values in xtext. It
//! holds for one transaction.

use super::{Extension, Features, Ground, Lines, Offered, xclient};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::XFORWARD,
    specified: "Postfix",
    offered: Offered::IfConfigured,
    switch: "`xforward`: the filters that may",
    server: "Where the message came from is logged.",
    client: "Not used.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::XFORWARD) {
        lines.push("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
    }
}

/// Where a message came from, in the words of who forwards it; none of it is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's name.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<String>,
    /// Its port.
    pub port: Option<String>,
    /// SMTP or ESMTP.
    pub protocol: Option<String>,
    /// Its HELO.
    pub helo: Option<String>,
    /// The queue id there.
    pub ident: Option<String>,
    /// LOCAL or REMOTE.
    pub source: Option<String>,
}

impl Origin {
    /// Takes XFORWARD's argument in; false (and nothing is changed) if it is malformed. Several commands
    /// add up.
    pub(crate) fn add(&mut self, argument: &str) -> bool {
        let Some(attributes) = xclient::attributes(argument) else { return false };
        let mut origin = self.clone();
        for (name, value) in attributes {
            let place = match name.as_str() {
                "NAME" => &mut origin.name,
                "ADDR" => &mut origin.address,
                "PORT" => &mut origin.port,
                "PROTO" => &mut origin.protocol,
                "HELO" => &mut origin.helo,
                "IDENT" => &mut origin.ident,
                "SOURCE" => &mut origin.source,
                _ => return false,
            };
            *place = value;
        }
        *self = origin;
        true
    }
}
