//! Handing over one message at once, without a queue: what `mailwright send` does.
//!
//! Recipients that go the same way go in one session. The hosts of a way are tried in their order,
//! until every recipient was relayed or refused for good; what is left when they are used up is deferred.
//! A message whose content a host has taken, and whose verdict was lost, is not given to the next host:
//! it would arrive twice (RFC 1047).

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};

use smtp::{
    Attempt, Cause, EnhancedStatus, Envelope, Outcome, Party, Recipient, Stage, Transcript, Trouble,
};
use world::{World, dns::DnsError};

use crate::{
    content::Content,
    mta_sts::{self, StsFound},
    mx::{self, Ourselves},
    open::open,
    plan::{Plan, Target, TlsLevel},
    policy::{Asked, Policy, decide_all},
    session::{Failure, Mail, Relayed, Session},
    tls::ClientTls,
};

/// Whom to give a message to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// This server: a host name, an address or an address literal.
    Server(String, u16),
    /// The server at this Unix socket.
    Socket(Arc<Path>),
    /// Whoever takes mail for each recipient's domain, on this port.
    Mx(u16),
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// One for each of the envelope's recipients, in their order.
    pub outcomes: Vec<Outcome>,
    /// Every try, in the order of time.
    pub attempts: Vec<Attempt>,
}

/// Hands a message over. Never fails as a whole: each recipient has its outcome.
pub async fn send(
    world: &World,
    tls: &ClientTls,
    via: &Via,
    plan: &Plan,
    envelope: &Envelope,
    content: &dyn Content,
) -> Report {
    let plan = &Plan { require_tls: envelope.insists_on_tls(), ..plan.clone() };
    let mut sending = Sending {
        world,
        tls,
        plan,
        envelope,
        content,
        outcomes: vec![None; envelope.recipients.len()],
        attempts: Vec::new(),
    };
    for (way, numbers) in ways(via, envelope) {
        sending.go(&way, numbers).await;
    }
    let missing =
        || Outcome::Deferred(local(Stage::Routing, (4, 3, 5), "it was not tried".to_owned()));
    let outcomes =
        sending.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect();
    Report { outcomes, attempts: sending.attempts }
}

/// Where a group of recipients goes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Server(String, u16),
    Socket(Arc<Path>),
    Domain(String, u16),
}

/// The recipients by their way, as numbers in the envelope.
fn ways(via: &Via, envelope: &Envelope) -> BTreeMap<Way, Vec<usize>> {
    let mut ways: BTreeMap<Way, Vec<usize>> = BTreeMap::new();
    for (number, recipient) in envelope.recipients.iter().enumerate() {
        let way = match via {
            Via::Server(host, port) => Way::Server(host.clone(), *port),
            Via::Socket(path) => Way::Socket(Arc::clone(path)),
            Via::Mx(port) => Way::Domain(recipient.forward_path.domain().to_lowercase(), *port),
        };
        ways.entry(way).or_default().push(number);
    }
    ways
}

struct Sending<'a> {
    world: &'a World,
    tls: &'a ClientTls,
    plan: &'a Plan,
    envelope: &'a Envelope,
    content: &'a dyn Content,
    outcomes: Vec<Option<Outcome>>,
    attempts: Vec<Attempt>,
}

