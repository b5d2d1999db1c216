//! Which policy applies to a host.
//!
//! | level          | what counts, in this order                                                 |
//! |----------------|----------------------------------------------------------------------------|
//! | published      | DANE of the host; MTA-STS of the domain; else opportunistic                |
//! | dane           | DANE of the host; else opportunistic                                       |
//! | dane-only      | DANE of the host, by secure MX records; else the host is not used          |
//! | mta-sts        | MTA-STS of the domain; else opportunistic                                  |
//! | any other      | the level itself                                                           |
//!
//! DANE goes before MTA-STS (RFC 8461 section 2), where the way to the host is as secure as its
//! certificate. Behind insecure MX records it still says what key the host has, but not that this is the
//! domain's host: there an MTA-STS policy in force must name it besides.

use smtp::{Cause, EnhancedStatus, Stage, Trouble};
use std::{sync::Arc, time::Duration};
use world::{World, dns::Tlsa};

use super::{Demand, Policy, Published, PublishedKind, TlsResult, TlsaFound, find_tlsa};
use crate::{
    TlsLevel,
    mta_sts::{Mode, StsFound},
    mx::{Exchanger, together},
    tls::{Dane, usable},
};

/// What is known besides the host.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What the route asks for.
    pub level: TlsLevel,
    /// Names that the certificate may be for instead of the host's (`tls_names`).
    pub names: &'a [String],
    /// The recipient domain where its MX led here; none where the next hop is configured.
    pub domain: Option<&'a str>,
    /// Whether the name of the host is what the domain's owner, or our own configuration, says: secure
    /// MX records, or none asked.
    pub secure_mx: bool,
    /// The domain's MTA-STS policy.
    pub sts: &'a StsFound,
    /// The port there.
    pub port: u16,
}

/// The policy of each host, asked for at once.
pub async fn decide_all(
    world: &World,
    asked: &Asked<'_>,
    hosts: &[Exchanger],
) -> Vec<(Policy, Duration)> {
    let deciding = hosts.iter().map(|host| Box::pin(decide(world, asked, host))).collect();
    together(deciding).await
}

/// The policy for one host, and how long it holds.
pub async fn decide(world: &World, asked: &Asked<'_>, host: &Exchanger) -> (Policy, Duration) {
    let forever = Duration::MAX;
    match asked.level {
        TlsLevel::Never => (Policy::of_route(Demand::Clear, "the route asks for no TLS"), forever),
        TlsLevel::Opportunistic => {
            let why = "the route asks for TLS if offered";
            (Policy::of_route(Demand::Opportunistic, why), forever)
        }
        TlsLevel::Required => {
            (Policy::of_route(Demand::Encrypted, "the route asks for encryption"), forever)
        }
        TlsLevel::Verified => {
            let demand = Demand::Certificate { names: asked.names.to_vec() };
            let mut policy = Policy::of_route(demand, "the route asks for a verified certificate");
            policy.name_is_sure = asked.secure_mx || !asked.names.is_empty();
            (policy, forever)
        }
        TlsLevel::MtaSts => (by_mta_sts(asked, host, None), forever),
        TlsLevel::Published | TlsLevel::Dane | TlsLevel::DaneOnly => {
            by_dane(asked, host, find_tlsa(world, host, asked.port).await)
        }
    }
}

fn by_dane(asked: &Asked<'_>, host: &Exchanger, found: TlsaFound) -> (Policy, Duration) {
    let forever = Duration::MAX;
    match found {
        TlsaFound::Unknown { why, bogus } => {
            let (detail, result) = (NO_ANSWER, bogus.then_some(TlsResult::DnssecInvalid));
            let text = format!("`{}` can't be used: {why}", host.host);
            let policy = unusable(Trouble::Dns(detail, text), result);
            (Policy { published: tlsa(&host.host, &[]), ..policy }, forever)
        }
        TlsaFound::None(reason) if asked.level == TlsLevel::DaneOnly => {
            let text =
                format!("`{}` has no secure TLSA records ({reason}); DANE is asked for", host.host);
            (unusable(Trouble::Tls(text), Some(TlsResult::DaneRequired)), forever)
        }
        TlsaFound::None(reason) => (without_dane(asked, host, &reason), forever),
        TlsaFound::Records { base, records, ttl } => (with_tlsa(asked, host, base, &records), ttl),
    }
}

fn with_tlsa(asked: &Asked<'_>, host: &Exchanger, base: String, records: &[Tlsa]) -> Policy {
    let place = format!("_{}._tcp.{base}", asked.port);
    let published = tlsa(&base, records);
    let usable = usable(records);
    if asked.level == TlsLevel::DaneOnly && !asked.secure_mx {
        let text =
            format!("the MX records that name `{}` are not secure; DANE is asked for", host.host);
        return unusable(Trouble::Tls(text), Some(TlsResult::DaneRequired));
    }
    if usable.is_empty() {
        return without_usable(asked, host, &place, published);
    }
    let mut policy = Policy::of_route(Demand::Encrypted, String::new());
    policy.why = format!("DANE: {} TLSA records at `{place}`", usable.len());
    policy.published = published;
    policy.name_is_sure = asked.secure_mx;
    if !asked.secure_mx {
        policy.why.push_str(
            "; the MX records are not secure, so that is not proven to be the domain's host",
        );
        if let StsFound::Policy(sts) = asked.sts
            && asked.level == TlsLevel::Published
            && sts.mode == Mode::Enforce
        {
            if !sts.names(&host.host) {
                return by_mta_sts(asked, host, None);
            }
            policy.name_is_sure = true;
            policy.why.push_str("; but MTA-STS names it");
        }
    }
    let names = [Some(base.as_str()), Some(host.host.as_str()), asked.domain];
    let mut names: Vec<String> = names.into_iter().flatten().map(str::to_owned).collect();
    names.dedup();
    names.extend(asked.names.iter().cloned());
    policy.demand = Demand::Dane(Arc::new(Dane { base, port: asked.port, names, records: usable }));
    policy
}

