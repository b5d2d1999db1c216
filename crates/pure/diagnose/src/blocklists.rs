//! DNS lists that mail servers ask about a client or a domain: what each is called, what it lists, what
//! its answers mean, and where a person looks an address up (RFC 5782).
//!
//! Only data: nothing here asks anybody. The diagnosis reads other servers' replies by it, and who
//! judges clients reads the lists' answers by it. An answer that means "you may not ask" is never read as a
//! listing: a server that took it for one would refuse everybody's mail.

mod table;

use std::net::{IpAddr, Ipv4Addr};

pub use table::LISTS;

/// A list that admins know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocklist {
    /// The DNS zone that is asked, as it stands in configurations; empty for a service that is not
    /// asked by DNS.
    pub zone: &'static str,
    /// What servers' replies may hold when they mean it, in lower case.
    pub phrases: &'static [&'static str],
    /// As people call it.
    pub name: &'static str,
    /// What can be looked up in it.
    pub subject: Subject,
    /// What being on it means.
    pub kind: Kind,
    /// What it is, as the rest of a sentence: `a list of ...`.
    pub about: &'static str,
    /// The page where a person looks an address or a domain up; empty where there is none.
    pub look_up: &'static str,
    /// What its answers mean, the first row that fits; those that no row has are read by [`common`].
    pub codes: &'static [Code],
}

/// What a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Addresses of clients.
    Address,
    /// Domains.
    Domain,
    /// Both, in one zone.
    Either,
}

/// What it means to be on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing good.
    Block,
    /// A good reputation.
    Allow,
    /// Nothing any more: the list was closed, in that year. Whoever still asks it has an old
    /// configuration, and some closed lists answered every question with a listing.
    Closed(u16),
}

/// Answers of a list from `first` to `last`, compared octet by octet, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The first address.
    pub first: [u8; 4],
    /// The last address; mostly the same.
    pub last: [u8; 4],
    /// What it is.
    pub reading: Reading,
}

/// What an answer of a list means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is listed; the words say as what.
    Listed(&'static str),
    /// The list did not answer the question; the words say why. Nobody is listed.
    Refused(&'static str),
    /// No answer that such a list gives: the zone is gone, or somebody else answered. Nobody is listed.
    Foreign,
}

impl Blocklist {
    /// What an answer to a question about an address or a domain means.
    pub fn read(&self, answer: IpAddr) -> Reading {
        let IpAddr::V4(address) = answer else { return Reading::Foreign };
        let row = self.codes.iter().find(|code| code.has(address));
        row.map_or_else(|| common(answer), |row| row.reading)
    }

    /// Where a person looks an address or a domain up: the page with it filled in where the page takes
    /// it, or the page's front without it. Empty where there is none.
    pub fn page(&self, subject: Option<&str>) -> String {
        match (self.look_up.find("{}"), subject) {
            (None, _) => self.look_up.to_owned(),
            (Some(_), Some(subject)) => self.look_up.replace("{}", subject),
            (Some(place), None) => {
                let front = &self.look_up[..place];
                front.split('?').next().unwrap_or(front).to_owned()
            }
        }
    }
}

impl Code {
    fn has(&self, address: Ipv4Addr) -> bool {
        let bounds = self.first.iter().zip(&self.last);
        address
            .octets()
            .iter()
            .zip(bounds)
            .all(|(octet, (first, last))| first <= octet && octet <= last)
    }
}

/// How an answer is read of a list that is not known: 127.0.0.2 and up are listings (RFC 5782 section
/// 2.1); 127.0.0.1 and 127.255.255.0/24 are how lists say that they don't want to be asked; what is
/// outside of 127.0.0.0/8 comes from nobody's list.
pub fn common(answer: IpAddr) -> Reading {
    match answer {
        IpAddr::V4(address) => match address.octets() {
            [127, 255, 255, 252] => Reading::Refused("the list's name is mistyped"),
            [127, 255, 255, 254] => {
                Reading::Refused("asked through a public resolver, or one without a name")
            }
            [127, 255, 255, 255] => Reading::Refused("too many queries"),
            [127, 255, 255, _] | [127, 0, 0, 0 | 1] => Reading::Refused("the query was refused"),
            [127, ..] => Reading::Listed("listed"),
            _ => Reading::Foreign,
        },
        IpAddr::V6(_) => Reading::Foreign,
    }
}

/// The list of that zone: itself, or under a customer's name (`KEY.zen.dq.spamhaus.net`).
pub fn by_zone(zone: &str) -> Option<&'static Blocklist> {
    let zone = zone.trim_end_matches('.').to_ascii_lowercase();
    let zone = zone.strip_suffix(".dq.spamhaus.net").map_or(zone.clone(), |rest| {
        let list = rest.rsplit('.').next().unwrap_or(rest);
        format!("{list}.spamhaus.org")
    });
    let is_it = |list: &&Blocklist| {
        !list.zone.is_empty()
            && zone.strip_suffix(list.zone).is_some_and(|rest| {
                rest.is_empty() || (rest.ends_with('.') && list.zone.matches('.').count() >= 2)
            })
    };
    LISTS.iter().find(is_it)
}