impl Sending<'_> {
    async fn go(&mut self, way: &Way, mut open: Vec<usize>) {
        let (targets, route) = match self.targets(way).await {
            Ok(found) => found,
            Err(cause) => return self.unroutable(way, &open, cause),
        };
        for target in targets {
            if open.is_empty() {
                return;
            }
            open = self.attempt(&target, &route, open).await;
        }
    }

    /// The hosts of a way in their order, and why those.
    async fn targets(&self, way: &Way) -> Result<(Vec<Target>, Vec<String>), Cause> {
        match way {
            Way::Socket(path) => {
                let host = path.display().to_string();
                let why = vec![format!("the socket `{host}` was given")];
                Ok((vec![Target::unix(Arc::clone(path))], why))
            }
            Way::Server(host, port) => {
                let addresses = self.addresses(host).await?;
                let target = |ip| Target::tcp(host.clone(), SocketAddr::new(ip, *port));
                Ok((
                    addresses.into_iter().map(target).collect(),
                    vec![format!("the server `{host}` was given")],
                ))
            }
            Way::Domain(domain, port) => {
                let mut found =
                    mx::mail_exchangers(self.world, domain, &Ourselves::default(), *port).await?;
                let policies = self.policies(&mut found, *port).await;
                let target =
                    |host: &str, ip: &IpAddr| Target::tcp(host, SocketAddr::new(*ip, *port));
                let targets = found.hosts.iter().zip(&policies).flat_map(|(exchanger, policy)| {
                    exchanger
                        .addresses
                        .iter()
                        .map(|ip| target(&exchanger.host, ip).with_policy(Arc::clone(policy)))
                });
                Ok((targets.collect(), found.why))
            }
        }
    }

    /// What is asked of TLS at each host, told in the lines of the route.
    async fn policies(&self, found: &mut mx::Exchangers, port: u16) -> Vec<Arc<Policy>> {
        const HTTPS: u16 = 443;
        let by_domain = matches!(self.plan.tls, TlsLevel::Published | TlsLevel::MtaSts);
        let sts = match by_domain && found.found != mx::Found::AddressLiteral {
            true => mta_sts::look_up(self.world, self.tls, &found.domain, HTTPS).await,
            false => StsFound::None("it was not asked for".to_owned()),
        };
        let asked = Asked {
            level: self.plan.tls,
            names: &self.plan.tls_names,
            domain: Some(&found.domain),
            secure_mx: found.security.is_secure(),
            sts: &sts,
            port,
        };
        let decided = decide_all(self.world, &asked, &found.hosts).await;
        let lines = found.hosts.iter().zip(&decided);
        let lines =
            lines.map(|(host, (policy, _))| format!("TLS at {}: {}", host.host, policy.why));
        found.why.extend(lines);
        decided.into_iter().map(|(policy, _)| Arc::new(policy)).collect()
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Cause> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let bare = bare.strip_prefix("IPv6:").unwrap_or(bare);
        if let Ok(address) = bare.parse() {
            return Ok(vec![address]);
        }
        match self.world.dns.addresses(host).await {
            Ok(answer) => Ok(answer.records),
            Err(error) if error.is_temporary() => Err(no_address((4, 4, 3), &error)),
            Err(error) => Err(no_address((5, 4, 4), &error)),
        }
    }

    fn unroutable(&mut self, way: &Way, numbers: &[usize], cause: Cause) {
        let permanent = cause.status(true).class == 5;
        let outcome = if permanent { Outcome::Failed(cause) } else { Outcome::Deferred(cause) };
        let next_hop = match way {
            Way::Server(name, _) | Way::Domain(name, _) => name.clone(),
            Way::Socket(path) => path.display().to_string(),
        };
        let mut attempt = Attempt {
            next_hop,
            address: None,
            route: Vec::new(),
            transcript: Transcript::default(),
            tls: None,
            outcomes: Vec::new(),
        };
        for &number in numbers {
            self.decide(number, outcome.clone(), &mut attempt);
        }
        self.attempts.push(attempt);
    }

    /// One session with one host. Gives back the recipients that another host may take.
    async fn attempt(
        &mut self,
        target: &Target,
        route: &[String],
        open_ones: Vec<usize>,
    ) -> Vec<usize> {
        let mut attempt = Attempt {
            next_hop: target.host.clone(),
            address: None,
            route: route.to_vec(),
            transcript: Transcript::default(),
            tls: None,
            outcomes: Vec::new(),
        };
        let left = match open(self.world, self.tls, target, self.plan).await {
            Ok(session) => self.transact(session, &mut attempt, open_ones).await,
            Err(failure) => self.fail(failure, &mut attempt, open_ones),
        };
        self.attempts.push(attempt);
        left
    }

    fn fail(&mut self, failure: Failure, attempt: &mut Attempt, numbers: Vec<usize>) -> Vec<usize> {
        let outcome = match failure.permanent {
            true => Outcome::Failed(failure.cause),
            false => Outcome::Deferred(failure.cause),
        };
        attempt.address = failure.address.map(|address| address.to_string());
        attempt.transcript = failure.transcript;
        attempt.tls = failure.tls;
        for &number in &numbers {
            self.decide(number, outcome.clone(), attempt);
        }
        // Even a 554 is one host's word; the next may take it (RFC 5321 section 5.1).
        numbers
    }

    async fn transact(
        &mut self,
        mut session: Session,
        attempt: &mut Attempt,
        mut numbers: Vec<usize>,
    ) -> Vec<usize> {
        attempt.address = session.address().map(|address| address.to_string());
        attempt.tls = session.tls().cloned();
        let mut left = Vec::new();
        let mut earlier: Option<Transcript> = None;
        loop {
            let envelope = Arc::new(self.part(&numbers));
            let relayed = session.relay(&Mail { envelope, content: self.content }).await;
            let again: Vec<usize> = relayed
                .too_many
                .iter()
                .filter_map(|&number| numbers.get(number).copied())
                .collect();
            self.sort(relayed, &numbers, attempt, &mut left);
            // Each round relays at least one, so this ends.
            if again.is_empty() || !session.is_reusable() {
                break;
            }
            left.retain(|number| !again.contains(number));
            join(&mut earlier, session.transcript());
            numbers = again;
        }
        let last = session.quit().await;
        join(&mut earlier, last);
        attempt.transcript = earlier.unwrap_or_default();
        left
    }

    /// Writes the outcomes down; who may be tried elsewhere goes to `left`.
    fn sort(
        &mut self,
        relayed: Relayed,
        numbers: &[usize],
        attempt: &mut Attempt,
        left: &mut Vec<usize>,
    ) {
        for (&number, outcome) in numbers.iter().zip(relayed.outcomes) {
            let elsewhere = match &outcome {
                Outcome::Deferred(cause) => {
                    let lost = !matches!(cause.trouble, Trouble::Reply(_));
                    !(lost && cause.stage == Stage::EndOfData)
                }
                Outcome::Relayed(_) | Outcome::Failed(_) => false,
            };
            self.decide(number, outcome, attempt);
            if elsewhere {
                left.push(number);
            }
        }
    }

    fn decide(&mut self, number: usize, outcome: Outcome, attempt: &mut Attempt) {
        let Some(recipient) = self.envelope.recipients.get(number) else { return };
        let path = recipient.forward_path.clone();
        attempt.outcomes.retain(|(known, _)| *known != path);
        attempt.outcomes.push((path, outcome.clone()));
        if let Some(slot) = self.outcomes.get_mut(number) {
            *slot = Some(outcome);
        }
    }

    /// The envelope with those recipients only.
    fn part(&self, numbers: &[usize]) -> Envelope {
        let recipient = |&number: &usize| self.envelope.recipients.get(number).cloned();
        let recipients: Vec<Recipient> = numbers.iter().filter_map(recipient).collect();
        Envelope { recipients, ..self.envelope.clone() }
    }
}

