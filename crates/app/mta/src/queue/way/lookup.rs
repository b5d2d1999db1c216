//! Ways that need the DNS: the hosts of a domain, and what each of them, and the domain, publish about
//! TLS.

use std::{net::IpAddr, sync::Arc, time::Duration};

use smtp::{Cause, EnhancedStatus, Stage, Trouble};
use transport::{
    Policy, Protocol, Target, TlsLevel,
    mta_sts::StsFound,
    mx::{Exchanger, Exchangers, Found, Ourselves},
    policy::{Asked, decide_all},
};

use super::{By, Way, common, default_port, list, literal, plan, protocol, site_key};
use crate::{
    config::{Compiled, NextHop, Role, Route},
    context::Context,
};

/// Answers of the name system are used for so long, whatever their TTL says.
const KEEP_MIN: Duration = Duration::from_secs(30);
const KEEP_MAX: Duration = Duration::from_secs(3600);

type Lost = (Cause, Vec<String>);

/// The hosts that take mail for `domain`: the lane's own, or that of a next hop whose MX is looked up.
pub(super) async fn by_mx(
    context: &Context,
    config: &Compiled,
    route: &Route,
    lane: &str,
    domain: &str,
) -> Result<Way, Lost> {
    let port = route.port.unwrap_or(25);
    let ourselves = ourselves(context, config);
    let found = transport::mx::mail_exchangers(&context.world, domain, &ourselves, port)
        .await
        .map_err(|cause| (cause, vec![format!("MX of `{domain}`")]))?;
    let mut why = found.why.clone();
    if lane != domain {
        why.insert(0, format!("configured next hop for `{lane}`: the MX of `{domain}`"));
    }
    let route = &at_site(config, route, &found.hosts, &mut why);
    let sts = mta_sts(context, route, &found).await;
    let asked = Asked {
        level: route.tls,
        names: &route.tls_names,
        domain: (found.found != Found::AddressLiteral).then_some(found.domain.as_str()),
        secure_mx: found.security.is_secure(),
        sts: &sts,
        port,
    };
    let (policies, holds) = policies(context, &asked, &found.hosts, &mut why).await;
    let targets = by_preference(&found.hosts, &policies, port);
    let mut names: Vec<_> = targets.iter().flatten().map(|target| target.host.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let site = site_key(&format!("{}:{port}", names.join(",")), route, &policies);
    let ttl = found.ttl.min(holds).clamp(KEEP_MIN, KEEP_MAX);
    let until = context.world.clock.now().after(ttl);
    let plan = plan(context, config, route, Protocol::Smtp);
    let way = Way { by: By::Hosts { targets, plan }, until, ..common(config, route, site, why) };
    let best = found.hosts.first().map_or("", |best| best.host.as_str());
    Ok(way.heeding_quirks(config, route, best))
}

/// Next hops that are configured by name: their addresses are looked up, their MX records only where
/// that is configured.
pub(super) async fn by_names(
    context: &Context,
    config: &Compiled,
    route: &Route,
    lane: &str,
    whose: &str,
) -> Result<Way, Lost> {
    if let (Some(true), [NextHop::Host(name, _)]) = (route.mx, route.next_hop.as_slice()) {
        return by_mx(context, config, route, lane, name).await;
    }
    let mut why = vec![format!("{whose}: {}", list(&route.next_hop))];
    let mut named =
        Named { context, config, route, targets: Vec::new(), ttl: KEEP_MAX, trouble: None };
    for hop in &route.next_hop {
        named.add(hop, &mut why).await;
    }
    let Named { targets, ttl, trouble, .. } = named;
    if targets.is_empty() {
        // Our own configuration names it: whatever DNS says, the operator can mend it in time.
        let text = trouble.unwrap_or_else(|| "no next hop is configured".to_owned());
        let cause = Cause {
            stage: Stage::Routing,
            trouble: Trouble::Dns(EnhancedStatus::new(4, 4, 3), text),
        };
        return Err((cause, why));
    }
    let until = context.world.clock.now().after(ttl.clamp(KEEP_MIN, KEEP_MAX));
    let site = site_key(&list(&route.next_hop), route, &[]);
    let by = By::Hosts { targets, plan: plan(context, config, route, protocol(route)) };
    let way = Way { by, until, ..common(config, route, site, why) };
    let best = route.next_hop.iter().find_map(NextHop::host).unwrap_or_default();
    let own = config.site(best).map_or_else(|| route.clone(), |site| site.over(route));
    Ok(way.heeding_quirks(config, &own, best))
}

/// Configured next hops on their way to targets.
struct Named<'a> {
    context: &'a Context,
    config: &'a Compiled,
    route: &'a Route,
    targets: Vec<Vec<Target>>,
    ttl: Duration,
    trouble: Option<String>,
}

