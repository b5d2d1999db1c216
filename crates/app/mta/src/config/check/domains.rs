//! `[domains]` and `[relay]`.

use std::collections::BTreeMap;

use super::Found;
use crate::config::{
    Compiled, Config, Domain, DomainKind,
    compiled::CompileError,
    domain::{self, is_pattern},
    load,
};

impl Found<'_, '_> {
    pub(super) fn domains(&mut self, config: &Config) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (name, domain) in &config.domains {
            let path = ["domains", name.as_str()];
            self.pattern(&path, name);
            if let Some(other) = seen.insert(name.to_lowercase(), name) {
                let message = format!("`{name}` and `{other}` are the same domain");
                self.error(&path, message, "names of domains know no case: keep one");
            }
            self.next_hops(&path, domain);
            self.mailboxes(&path, domain);
            for (mailbox, since) in &domain.mailbox_since {
                if domain::since(since).is_none() {
                    let message = format!("`{since}` is no time (mailbox `{mailbox}`)");
                    let help = "write it like `2024-01-31`, or `2024-01-31T12:00:00Z`";
                    self.error(&[path[0], path[1], "mailbox_since"], message, help);
                }
            }
            if domain.kind == DomainKind::Local && config.routes.contains_key(name) {
                let message =
                    format!("`{name}` is local and has a route, which would never be used");
                let help = "remove the route, or give the domain `kind = \"relay\"`";
                self.error(&["routes", name], message, help);
            } else if !domain.next_hop.is_empty() && config.routes.contains_key(name) {
                let message =
                    format!("`{name}` has a `next_hop` under `[domains]` and one under `[routes]`");
                self.error(&["routes", name], message, "keep one of them");
            }
        }
        for (index, name) in config.relay.domains.iter().enumerate() {
            let number = index.to_string();
            let path = ["relay", "domains", number.as_str()];
            self.pattern(&path, name);
            if let Some(other) = seen.get(&name.to_lowercase()) {
                let kind = config.domains.get(*other).map(|domain| domain.kind);
                let kind = kind.map_or("", DomainKind::as_str);
                let message =
                    format!("`{name}` is a relay domain here, and `{kind}` under `[domains]`");
                self.error(&path, message, "keep one of them: mail can go one way only");
            }
        }
        self.open_relay(config);
        self.aliases(config);
    }

    /// `example.org` or `*.example.org`.
    pub(super) fn pattern(&mut self, path: &[&str], pattern: &str) {
        if pattern == "*" {
            let help = "every domain: that is what `default_route` is for, and `[relay] networks`";
            self.error(path, "`*` alone is no pattern", help);
        } else if !is_pattern(pattern) {
            let message = format!("`{pattern}` is no domain");
            self.error(path, message, "write `example.org`, or `*.example.org` for all below it");
        }
    }

    fn next_hops(&mut self, path: &[&str], domain: &Domain) {
        let at = [path, &["next_hop"]].concat();
        match domain.kind {
            DomainKind::Local | DomainKind::Relay | DomainKind::Odmr
                if !domain.next_hop.is_empty() =>
            {
                let message =
                    format!("a `next_hop` for a domain of kind `{}`", domain.kind.as_str());
                let help = "give the domain `kind = \"smtp\"` or \"lmtp\", or remove `next_hop`";
                self.error(&at, message, help);
            }
            DomainKind::Smtp | DomainKind::Lmtp if domain.next_hop.is_empty() => {
                let message =
                    format!("a domain of kind `{}` without `next_hop`", domain.kind.as_str());
                self.error(path, message, "say where its mail goes: `next_hop = \"127.0.0.1:24\"`");
            }
            DomainKind::Lmtp
                if domain.next_hop.iter().any(|hop| hop.clone().into_lmtp().is_none()) =>
            {
                let help = "LMTP has no default port: write `host:port`, or `/path` of a socket";
                self.error(&at, "a next hop for LMTP without port", help);
            }
            DomainKind::Smtp if domain.next_hop.iter().any(|hop| hop.is_lmtp()) => {
                let help = "give the domain `kind = \"lmtp\"`";
                self.error(&at, "a next hop for LMTP in a domain of kind `smtp`", help);
            }
            _ => (),
        }
    }

    fn mailboxes(&mut self, path: &[&str], domain: &Domain) {
        if let Some(maildir) = &domain.maildir
            && !maildir.contains("{user}")
        {
            let help = "put `{user}` where the mailbox's name belongs";
            let at = [path, &["maildir"]].concat();
            self.error(&at, "all mailboxes would share one Maildir", help);
        }
        if !domain.aliases.is_empty() && path.last().is_some_and(|name| name.starts_with("*.")) {
            let help = "list the domains that have them one by one";
            let at = [path, &["aliases"]].concat();
            self.error(&at, "aliases in a pattern of domains", help);
        }
    }

    fn open_relay(&mut self, config: &Config) {
        let Some(networks) = &config.relay.networks else { return };
        let strangers = ["203.0.113.1", "198.51.100.1"].map(|text| text.parse().ok());
        let trusts = |address| networks.iter().any(|network| network.contains(address));
        if strangers.into_iter().flatten().all(trusts) {
            let help = "name only networks whose machines are yours";
            let message = "everybody may relay: an open relay is soon blocklisted";
            self.warn(&["relay", "networks"], message, help);
        }
    }

    /// Addresses of aliases, and loops among them, are found by resolving them.
    fn aliases(&mut self, config: &Config) {
        for name in config.domains.keys() {
            if let Err(CompileError::Problem(problem)) = Compiled::resolve(config, name) {
                let place = load::place(self.document, &["domains", name, "aliases"]);
                self.errors.push(problem.at(place));
            }
        }
    }
}
