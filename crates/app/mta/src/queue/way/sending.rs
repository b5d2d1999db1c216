//! How a session for a job would be opened at this moment, as a value: what a tool repeats that looks at a site as
//! a queued message does.

use std::net::SocketAddr;

use transport::{Features, Plan, Protocol, TlsLevel};

use super::{By, Way, default_port, plan, protocol, rerouted};
use crate::{
    carried::Carried,
    config::{NextHop, Route},
    context::Context,
    handle::Sending,
    outgoing_tls::settings,
};

/// As the way says that is known, else as the configuration does; `None` where no server takes the job.
pub fn sending(
    context: &Context,
    lane: &str,
    carried: &Carried,
    known: Option<&Way>,
    learned: Features,
) -> Option<Sending> {
    let config = context.config();
    let route = carried.reroute.as_deref().and_then(rerouted);
    let route: &Route = route.as_ref().unwrap_or(config.route(lane));
    let known = match known {
        Some(way) => Some(way.clone()),
        None => super::without_lookup(context, lane, carried.reroute.as_deref()),
    };
    let plan = match known.as_ref().map(|way| &way.by) {
        Some(By::Hosts { plan, .. }) => plan.clone(),
        Some(_) => return None,
        None => plan(context, &config, route, protocol(route)),
    };
    let names = |features: Features| features.names().map(str::to_owned).collect();
    let envelope = &carried.envelope;
    Some(Sending {
        mx_of: mx_of(route, lane),
        hosts: route.next_hop.iter().map(|hop| place(hop, route)).collect(),
        port: default_port(route),
        lmtp: plan.protocol == Protocol::Lmtp,
        ehlo_name: plan.ehlo_name.to_string(),
        source: plan.source.clone(),
        tls: level(&plan, envelope.tls_optional),
        tls_names: plan.tls_names.clone(),
        tls_settings: settings(&config.config, route),
        tls_general: settings(&config.config, &Route::default()),
        implicit_tls: plan.implicit_tls,
        require_tls: envelope.insists_on_tls(),
        avoid: names(plan.avoid.with(learned)),
        allow: names(plan.allow),
    })
}

/// The domain whose MX is looked up; none where hosts are configured.
fn mx_of(route: &Route, lane: &str) -> Option<String> {
    match (route.next_hop.as_slice(), route.mx) {
        ([], _) => Some(lane.to_owned()),
        ([NextHop::Host(name, _)], Some(true)) => Some(name.clone()),
        _ => None,
    }
}

fn place(hop: &NextHop, route: &Route) -> String {
    let port = |own: &Option<u16>| own.unwrap_or_else(|| default_port(route));
    match hop {
        NextHop::Host(name, own) => format!("{name}:{}", port(own)),
        NextHop::Address(address, own) => SocketAddr::new(*address, port(own)).to_string(),
        NextHop::LmtpHost(name, port) => format!("{name}:{port}"),
        NextHop::LmtpAddress(address) => address.to_string(),
        NextHop::LmtpSocket(path) => path.display().to_string(),
        NextHop::Discard => String::new(),
    }
}

/// `TLS-Required: No` does without what is published, not without what the route asks for (RFC 8689 section 5).
fn level(plan: &Plan, tls_optional: bool) -> TlsLevel {
    match tls_optional && !plan.tls.is_binding() && plan.tls != TlsLevel::Never {
        true => TlsLevel::Opportunistic,
        false => plan.tls,
    }
}
