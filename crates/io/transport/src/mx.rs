//! Who takes mail for a domain: RFC 5321 section 5.1.
//!
//! | the DNS says of the domain        | so                                                        |
//! |-----------------------------------|-----------------------------------------------------------|
//! | MX records                        | those, lowest preference first, equals in random order    |
//! | none, but the name is there       | its own addresses, as if it were its MX (implicit MX)     |
//! | one MX, of the root               | nobody takes mail: fails, 5.1.10 (RFC 7505)               |
//! | no such name                      | fails, 5.1.2                                              |
//! | nothing for now                   | deferred, 4.4.3                                           |
//!
//! Ourselves in the list, and whoever is not better than we are, are left out, or the message would go
//! round. An exchange without addresses is left out too, and named. If nobody is left: deferred, if one
//! of them could not be resolved for now; else failed, with 5.4.6 if it is for us, 5.4.4 if not.
//!
//! Everything that was found is told in [`Exchangers::why`], a line each.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    future::{Future, poll_fn},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    task::Poll,
    time::Duration,
};

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Serialize, Serializer};
use smtp::{Cause, EnhancedStatus, Stage, Trouble};
use world::{
    World,
    dns::{Answer, DnsError, Mx, Security},
};

/// More exchanges than that are not looked at: a domain must not keep us asking.
const EXCHANGES_MAX: usize = 32;

const BAD_SYNTAX: EnhancedStatus = EnhancedStatus::new(5, 1, 3);
const NO_SUCH_DOMAIN: EnhancedStatus = EnhancedStatus::new(5, 1, 2);
const NULL_MX: EnhancedStatus = EnhancedStatus::new(5, 1, 10);
const NO_ROUTE: EnhancedStatus = EnhancedStatus::new(5, 4, 4);
const LOOP: EnhancedStatus = EnhancedStatus::new(5, 4, 6);
const NO_ANSWER: EnhancedStatus = EnhancedStatus::new(4, 4, 3);

/// Who takes mail for a domain; there is at least one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exchangers {
    /// The domain, in lower case and A-labels; or the address literal.
    pub domain: String,
    /// How they were found.
    pub found: Found,
    /// The name that holds the MX records, where a CNAME led to another.
    pub canonical: Option<String>,
    /// How long the MX records hold.
    #[serde(rename = "ttl_seconds", serialize_with = "seconds")]
    pub ttl: Duration,
    /// The server that gave the MX records, where it is known.
    pub by: Option<SocketAddr>,
    /// What DNSSEC says of the MX records, or of the addresses where there are none.
    #[serde(serialize_with = "shown")]
    pub security: Security,
    /// In order of use.
    pub hosts: Vec<Exchanger>,
    /// Who was left out.
    pub skipped: Vec<Skipped>,
    /// The records with TTL and origin, and each decision, a line each.
    pub why: Vec<String>,
}

/// How exchangers were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// By MX records.
    Mx,
    /// There are none: the domain's own addresses.
    ImplicitMx,
    /// The domain is an address.
    AddressLiteral,
}

/// A host that takes mail for the domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exchanger {
    /// Lower goes first.
    pub preference: u16,
    /// Its name, as the MX record has it; or the address literal.
    pub host: String,
    /// In order of use; at least one.
    pub addresses: Vec<IpAddr>,
    /// How long the addresses hold.
    #[serde(rename = "ttl_seconds", serialize_with = "seconds")]
    pub ttl: Duration,
    /// The server that gave the addresses, where it is known.
    pub by: Option<SocketAddr>,
    /// The name that holds the addresses, where a CNAME led to another.
    pub canonical: Option<String>,
    /// What DNSSEC says of the addresses.
    #[serde(serialize_with = "shown")]
    pub security: Security,
}

/// A host that an MX record names, and that is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The record's.
    pub preference: u16,
    /// The record's.
    pub host: String,
    /// In one clause.
    pub why: String,
}

/// What is known of ourselves, so that mail is not sent round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ourselves {
    names: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    ports: BTreeSet<u16>,
}

impl Ourselves {
    /// Our host names, the machine's addresses, and the ports on which we take mail from strangers.
    pub fn new(
        names: impl IntoIterator<Item = String>,
        addresses: impl IntoIterator<Item = IpAddr>,
        ports: impl IntoIterator<Item = u16>,
    ) -> Self {
        let names = names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        Self {
            names,
            addresses: addresses.into_iter().map(|address| address.to_canonical()).collect(),
            ports: ports.into_iter().collect(),
        }
    }

