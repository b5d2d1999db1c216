//! Looking at somebody's mail service from outside, without sending anything: what `mailwright probe` does.
//!
//! | part      | asks                                                                              |
//! |-----------|-----------------------------------------------------------------------------------|
//! | way       | MX and addresses, with what DNSSEC says of them                                   |
//! | visit     | each address: names, greeting, EHLO, STARTTLS by the published policy, AUTH       |
//! | trial     | MAIL and RCPT of a given envelope, then RSET and QUIT                             |
//! | relaying  | whether a host of one's own relays for strangers                                  |
//! | bisection | which feature breaks on the way                                                   |
//! | records   | the domain's SPF, DMARC, DKIM, MTA-STS, TLS-RPT and BIMI                          |
//!
//! All of it goes through the same look-up, policy and client machine that mail takes. Whatever is amiss is
//! a [`Notice`], or a finding of the session rules on the visit's own transcript.

mod bisect;
mod dialogue;
mod mine;
mod names;
pub mod records;
mod visit;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use diagnose::Weight;
use serde::Serialize;
use smtp::{Address, Cause, EnhancedStatus, Stage, Trouble};
use world::World;

use crate::{
    mta_sts::{self, StsFound},
    mx::{self, Exchanger, Exchangers, Found, Ourselves, together},
    plan::Plan,
    policy::{Asked, Policy, decide_all},
    tls::ClientTls,
};

pub use bisect::{Bisection, Try};
pub use dialogue::Offer;
pub use mine::{RelayTest, Trick};
pub use names::Names;
pub use records::Record;
pub use visit::{Step, Visit};

/// More hosts of one domain are not visited.
const HOSTS_MAX: usize = 10;
/// More addresses of one host are not visited.
const ADDRESSES_MAX: usize = 6;

/// What is to be looked at, and as whom.
#[derive(Clone, Debug)]
pub struct Order {
    /// Whom.
    pub subject: Subject,
    /// The port there.
    pub port: u16,
    /// Our EHLO name, source address, waits, what is asked of TLS, and features to use or not.
    pub plan: Plan,
    /// Sender and recipients to be tried, without sending.
    pub trial: Option<Trial>,
    /// Selectors of DKIM keys; common ones if empty.
    pub selectors: Vec<String>,
    /// Whether to test if the hosts relay for strangers. Only for hosts of one's own.
    pub mine: bool,
    /// Whether to find out, with the trial's envelope, which feature breaks on the way to the first host that
    /// can be connected to.
    pub bisect: Option<Bisect>,
    /// Where MTA-STS policies are served: 443, but for tests.
    pub https_port: u16,
}

/// How features are switched off one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bisect {
    /// The message breaks off before its end: nobody gets it.
    BreakOff,
    /// Every try that passes is a message that arrives.
    Send,
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A domain, and whoever takes mail for it; its own addresses where it has no MX.
    Domain(String),
    /// This one host, whatever its MX records say.
    Host(String),
}

/// An envelope to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// `None` is the null reverse-path.
    pub reverse_path: Option<Address>,
    /// Forward-paths.
    pub recipients: Vec<Address>,
    /// Octets that MAIL announces, where the host offers SIZE (RFC 1870).
    pub size: Option<u64>,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The domain or host.
    pub subject: String,
    /// The port that was visited.
    pub port: u16,
    /// Who takes its mail; none where that can't be found.
    pub way: Option<Exchangers>,
    /// One for each address of each host, by preference.
    pub visits: Vec<Visit>,
    /// The domain's records; none of a single host.
    pub records: Vec<Record>,
    /// What is amiss with the way itself.
    pub notices: Vec<Notice>,
}

/// Something amiss that no dialogue shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// What it means for mail.
    pub weight: Weight,
    /// In one sentence.
    pub what: String,
    /// What to do about it; may be empty.
    pub remedy: String,
}

