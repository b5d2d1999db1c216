//! A directory (RFC 4511): a user is found by a search and proven by a bind, or bound as at once.
//!
//! | result of the bind                       | verdict                  |
//! |------------------------------------------|--------------------------|
//! | success                                  | it is he                 |
//! | invalidCredentials, and all that says that he may not | it is not   |
//! | busy, unavailable, a broken connection ... | nobody can tell        |
//!
//! An empty password is never sent: with one, a bind succeeds as nobody (RFC 4513 section 5.1.2). A name
//! gets into a filter as a value and into a DN as an escaped one (RFC 4514), so it can't change what is
//! asked. A name that fits several entries is refused: nobody knows which one is meant.
//!
//! Our own few messages and not a library's: one that opens its sockets itself would stand beside
//! `world`, with another TLS and other errors.

// What reads strangers' octets is open to the fuzz targets.
#[doc(hidden)]
pub mod ber;
mod connection;
#[doc(hidden)]
pub mod filter;
#[doc(hidden)]
pub mod message;
#[doc(hidden)]
pub mod template;
mod url;

use std::sync::{Mutex, PoisonError};

use tokio::{sync::Semaphore, time::timeout};
use transport::ClientTls;
use world::World;

pub use self::url::LdapUrl;
use self::{
    connection::{Connection, Trouble},
    filter::Filter,
    message::{Entry, Outcome, Search},
    template::{Names, Template},
};
use crate::{Account, Verdict, saslauthd::silent, settings::LdapSettings};

/// A back end.
pub struct Ldap {
    settings: LdapSettings,
    filter: Filter,
    bind: Option<Template>,
    /// Of `search_as`.
    password: String,
    tls: ClientTls,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
}

impl LdapSettings {
    /// Whether filter and DN can be read.
    pub(crate) fn check(&self) -> Result<(), (String, &'static str)> {
        let help = "write it like \"(mail={user})\"";
        Filter::parse(&self.filter).map_err(|why| (format!("`filter`: {why}"), help))?;
        if !self.filter.contains("{user}") && !self.filter.contains("{local}") {
            return Err(("`filter` does not ask for the user".to_owned(), help));
        }
        let help = "write it like \"uid={user},ou=people,dc=example,dc=org\"";
        match Template::parse(&self.bind) {
            Ok(_) => Ok(()),
            Err(why) => Err((format!("`bind`: {why}"), help)),
        }
    }
}

impl Ldap {
    /// Not connected yet. `settings` has to be checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(settings: LdapSettings, tls: ClientTls, password: String) -> Result<Self, String> {
        let filter = Filter::parse(&settings.filter)?;
        let bind = match settings.bind.as_str() {
            "" => None,
            bind => Some(Template::parse(bind)?),
        };
        let places = Semaphore::new(settings.connections_max.max(1) as usize);
        Ok(Self { settings, filter, bind, password, tls, idle: Mutex::default(), places })
    }

    /// Is it his password?
    pub async fn verify(&self, world: &World, name: &str, password: &str) -> Verdict {
        if password.is_empty() || name.is_empty() {
            return Verdict::no("an empty name or password is not sent to a directory");
        }
        let looked = timeout(self.settings.patience, self.look(world, name, password)).await;
        looked.unwrap_or_else(|_| {
            Verdict::Unavailable(silent("the directory", self.settings.patience))
        })
    }

    async fn look(&self, world: &World, name: &str, password: &str) -> Verdict {
        let Ok(_place) = self.places.acquire().await else {
            return Verdict::Unavailable("it is being closed".to_owned());
        };
        // One that waited may have been closed by the directory without our notice.
        if let Some(mut idle) = self.take() {
            match self.ask(&mut idle, name, password).await {
                Err(Trouble::Lost(_)) => {}
                asked => return self.end(idle, asked),
            }
        }
        match Connection::open(world, &self.settings, &self.tls).await {
            Ok(mut connection) => {
                let asked = self.ask(&mut connection, name, password).await;
                self.end(connection, asked)
            }
            Err(why) => Verdict::Unavailable(why),
        }
    }

    fn take(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn end(&self, connection: Connection, asked: Result<Verdict, Trouble>) -> Verdict {
        match asked {
            Ok(verdict) => {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                verdict
            }
            Err(trouble) => {
                Verdict::Unavailable(format!("the directory {}: {trouble}", connection.place()))
            }
        }
    }

    async fn ask(
        &self,
        connection: &mut Connection,
        name: &str,
        password: &str,
    ) -> Result<Verdict, Trouble> {
        let names = Names::of(name);
        let place = connection.place().to_owned();
        let entry = match &self.bind {
            Some(template) if self.settings.base.is_empty() => {
                Entry { name: template.dn(&names), attributes: Vec::new() }
            }
            _ => match self.find(connection, &names).await? {
                Ok(entry) => entry,
                Err(why) => return Ok(Verdict::no(format!("{place}: {why}"))),
            },
        };
        let dn = self.bind.as_ref().map_or(entry.name.clone(), |template| template.dn(&names));
        let Outcome { code, text } = connection.bind(&dn, password).await?;
        let said = if text.is_empty() { String::new() } else { format!(": {text}") };
        match code {
            0 => Ok(Verdict::Yes(self.account(name, &entry))),
            // inappropriateAuthentication, invalidCredentials, insufficientAccessRights,
            // constraintViolation and unwillingToPerform: so tell directories of locked accounts.
            19 | 32 | 34 | 48 | 49 | 50 | 53 => {
                let word = message::word(code);
                Ok(Verdict::No { why: format!("{place}: {dn}: {word}{said}"), is_known: false })
            }
            code => Err(Trouble::Refused(format!("bind as {dn}: {}{said}", message::word(code)))),
        }
    }

    /// The one entry of that name, or why there is none.
    async fn find(
        &self,
        connection: &mut Connection,
        names: &Names<'_>,
    ) -> Result<Result<Entry, String>, Trouble> {
        connection.bind_to_search(&self.settings.search_as, &self.password).await?;
        let LdapSettings { base, name_attribute, address_attributes, .. } = &self.settings;
        let mut attributes: Vec<&str> = address_attributes.iter().map(String::as_str).collect();
        attributes.extend(Some(name_attribute.as_str()).filter(|name| !name.is_empty()));
        let search = Search { base, filter: self.filter.octets(names), attributes };
        let mut found = connection.search(&search).await?;
        let count = found.len();
        Ok(match (found.pop(), count) {
            (Some(entry), 1) => Ok(entry),
            (None, _) => Err(format!("no entry under {base} fits")),
            (Some(_), _) => Err(format!("several entries under {base} fit")),
        })
    }

    fn account(&self, typed: &str, entry: &Entry) -> Account {
        let LdapSettings { name_attribute, address_attributes, .. } = &self.settings;
        let name = entry.values(name_attribute).next().unwrap_or(typed);
        let addresses = address_attributes.iter().flat_map(|attribute| entry.values(attribute));
        // As Active Directory's proxyAddresses have it: `SMTP:` before the first, `smtp:` before others.
        let bare = |text: &str| match text.split_once(':') {
            Some((scheme, address)) if scheme.eq_ignore_ascii_case("smtp") => address.to_owned(),
            _ => text.to_owned(),
        };
        let reverse_paths = addresses.map(bare).filter(|text| text.contains('@')).collect();
        Account { name: name.to_owned(), reverse_paths, ..Account::default() }
    }
}