    fn is_named(&self, host: &str) -> bool {
        self.names.contains(&host.to_ascii_lowercase())
    }

    /// Whether a connection there would come back to us. An address of ours with a port that is not
    /// is another server on this machine.
    fn is_at(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        self.ports.contains(&port)
            && (address.is_loopback()
                || address.is_unspecified()
                || self.addresses.contains(&address))
    }

    fn has_global_ipv6(&self) -> bool {
        // 2000::/3 is all that is routed (RFC 4291 section 2.4).
        self.addresses
            .iter()
            .any(|address| matches!(address, IpAddr::V6(v6) if v6.segments()[0] >> 13 == 1))
    }
}

/// Finds who takes mail for `domain` (U-labels, A-labels or an address literal) on `port`.
///
/// # Errors
/// A cause at [`Stage::Routing`]; the class of its status says whether it is for good.
pub async fn mail_exchangers(
    world: &World,
    domain: &str,
    ourselves: &Ourselves,
    port: u16,
) -> Result<Exchangers, Cause> {
    if domain.starts_with('[') {
        return literal(domain, ourselves, port);
    }
    let domain = ascii_domain(domain)?;
    match world.dns.mx(&domain).await {
        Ok(answer) => explicit(world, domain, answer, ourselves, port).await,
        Err(DnsError::NoRecords(..)) => implicit(world, domain, ourselves, port).await,
        Err(error @ DnsError::NoSuchName(_)) => Err(cause(NO_SUCH_DOMAIN, error.to_string())),
        Err(error @ (DnsError::Temporary { .. } | DnsError::Bogus { .. })) => {
            Err(cause(NO_ANSWER, error.to_string()))
        }
    }
}

/// RFC 5321 section 4.1.3.
fn literal(domain: &str, ourselves: &Ourselves, port: u16) -> Result<Exchangers, Cause> {
    let inner = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = inner.and_then(|inner| match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => {
            inner[5..].parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => inner.parse().ok().filter(IpAddr::is_ipv4),
    });
    let Some(address) = address else {
        let text = format!(
            "`{domain}` is no address literal: `[192.0.2.1]` or `[IPv6:2001:db8::1]` would be"
        );
        return Err(cause(BAD_SYNTAX, text));
    };
    if ourselves.is_at(address, port) {
        return Err(cause(LOOP, format!("`{domain}` is ourselves: the message would go round")));
    }
    let (ttl, by, canonical) = (Duration::MAX, None, None);
    let addresses = vec![address];
    Ok(Exchangers {
        domain: domain.to_owned(),
        found: Found::AddressLiteral,
        canonical: None,
        ttl,
        by,
        security: Security::Indeterminate,
        hosts: vec![Exchanger {
            preference: 0,
            host: domain.into(),
            addresses,
            ttl,
            by,
            canonical,
            security: Security::Indeterminate,
        }],
        skipped: Vec::new(),
        why: vec![format!("`{domain}` is an address: no MX is asked for")],
    })
}

async fn implicit(
    world: &World,
    domain: String,
    ourselves: &Ourselves,
    port: u16,
) -> Result<Exchangers, Cause> {
    let answer = world.dns.addresses(&domain).await.map_err(|error| match error {
        DnsError::Temporary { .. } | DnsError::Bogus { .. } => cause(NO_ANSWER, error.to_string()),
        DnsError::NoSuchName(_) => cause(NO_SUCH_DOMAIN, error.to_string()),
        DnsError::NoRecords(..) => {
            cause(NO_ROUTE, format!("`{domain}` takes no mail: it has neither MX nor address"))
        }
    })?;
    let mut search = Search::new(ourselves, port);
    search.why.push(format!("`{domain}` has no MX: its own addresses are used"));
    let Answer { ttl, by, canonical, security, .. } = answer.clone();
    let only = Mx { preference: 0, exchange: domain.clone() };
    search.judge(vec![(only, Ok(answer))]);
    let names = Answer { records: Vec::new(), ttl, by, canonical, security };
    search.finish(domain, Found::ImplicitMx, names)
}

