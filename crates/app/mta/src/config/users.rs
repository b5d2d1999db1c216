//! Who may authenticate: names, argon2 hashes, and the check of a password.
//!
//! A check takes the same work whether the name is known or not, so that its time tells nobody which
//! names exist. It is slow on purpose (19 MiB of memory, some 20 ms): run it where blocking is allowed.
//! A password that was right is remembered for five minutes, as a keyed hash in memory only, so that a
//! program that logs in for each message doesn't pay each time.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Mutex,
    time::Duration,
};

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use blake2::{
    Blake2sMac256,
    digest::{KeyInit, Mac},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// One user: `name = "HASH"`, or a table.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// An argon2 hash in PHC form, as `mailwright user add` makes it.
    pub password: String,
    /// Reverse-paths that this user may give: addresses, or `@domain`. Default: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reverse_paths: Vec<String>,
    /// Domains whose mail this user may fetch by ATRN (RFC 2645). Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub odmr: Vec<String>,
}

/// The table form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserTable {
    password: String,
    #[serde(default)]
    reverse_paths: Vec<String>,
    #[serde(default)]
    odmr: Vec<String>,
}

/// Shows no hash: configurations end up in logs.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("reverse_paths", &self.reverse_paths).finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ReadUser)
    }
}

struct ReadUser;

impl<'de> serde::de::Visitor<'de> for ReadUser {
    type Value = User;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an argon2 hash, or a table with `password`; `mailwright user add` makes them")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<User, E> {
        Ok(User { password: text.to_owned(), reverse_paths: Vec::new(), odmr: Vec::new() })
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, table: A) -> Result<User, A::Error> {
        let table = UserTable::deserialize(serde::de::value::MapAccessDeserializer::new(table))?;
        let UserTable { password, reverse_paths, odmr } = table;
        Ok(User { password, reverse_paths, odmr })
    }
}

impl User {
    /// Whether the user may give this reverse-path.
    pub fn may_use(&self, reverse_path: &str) -> bool {
        let domain = reverse_path.rsplit_once('@').map(|(_, domain)| domain);
        self.reverse_paths.is_empty()
            || self.reverse_paths.iter().any(|allowed| match allowed.strip_prefix('@') {
                Some(allowed) => domain.is_some_and(|domain| domain.eq_ignore_ascii_case(allowed)),
                None => allowed.eq_ignore_ascii_case(reverse_path),
            })
    }

    /// Whether `password` can be checked against at all.
    pub fn has_valid_hash(&self) -> bool {
        PasswordHash::new(&self.password)
            .is_ok_and(|hash| hash.algorithm.as_str().starts_with("argon2"))
    }
}

/// The password could not be hashed: the operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

/// A new hash of a password, salted, in PHC form.
pub fn hash_password(password: &str) -> Result<String, HashError> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| HashError(error.to_string()))
}

/// The users in effect, ready to be asked.
pub struct Users {
    users: BTreeMap<String, User>,
    /// Checked for names that don't exist.
    decoy: String,
    remembered: Remembered,
}

impl Users {
    /// Makes them ready; this hashes once.
    pub fn new(users: BTreeMap<String, User>) -> Result<Self, HashError> {
        let decoy = hash_password("nobody has this one")?;
        Ok(Self { users, decoy, remembered: Remembered::new()? })
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Whether a user may give this reverse-path.
    pub fn may_use(&self, name: &str, reverse_path: &str) -> bool {
        self.users.get(name).is_some_and(|user| user.may_use(reverse_path))
    }

    /// The domains whose mail a user may fetch by ATRN.
    pub fn odmr(&self, name: &str) -> &[String] {
        self.users.get(name).map_or(&[], |user| &user.odmr)
    }

    /// The user if name and password are right. Slow unless remembered: see the module.
    pub fn verify(&self, name: &str, password: &[u8]) -> Option<&User> {
        let user = self.users.get(name);
        let hash = user.map_or(&self.decoy, |user| &user.password);
        let mark = self.remembered.mark(hash, password);
        if user.is_some() && self.remembered.has(&mark) {
            return user;
        }
        let right = PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok());
        if right && user.is_some() {
            self.remembered.add(mark);
            return user;
        }
        None
    }

    /// The user if name and password were right not long ago. Fast: ask this first where blocking is not
    /// allowed; `None` says nothing.
    pub fn verify_remembered(&self, name: &str, password: &[u8]) -> Option<&User> {
        let user = self.users.get(name)?;
        self.remembered.has(&self.remembered.mark(&user.password, password)).then_some(user)
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("users", &self.users.keys()).finish_non_exhaustive()
    }
}

/// Passwords that were right, as hashes under a key that never leaves this process.
struct Remembered {
    key: [u8; 32],
    until: Mutex<HashMap<[u8; 32], Instant>>,
}

impl Remembered {
    const KEEP: Duration = Duration::from_secs(300);
    const COUNT_MAX: usize = 10_000;

    fn new() -> Result<Self, HashError> {
        let mut key = [0; 32];
        // Nothing that is simulated depends on this randomness.
        getrandom::fill(&mut key).map_err(|error| HashError(error.to_string()))?;
        Ok(Self { key, until: Mutex::default() })
    }

    /// The stored hash is part of it: a changed password is forgotten with it. It has its own salt, so
    /// the name need not be part.
    fn mark(&self, stored: &str, password: &[u8]) -> [u8; 32] {
        let mut mac = Blake2sMac256::new(&self.key.into());
        mac.update(&(stored.len() as u64).to_le_bytes());
        mac.update(stored.as_bytes());
        mac.update(password);
        mac.finalize().into_bytes().into()
    }

    fn has(&self, mark: &[u8; 32]) -> bool {
        let until = self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        until.get(mark).is_some_and(|until| Instant::now() < *until)
    }

    fn add(&self, mark: [u8; 32]) {
        let now = Instant::now();
        let mut until = self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if until.len() >= Self::COUNT_MAX {
            until.retain(|_, until| now < *until);
        }
        // Full of fresh ones: it is a cache, the next login merely takes longer.
        if until.len() < Self::COUNT_MAX {
            until.insert(mark, now + Self::KEEP);
        }
    }
}
