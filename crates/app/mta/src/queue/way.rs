//! Where a lane's mail goes: a configured next hop, a mailbox or a program of this machine, or the
//! domain's MX.

mod deliver;
mod lookup;
mod plan;
mod sending;

use std::{sync::Arc, time::Duration};

use smtp::{Attempt, Outcome, Timestamp, Transcript};
use transport::{Demand, Plan, Policy, Protocol, Session, Target, TlsLevel};
use world::Random;

use super::SiteKey;
use crate::{
    carried::Carried,
    config::{self, Compiled, Login, NextHop, Pipe, Retry, Route},
    context::Context,
    notify::Action,
    quirks::Quirks,
};
pub use deliver::{into_mailboxes, into_program};
use lookup::{by_mx, by_names};
use plan::{common, plan, site_key};
pub use sending::sending;

/// What is known of a lane.
pub enum Lane {
    /// These jobs wait for the lookup.
    Routing(Vec<spool::JobId>),
    /// Until `Way::until`.
    Known(Arc<Way>),
}

/// How a lane's mail gets to its site.
#[derive(Clone)]
pub struct Way {
    /// Lanes with the same site share connections and limits.
    pub site: SiteKey,
    /// By what.
    pub by: By,
    /// Why so, a line each: for evidence and `why`.
    pub why: Vec<String>,
    /// When to try again.
    pub retry: Retry,
    /// Connections at once, at most.
    pub connections_max: usize,
    /// Messages over one connection, at most.
    pub transactions_max: u32,
    /// Between the beginnings of two transactions of a connection, where a rate is configured.
    pub pause: Duration,
    /// What we sign in with.
    pub login: Option<Login>,
    /// What is known of its hosts besides.
    pub quirks: Quirks,
    /// To be found out anew after this.
    pub until: Timestamp,
}

/// What takes the mail.
#[derive(Clone)]
pub enum By {
    /// Nothing: it is thrown away, as configured.
    Discard,
    /// Maildirs of this machine.
    Maildir,
    /// A program of this machine.
    Program(Box<Pipe>),
    /// Its owner, who fetches it (ATRN, RFC 2645).
    Pickup,
    /// Servers: those of equal preference together, best first.
    Hosts {
        /// Each group is used in random order.
        targets: Vec<Vec<Target>>,
        /// How the session is opened.
        plan: Arc<Plan>,
    },
}

/// Hosts that are tried in one attempt (RFC 5321 section 5.1 asks for two at least).
const HOSTS_MAX: usize = 6;
/// A configured way holds until the next reload.
const FOR_EVER: Timestamp = Timestamp(u64::MAX);

impl Way {
    /// How a session is opened now: what we sign in with is read anew. None where there is no server.
    pub fn plan(&self) -> Option<Plan> {
        let By::Hosts { plan, .. } = &self.by else { return None };
        let mut plan = plan.as_ref().clone();
        plan.credentials =
            self.login.as_ref().map(|login| Arc::new(login.read(plan.tls == TlsLevel::Never)));
        plan.tickets = self.login.as_ref().map(Login::tickets).unwrap_or_default();
        Some(plan)
    }

    /// Hosts in the order to try them.
    pub fn in_order<'t>(&self, targets: &'t [Vec<Target>], random: &Random) -> Vec<&'t Target> {
        let mut order = Vec::with_capacity(HOSTS_MAX);
        for group in targets {
            let mut group: Vec<_> = group.iter().collect();
            if group.len() > 1 {
                random.shuffle(&mut group);
            }
            order.extend(group);
        }
        order.truncate(HOSTS_MAX);
        order
    }

    /// An attempt by this way that brought the same for all recipients; none are filled in but one.
    pub fn attempt(&self, carried: &Carried, outcome: Outcome) -> Attempt {
        Attempt { outcomes: super::settle::alike(carried, &outcome), ..self.blank() }
    }

    /// An attempt over an open session, its outcomes yet to come.
    pub fn attempt_at(&self, session: &Session) -> Attempt {
        Attempt {
            next_hop: session.target().host.clone(),
            address: session.address().map(|address| address.to_string()),
            tls: session.tls().cloned(),
            ..self.blank()
        }
    }

    /// An attempt by this way of which nothing is known.
    pub(super) fn blank(&self) -> Attempt {
        Attempt {
            next_hop: self.site.to_string(),
            address: None,
            route: self.why.clone(),
            transcript: Transcript::default(),
            tls: None,
            outcomes: Vec::new(),
        }
    }

    /// What a success DSN calls it when this way's end took the message.
    pub fn success_action(&self) -> Action {
        match &self.by {
            By::Maildir | By::Program(_) | By::Discard => Action::Delivered,
            By::Pickup => Action::Relayed,
            By::Hosts { plan, .. } if plan.protocol == Protocol::Lmtp => Action::Delivered,
            By::Hosts { .. } => Action::Relayed,
        }
    }

    /// The same for a message that says `TLS-Required: No` (RFC 8689 section 5): what the domain or its hosts
    /// publish about TLS does not stop it, a host that they forbid included. What the route asks for does.
    pub fn not_insisting(&self) -> Self {
        let mut own = self.clone();
        let By::Hosts { targets, plan } = &mut own.by else { return own };
        let mut lowered = false;
        for target in targets.iter_mut().flatten().filter(|_| !plan.tls.is_binding()) {
            if let Some(policy) = target.policy.as_ref().filter(|p| p.demand.is_binding()) {
                let policy = Policy { demand: Demand::Opportunistic, ..policy.as_ref().clone() };
                target.policy = Some(Arc::new(policy));
                lowered = true;
            }
        }
        if lowered {
            own.site = format!("{} (TLS-Required: No)", own.site).into();
            own.why.push("not insisted on: the message says `TLS-Required: No`".to_owned());
        }
        own
    }

    /// How long a site that was found down `times` in a row is left alone.
    pub fn probe_after(&self, times: u32) -> Duration {
        const LONGEST: Duration = Duration::from_secs(15 * 60);
        self.retry.wait(times).min(LONGEST)
    }
}