/// The list that a server's words, in lower case, name.
pub fn named_in(words: &str) -> Option<&'static Blocklist> {
    LISTS.iter().find(|list| list.phrases.iter().any(|phrase| words.contains(phrase)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(zone: &str, answer: &str) -> Reading {
        by_zone(zone).expect(zone).read(answer.parse().unwrap())
    }

    #[test]
    fn a_refused_query_is_no_listing() {
        let is_refused = |zone, answer| matches!(read(zone, answer), Reading::Refused(_));
        for list in LISTS.iter().filter(|list| !list.zone.is_empty()) {
            for answer in ["127.0.0.1", "127.255.255.252", "127.255.255.254", "127.255.255.255"] {
                let reading = list.read(answer.parse().unwrap());
                let listed = matches!(reading, Reading::Listed(_));
                // One list has a meaning of its own for 127.0.0.1.
                assert_eq!(listed, list.zone.starts_with("hostkarma") && answer == "127.0.0.1");
            }
            for answer in ["192.0.2.1", "10.0.0.2", "0.0.0.0", "2001:db8::2", "::1"] {
                assert_eq!(list.read(answer.parse().unwrap()), Reading::Foreign, "{}", list.zone);
            }
        }
        assert!(is_refused("dbl.spamhaus.org", "127.0.1.255"));
        assert!(is_refused("list.dnswl.org", "127.0.0.255"));
        assert!(is_refused("list.dnswl.org", "127.0.10.255"));
    }

    #[test]
    fn answers_are_read_as_their_list_means_them() {
        for (zone, answer, means) in [
            ("zen.spamhaus.org", "127.0.0.2", "SBL"),
            ("ZEN.spamhaus.org.", "127.0.0.4", "XBL"),
            ("0123456789abcdef.zen.dq.spamhaus.net", "127.0.0.11", "PBL"),
            ("dbl.spamhaus.org", "127.0.1.4", "phish"),
            ("list.dnswl.org", "127.0.5.3", "high"),
            ("key.combined.mail.abusix.zone", "127.0.0.2", "listed"),
        ] {
            match read(zone, answer) {
                Reading::Listed(words) => {
                    assert!(words.contains(means), "{zone} {answer}: {words}")
                }
                other => panic!("{zone} {answer}: {other:?}"),
            }
        }
        assert_eq!(by_zone("unknown.example"), None);
        assert_eq!(by_zone("org"), None);
    }

    #[test]
    fn every_row_can_be_used() {
        for (index, list) in LISTS.iter().enumerate() {
            assert!(list.phrases.iter().all(|phrase| *phrase == phrase.to_lowercase()));
            assert!(
                list.look_up.is_empty() || list.look_up.starts_with("https://"),
                "{}",
                list.name
            );
            assert!(
                list.about.starts_with('a') || list.about.starts_with("several"),
                "{}",
                list.name
            );
            for code in list.codes {
                let last = Ipv4Addr::from(code.last);
                assert!(code.has(code.first.into()) && code.has(last), "{} {last}", list.name);
            }
            // A row behind another one that has its phrase is never found.
            for phrase in list.phrases {
                assert_eq!(
                    named_in(phrase).map(|found| found.name),
                    Some(list.name),
                    "row {index}"
                );
            }
            if !list.zone.is_empty() {
                assert_eq!(by_zone(list.zone).map(|found| found.zone), Some(list.zone));
            }
        }
    }
}
