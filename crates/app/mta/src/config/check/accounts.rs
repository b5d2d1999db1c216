//! `[[accounts]]`, and what listeners say of them.

use std::collections::BTreeSet;

use sasl::{Mechanism, Mechanisms};

use super::Found;
use crate::config::{Accounts, Auth, Config, Own};

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
            self.mechanisms(&at("auth"), &listener.auth);
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

    fn mechanisms(&mut self, at: &[&str], auth: &Auth) {
        for name in auth.mechanisms.iter().chain(auth.names.values()) {
            if let Err(error) = name.parse::<Mechanism>() {
                let help = format!("there are {}", Mechanisms::that(|_| true));
                self.error(at, error.to_string(), &help);
            }
        }
        for name in auth.names.keys() {
            // RFC 4422 section 3.1; in a configuration small letters do as well.
            let fits = |o: u8| o.is_ascii_alphanumeric() || b"-_".contains(&o);
            if !(1..=20).contains(&name.len()) || !name.bytes().all(fits) {
                let help = "up to 20 letters, digits, `-` and `_`, such as `SPA`";
                self.error(at, format!("`{name}` can't be the name of a mechanism"), help);
            }
            if Mechanism::by_name(name).is_some() {
                let help = "name it in `auth.mechanisms`";
                self.error(at, format!("`{name}` is a mechanism by itself"), help);
            }
        }
    }
}
