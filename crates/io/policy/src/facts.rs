//! What the DNS says of a client, the name it gave and the sender's domain: asked all at once, each
//! question within the patience, and remembered for as long as the answers hold.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use smtp::{Address, Timestamp};
use tokio::time::timeout;
use world::{
    Dns,
    dns::{Answer, DnsError},
};

use crate::{
    dnsbl::{self, About, List, Listing},
    recent::Recent,
};

/// Answers that are remembered, of each kind.
const REMEMBERED: usize = 20_000;
/// Names of an address that are followed: some have hundreds.
const NAMES_MAX: usize = 5;
/// Neither shorter nor longer is anything remembered, whatever a TTL says.
const KEEP_MIN: Duration = Duration::from_secs(10);
const KEEP_MAX: Duration = Duration::from_secs(86_400);

/// The name of an address, and whether it leads back (RFC 8601 section 2.7.3: `iprev`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reverse {
    /// This name has the address.
    Confirmed(String),
    /// No name.
    None,
    /// Names, none of which has the address.
    Mismatch(Vec<String>),
    /// Nobody knows now.
    Unanswered(String),
}

/// Whether a name is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has an MX or an address.
    There,
    /// It says that it takes no mail (RFC 7505).
    NullMx,
    /// It has neither, or does not exist.
    Missing(String),
    /// Nobody knows now.
    Unanswered(String),
}

/// All that is known for one question. What was not asked is `None`.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The client's name.
    pub reverse: Option<Reverse>,
    /// The name in EHLO.
    pub helo: Option<Presence>,
    /// The domain of the reverse-path.
    pub sender: Option<Presence>,
    /// What the lists say.
    pub listings: Vec<(About, Listing)>,
}

/// What is to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The client.
    pub client: IpAddr,
    /// Its name too.
    pub reverse: bool,
    /// What it said in EHLO.
    pub helo: Option<&'a str>,
    /// Whether that is there too.
    pub helo_presence: bool,
    /// The reverse-path.
    pub sender: Option<&'a Address>,
    /// Whether its domain is there too.
    pub sender_presence: bool,
    /// Which lists.
    pub lists: &'a [List],
    /// For each question.
    pub patience: Duration,
    /// For what is remembered.
    pub now: Timestamp,
}

/// Who asks, and remembers.
pub struct Asker {
    dns: Arc<dyn Dns>,
    lists: Memory<dnsbl::Raw>,
    reverse: Memory<Reverse>,
    presence: Memory<Presence>,
}

type Memory<T> = Mutex<Recent<Box<str>, (T, Timestamp)>>;

impl Asker {
    /// With nothing remembered.
    pub fn new(dns: Arc<dyn Dns>) -> Self {
        fn memory<T>() -> Memory<T> {
            Mutex::new(Recent::new(REMEMBERED / 2))
        }
        Self { dns, lists: memory(), reverse: memory(), presence: memory() }
    }

    /// The resolver.
    pub fn dns(&self) -> &dyn Dns {
        &*self.dns
    }

    /// Asks all that is wanted, at once. Takes as long as the slowest answer, at most twice the
    /// patience: a name is asked for its address when it is known.
    pub async fn gather(&self, wanted: &Wanted<'_>) -> Facts {
        let reverse = async {
            match wanted.reverse {
                true => Some(self.reverse(wanted).await),
                false => None,
            }
        };
        let helo = async {
            let name = wanted.helo.filter(|name| wanted.helo_presence && !name.starts_with('['))?;
            Some(self.presence(name, wanted).await)
        };
        let sender = async {
            let path = wanted.sender.filter(|path| wanted.sender_presence && !path.is_literal())?;
            Some(self.presence(path.domain(), wanted).await)
        };
        let listings = join_all(questions(wanted).into_iter().map(
            |(about, list, subject, name)| async move {
                (about, list.listing(subject, &self.list(&name, wanted).await))
            },
        ));
        let (reverse, helo, sender, listings) = tokio::join!(reverse, helo, sender, listings);
        Facts { reverse, helo, sender, listings }
    }

    async fn list(&self, name: &str, wanted: &Wanted<'_>) -> dnsbl::Raw {
        if let Some(known) = remembered(&self.lists, name, wanted.now) {
            return known;
        }
        let raw = dnsbl::ask(self.dns(), name, wanted.patience).await;
        let keep = raw.0.is_ok().then_some(raw.1);
        remember(&self.lists, name, raw.clone(), keep, wanted.now);
        raw
    }

    async fn reverse(&self, wanted: &Wanted<'_>) -> Reverse {
        let client = wanted.client.to_canonical();
        let key = client.to_string();
        if let Some(known) = remembered(&self.reverse, &key, wanted.now) {
            return known;
        }
        let (reverse, ttl) = self.ask_reverse(client, wanted.patience).await;
        let keep = (!matches!(reverse, Reverse::Unanswered(_))).then_some(ttl);
        remember(&self.reverse, &key, reverse.clone(), keep, wanted.now);
        reverse
    }

