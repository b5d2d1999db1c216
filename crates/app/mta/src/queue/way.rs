//! Where a lane's mail goes: a configured next hop, a mailbox of this machine, or the domain's MX.

use std::{path::PathBuf, sync::Arc, time::Duration};

use smtp::{
    Attempt, Cause, EnhancedStatus, Outcome, Recipient, Stage, Timestamp, Transcript, Trouble,
};
use transport::{
    Credentials, Endpoint, Features, Plan, Protocol, Session, Target, Timeouts, TlsLevel,
    mx::{Exchanger, Ourselves},
};
use world::Random;

use super::SiteKey;
use crate::{
    carried::Carried,
    config::{self, Compiled, Disposition, NextHop, Retry, Role, Route},
    context::Context,
    kept::Kept,
    notify::Action,
};

/// What is known of a lane.
pub enum Lane {
    /// These jobs wait for the lookup.
    Routing(Vec<spool::JobId>),
    /// Until `Way::until`.
    Known(Arc<Way>),
}

/// How a lane's mail gets to its site.
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
    /// To be found out anew after this.
    pub until: Timestamp,
}

/// What takes the mail.
pub enum By {
    /// Nothing: it is thrown away, as configured.
    Discard,
    /// Maildirs of this machine.
    Maildir,
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
/// Answers of the name system are used for so long, whatever their TTL says.
const KEEP_MIN: Duration = Duration::from_secs(30);
const KEEP_MAX: Duration = Duration::from_secs(3600);

impl Way {
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