/// TLSA records that nobody can use: encryption must be, whose end it is can't be told (RFC 7672
/// section 2.2).
fn without_usable(
    asked: &Asked<'_>,
    host: &Exchanger,
    place: &str,
    published: Option<Arc<Published>>,
) -> Policy {
    let text = format!(
        "none of the TLSA records at `{place}` can be used for mail (RFC 7672 section 3.1)"
    );
    if asked.level == TlsLevel::DaneOnly {
        return unusable(Trouble::Tls(text), Some(TlsResult::TlsaInvalid));
    }
    let mut policy = match asked.level {
        TlsLevel::Published => by_mta_sts(asked, host, None),
        _ => Policy::of_route(Demand::Opportunistic, ""),
    };
    if !policy.demand.is_binding() {
        let why = format!("{text}: encrypted, not verified");
        policy = Policy { published, ..Policy::of_route(Demand::Encrypted, why) };
    }
    policy
}

fn without_dane(asked: &Asked<'_>, host: &Exchanger, reason: &str) -> Policy {
    if asked.level == TlsLevel::Published {
        return by_mta_sts(asked, host, Some(reason));
    }
    nothing_published(asked, host, format!("no DANE ({reason}): TLS if offered"))
}

/// `no_dane` is why DANE does not apply, if that was looked at.
fn by_mta_sts(asked: &Asked<'_>, host: &Exchanger, no_dane: Option<&str>) -> Policy {
    let no_dane = no_dane.map_or_else(String::new, |reason| format!("no DANE ({reason}); "));
    let domain = asked.domain.unwrap_or(&host.host);
    match asked.sts {
        StsFound::None(reason) => {
            let why = format!("{no_dane}no MTA-STS ({reason}): TLS if offered");
            nothing_published(asked, host, why)
        }
        StsFound::Failed { why, result } => {
            let why = format!(
                "{no_dane}the MTA-STS policy of `{domain}` can't be had ({why}): TLS if offered"
            );
            let published = published(PublishedKind::Sts, domain, Vec::new(), Vec::new());
            let failed = Some(*result);
            Policy { published, failed, ..Policy::of_route(Demand::Opportunistic, why) }
        }
        StsFound::Policy(sts) => {
            let own = published(PublishedKind::Sts, domain, sts.lines.clone(), sts.mx.clone());
            let names_it = sts.names(&host.host);
            let policy = match sts.mode {
                Mode::None => {
                    let why = format!("{no_dane}MTA-STS of `{domain}`, mode none: TLS if offered");
                    return nothing_published(asked, host, why);
                }
                Mode::Testing => {
                    let miss =
                        if names_it { "" } else { ", and the policy does not name this host" };
                    let why = format!(
                        "{no_dane}MTA-STS of `{domain}`, mode testing{miss}: TLS if offered"
                    );
                    let failed = (!names_it).then_some(TlsResult::ValidationFailure);
                    Policy { failed, ..Policy::of_route(Demand::Opportunistic, why) }
                }
                Mode::Enforce if names_it => {
                    let why = format!(
                        "{no_dane}MTA-STS of `{domain}`, mode enforce: a verified certificate"
                    );
                    let demand = Demand::Certificate { names: Vec::new() };
                    Policy { name_is_sure: true, ..Policy::of_route(demand, why) }
                }
                Mode::Enforce => {
                    let text = format!(
                        "the MTA-STS policy of `{domain}` does not name `{}` but {}",
                        host.host,
                        sts.mx.join(", ")
                    );
                    unusable(Trouble::Tls(text), Some(TlsResult::ValidationFailure))
                }
            };
            Policy { published: own, ..policy }
        }
    }
}

fn nothing_published(asked: &Asked<'_>, host: &Exchanger, why: String) -> Policy {
    let domain = asked.domain.unwrap_or(&host.host);
    let published = published(PublishedKind::None, domain, Vec::new(), Vec::new());
    let mut policy = Policy { published, ..Policy::of_route(Demand::Opportunistic, why) };
    policy.name_is_sure = asked.secure_mx;
    policy
}

fn unusable(trouble: Trouble, result: Option<TlsResult>) -> Policy {
    let why = format!("not used: {trouble}");
    let cause = Cause { stage: Stage::Routing, trouble };
    Policy::of_route(Demand::Unusable { cause, result }, why)
}

fn tlsa(base: &str, records: &[Tlsa]) -> Option<Arc<Published>> {
    let lines = records.iter().map(ToString::to_string).collect();
    published(PublishedKind::Tlsa, base, lines, Vec::new())
}

fn published(
    kind: PublishedKind,
    domain: &str,
    lines: Vec<String>,
    mx: Vec<String>,
) -> Option<Arc<Published>> {
    Some(Arc::new(Published { kind, domain: domain.to_owned(), lines, mx }))
}

const NO_ANSWER: EnhancedStatus = EnhancedStatus::new(4, 4, 3);

#[cfg(test)]
mod tests;
