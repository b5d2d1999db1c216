//! `[senders]`: which reverse-paths are whose.

use std::collections::BTreeMap;

use accounts::Account;
use serde::{Deserialize, Serialize};

use super::one_or_many;

/// The table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Senders {
    /// What is a user's own, where nothing else says so (his `reverse_paths`, or his addresses in a directory).
    pub own: Own,
    /// Reverse-paths that several users share, or that are not what their names say: each with its users.
    pub map: BTreeMap<String, Users>,
    /// Users may give the null reverse-path, as their programs do for receipts (RFC 8098 section 2.1).
    pub null: bool,
    /// The author's address in the From field has to be his as well.
    pub from_field: bool,
}

/// What is a user's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Own {
    /// Every address.
    #[default]
    Any,
    /// Every address of his name's domain.
    Domain,
    /// The address that is his name.
    Address,
    /// Only what `map` has.
    Map,
}

/// One user, or several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Users(#[serde(with = "one_or_many")] pub Vec<String>);

impl Default for Senders {
    fn default() -> Self {
        Self { own: Own::Any, map: BTreeMap::new(), null: true, from_field: false }
    }
}

impl Senders {
    /// Whether a user may give this address.
    pub fn may_use(&self, account: &Account, address: &str) -> bool {
        if self.map.iter().any(|(pattern, users)| {
            fits(pattern, address) && users.0.iter().any(|user| is_same(user, &account.name))
        }) {
            return true;
        }
        if !account.reverse_paths.is_empty() {
            return account.reverse_paths.iter().any(|pattern| fits(pattern, address));
        }
        match self.own {
            Own::Any => true,
            Own::Map => false,
            Own::Address => is_same(&account.name, address),
            Own::Domain => match (domain(&account.name), domain(address)) {
                (Some(own), Some(given)) => is_same(own, given),
                _ => false,
            },
        }
    }
}

/// An address, or `@domain`.
fn fits(pattern: &str, address: &str) -> bool {
    match pattern.strip_prefix('@') {
        Some(wanted) => domain(address).is_some_and(|domain| is_same(wanted, domain)),
        None => is_same(pattern, address),
    }
}

fn domain(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain)
}

fn is_same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_whose() {
        let map: BTreeMap<String, Users> =
            [("info@a.test", "anna@a.test"), ("@c.test", "anna@a.test")]
                .map(|(address, user)| (address.to_owned(), Users(vec![user.to_owned()])))
                .into();
        let of = |own| Senders { own, map: map.clone(), ..Senders::default() };
        let anna = Account { name: "anna@a.test".to_owned(), ..Account::default() };
        let listed = Account { reverse_paths: vec!["@b.test".to_owned()], ..anna.clone() };
        for (own, account, address, may) in [
            (Own::Any, &anna, "x@y.test", true),
            (Own::Any, &listed, "x@y.test", false),
            (Own::Any, &listed, "x@B.test", true),
            (Own::Any, &listed, "info@a.test", true),
            (Own::Domain, &anna, "x@A.test", true),
            (Own::Domain, &anna, "x@sub.a.test", false),
            (Own::Address, &anna, "Anna@a.test", true),
            (Own::Address, &anna, "bob@a.test", false),
            (Own::Address, &anna, "info@a.test", true),
            (Own::Map, &anna, "anna@a.test", false),
            (Own::Map, &anna, "x@c.test", true),
        ] {
            assert_eq!(of(own).may_use(account, address), may, "{own:?} {address}");
        }
        let local = Account { name: "anna".to_owned(), ..Account::default() };
        assert!(
            !of(Own::Domain).may_use(&local, "anna"),
            "without a domain nothing is its domain's"
        );
    }
}