impl Named<'_> {
    async fn add(&mut self, hop: &NextHop, why: &mut Vec<String>) {
        let route = self.route;
        let (name, port) = match hop {
            NextHop::Host(name, port) => (name, port.unwrap_or_else(|| default_port(route))),
            NextHop::LmtpHost(name, port) => (name, *port),
            other => {
                self.targets.extend(literal(other, route).map(|target| vec![target]));
                return;
            }
        };
        let answer = match self.context.world.dns.addresses(name).await {
            Ok(answer) => answer,
            Err(error) => {
                why.push(error.to_string());
                self.trouble = Some(error.to_string());
                return;
            }
        };
        why.push(format!("{name} is {}", list(&answer.records)));
        let host = Exchanger {
            preference: 0,
            host: name.clone(),
            addresses: answer.records,
            ttl: answer.ttl,
            by: answer.by,
            canonical: answer.canonical,
            security: answer.security,
        };
        let sts = StsFound::None("the next hop is configured".to_owned());
        let asked = Asked {
            level: at_site(self.config, route, std::slice::from_ref(&host), why).tls,
            names: &route.tls_names,
            domain: None,
            // The configuration names the host: no MX record is in between.
            secure_mx: true,
            sts: &sts,
            port,
        };
        let hosts = [host];
        let (policies, holds) = policies(self.context, &asked, &hosts, why).await;
        self.ttl = self.ttl.min(hosts[0].ttl).min(holds);
        // One after the other, in the order of the configuration.
        let found = by_preference(&hosts, &policies, port).into_iter().flatten();
        self.targets.extend(found.map(|target| vec![target]));
    }
}

/// The route with what `[sites]` has for the best host.
fn at_site(config: &Compiled, route: &Route, hosts: &[Exchanger], why: &mut Vec<String>) -> Route {
    match hosts.first().and_then(|best| config.site(&best.host).map(|site| (best, site))) {
        Some((best, site)) => {
            why.push(format!("`{}` is one of [sites]", best.host));
            site.over(route)
        }
        None => route.clone(),
    }
}

async fn mta_sts(context: &Context, route: &Route, found: &Exchangers) -> StsFound {
    let wanted = matches!(route.tls, TlsLevel::Published | TlsLevel::MtaSts);
    match (&context.mta_sts, found.found) {
        _ if !wanted => StsFound::None("the route does not ask for it".to_owned()),
        (_, Found::AddressLiteral) => StsFound::None("an address has no policy".to_owned()),
        (None, _) => StsFound::None("its directory can't be used".to_owned()),
        (Some(store), _) => {
            let tls = context.outgoing_tls();
            store.find(&context.world, tls.general(), &found.domain).await
        }
    }
}

/// What is asked of TLS at each host, told in the route's lines.
async fn policies(
    context: &Context,
    asked: &Asked<'_>,
    hosts: &[Exchanger],
    why: &mut Vec<String>,
) -> (Vec<Arc<Policy>>, Duration) {
    let decided = decide_all(&context.world, asked, hosts).await;
    let mut holds = Duration::MAX;
    let mut policies = Vec::with_capacity(decided.len());
    for (host, (policy, hold)) in hosts.iter().zip(decided) {
        why.push(format!("TLS at {}: {}", host.host, policy.why));
        holds = holds.min(hold);
        policies.push(Arc::new(policy));
    }
    (policies, holds)
}

/// Hosts of equal preference together; each address is a target of its own.
fn by_preference(hosts: &[Exchanger], policies: &[Arc<Policy>], port: u16) -> Vec<Vec<Target>> {
    let with_policy: Vec<_> = hosts.iter().zip(policies).collect();
    let groups = with_policy.chunk_by(|(one, _), (next, _)| one.preference == next.preference);
    let targets = |(host, policy): &(&Exchanger, &Arc<Policy>)| {
        let target = |address: &IpAddr| {
            Target::tcp(&host.host, (*address, port).into()).with_policy(Arc::clone(policy))
        };
        host.addresses.iter().map(target).collect::<Vec<_>>()
    };
    groups.map(|group| group.iter().flat_map(targets).collect()).collect()
}

/// Mail must not come back to us by MX (RFC 5321 section 5.1).
fn ourselves(context: &Context, config: &Compiled) -> Ourselves {
    let addresses = context.world.net.addresses_of_this_machine().unwrap_or_else(|error| {
        tracing::warn!(%error, "this machine's addresses can't be listed: loops by address are not seen");
        Vec::new()
    });
    let listeners = config.listeners.iter().filter(|(listener, _)| listener.role == Role::Mx);
    let ports =
        listeners.flat_map(|(listener, _)| listener.address.iter().map(std::net::SocketAddr::port));
    Ourselves::new([config.config.hostname.clone()], addresses, ports)
}