/// The way that the configuration alone gives; `None` if names must be looked up.
pub fn without_lookup(context: &Context, lane: &str, reroute: Option<&str>) -> Option<Way> {
    let config = context.config();
    if let Some(route) = reroute.and_then(rerouted) {
        let why = vec![format!("next hop {} set by the operator", list(&route.next_hop))];
        return to_next_hops(context, &config, &route, why);
    }
    if config.domain(lane).is_some_and(|domain| domain.kind == config::DomainKind::Local) {
        return Some(Way {
            by: By::Maildir,
            connections_max: 4,
            ..common(
                &config,
                &Route::default(),
                format!("mailboxes of {lane}"),
                vec![format!("`{lane}` is local")],
            )
        });
    }
    if config.domain(lane).is_some_and(|domain| domain.kind == config::DomainKind::Odmr) {
        let why = vec![format!("`{lane}` is fetched by its owner (ATRN)")];
        let way = common(&config, &Route::default(), format!("owner of {lane}"), why);
        return Some(Way { by: By::Pickup, ..way });
    }
    let route = config.route(lane);
    if let Some(pipe) = &route.pipe {
        let program = pipe.command.first().map_or("", String::as_str);
        let why = vec![format!("configured program for `{lane}`: {program}")];
        let site = format!("program {program} for {lane}");
        let by = By::Program(Box::new(pipe.clone()));
        return Some(Way { by, ..common(&config, route, site, why) });
    }
    if route.next_hop.is_empty() {
        return None;
    }
    to_next_hops(
        context,
        &config,
        route,
        vec![format!("configured next hop for `{lane}`: {}", list(&route.next_hop))],
    )
}

/// The route to a next hop that an operator has set; `None` if that is none, which the order would not have taken.
fn rerouted(hop: &str) -> Option<Route> {
    let hop: NextHop = hop.parse().ok()?;
    Some(Route { next_hop: vec![hop], ..Route::default() })
}

/// A way for jobs that are ended without being tried: only its schedule and its words matter.
pub fn for_settling(context: &Context, lane: &str) -> Arc<Way> {
    let config = context.config();
    Arc::new(common(&config, config.route(lane), String::new(), Vec::new()))
}

/// The way that DNS gives. On failure: the attempt that it was, and a way to settle it by.
pub async fn by_lookup(
    context: &Context,
    lane: &str,
    reroute: Option<&str>,
) -> Result<Arc<Way>, (Attempt, Arc<Way>)> {
    let config = context.config();
    let (route, whose) = match reroute.and_then(rerouted) {
        Some(route) => (Arc::new(route), "next hop set by the operator".to_owned()),
        None => (config.route(lane).clone(), format!("configured next hop for `{lane}`")),
    };
    let found = match route.next_hop.is_empty() {
        true => by_mx(context, &config, &route, lane, lane).await,
        false => by_names(context, &config, &route, lane, &whose).await,
    };
    found.map(Arc::new).map_err(|(cause, why)| {
        let way = Way { by: By::Discard, ..common(&config, &route, lane.to_owned(), why) };
        // Temporary by its status, permanent likewise (RFC 3463: 4.x.x, 5.x.x).
        let permanent = cause.status(true).class == 5;
        let outcome = if permanent { Outcome::Failed(cause) } else { Outcome::Deferred(cause) };
        let attempt = Attempt {
            next_hop: String::new(),
            outcomes: vec![(placeholder(), outcome)],
            ..way.blank()
        };
        (attempt, Arc::new(way))
    })
}

/// Stands for "every recipient": `settle_all_alike` puts the job's own in its place.
fn placeholder() -> smtp::Address {
    "postmaster@localhost".parse().expect("an address")
}

fn to_next_hops(
    context: &Context,
    config: &Compiled,
    route: &Route,
    why: Vec<String>,
) -> Option<Way> {
    let site = site_key(&list(&route.next_hop), route, &[]);
    if route.next_hop.iter().any(|hop| matches!(hop, NextHop::Discard)) {
        return Some(Way { by: By::Discard, ..common(config, route, site, why) });
    }
    let targets: Option<Vec<_>> =
        route.next_hop.iter().map(|hop| literal(hop, route).map(|target| vec![target])).collect();
    let by = By::Hosts { targets: targets?, plan: plan(context, config, route, protocol(route)) };
    let way = Way { by, ..common(config, route, site, why) };
    Some(way.heeding_quirks(config, route, ""))
}

fn literal(hop: &NextHop, route: &Route) -> Option<Target> {
    Some(match hop {
        NextHop::Address(address, port) => {
            let port = port.unwrap_or_else(|| default_port(route));
            Target::tcp(address.to_string(), (*address, port).into())
        }
        NextHop::LmtpAddress(address) => Target::tcp(address.ip().to_string(), *address),
        NextHop::LmtpSocket(path) => Target::unix(path.as_path().into()),
        NextHop::Host(..) | NextHop::LmtpHost(..) | NextHop::Discard => return None,
    })
}

fn default_port(route: &Route) -> u16 {
    route.port.unwrap_or(if route.implicit_tls { 465 } else { 25 })
}

fn protocol(route: &Route) -> Protocol {
    match route.next_hop.iter().any(NextHop::is_lmtp) {
        true => Protocol::Lmtp,
        false => Protocol::Smtp,
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
