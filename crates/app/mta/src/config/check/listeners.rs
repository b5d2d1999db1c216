//! `[[listener]]`.

use std::{collections::BTreeMap, net::SocketAddr};

use smtp::client::Features;

use super::Found;
use crate::config::{Config, Disclosure, Gssapi, Listener, ListenerTls, Network, Role};

/// Strangers: addresses of documentation (RFC 5737).
const EVERYBODY: [&str; 2] = ["203.0.113.1", "198.51.100.1"];

impl Found<'_, '_> {
    pub(super) fn listeners(&mut self, config: &Config) {
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut taken: Vec<(SocketAddr, String)> = Vec::new();
        for (index, listener) in config.listener.iter().enumerate() {
            let number = index.to_string();
            let path = ["listener", number.as_str()];
            let at = |key| [path[0], path[1], key];
            if listener.address.is_empty() && listener.socket.is_none() {
                let help = "add `address = \"127.0.0.1:25\"`, or another";
                self.error(&path, "this listener has no address", help);
            }
            for address in &listener.address {
                if let Some((other, name)) =
                    taken.iter().find(|(other, _)| overlap(*other, *address))
                {
                    let message =
                        format!("`{address}` overlaps with `{other}` of listener `{name}`");
                    self.error(&at("address"), message, "give each listener a port of its own");
                }
                taken.push((*address, listener.name()));
            }
            if names.insert(listener.name(), index).is_some() {
                let message = format!("two listeners are called `{}`", listener.name());
                self.error(&at("name"), message, "give each a `name` of its own: logs show it");
            }
            self.keywords(&at("hide"), &listener.hide);
            self.keywords(&at("advertise"), &listener.advertise);
            self.extensions(&path, listener);
            self.security(&path, listener);
            if let Some(gssapi) = &listener.gssapi {
                self.gssapi(&at("gssapi"), listener, gssapi);
            }
        }
    }

    fn extensions(&mut self, path: &[&str], listener: &Listener) {
        let at = |key| [path, &[key]].concat();
        let features = listener.features(false);
        if features.has(Features::TURN) {
            let help = "customers fetch their mail by ETRN or ATRN";
            self.error(&at("advertise"), "TURN gives mail to whoever asks: it is not done", help);
        }
        if listener.hidden().has(Features::EHLO) {
            let help = "EHLO is what every client begins with; hide what it lists";
            self.error(&at("hide"), "EHLO is no keyword of its own reply", help);
        }
        if features.has(Features::ATRN) && !listener.offers_auth() {
            let help = "set `auth.offered = true`: who fetches mail signs in first";
            self.error(&at("advertise"), "ATRN without AUTH", help);
        }
        let named = |keyword: &str| {
            listener.advertise.iter().any(|name| name.eq_ignore_ascii_case(keyword))
        };
        for (keyword, key, granted) in [
            ("ETRN", "etrn", &listener.etrn),
            ("XCLIENT", "xclient", &listener.xclient),
            ("XFORWARD", "xforward", &listener.xforward),
        ] {
            if named(keyword) && granted.is_empty() {
                let help = format!("name the clients that may in `{key}`; that offers it, too");
                self.warn(&at("advertise"), format!("{keyword} is offered to nobody"), &help);
            }
        }
        for (keyword, key, disclosed) in
            [("VRFY", "vrfy", listener.vrfy), ("EXPN", "expn", listener.expn)]
        {
            // RFC 5321 section 4.2.4: what is answered with 502 must not be listed.
            if named(keyword) && disclosed == Disclosure::Off {
                let help = format!("set `{key}` to \"252\" or \"exact\"");
                self.error(&at("advertise"), format!("{keyword}, which `{key}` has off"), &help);
            }
        }
        if listener.socket.is_some() && listener.tls == ListenerTls::Implicit {
            let help = "set `tls = \"none\"`";
            self.error(&at("socket"), "TLS before the greeting, over a Unix socket", help);
        }
        if !(-9..=9).contains(&listener.priority_max) {
            self.error(&at("priority_max"), "no priority of RFC 6710", "use 0 to 9");
        }
        for class in &listener.no_soliciting {
            if !smtp::extension::no_soliciting::is_valid(class) || class.contains(',') {
                let message = format!("`{class}` is no keyword of RFC 3865");
                self.error(&at("no_soliciting"), message, "write it like `net.example:ADV`");
            }
        }
        let trusted = [
            ("xclient", &listener.xclient),
            ("xforward", &listener.xforward),
            ("proxy_protocol", &listener.proxy_protocol),
        ];
        for (key, networks) in trusted {
            if EVERYBODY.iter().all(|text| is_among(networks, text)) {
                let help = "name only your own proxies: whoever is trusted can claim any address";
                self.error(&at(key), format!("everybody is trusted with `{key}`"), help);
            }
        }
    }

