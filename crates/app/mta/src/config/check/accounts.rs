//! `[[accounts]]`, and what listeners say of them.

use std::collections::BTreeSet;

use super::Found;
use crate::config::{Accounts, Config, Own};

impl Found<'_, '_> {
    pub(super) fn accounts(&mut self, config: &Config) {
        let mut names = BTreeSet::new();
        for (index, accounts) in config.accounts.iter().enumerate() {
            let number = index.to_string();
            let path = ["accounts", number.as_str()];
            if !names.insert(accounts.name()) {
                let message = format!("two accounts are called `{}`", accounts.name());
                self.error(&path, message, "give each a `name` of its own");
            }
            if let Err((message, help)) = accounts.check() {
                self.error(&path, message, help);
            }
        }
        if config.accounts.is_empty() {
            names.insert("users");
        }
        for (index, listener) in config.listener.iter().enumerate() {
            let number = index.to_string();
            let at = |key| ["listener", number.as_str(), key];
            for name in listener.accounts.iter().filter(|name| !names.contains(name.as_str())) {
                let message = format!("there are no accounts called `{name}`");
                let known: Vec<&str> = names.iter().copied().collect();
                self.error(&at("accounts"), message, &format!("there are {}", known.join(", ")));
            }
            for name in &listener.auth.mechanisms {
                if let Err(error) = name.parse::<sasl::Mechanism>() {
                    let known = sasl::Mechanisms::that(|_| true);
                    let help = format!("there are {known}");
                    self.error(&at("auth"), error.to_string(), &help);
                }
            }
            if let Some(file) = &listener.client_ca {
                self.pem(&at("client_ca"), file, "CERTIFICATE");
            }
            let of_certificates = |it: &Accounts| matches!(it, Accounts::Certificates(_));
            let here = |it: &&Accounts| {
                listener.accounts.is_empty() || listener.accounts.iter().any(|n| n == it.name())
            };
            let asked = config.accounts.iter().filter(here).any(of_certificates);
            if listener.client_ca.is_some() && !asked {
                let help = "add `[[accounts]]` with `kind = \"certificates\"`";
                self.warn(&at("client_ca"), "nobody can sign in by these certificates", help);
            }
        }
        if config.senders.own == Own::Map && config.senders.map.is_empty() {
            let help = "list reverse-paths in `[senders.map]`, each with its users";
            self.error(&["senders", "own"], "`own` is \"map\", and there is none", help);
        }
        if config.scram_iterations < sasl::scram::ITERATIONS {
            let help = "RFC 7677 section 4 has 4096 as the least";
            self.error(&["scram_iterations"], "too few iterations", help);
        }
    }
}
