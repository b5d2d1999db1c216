//! Names by the DNS, through a caching stub resolver, and by `/etc/hosts`.
//!
//! - Every name is taken as absolute: search lists are for people, not for mail (RFC 5321 section 2.3.5).
//! - Answers are cached for their TTL, "there is none" for the SOA's (RFC 2308); failures are not.
//! - `localhost` and what is under it is loopback without asking anybody (RFC 6761 section 6.3).
//! - The resolver does not tell which of several servers answered; [`Answer::by`] is known if there is
//!   just one.
//! - Signatures are verified by the resolver that is asked, not here: its AD bit is believed as far as
//!   [`TrustAd`] says.

mod stub;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use async_trait::async_trait;
use hickory_resolver::{
    Hosts,
    lookup::Lookup,
    net::{DnsError as Said, NetError},
    proto::{
        op::{Query, ResponseCode},
        rr::{Name, RData, RecordType},
    },
};

use super::{Answer, Dns, DnsError, Failure, Mx, Security, Tlsa};
use stub::Stub;

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Whose AD bit is believed: that an answer was validated (RFC 4035 section 3.2.3). On the way from a
/// resolver elsewhere anybody could set it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrustAd {
    /// Nobody's: no answer is secure.
    Never,
    /// A resolver's on this machine: all servers are loopback addresses.
    #[default]
    Local,
    /// The servers' wherever they are, because the network to them is trusted.
    Always,
}

/// Whom to ask, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name servers; none means those of `/etc/resolv.conf`, and 127.0.0.1 if it names none.
    pub servers: Vec<SocketAddr>,
    /// How long to wait for a server's answer.
    pub timeout: Duration,
    /// How often to ask again after silence or a failure.
    pub retries: usize,
    /// Whether what they say of DNSSEC counts.
    pub trust_ad: TrustAd,
}

impl Default for Settings {
    fn default() -> Self {
        let (servers, trust_ad) = (Vec::new(), TrustAd::default());
        Self { servers, timeout: Duration::from_secs(5), retries: 2, trust_ad }
    }
}

/// The resolver of the real world.
pub struct RealDns {
    stub: Stub,
    hosts: Hosts,
    only_server: Option<SocketAddr>,
    believes_ad: bool,
}

impl RealDns {
    /// Reads `/etc/resolv.conf` (if no servers are given) and `/etc/hosts`; asks nothing yet.
    ///
    /// # Errors
    /// If one of these files cannot be read or understood.
    pub fn new(settings: &Settings) -> io::Result<Self> {
        let servers = match settings.servers.as_slice() {
            [] => system_servers(Path::new(RESOLV_CONF))?,
            given => given.to_vec(),
        };
        let only_server = match servers.as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        let believes_ad = match settings.trust_ad {
            TrustAd::Never => false,
            TrustAd::Local => servers.iter().all(|server| server.ip().is_loopback()),
            TrustAd::Always => true,
        };
        let stub = Stub::new(&servers, settings)?;
        Ok(Self { stub, hosts: read_hosts()?, only_server, believes_ad })
    }

