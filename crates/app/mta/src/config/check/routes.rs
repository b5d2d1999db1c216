//! `[routes]` and `default_route`.

use transport::TlsLevel;

use super::Found;
use crate::{
    config::{Config, Login, NextHop, Odmr, Pipe, Route, domain::is_domain_name},
    quirks,
};

impl Found<'_, '_> {
    pub(super) fn routes(&mut self, config: &Config) {
        for (pattern, route) in &config.routes {
            let path = ["routes", pattern.as_str()];
            self.pattern(&path, pattern);
            self.route(&path, route);
        }
        for (index, odmr) in config.odmr.iter().enumerate() {
            let number = index.to_string();
            self.odmr(&["odmr", number.as_str()], odmr);
        }
        if let Some(route) = &config.default_route {
            self.route(&["default_route"], route);
        }
        for (pattern, site) in &config.sites {
            let path = ["sites", pattern.as_str()];
            let at = |key| [&path[..], &[key]].concat();
            self.pattern(&path, pattern);
            self.sources(&at("source"), &site.source);
            self.keywords(&at("avoid"), &site.avoid);
            self.keywords(&at("use"), &site.allow);
            if let Some(login) = &site.auth {
                self.login(&at("auth"), login);
                if !matches!(site.tls, Some(TlsLevel::Verified | TlsLevel::DaneOnly)) {
                    let help =
                        "set `tls = \"verified\"` there, too: the DNS could name anybody else";
                    self.error(&at("auth"), "a stranger could get the password", help);
                }
            }
            self.quirks(&at("without_quirks"), &site.without_quirks);
            self.ehlo_name(&at("ehlo_name"), site.ehlo_name.as_deref());
        }
    }

    fn quirks(&mut self, at: &[&str], names: &[String]) {
        let is_known = |name: &str| name == "all" || quirks::TABLE.iter().any(|q| q.name == name);
        for name in names.iter().filter(|name| !is_known(name)) {
            let help = "docs/quirks.md lists them; `all` stands for every one";
            self.error(at, format!("no quirk is called `{name}`"), help);
        }
    }

    fn ehlo_name(&mut self, at: &[&str], name: Option<&str>) {
        if let Some(name) = name.filter(|name| !is_domain_name(name)) {
            let help = "many servers refuse anything else, an address in brackets too";
            self.error(at, format!("`{name}` is no domain name"), help);
        }
    }

    fn route(&mut self, path: &[&str], route: &Route) {
        let at = |key| [path, &[key]].concat();
        if route.mx == Some(false) && route.next_hop.is_empty() {
            let help = "name a `next_hop`, or leave out `mx`";
            self.error(&at("mx"), "neither MX nor `next_hop`: mail can't go anywhere", help);
        }
        if route.implicit_tls && route.tls == TlsLevel::Never {
            let help = "leave out one of them";
            self.error(&at("implicit_tls"), "`implicit_tls` against `tls = \"never\"`", help);
        }
        if route.next_hop.iter().any(|hop| hop.is_lmtp()) && route.mx == Some(true) {
            self.error(&at("mx"), "an MX is looked up for SMTP only", "leave out `mx`");
        }
        if route.connections_max == Some(0) {
            let help = "leave it out for the default, or hold mail with `mailwright queue hold`";
            self.error(&at("connections_max"), "`connections_max` is 0: no mail would pass", help);
        }
        self.keywords(&at("avoid"), &route.avoid);
        self.keywords(&at("use"), &route.allow);
        self.quirks(&at("without_quirks"), &route.without_quirks);
        self.ehlo_name(&at("ehlo_name"), route.ehlo_name.as_deref());
        self.sources(&at("source"), &route.source);
        self.tls(path, route);
        self.credentials(path, route);
        if let Some(pipe) = &route.pipe {
            self.pipe(&at("pipe"), route, pipe);
        }
        if let Some(retry) = &route.retry {
            self.retry(&at("retry"), retry);
        }
    }

    fn sources(&mut self, path: &[&str], sources: &[std::net::IpAddr]) {
        let v4 = sources.iter().filter(|source| source.is_ipv4()).count();
        if v4 > 1 || sources.len() - v4 > 1 {
            let help = "one IPv4 and one IPv6 address at most";
            self.error(path, "two addresses of one family", help);
        }
    }