async fn explicit(
    world: &World,
    domain: String,
    answer: Answer<Mx>,
    ourselves: &Ourselves,
    port: u16,
) -> Result<Exchangers, Cause> {
    let Answer { mut records, ttl, canonical, by, security } = answer;
    if let [only] = records.as_slice()
        && only.exchange.is_empty()
    {
        let text = format!("`{domain}` takes no mail: it says so with a null MX (RFC 7505)");
        return Err(cause(NULL_MX, text));
    }
    let mut search = Search::new(ourselves, port);
    if let Some(canonical) = &canonical {
        search.why.push(format!("`{domain}` is an alias of `{canonical}`"));
    }
    // Random among equals: the sort is stable. In order first, so that chance alone decides.
    records.sort_by(|a, b| a.exchange.cmp(&b.exchange));
    world.random.shuffle(&mut records);
    records.sort_by_key(|mx| mx.preference);
    for mx in &records {
        let origin = origin(ttl, by, security);
        let exchange = if mx.exchange.is_empty() { "." } else { &mx.exchange };
        search.why.push(format!("{domain} MX {} {exchange} ({origin})", mx.preference));
    }
    let usable = search.usable(records);
    let asked = usable.iter().map(|mx| world.dns.addresses(&mx.exchange)).collect();
    let answers = together(asked).await;
    search.judge(usable.into_iter().zip(answers).collect());
    let names = Answer { records: Vec::new(), ttl, by, canonical, security };
    search.finish(domain, Found::Mx, names)
}

/// What was found on the way.
struct Search<'a> {
    ourselves: &'a Ourselves,
    has_ipv6: bool,
    port: u16,
    hosts: Vec<Exchanger>,
    skipped: Vec<Skipped>,
    why: Vec<String>,
    is_ours: bool,
    is_temporary: bool,
}

impl<'a> Search<'a> {
    fn new(ourselves: &'a Ourselves, port: u16) -> Self {
        Self {
            ourselves,
            has_ipv6: ourselves.has_global_ipv6(),
            port,
            hosts: Vec::new(),
            skipped: Vec::new(),
            why: Vec::new(),
            is_ours: false,
            is_temporary: false,
        }
    }

    fn skip(&mut self, mx: &Mx, why: impl Into<String>) {
        let (preference, host, why) = (mx.preference, mx.exchange.clone(), why.into());
        self.why.push(format!("left out: {preference} {host}: {why}"));
        self.skipped.push(Skipped { preference, host, why });
    }

    /// The records whose addresses are worth asking for.
    fn usable(&mut self, records: Vec<Mx>) -> Vec<Mx> {
        let mut usable: Vec<Mx> = Vec::with_capacity(records.len());
        for mx in records {
            if mx.exchange.is_empty() {
                self.skip(&mx, "a null MX means nothing beside other records (RFC 7505)");
            } else if mx.exchange.parse::<IpAddr>().is_ok() {
                self.skip(&mx, "an address, where RFC 1035 asks for a host name");
            } else if usable.iter().any(|known| known.exchange.eq_ignore_ascii_case(&mx.exchange)) {
                self.skip(&mx, "named before, with a better or the same preference");
            } else if usable.len() == EXCHANGES_MAX {
                self.skip(&mx, format!("more than {EXCHANGES_MAX} exchanges"));
            } else {
                usable.push(mx);
            }
        }
        usable
    }

    /// Takes who has addresses, up to where we ourselves are in the list.
    fn judge(&mut self, found: Vec<(Mx, Result<Answer<IpAddr>, DnsError>)>) {
        let ours =
            found.iter().filter(|(mx, answer)| self.is_ourselves(mx, answer)).map(|(mx, _)| mx);
        let limit = ours.map(|mx| mx.preference).min();
        self.is_ours = limit.is_some();
        for (mx, answer) in found {
            if self.is_ourselves(&mx, &answer) {
                self.skip(&mx, "that is ourselves");
            } else if let Some(limit) = limit.filter(|limit| mx.preference >= *limit) {
                self.skip(&mx, format!("no better than ourselves, with preference {limit}"));
            } else {
                self.take(mx, answer);
            }
        }
    }

    fn is_ourselves(&self, mx: &Mx, answer: &Result<Answer<IpAddr>, DnsError>) -> bool {
        self.ourselves.is_named(&mx.exchange)
            || answer.as_ref().is_ok_and(|answer| {
                answer.records.iter().any(|address| self.ourselves.is_at(*address, self.port))
            })
    }

