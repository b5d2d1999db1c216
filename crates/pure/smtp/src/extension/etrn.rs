//! ETRN (RFC 1985): the client asks for its mail to be sent on now, over a new connection, to where it
//! goes anyway. So nobody gets mail by it who would not have got it.
//!
//! `ETRN domain`, `ETRN @domain` for it and its subdomains, `ETRN #queue` for a site or a lane.

use super::{Extension, Features, Ground, Lines, Offered};

/// Its row in the table.
pub(super) const ROW: Extension = Extension {
    feature: Features::ETRN,
    specified: "RFC 1985",
    offered: Offered::IfConfigured,
    switch: "`etrn`: the clients that may",
    server: "Starts the queue for a domain, its subdomains or a site.",
    client: "Not used.",
    advertise,
};

fn advertise(ground: &Ground<'_>, lines: &mut Lines) {
    if ground.features.has(Features::ETRN) {
        lines.push("ETRN");
    }
}

/// What is to be sent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// One domain.
    Domain(Box<str>),
    /// A domain and all below it.
    WithSubdomains(Box<str>),
    /// A queue by the name that this server gives it.
    Queue(Box<str>),
}

impl Node {
    /// Reads ETRN's argument; `None` if it names no domain.
    pub fn parse(argument: &str) -> Option<Self> {
        let domain = |text: &str| crate::address::check_domain(text).is_ok().then(|| text.into());
        if let Some(rest) = argument.strip_prefix('@') {
            return domain(rest).map(Self::WithSubdomains);
        }
        match argument.strip_prefix('#') {
            Some("") => None,
            Some(rest) => Some(Self::Queue(rest.into())),
            None => domain(argument).map(Self::Domain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes() {
        for (text, node) in [
            ("b.test", Some(Node::Domain("b.test".into()))),
            ("@b.test", Some(Node::WithSubdomains("b.test".into()))),
            ("#mx.b.test:25", Some(Node::Queue("mx.b.test:25".into()))),
            ("", None),
            ("@", None),
            ("#", None),
            ("two words", None),
            ("a@b.test", None),
            ("\u{e9}", Some(Node::Domain("\u{e9}".into()))),
        ] {
            assert_eq!(Node::parse(text), node, "{text}");
        }
    }
}