    fn tls(&mut self, path: &[&str], route: &Route) {
        let at = |key| [path, &[key]].concat();
        match (&route.tls_certificate, &route.tls_key) {
            (Some(certificate), Some(key)) => {
                self.file(&at("tls_certificate"), certificate);
                self.file(&at("tls_key"), key);
            }
            (None, None) => {}
            _ => {
                let help = "name both, PEM; they may be the same file";
                self.error(path, "`tls_certificate` and `tls_key` belong together", help);
            }
        }
        if let Some(file) = &route.tls_authorities {
            self.file(&at("tls_authorities"), file);
        }
        let compares = matches!(
            route.tls,
            TlsLevel::Verified | TlsLevel::Dane | TlsLevel::DaneOnly | TlsLevel::Published
        );
        if !route.tls_names.is_empty() && !compares {
            let message =
                format!("`tls_names` says nothing with `tls = \"{}\"`", route.tls.as_str());
            self.warn(&at("tls_names"), message, "names are compared with `tls = \"verified\"`");
        }
        let promised = route.tls.is_binding();
        if promised && route.avoid.iter().any(|name| name.eq_ignore_ascii_case("STARTTLS")) {
            let help = "leave out one of them";
            self.error(&at("avoid"), "STARTTLS is avoided, and TLS is asked for", help);
        }
    }

    fn pipe(&mut self, path: &[&str], route: &Route, pipe: &Pipe) {
        if !route.next_hop.is_empty() {
            self.error(path, "`pipe` and `next_hop`: mail can go one way only", "keep one of them");
        }
        match pipe.command.first() {
            Some(program) if program.starts_with('/') => {
                if let Err(error) = std::fs::metadata(program) {
                    let message = format!("cannot find `{program}`: {error}");
                    self.error(&[path, &["command"]].concat(), message, "check the path");
                }
            }
            _ => {
                let help =
                    "write `command = [\"/usr/bin/program\", \"argument\"]`; no shell reads it";
                self.error(path, "`command` names no program by its absolute path", help);
            }
        }
    }

    fn odmr(&mut self, path: &[&str], odmr: &Odmr) {
        let at = |key| [path, &[key]].concat();
        let smtp = |hop: &NextHop| matches!(hop, NextHop::Host(..) | NextHop::Address(..));
        if odmr.provider.is_empty() || !odmr.provider.iter().all(smtp) {
            let help = "name a host, like `odmr.provider.example`";
            self.error(&at("provider"), "a provider is a host that speaks SMTP", help);
        }
        for domain in odmr.domains.iter().filter(|domain| !is_domain_name(domain)) {
            self.error(&at("domains"), format!("`{domain}` is no domain"), "write `example.org`");
        }
        let local = odmr.provider.iter().all(NextHop::is_loopback);
        if !odmr.tls.is_binding() && !local {
            let help = "leave `tls` out: whoever is in between could read the password else";
            self.error(&at("tls"), "the password could be sent in clear", help);
        }
        self.login(&at("auth"), &odmr.auth);
        if odmr.every.is_zero() {
            self.error(&at("every"), "`every` is 0s: it would never end", "use 15m, or so");
        }
    }

    fn login(&mut self, at: &[&str], login: &Login) {
        if let Some((what, help)) = login.fault() {
            self.error(at, what, help);
        }
        for (key, file) in login.files() {
            self.file(&[at, &[key]].concat(), file);
        }
    }

    fn credentials(&mut self, path: &[&str], route: &Route) {
        let Some(auth) = &route.auth else { return };
        let at = [path, &["auth"]].concat();
        self.login(&at, auth);
        if auth.uses_certificate() && !auth.mechanisms.is_empty() && route.tls_certificate.is_none()
        {
            let help = "name `tls_certificate` and `tls_key`";
            self.error(&at, "EXTERNAL needs a certificate to show", help);
        }
        let local =
            !route.next_hop.is_empty() && route.next_hop.iter().all(|hop| hop.is_loopback());
        if !route.tls.is_binding() && !route.implicit_tls && !local {
            let help = "set `tls = \"verified\"` (or \"required\"): whoever is in between could read it else";
            self.error(&at, "the password could be sent in clear", help);
        }
        if route.next_hop.is_empty() {
            let help = "a password belongs to one server: name it as `next_hop`";
            self.error(&at, "the password would be offered to every MX", help);
        }
    }
}
