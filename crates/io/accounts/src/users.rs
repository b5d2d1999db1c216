//! Our own users: names, and what is stored of their passwords.
//!
//! | stored       | for                                 | who steals it can                           |
//! |--------------|-------------------------------------|---------------------------------------------|
//! | argon2 hash  | PLAIN, LOGIN                        | guess, slowly                               |
//! | SCRAM keys   | SCRAM-SHA-1, SCRAM-SHA-256          | guess, less slowly; pretend to be us        |
//! | the password | CRAM-MD5, DIGEST-MD5, NTLM          | log in: only stored where it is asked for   |
//!
//! A check takes the same work whether the name is known or not, so that its time tells nobody which
//! names exist. It is slow on purpose (19 MiB of memory, some 20 ms): run it where blocking is allowed.
//! A password that was right is remembered for five minutes, as a keyed hash in memory only, so that a
//! program that logs in for each message doesn't pay each time.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use blake2::{
    Blake2sMac256,
    digest::{KeyInit, Mac},
};
use sasl::{
    Mechanism, Mechanisms, Secret,
    scram::{self, Keys},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use world::World;

use crate::{Account, Verdict};

/// One user: `name = "HASH"`, or a table.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct User {
    /// An argon2 hash in PHC form, as `mailwright user add` makes it.
    pub password: String,
    /// SCRAM keys as RFC 5803 has them, at most one of each kind; `mailwright user add` makes them, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scram: Vec<String>,
    /// The password itself, for mechanisms that can do with nothing less: `mailwright user add --legacy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
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
    scram: Vec<String>,
    secret: Option<String>,
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
        Ok(User { password: text.to_owned(), ..User::default() })
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, table: A) -> Result<User, A::Error> {
        let table = UserTable::deserialize(serde::de::value::MapAccessDeserializer::new(table))?;
        let UserTable { password, scram, secret, reverse_paths, odmr } = table;
        Ok(User { password, scram, secret, reverse_paths, odmr })
    }
}

impl User {
    /// Stores what has to be stored of a password, and nothing of the one before.
    ///
    /// # Errors
    /// The operating system gave no randomness.
    pub fn set_password(&mut self, password: &str, storing: Storing) -> Result<(), HashError> {
        self.password = hash_password(password)?;
        self.scram.clear();
        for hash in [scram::Hash::Sha256, scram::Hash::Sha1] {
            let mut salt = vec![0; 16];
            getrandom::fill(&mut salt).map_err(|error| HashError(error.to_string()))?;
            let keys = Keys::derive(hash, password, salt, storing.iterations);
            self.scram.push(keys.to_text());
        }
        self.secret = storing.secret.then(|| password.to_owned());
        Ok(())
    }

    /// Whether `password` can be checked against at all.
    pub fn has_valid_hash(&self) -> bool {
        PasswordHash::new(&self.password)
            .is_ok_and(|hash| hash.algorithm.as_str().starts_with("argon2"))
    }

    /// Whether all keys can be read.
    pub fn has_valid_keys(&self) -> bool {
        self.scram.iter().all(|text| text.parse::<Keys>().is_ok())
    }

    fn keys(&self, hash: scram::Hash) -> Option<Keys> {
        let keys = self.scram.iter().filter_map(|text| text.parse::<Keys>().ok());
        keys.into_iter().find(|keys| keys.hash == hash)
    }
}

/// How a password is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storing {
    /// Of SCRAM.
    pub iterations: u32,
    /// The password itself as well.
    pub secret: bool,
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

/// A hash that opens nothing, of what a hash costs: one for the process, or each reload would take the time of a login.
fn decoy() -> Result<&'static str, HashError> {
    static DECOY: OnceLock<String> = OnceLock::new();
    match DECOY.get() {
        Some(decoy) => Ok(decoy),
        None => {
            hash_password("nobody has this one").map(|hash| DECOY.get_or_init(|| hash).as_str())
        }
    }
}