    /// Whether Kerberos can work at all: a keytab is tried as a session would.
    fn gssapi(&mut self, path: &[&str], listener: &Listener, gssapi: &Gssapi) {
        if !listener.offers_auth() {
            self.error(path, "GSSAPI without AUTH", "set `auth.offered = true`");
        }
        if gssapi.realms.is_empty() {
            let help = "write `realms = { \"EXAMPLE.ORG\" = \"example.org\" }`";
            self.error(path, "no realm's principals are users here", help);
        }
        let at = [path, &["keytab"]].concat();
        if self.file(&at, &gssapi.keytab).is_none() {
            return;
        }
        if let Err(trouble) = gss::Context::accepting(&gssapi.keys(), None) {
            let help = "`keytab` names a file with the key of `smtp/HOST@REALM`";
            self.error(&at, trouble.to_string(), help);
        }
    }

    fn security(&mut self, path: &[&str], listener: &Listener) {
        let at = |key| [path, &[key]].concat();
        let no_tls = listener.tls == ListenerTls::None;
        if listener.requires_auth() && !listener.offers_auth() {
            let help = "set `auth.offered = true`, or `require_auth = false`";
            self.error(&at("require_auth"), "AUTH is required, but not offered", help);
        }
        if listener.offers_auth() && no_tls && !listener.auth.without_tls {
            let help =
                "set `tls = \"starttls\"`, or allow `auth.without_tls` if nobody can listen in";
            self.error(&at("tls"), "AUTH is offered only inside TLS, and there is no TLS", help);
        }
        let is_ntlm = |it: &String| it.eq_ignore_ascii_case("NTLM");
        match listener.auth.mechanisms.iter().any(is_ntlm) {
            _ if !listener.auth.ntlm_v1 => {}
            true => {
                let help = "set the clients to version 2, and leave out `auth.ntlm_v1`";
                let what = "NTLM's version 1: whoever hears a login can sign in from then on";
                self.warn(&at("auth"), what, help);
            }
            false => {
                let help = "add \"NTLM\" to `auth.mechanisms`, or leave out `auth.ntlm_v1`";
                self.error(&at("auth"), "NTLM's version 1 is taken, but NTLM is not offered", help);
            }
        }
        if listener.require_tls && no_tls {
            let help = "set `tls = \"starttls\"`, or leave out `require_tls`";
            self.error(&at("require_tls"), "TLS is required, but not offered", help);
        }
        if listener.require_tls && listener.role == Role::Mx {
            let help = "RFC 3207 section 4 forbids it for a public MX: servers without TLS can't reach you";
            self.warn(&at("require_tls"), "an MX that requires TLS", help);
        }
        if listener.role == Role::Relay && listener.networks.is_empty() && !listener.offers_auth() {
            let help = "name them in `networks`, like `networks = [\"192.0.2.0/24\"]`";
            self.error(&at("role"), "a `relay` listener that trusts no networks", help);
        }
        let everybody = ["203.0.113.1", "198.51.100.1"].map(|text| text.parse().ok());
        if everybody.iter().flatten().all(|address| listener.trusts(*address)) {
            let help = "name only networks whose machines are yours";
            self.warn(
                &at("networks"),
                "everybody may relay here: an open relay is soon blocklisted",
                help,
            );
        }
    }
}

fn is_among(networks: &[Network], text: &str) -> bool {
    text.parse().is_ok_and(|address| networks.iter().any(|network| network.contains(address)))
}

/// Whether both can't be listened on: the same port, and the same address or one that means all.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    // A listener on port 0 gets any free one (tests).
    let (all_a, all_b) = (a.ip().is_unspecified(), b.ip().is_unspecified());
    let same_family = a.is_ipv4() == b.is_ipv4();
    a.port() != 0 && a.port() == b.port() && (a.ip() == b.ip() || (same_family && (all_a || all_b)))
}