    fn take(&mut self, mx: Mx, answer: Result<Answer<IpAddr>, DnsError>) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.is_temporary |= error.is_temporary();
                return self.skip(&mx, error.to_string());
            }
        };
        let Answer { records, ttl, canonical, by, security } = answer;
        for address in &records {
            let kind = if address.is_ipv4() { "A" } else { "AAAA" };
            let owner = canonical.as_ref().unwrap_or(&mx.exchange);
            self.why.push(format!("{owner} {kind} {address} ({})", origin(ttl, by, security)));
        }
        if let Some(canonical) = &canonical {
            // RFC 2181 section 10.3 forbids it; everybody does it.
            self.why.push(format!("`{}` is an alias of `{canonical}`", mx.exchange));
        }
        let addresses = in_order(records, self.has_ipv6);
        if addresses.is_empty() {
            return self.skip(&mx, "it has no address that a host can have");
        }
        let Mx { preference, exchange: host } = mx;
        self.hosts.push(Exchanger { preference, host, addresses, ttl, by, canonical, security });
    }

    fn finish(self, domain: String, found: Found, names: Answer<Mx>) -> Result<Exchangers, Cause> {
        let Self { hosts, skipped, why, is_ours, is_temporary, .. } = self;
        if !hosts.is_empty() {
            let Answer { ttl, canonical, by, security, .. } = names;
            return Ok(Exchangers {
                domain,
                found,
                canonical,
                ttl,
                by,
                security,
                hosts,
                skipped,
                why,
            });
        }
        let reasons: Vec<_> =
            skipped.iter().map(|skipped| format!("{}: {}", skipped.host, skipped.why)).collect();
        let reasons = reasons.join("; ");
        // What cannot be resolved now may be better than we are, once it can.
        let (status, text) = match (is_temporary, is_ours) {
            (true, _) => (NO_ANSWER, "no exchange can be used for now"),
            (false, true) => {
                (LOOP, "its mail comes to us, and we do not keep it: it would go round")
            }
            (false, false) => (NO_ROUTE, "no exchange can be used"),
        };
        Err(cause(status, format!("`{domain}`: {text} ({reasons})")))
    }
}

fn cause(status: EnhancedStatus, text: String) -> Cause {
    Cause { stage: Stage::Routing, trouble: Trouble::Dns(status, text) }
}

fn origin(ttl: Duration, by: Option<SocketAddr>, security: Security) -> String {
    let secure = if security.is_secure() { ", secure" } else { "" };
    match by {
        Some(server) => format!("TTL {}s, from {server}{secure}", ttl.as_secs()),
        None => format!("TTL {}s{secure}", ttl.as_secs()),
    }
}

/// In lower case and A-labels, without the final dot.
fn ascii_domain(domain: &str) -> Result<String, Cause> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    if domain.is_empty() {
        return Err(cause(BAD_SYNTAX, "the domain is empty".into()));
    }
    if domain.is_ascii() {
        return Ok(domain.to_ascii_lowercase());
    }
    // Empty and over-long labels can come out of the mapping, and characters that no host name has.
    Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow, DnsLength::Verify)
        .map(Cow::into_owned)
        .map_err(|_| cause(BAD_SYNTAX, format!("`{domain}` is no international domain name")))
}

/// Both families in turn, IPv6 first, if we have a global IPv6 address; else IPv4 before IPv6
/// (RFC 6724 and RFC 8305, as far as they can be followed without probing). Within a family in the
/// order in which the DNS gave them (RFC 5321 section 5.1).
fn in_order(addresses: Vec<IpAddr>, has_ipv6: bool) -> Vec<IpAddr> {
    let can_be = |address: &IpAddr| {
        let is_broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
        !(address.is_unspecified() || address.is_multicast() || is_broadcast)
    };
    let (v4, v6): (Vec<_>, Vec<_>) =
        addresses.into_iter().filter(can_be).partition(IpAddr::is_ipv4);
    if !has_ipv6 {
        return v4.into_iter().chain(v6).collect();
    }
    let (mut v4, mut v6) = (v4.into_iter(), v6.into_iter());
    let mut ordered = Vec::with_capacity(v4.len() + v6.len());
    loop {
        let pair = [v6.next(), v4.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

/// All at once; the results in the order of the futures.
pub(crate) async fn together<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut results: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let Poll::Ready(value) = std::pin::Pin::new(future).poll(cx)
            {
                *result = Some(value);
            }
        }
        if results.iter().any(Option::is_none) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    results.into_iter().flatten().collect()
}

fn shown<S: Serializer>(security: &Security, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(security)
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}

#[cfg(test)]
mod tests;
