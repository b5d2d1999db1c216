//! From a route's settings to the plan of a session, and to what limits its site.

use std::{sync::Arc, time::Duration};

use transport::{Demand, Features, Plan, Policy, Protocol, Timeouts, TlsLevel};

use super::{By, FOR_EVER, Way};
use crate::{
    config::{Compiled, Route},
    context::Context,
    quirks::{Quirk, Quirks},
};

/// What a site is called: its hosts, and whatever makes sessions with them differ from those of other
/// routes, for sessions are shared by all lanes of a site.
pub(super) fn site_key(hosts: &str, route: &Route, policies: &[Arc<Policy>]) -> String {
    let mut differs = Vec::new();
    if route.tls != TlsLevel::default() {
        differs.push(format!("tls {}", route.tls.as_str()));
    }
    if policies.iter().any(|policy| matches!(policy.demand, Demand::Certificate { .. }))
        && route.tls != TlsLevel::Verified
    {
        differs.push("verified by MTA-STS".to_owned());
    }
    for dane in policies.iter().filter_map(|policy| match &policy.demand {
        Demand::Dane(dane) => Some(dane),
        _ => None,
    }) {
        // Under a DANE-TA the recipient domain's own name may have been what the certificate was for.
        if dane.records.iter().any(|record| record.usage == 2) {
            differs.push(format!("named {}", dane.names.join(" or ")));
            break;
        }
    }
    let own = [
        (!route.tls_names.is_empty()).then(|| format!("named {}", route.tls_names.join(" or "))),
        route.tls_authorities.as_ref().map(|file| format!("issuers {}", file.display())),
        route.tls_certificate.as_ref().map(|file| format!("certificate {}", file.display())),
        (route.tls_minimum != Default::default()).then(|| "TLS 1.3".to_owned()),
        route.auth.as_ref().map(|auth| format!("as {}", auth.user)),
        route.ehlo_name.as_ref().map(|name| format!("EHLO {name}")),
        (!route.source.is_empty()).then(|| format!("from {}", super::list(&route.source))),
        (!route.avoid.is_empty()).then(|| format!("without {}", super::list(&route.avoid))),
        (!route.allow.is_empty()).then(|| format!("with {}", super::list(&route.allow))),
    ];
    differs.extend(own.into_iter().flatten());
    match differs.is_empty() {
        true => hosts.to_owned(),
        false => format!("{hosts} ({})", differs.join(", ")),
    }
}

/// What every way of a route has; it throws mail away until its `by` is filled in.
pub(super) fn common(config: &Compiled, route: &Route, site: String, why: Vec<String>) -> Way {
    let queue = &config.config.queue;
    let per_minute = route.messages_per_minute;
    Way {
        site: site.into(),
        by: By::Discard,
        why,
        retry: config.retry(route).clone(),
        // A rate is kept by one connection that pauses: two would need to count together.
        connections_max: match per_minute {
            0 => route.connections_max.unwrap_or(queue.connections_per_site_max) as usize,
            _ => 1,
        },
        transactions_max: route
            .messages_per_connection_max
            .unwrap_or(queue.messages_per_connection_max),
        pause: match per_minute {
            0 => Duration::ZERO,
            rate => Duration::from_secs(60) / rate,
        },
        login: route.auth.clone(),
        quirks: Quirks::default(),
        until: FOR_EVER,
    }
}

impl Way {
    /// The same with what is known of such a host, as far as it is not switched off; empty: of any.
    pub(super) fn heeding_quirks(mut self, config: &Compiled, route: &Route, host: &str) -> Self {
        if !config.config.queue.quirks {
            return self;
        }
        self.quirks = Quirks::of(host, &route.without_quirks);
        let told = |quirk: &Quirk| format!("{} (quirk `{}`)", quirk.told(), quirk.name);
        let connections = self.quirks.connections_max().filter(|_| route.connections_max.is_none());
        if let Some((quirk, most)) = connections
            && self.connections_max > most as usize
        {
            self.connections_max = most as usize;
            self.why.push(told(quirk));
        }
        let own = route.messages_per_connection_max;
        if let Some((quirk, most)) = self.quirks.messages_max().filter(|_| own.is_none())
            && self.transactions_max > most
        {
            self.transactions_max = most;
            self.why.push(told(quirk));
        }
        self
    }
}

/// How sessions are opened by a route; [`Way::plan`] adds what we sign in with.
pub(super) fn plan(
    context: &Context,
    config: &Compiled,
    route: &Route,
    protocol: Protocol,
) -> Arc<Plan> {
    let waits = &config.config.timeouts;
    Arc::new(Plan {
        ehlo_name: route.ehlo_name.as_deref().unwrap_or(&config.config.hostname).into(),
        protocol,
        tls: route.tls,
        tls_names: route.tls_names.clone(),
        tls_own: context.outgoing_tls().of(&config.config, route).cloned(),
        require_tls: false,
        implicit_tls: route.implicit_tls,
        credentials: None,
        tickets: Default::default(),
        source: route.source.clone(),
        connect_timeout: waits.connect,
        timeouts: Timeouts {
            greeting: waits.greeting,
            ehlo: waits.command,
            mail: waits.mail,
            rcpt: waits.rcpt,
            data: waits.data,
            content: waits.content,
            end_of_data: waits.end_of_data,
            quit: waits.quit,
        },
        avoid: features(&route.avoid),
        allow: features(&route.allow),
    })
}

/// The check of the configuration refuses keywords that are none.
fn features(names: &[String]) -> Features {
    let known = names.iter().filter_map(|name| Features::by_name(name));
    known.fold(Features::NONE, Features::with)
}