impl Notice {
    /// See the fields.
    pub fn new(weight: Weight, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { weight, what: what.into(), remedy: remedy.into() }
    }
}

impl Subject {
    /// `example.org` is a domain; `mx.example.org:25`, an address and an address literal are hosts.
    /// The port, where one is named.
    ///
    /// # Errors
    /// What is wrong with the port.
    pub fn parse(text: &str) -> Result<(Self, Option<u16>), String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok((Self::Host(address.ip().to_string()), Some(address.port())));
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let bare = bare.strip_prefix("IPv6:").unwrap_or(bare);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok((Self::Host(address.to_string()), None));
        }
        match text.split_once(':') {
            None => Ok((Self::Domain(text.to_owned()), None)),
            Some((host, port)) => {
                let port = port.parse().ok().filter(|&port: &u16| port > 0);
                let port = port.ok_or_else(|| format!("`{text}`: a port is 1 to 65535"))?;
                Ok((Self::Host(host.to_owned()), Some(port)))
            }
        }
    }

    /// The name or address.
    pub fn name(&self) -> &str {
        match self {
            Self::Domain(name) | Self::Host(name) => name,
        }
    }
}

impl Report {
    /// The worst of all that was found; `None` where nothing is amiss.
    pub fn worst(&self) -> Option<Weight> {
        let visits = self.visits.iter().flat_map(|visit| {
            let findings = visit.findings.iter().map(|finding| finding.weight);
            findings.chain(visit.notices.iter().map(|notice| notice.weight))
        });
        let records =
            self.records.iter().flat_map(|record| &record.notices).map(|notice| notice.weight);
        self.notices.iter().map(|notice| notice.weight).chain(visits).chain(records).max()
    }

    /// Our own address, as a visit had it: where no translation of addresses stands between, that is the one
    /// others see.
    pub fn local_address(&self) -> Option<IpAddr> {
        let locals = || self.visits.iter().filter_map(|visit| visit.local);
        locals().find(IpAddr::is_ipv4).or_else(|| locals().next())
    }
}

/// Looks. Whatever can't be had is said in the report.
pub async fn probe(world: &World, tls: &ClientTls, order: &Order) -> Report {
    let mut report = Report {
        subject: order.subject.name().to_owned(),
        port: order.port,
        way: None,
        visits: Vec::new(),
        records: Vec::new(),
        notices: Vec::new(),
    };
    let found = way(world, order).await;
    let domain = match (&order.subject, &found) {
        (Subject::Host(_), _) => None,
        (Subject::Domain(_), Ok(found)) => Some(found.domain.clone()),
        (Subject::Domain(name), Err(_)) => Some(name.clone()),
    };
    let sts = match &domain {
        Some(domain) => mta_sts::look_up(world, tls, domain, order.https_port).await,
        None => StsFound::None("a host was named, not a domain".to_owned()),
    };
    let hosts: Vec<String> = match &found {
        Ok(found) => found.hosts.iter().map(|host| host.host.clone()).collect(),
        Err(_) => Vec::new(),
    };
    match found {
        Ok(found) => {
            let going = visit::Going { world, tls, order, sts: &sts };
            report.visits = visits(going, &found, domain.as_deref()).await;
            further(going, &mut report.visits).await;
            notices_of_way(&found, &mut report.notices);
            report.way = Some(found);
        }
        Err(cause) => {
            let text = format!("no host to visit: {}", cause.trouble);
            report.notices.push(Notice::new(Weight::Failure, text, ""));
        }
    }
    if let Some(domain) = &domain {
        report.records = records::look_up(world, domain, &order.selectors, &sts, &hosts).await;
    }
    report
}