/// The users in effect, ready to be asked.
pub struct Users {
    users: BTreeMap<String, User>,
    /// Checked for names that don't exist.
    decoy: &'static str,
    remembered: Remembered,
}

impl Users {
    /// Makes them ready; the first time this hashes once.
    pub fn new(users: BTreeMap<String, User>) -> Result<Self, HashError> {
        Ok(Self { users, decoy: decoy()?, remembered: Remembered::new()? })
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(String::as_str)
    }

    /// What is known of a user.
    pub fn account(&self, name: &str) -> Option<Account> {
        let user = self.users.get(name)?;
        let reverse_paths = user.reverse_paths.clone();
        Some(Account { name: name.to_owned(), reverse_paths, ..Account::default() })
    }

    /// The mechanisms that some of the users can use, or each of them. Nobody is locked out where there is
    /// nobody: then it is those that a new user could.
    pub fn mechanisms(&self, of_each: bool) -> Mechanisms {
        let can = |is: &dyn Fn(&User) -> bool| match (of_each, self.users.is_empty()) {
            (_, true) => false,
            (true, _) => self.users.values().all(is),
            (false, _) => self.users.values().any(is),
        };
        let with = |on: bool, mechanisms: &[Mechanism]| match on {
            true => mechanisms.iter().copied().collect(),
            false => Mechanisms::NONE,
        };
        let scram = |hash| self.users.is_empty() || can(&|user: &User| user.keys(hash).is_some());
        use Mechanism::{
            CramMd5, CramSha1, DigestMd5, Ntlm, ScramSha1, ScramSha1Plus, ScramSha256,
            ScramSha256Plus,
        };
        Mechanisms::BY_PASSWORD
            .and(with(scram(scram::Hash::Sha256), &[ScramSha256, ScramSha256Plus]))
            .and(with(scram(scram::Hash::Sha1), &[ScramSha1, ScramSha1Plus]))
            .and(with(can(&|user| user.secret.is_some()), &[CramMd5, CramSha1, DigestMd5, Ntlm]))
    }

    /// For SCRAM.
    pub fn scram_keys(&self, name: &str, hash: scram::Hash) -> Option<Keys> {
        self.users.get(name)?.keys(hash)
    }

    /// For CRAM-MD5 and DIGEST-MD5.
    pub fn shared_secret(&self, name: &str) -> Option<Secret> {
        self.users.get(name)?.secret.as_deref().map(Secret::new)
    }

    /// For NTLM.
    pub fn nt_hash(&self, name: &str) -> Option<Secret> {
        self.users.get(name)?.secret.as_deref().map(sasl::nt_hash)
    }

    /// Is it his password? The hash is computed on a thread where blocking hurts nobody.
    pub async fn check(self: Arc<Self>, world: &World, name: &str, password: &str) -> Verdict {
        if let Some(account) = self.verify_remembered(name, password.as_bytes()) {
            return Verdict::Yes(account);
        }
        let (name, password) = (name.to_owned(), Secret::new(password));
        let checked = world.aside(move || {
            let account = self.verify(&name, password.octets());
            let is_known = self.users.contains_key(&name);
            match account {
                Some(account) => Verdict::Yes(account),
                None if is_known => {
                    Verdict::No { why: "the password is wrong".to_owned(), is_known }
                }
                None => Verdict::no("there is no user of that name"),
            }
        });
        checked.await.unwrap_or_else(|error| Verdict::Unavailable(error.to_string()))
    }

    /// The domains whose mail a user may fetch by ATRN.
    pub fn odmr(&self, name: &str) -> &[String] {
        self.users.get(name).map_or(&[], |user| &user.odmr)
    }