/// Puts the transcripts of a session's transactions one behind the other, its opening once.
fn join(earlier: &mut Option<Transcript>, next: Transcript) {
    let Some(whole) = earlier else {
        *earlier = Some(next);
        return;
    };
    let shared = whole.lines().zip(next.lines()).take_while(|(one, other)| one == other).count();
    for line in next.lines().skip(shared) {
        whole.record(line.at, line.by, line.text);
    }
}

fn no_address(status: (u8, u16, u16), error: &DnsError) -> Cause {
    let status = EnhancedStatus::new(status.0, status.1, status.2);
    Cause { stage: Stage::Routing, trouble: Trouble::Dns(status, error.to_string()) }
}

fn local(stage: Stage, status: (u8, u16, u16), text: String) -> Cause {
    let status = EnhancedStatus::new(status.0, status.1, status.2);
    Cause { stage, trouble: Trouble::Local(status, text) }
}

/// A transcript as people read it: `C:`, `S:` and `--` for remarks, each line with its time.
pub fn dialogue(transcript: &Transcript) -> String {
    let mut text = String::new();
    for line in transcript.lines() {
        let by = match line.by {
            Party::Client => "C:",
            Party::Server => "S:",
            Party::Note => "--",
        };
        let words: String = String::from_utf8_lossy(line.text)
            .chars()
            // A peer's octets must not steer the terminal.
            .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
            .collect();
        text.push_str(&format!("{:>9.3}  {by} {words}\n", line.at.as_secs_f64()));
    }
    text
}