    async fn ask<T>(
        &self,
        asked: &str,
        name: Name,
        kind: (RecordType, &'static str),
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, DnsError> {
        let query = Query::query(name, kind.0);
        if let Some(lookup) = self.hosts.lookup_static_host(&query)
            && let Some(answer) = answer(&lookup, asked, kind.0, &read)
        {
            return Ok(answer);
        }
        let security = |lookup: &Lookup| {
            // Where the stub itself followed a CNAME, the bit speaks for the last step only.
            let whole = lookup.query().name() == query.name();
            match lookup.message().metadata.authentic_data {
                _ if !self.believes_ad || !whole => Security::Indeterminate,
                true => Security::Secure,
                false => Security::Insecure,
            }
        };
        match self.stub.lookup(query.clone()).await {
            Ok(lookup) => answer(&lookup, asked, kind.0, &read)
                .map(|answer| Answer {
                    by: self.only_server,
                    security: security(&lookup),
                    ..answer
                })
                .ok_or_else(|| DnsError::NoRecords(asked.into(), kind.1)),
            Err(error) => Err(self.failure(asked, kind.1, query, error).await),
        }
    }

    async fn failure(
        &self,
        name: &str,
        kind: &'static str,
        query: Query,
        error: NetError,
    ) -> DnsError {
        let (why, failure) = match error {
            NetError::Dns(Said::NoRecordsFound(none)) => match none.response_code {
                ResponseCode::NXDomain => return DnsError::NoSuchName(name.into()),
                ResponseCode::NoError => return DnsError::NoRecords(name.into(), kind),
                code => (code.to_str().to_owned(), failure_of(code)),
            },
            NetError::Dns(Said::ResponseCode(code)) => (code.to_str().to_owned(), failure_of(code)),
            NetError::Timeout => ("no answer in time".to_owned(), Failure::Timeout),
            other => (other.to_string(), Failure::Other),
        };
        let asked = self.only_server.map(|server| format!("asked {server}"));
        if failure == Failure::ServFail
            && self.believes_ad
            && self.stub.answers_unchecked(query).await
        {
            let how = format!("{why}, though it answers when told not to check");
            let why = asked.map_or(how.clone(), |asked| format!("{how}; {asked}"));
            return DnsError::Bogus { name: name.into(), why };
        }
        let why = asked.map_or(why.clone(), |asked| format!("{why} ({asked})"));
        DnsError::Temporary { name: name.into(), why, failure }
    }
}

fn failure_of(code: ResponseCode) -> Failure {
    match code {
        ResponseCode::ServFail => Failure::ServFail,
        ResponseCode::Refused => Failure::Refused,
        _ => Failure::Other,
    }
}

#[async_trait]
impl Dns for RealDns {
    async fn mx(&self, domain: &str) -> Result<Answer<Mx>, DnsError> {
        let read = |data: &RData| match data {
            RData::MX(mx) => {
                Some(Mx { preference: mx.preference, exchange: without_dot(&mx.exchange) })
            }
            _ => None,
        };
        self.ask(domain, absolute(domain)?, (RecordType::MX, "MX"), read).await
    }

    async fn addresses(&self, host: &str) -> Result<Answer<IpAddr>, DnsError> {
        let name = absolute(host)?;
        if is_localhost(host) {
            return Ok(loopback());
        }
        let v4 = self.ask(host, name.clone(), (RecordType::A, ADDRESS), RData::ip_addr);
        let v6 = self.ask(host, name, (RecordType::AAAA, ADDRESS), RData::ip_addr);
        let (v4, v6) = tokio::join!(v4, v6);
        both_families(v4, v6)
    }

    async fn ipv4(&self, name: &str) -> Result<Answer<Ipv4Addr>, DnsError> {
        let read = |data: &RData| match data {
            RData::A(address) => Some(address.0),
            _ => None,
        };
        self.ask(name, absolute(name)?, (RecordType::A, "A"), read).await
    }

    async fn names(&self, address: IpAddr) -> Result<Answer<String>, DnsError> {
        let read = |data: &RData| match data {
            RData::PTR(name) => Some(without_dot(name)),
            _ => None,
        };
        let kind = (RecordType::PTR, "PTR");
        self.ask(&address.to_string(), Name::from(address), kind, read).await
    }

    async fn texts(&self, name: &str) -> Result<Answer<String>, DnsError> {
        let read = |data: &RData| match data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        };
        self.ask(name, absolute(name)?, (RecordType::TXT, "TXT"), read).await
    }

    async fn tlsa(&self, name: &str) -> Result<Answer<Tlsa>, DnsError> {
        let read = |data: &RData| match data {
            RData::TLSA(record) => Some(Tlsa {
                usage: record.cert_usage.into(),
                selector: record.selector.into(),
                matching: record.matching.into(),
                data: record.cert_data.clone(),
            }),
            _ => None,
        };
        self.ask(name, absolute(name)?, (RecordType::TLSA, "TLSA"), read).await
    }

    async fn alias(&self, name: &str) -> Result<Answer<String>, DnsError> {
        let read = |data: &RData| match data {
            RData::CNAME(target) => Some(without_dot(target).to_ascii_lowercase()),
            _ => None,
        };
        self.ask(name, absolute(name)?, (RecordType::CNAME, "CNAME"), read).await
    }
}

/// What [`DnsError::NoRecords`] says of a host with neither.
pub(super) const ADDRESS: &str = "A or AAAA";

/// RFC 6761 section 6.3.
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

pub(super) fn loopback() -> Answer<IpAddr> {
    let records = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let (canonical, by, security) = (None, None, Security::Indeterminate);
    Answer { records, ttl: Duration::from_secs(86_400), canonical, by, security }
}

/// One answer of the two: what one family has is good even where the other's question failed, but
/// "there is none" needs both to say so.
fn both_families(
    v4: Result<Answer<IpAddr>, DnsError>,
    v6: Result<Answer<IpAddr>, DnsError>,
) -> Result<Answer<IpAddr>, DnsError> {
    match (v4, v6) {
        (Ok(mut both), Ok(v6)) => {
            both.records.extend(v6.records);
            both.ttl = both.ttl.min(v6.ttl);
            both.by = both.by.or(v6.by);
            both.security = both.security.min(v6.security);
            Ok(both)
        }
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
        (Err(temporary), Err(_)) if temporary.is_temporary() => Err(temporary),
        (Err(_), Err(temporary)) if temporary.is_temporary() => Err(temporary),
        // Servers that deny the name for one type only are wrong about the name (RFC 8020).
        (Err(none @ DnsError::NoRecords(..)), Err(_)) | (Err(_), Err(none)) => Err(none),
    }
}

/// `None` if no record is of the type asked for.
fn answer<T>(
    lookup: &Lookup,
    asked: &str,
    kind: RecordType,
    read: impl Fn(&RData) -> Option<T>,
) -> Option<Answer<T>> {
    let wanted = || lookup.answers().iter().filter(|record| record.record_type() == kind);
    let records: Vec<T> = wanted().filter_map(|record| read(&record.data)).collect();
    // In lower case: servers write the part that they share with the question as it was asked.
    let owner = without_dot(&wanted().next()?.name).to_ascii_lowercase();
    let is_other = kind != RecordType::PTR && !owner.eq_ignore_ascii_case(asked);
    // The CNAMEs on the way count: when one of them changes, so does the answer.
    let ttl = lookup.answers().iter().map(|record| record.ttl).min()?;
    (!records.is_empty()).then(|| Answer {
        records,
        ttl: Duration::from_secs(ttl.into()),
        canonical: is_other.then_some(owner),
        by: None,
        security: Security::Indeterminate,
    })
}

/// An absolute name. What cannot be a name in the DNS does not exist there: an address, a label over
/// 63 octets, an empty label.
fn absolute(name: &str) -> Result<Name, DnsError> {
    let none = || DnsError::NoSuchName(name.into());
    if name.parse::<IpAddr>().is_ok() || name.is_empty() {
        return Err(none());
    }
    let mut absolute = Name::from_ascii(name).map_err(|_| none())?;
    absolute.set_fqdn(true);
    Ok(absolute)
}

/// Empty for the root, which is how a null MX is written (RFC 7505).
fn without_dot(name: &Name) -> String {
    let mut text = name.to_ascii();
    if text.ends_with('.') {
        text.pop();
    }
    text
}

/// As resolv.conf(5) has it: `nameserver` lines, and 127.0.0.1 if there are none.
fn system_servers(path: &Path) -> io::Result<Vec<SocketAddr>> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        other => other?,
    };
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        let address = words.next().unwrap_or_default();
        let ip = address.parse::<IpAddr>().map_err(|_| {
            let text = format!("`{line}` in {}: that is no IP address", path.display());
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        servers.push(SocketAddr::new(ip, 53));
    }
    if servers.is_empty() {
        servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53));
    }
    Ok(servers)
}