    fn blank(&self) -> Attempt {
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
            By::Maildir | By::Discard => Action::Delivered,
            By::Hosts { plan, .. } if plan.protocol == Protocol::Lmtp => Action::Delivered,
            By::Hosts { .. } => Action::Relayed,
        }
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
    if let Some(hop) = reroute {
        let hop: NextHop = hop.parse().ok()?;
        let route = Route { next_hop: vec![hop], ..Route::default() };
        return to_next_hops(
            &config,
            &route,
            vec![format!("next hop {} set by the operator", &route.next_hop[0])],
        );
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
    let route = config.route(lane);
    if route.next_hop.is_empty() {
        return None;
    }
    to_next_hops(
        &config,
        route,
        vec![format!("configured next hop for `{lane}`: {}", list(&route.next_hop))],
    )
}

/// A way for jobs that are ended without being tried: only its schedule and its words matter.
pub fn for_settling(context: &Context, lane: &str) -> Arc<Way> {
    let config = context.config();
    Arc::new(common(&config, config.route(lane), String::new(), Vec::new()))
}

/// The way that DNS gives. On failure: the attempt that it was, and a way to settle it by.
pub async fn by_lookup(context: &Context, lane: &str) -> Result<Arc<Way>, (Attempt, Arc<Way>)> {
    let config = context.config();
    let route = config.route(lane).clone();
    let found = match route.next_hop.is_empty() {
        true => by_mx(context, &config, &route, lane).await,
        false => by_names(context, &config, &route, lane).await,
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

async fn by_mx(
    context: &Context,
    config: &Compiled,
    route: &Route,
    lane: &str,
) -> Result<Way, (Cause, Vec<String>)> {
    let port = route.port.unwrap_or(25);
    let ourselves = ourselves(context, config);
    let found = transport::mx::mail_exchangers(&context.world, lane, &ourselves, port)
        .await
        .map_err(|cause| (cause, vec![format!("MX of `{lane}`")]))?;
    let targets = by_preference(&found.hosts, port);
    let mut names: Vec<_> = targets.iter().flatten().map(|target| target.host.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let site = format!("{}:{port}", names.join(","));
    let until = context.world.clock.now().after(found.ttl.clamp(KEEP_MIN, KEEP_MAX));
    let plan = plan(config, route, Protocol::Smtp);
    Ok(Way { by: By::Hosts { targets, plan }, until, ..common(config, route, site, found.why) })
}

/// Next hops that are configured by name: their addresses are looked up, their MX records are not.
async fn by_names(
    context: &Context,
    config: &Compiled,
    route: &Route,
    lane: &str,
) -> Result<Way, (Cause, Vec<String>)> {
    let mut why = vec![format!("configured next hop for `{lane}`: {}", list(&route.next_hop))];
    let mut targets = Vec::new();
    let mut ttl = KEEP_MAX;
    let mut trouble = None;
    for hop in &route.next_hop {
        let (name, port) = match hop {
            NextHop::Host(name, port) => (name, port.unwrap_or_else(|| default_port(route))),
            NextHop::LmtpHost(name, port) => (name, *port),
            other => {
                targets.extend(literal(other, route).map(|target| vec![target]));
                continue;
            }
        };
        match context.world.dns.addresses(name).await {
            Ok(answer) => {
                ttl = ttl.min(answer.ttl);
                why.push(format!("{name} is {}", list(&answer.records)));
                let target =
                    |address: &std::net::IpAddr| Target::tcp(name, (*address, port).into());
                targets.extend(answer.records.iter().map(|address| vec![target(address)]));
            }
            Err(error) => {
                why.push(error.to_string());
                trouble = Some(error.to_string());
            }
        }
    }
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
    let by = By::Hosts { targets, plan: plan(config, route, protocol(route)) };
    Ok(Way { by, until, ..common(config, route, list(&route.next_hop), why) })
}

fn to_next_hops(config: &Compiled, route: &Route, why: Vec<String>) -> Option<Way> {
    let site = list(&route.next_hop);
    if route.next_hop.iter().any(|hop| matches!(hop, NextHop::Discard)) {
        return Some(Way { by: By::Discard, ..common(config, route, site, why) });
    }
    let targets: Option<Vec<_>> =
        route.next_hop.iter().map(|hop| literal(hop, route).map(|target| vec![target])).collect();
    let by = By::Hosts { targets: targets?, plan: plan(config, route, protocol(route)) };
    Some(Way { by, ..common(config, route, site, why) })
}

fn literal(hop: &NextHop, route: &Route) -> Option<Target> {
    Some(match hop {
        NextHop::Address(address, port) => {
            let port = port.unwrap_or_else(|| default_port(route));
            Target::tcp(address.to_string(), (*address, port).into())
        }
        NextHop::LmtpAddress(address) => Target::tcp(address.ip().to_string(), *address),
        NextHop::LmtpSocket(path) => Target {
            host: path.display().to_string(),
            endpoint: Endpoint::Unix(path.as_path().into()),
        },
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

fn common(config: &Compiled, route: &Route, site: String, why: Vec<String>) -> Way {
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
        transactions_max: queue.messages_per_connection_max,
        pause: match per_minute {
            0 => Duration::ZERO,
            rate => Duration::from_secs(60) / rate,
        },
        until: FOR_EVER,
    }
}

fn plan(config: &Compiled, route: &Route, protocol: Protocol) -> Arc<Plan> {
    let waits = &config.config.timeouts;
    Arc::new(Plan {
        ehlo_name: route.ehlo_name.as_deref().unwrap_or(&config.config.hostname).into(),
        protocol,
        tls: route.tls,
        implicit_tls: route.implicit_tls,
        credentials: credentials(route),
        source: route.source,
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

fn credentials(route: &Route) -> Option<Arc<Credentials>> {
    let configured = route.auth.as_ref()?;
    let password = match (&configured.password, &configured.password_file) {
        (Some(password), _) => password.clone(),
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "password file can't be read");
                String::new()
            }
        },
        (None, None) => String::new(),
    };
    let in_clear_allowed = route.tls == TlsLevel::Never;
    Some(Arc::new(Credentials { user: configured.user.clone(), password, in_clear_allowed }))
}

/// Hosts of equal preference together; each address is a target of its own.
fn by_preference(hosts: &[Exchanger], port: u16) -> Vec<Vec<Target>> {
    let groups = hosts.chunk_by(|one, next| one.preference == next.preference);
    let targets = |host: &Exchanger| {
        let name = host.host.clone();
        host.addresses
            .iter()
            .map(move |address| Target::tcp(name.clone(), (*address, port).into()))
            .collect::<Vec<_>>()
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

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Final delivery, recipient by recipient.
pub async fn into_mailboxes(
    context: &Context,
    way: &Way,
    carried: &Carried,
    content: &Kept,
) -> Attempt {
    let config = context.config();
    let mut attempt = way.blank();
    for recipient in &carried.envelope.recipients {
        let outcome = match mailbox(&config, recipient) {
            Ok(directory) => {
                let delivery = transport::maildir::Delivery {
                    reverse_path: &carried.envelope.reverse_path,
                    recipient,
                    host: &config.config.hostname,
                    content,
                };
                transport::maildir::deliver(&context.world, &directory, &delivery).await
            }
            Err(cause) => Outcome::Failed(cause),
        };
        attempt.outcomes.push((recipient.forward_path.clone(), outcome));
    }
    attempt
}

fn mailbox(config: &Compiled, recipient: &Recipient) -> Result<PathBuf, Cause> {
    let address = &recipient.forward_path;
    let known = matches!(config.resolved(address), Disposition::Local(_));
    known.then(|| config.maildir(address)).flatten().ok_or_else(|| Cause {
        stage: Stage::Mailbox,
        trouble: Trouble::Local(
            EnhancedStatus::new(5, 1, 1),
            format!("no mailbox `{address}` here"),
        ),
    })
}