/// Who is to be visited.
async fn way(world: &World, order: &Order) -> Result<Exchangers, Cause> {
    let name = order.subject.name();
    if let Ok(address) = name.parse::<IpAddr>() {
        let literal = match address {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        };
        let mut found =
            mx::mail_exchangers(world, &literal, &Ourselves::default(), order.port).await?;
        found.hosts.iter_mut().for_each(|host| host.host = address.to_string());
        return Ok(found);
    }
    match &order.subject {
        Subject::Domain(domain) => {
            mx::mail_exchangers(world, domain, &Ourselves::default(), order.port).await
        }
        Subject::Host(host) => one_host(world, host).await,
    }
}

/// A host that was named with its port: nothing but its addresses counts.
async fn one_host(world: &World, host: &str) -> Result<Exchangers, Cause> {
    let answer = world.dns.addresses(host).await.map_err(|error| {
        let class = if error.is_temporary() { 4 } else { 5 };
        let trouble = Trouble::Dns(EnhancedStatus::new(class, 4, 4), error.to_string());
        Cause { stage: Stage::Routing, trouble }
    })?;
    let (ttl, by, security) = (answer.ttl, answer.by, answer.security);
    Ok(Exchangers {
        domain: host.to_owned(),
        found: Found::ImplicitMx,
        canonical: None,
        ttl,
        by,
        security,
        hosts: vec![Exchanger {
            preference: 0,
            host: host.to_owned(),
            addresses: answer.records,
            ttl,
            by,
            canonical: answer.canonical,
            security,
        }],
        skipped: Vec::new(),
        why: vec![format!("the host `{host}` was named: no MX is asked for")],
    })
}

fn notices_of_way(found: &Exchangers, notices: &mut Vec<Notice>) {
    for skipped in &found.skipped {
        let what = format!("the MX {} is left out: {}", skipped.host, skipped.why);
        notices.push(Notice::new(Weight::Fault, what, "mend or remove that MX record"));
    }
    let many = found.hosts.len() > HOSTS_MAX
        || found.hosts.iter().any(|host| host.addresses.len() > ADDRESSES_MAX);
    if many {
        let what = format!(
            "only the first {HOSTS_MAX} hosts, and {ADDRESSES_MAX} addresses of each, were visited"
        );
        notices.push(Notice::new(Weight::Remark, what, "name a host with its port to visit it"));
    }
}

/// What takes many connections: one host after the other.
async fn further(going: visit::Going<'_>, visits: &mut [Visit]) {
    for visit in visits.iter_mut().filter(|visit| visit.is_connected() && going.order.mine) {
        let mut test = going.relay_test(&visit.target, visit.address).await;
        visit.notices.append(&mut test.notices);
        visit.relay_test = Some(test);
    }
    let (Some(how), Some(trial)) = (going.order.bisect, &going.order.trial) else { return };
    if let Some(visit) = visits.iter_mut().find(|visit| visit.is_connected()) {
        let mut found = going.bisect(visit, trial, how == Bisect::Send).await;
        visit.notices.append(&mut found.notices);
        visit.bisection = Some(found);
    }
}

/// All at once: a host that is silent holds nobody up.
async fn visits(going: visit::Going<'_>, found: &Exchangers, domain: Option<&str>) -> Vec<Visit> {
    let asked = Asked {
        level: going.order.plan.tls,
        names: &going.order.plan.tls_names,
        domain,
        secure_mx: found.security.is_secure() || domain.is_none(),
        sts: going.sts,
        port: going.order.port,
    };
    let policies = decide_all(going.world, &asked, &found.hosts).await;
    let mut visits = Vec::new();
    for (host, (policy, _)) in found.hosts.iter().zip(policies).take(HOSTS_MAX) {
        let plan = &going.order.plan;
        let policy = match plan.require_tls {
            true => policy.for_require_tls(&host.host, &plan.tls_names),
            false => policy,
        };
        let policy: Arc<Policy> = Arc::new(policy);
        for &address in host.addresses.iter().take(ADDRESSES_MAX) {
            visits.push(Box::pin(going.visit(host, address, Arc::clone(&policy))));
        }
    }
    together(visits).await
}