fn read_hosts() -> io::Result<Hosts> {
    match Hosts::from_system() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Hosts::default()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_of_two_families() {
        let ok = |address: &str| {
            let records = vec![address.parse().unwrap()];
            let (canonical, by, security) = (None, None, Security::Secure);
            Ok(Answer { records, ttl: Duration::from_secs(60), canonical, by, security })
        };
        let none = || Err(DnsError::NoRecords("a.test".into(), ADDRESS));
        let denied = || Err(DnsError::NoSuchName("a.test".into()));
        let failed = || {
            let (name, why, failure) = ("a.test".into(), "x".into(), Failure::ServFail);
            Err(DnsError::Temporary { name, why, failure })
        };
        let rows = [
            // (A, AAAA, addresses or how it fails, why)
            (ok("192.0.2.1"), ok("2001:db8::1"), "2", "both"),
            (ok("192.0.2.1"), none(), "1", "IPv4 only"),
            (none(), ok("2001:db8::1"), "1", "IPv6 only"),
            (ok("192.0.2.1"), failed(), "1", "broken AAAA handling is common"),
            (none(), none(), "none", "neither"),
            (none(), failed(), "temporary", "the other may be there"),
            (denied(), failed(), "temporary", "nothing is sure yet"),
            (denied(), denied(), "denied", "NXDOMAIN"),
            (denied(), none(), "none", "the name is there for one of them"),
        ];
        for (v4, v6, wanted, why) in rows {
            let got = match both_families(v4, v6) {
                Ok(answer) => answer.records.len().to_string(),
                Err(DnsError::NoRecords(..)) => "none".into(),
                Err(DnsError::NoSuchName(_)) => "denied".into(),
                Err(DnsError::Temporary { .. } | DnsError::Bogus { .. }) => "temporary".into(),
            };
            assert_eq!(got, wanted, "{why}");
        }
    }

    #[test]
    fn names_are_absolute_and_addresses_are_none() {
        assert!(absolute("a.test").unwrap().is_fqdn());
        assert!(absolute("_dmarc.a.test").is_ok());
        for name in ["", "192.0.2.1", "2001:db8::1", "a..test", &"x".repeat(64)] {
            assert_eq!(absolute(name), Err(DnsError::NoSuchName(name.into())));
        }
    }

    #[test]
    fn servers_of_resolv_conf() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("resolv.conf");
        let local: Vec<SocketAddr> = vec!["127.0.0.1:53".parse().unwrap()];
        assert_eq!(system_servers(&path).unwrap(), local, "no file");
        let rows = [
            ("# nothing\nsearch a.test\n", Some("[127.0.0.1:53]")),
            ("nameserver 192.0.2.1\nnameserver ::1\n", Some("[192.0.2.1:53, [::1]:53]")),
            ("nameserver dns.test\n", None),
        ];
        for (text, wanted) in rows {
            std::fs::write(&path, text).unwrap();
            let got = system_servers(&path).ok().map(|servers| format!("{servers:?}"));
            assert_eq!(got.as_deref(), wanted, "{text}");
        }
    }
}