    /// The user if name and password are right. Slow unless remembered.
    fn verify(&self, name: &str, password: &[u8]) -> Option<Account> {
        let user = self.users.get(name);
        let hash = user.map_or(self.decoy, |user| &user.password);
        let mark = self.remembered.mark(hash, password);
        if user.is_some() && self.remembered.has(&mark) {
            return self.account(name);
        }
        let right = PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok());
        if right && user.is_some() {
            self.remembered.add(mark);
            return self.account(name);
        }
        None
    }

    /// The user if name and password were right not long ago. Fast; `None` says nothing.
    fn verify_remembered(&self, name: &str, password: &[u8]) -> Option<Account> {
        let user = self.users.get(name)?;
        let is_right = self.remembered.has(&self.remembered.mark(&user.password, password));
        is_right.then(|| self.account(name)).flatten()
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

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Storing = Storing { iterations: 4_096, secret: false };

    fn users(legacy: bool) -> Arc<Users> {
        let mut user = User { reverse_paths: vec!["@a.test".to_owned()], ..User::default() };
        user.set_password("secret-Pa55", Storing { secret: legacy, ..PLAIN }).unwrap();
        let users = BTreeMap::from([("anna@a.test".to_owned(), user)]);
        Arc::new(Users::new(users).unwrap())
    }

    #[tokio::test]
    async fn passwords() {
        let users = users(false);
        let sim = world::sim::SimWorld::new(1);
        let world =
            sim.world_for([192, 0, 2, 1].into(), Arc::new(world::sim::disk::SimDisk::new(1)));
        let check = async |name, password| users.clone().check(&world, name, password).await;
        let anna = users.account("anna@a.test").unwrap();
        assert_eq!(anna.reverse_paths, ["@a.test"]);
        assert!(users.verify_remembered("anna@a.test", b"secret-Pa55").is_none());
        assert!(matches!(check("anna@a.test", "wrong").await, Verdict::No { is_known: true, .. }));
        assert!(matches!(check("nobody", "wrong").await, Verdict::No { is_known: false, .. }));
        // The decoy opens nothing.
        assert!(matches!(check("nobody", "nobody has this one").await, Verdict::No { .. }));
        assert_eq!(check("anna@a.test", "secret-Pa55").await, Verdict::Yes(anna));
        assert!(users.verify_remembered("anna@a.test", b"secret-Pa55").is_some());
        assert!(users.verify_remembered("anna@a.test", b"wrong").is_none());
        assert!(!format!("{users:?}").contains("argon2"), "hashes end up in no log");
    }

    #[test]
    fn what_is_stored_is_what_can_be_done() {
        let (plain, legacy) = (users(false), users(true));
        let both = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1";
        assert_eq!(plain.mechanisms(true).to_string(), format!("{both} PLAIN LOGIN"));
        assert!(legacy.mechanisms(true).has(Mechanism::CramMd5));
        assert!(plain.shared_secret("anna@a.test").is_none());
        assert_eq!(legacy.shared_secret("anna@a.test"), Some(Secret::new("secret-Pa55")));
        let keys = plain.scram_keys("anna@a.test", scram::Hash::Sha1).unwrap();
        assert_eq!((keys.iterations, keys.salt.len()), (4_096, 16));
        // A user from before there were keys: nobody is offered what would lock him out.
        let old = User { password: hash_password("x").unwrap(), ..User::default() };
        let mut users = plain.users.clone();
        users.insert("old".to_owned(), old);
        let users = Users::new(users).unwrap();
        assert_eq!(users.mechanisms(true), Mechanisms::BY_PASSWORD);
        assert!(users.mechanisms(false).has(Mechanism::ScramSha1));
    }

    #[test]
    fn users_files_of_every_age_are_read() {
        for text in [
            "anna = '$argon2id$x'",
            "anna = { password = '$argon2id$x', reverse_paths = ['@a.test'] }",
            "anna = { password = '$argon2id$x', scram = ['SCRAM-SHA-1$4096:AA==$AA==:AA=='], secret = 'x' }",
        ] {
            let read: BTreeMap<String, User> = toml::from_str(text).unwrap();
            assert_eq!(read["anna"].password, "$argon2id$x");
        }
    }
}