    async fn ask_reverse(&self, client: IpAddr, patience: Duration) -> (Reverse, Duration) {
        let names = match timely(patience, self.dns.names(client)).await {
            Ok(answer) => answer,
            Err(Missed::None(_)) => return (Reverse::None, KEEP_MAX.min(Duration::from_secs(900))),
            Err(Missed::Trouble(why)) => return (Reverse::Unanswered(why), Duration::ZERO),
        };
        let asked = names.records.iter().take(NAMES_MAX);
        let asked = asked.map(|name| timely(patience, self.dns.addresses(name)));
        let mut trouble = None;
        for (name, answer) in names.records.iter().zip(join_all(asked).await) {
            match answer {
                Ok(answer) if answer.records.iter().any(|a| a.to_canonical() == client) => {
                    return (Reverse::Confirmed(name.clone()), names.ttl.min(answer.ttl));
                }
                Err(Missed::Trouble(why)) => trouble = Some(why),
                Ok(_) | Err(Missed::None(_)) => {}
            }
        }
        match trouble {
            Some(why) => (Reverse::Unanswered(why), Duration::ZERO),
            None => {
                (Reverse::Mismatch(names.records.into_iter().take(NAMES_MAX).collect()), names.ttl)
            }
        }
    }

    async fn presence(&self, domain: &str, wanted: &Wanted<'_>) -> Presence {
        let key = domain.to_lowercase();
        if let Some(known) = remembered(&self.presence, &key, wanted.now) {
            return known;
        }
        let (presence, ttl) = self.ask_presence(&key, wanted.patience).await;
        let keep = (!matches!(presence, Presence::Unanswered(_))).then_some(ttl);
        remember(&self.presence, &key, presence.clone(), keep, wanted.now);
        presence
    }

    async fn ask_presence(&self, domain: &str, patience: Duration) -> (Presence, Duration) {
        let Ok(domain) = idna::domain_to_ascii(domain) else {
            return (Presence::Missing(format!("`{domain}` is no domain name")), KEEP_MAX);
        };
        let mx = timely(patience, self.dns.mx(&domain));
        let addresses = timely(patience, self.dns.addresses(&domain));
        let (mx, addresses) = tokio::join!(mx, addresses);
        match (mx, addresses) {
            (Ok(answer), _) if answer.records.iter().all(|mx| mx.exchange.is_empty()) => {
                (Presence::NullMx, answer.ttl)
            }
            (Ok(answer), _) => (Presence::There, answer.ttl),
            (_, Ok(answer)) => (Presence::There, answer.ttl),
            (Err(Missed::Trouble(why)), _) | (_, Err(Missed::Trouble(why))) => {
                (Presence::Unanswered(why), Duration::ZERO)
            }
            (Err(Missed::None(_)), Err(Missed::None(why))) => {
                (Presence::Missing(why), Duration::from_secs(900))
            }
        }
    }
}

/// Which lists are asked what: list, subject and the name in its zone.
fn questions<'a>(wanted: &Wanted<'a>) -> Vec<(About, &'a List, String, String)> {
    let mut questions = Vec::new();
    let client = wanted.client.to_canonical();
    for list in wanted.lists {
        if list.is_about(About::Client) {
            let name = dnsbl::address_name(client, &list.zone);
            questions.push((About::Client, list, client.to_string(), name));
        }
        let domains =
            [(About::Helo, wanted.helo), (About::Sender, wanted.sender.map(Address::domain))];
        for (about, domain) in domains {
            let Some(domain) = domain.filter(|_| list.is_about(about)) else { continue };
            let Ok(domain) = idna::domain_to_ascii(domain) else { continue };
            if let Some(name) = dnsbl::domain_name(&domain, &list.zone) {
                questions.push((about, list, domain, name));
            }
        }
    }
    questions
}

enum Missed {
    /// There is none, for certain.
    None(String),
    /// Nobody knows now.
    Trouble(String),
}

async fn timely<T>(
    patience: Duration,
    question: impl Future<Output = Result<Answer<T>, DnsError>>,
) -> Result<Answer<T>, Missed> {
    match timeout(patience, question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error @ (DnsError::NoSuchName(_) | DnsError::NoRecords(..)))) => {
            Err(Missed::None(error.to_string()))
        }
        Ok(Err(error)) => Err(Missed::Trouble(error.to_string())),
        Err(_) => Err(Missed::Trouble("no answer in time".to_owned())),
    }
}

fn remembered<T: Clone>(memory: &Memory<T>, key: &str, now: Timestamp) -> Option<T> {
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    let (value, until) = memory.get(&Box::from(key))?;
    (*until > now).then(|| value.clone())
}

/// `keep` is none for what is not to be remembered.
fn remember<T>(memory: &Memory<T>, key: &str, value: T, keep: Option<Duration>, now: Timestamp) {
    let Some(keep) = keep else { return };
    let until = now.after(keep.clamp(KEEP_MIN, KEEP_MAX));
    memory.lock().unwrap_or_else(PoisonError::into_inner).insert(key.into(), (value, until));
}
