//! One address of one host: what it is called, how it greets, what it offers, whether its TLS is what was
//! published, and whether it would take an envelope. At most three connections: as published, once more in
//! clear where opportunistic TLS breaks, and once without the policy where the policy forbids the host, so that
//! the rest is seen all the same.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use diagnose::{Finding, Weight, examine, inspect};
use serde::{Serialize, Serializer};
use smtp::{Attempt, Cause, Outcome, Party, Stage, Timestamp, TlsFacts, Transcript};
use world::World;

use super::{Bisection, Names, Notice, Offer, Order, RelayTest, Trial, dialogue, names};
use crate::{
    mta_sts::{Mode, StsFound},
    mx::Exchanger,
    open::open,
    plan::Target,
    policy::{Demand, Policy},
    session::{Failure, Session},
    tls::{ClientTls, expires},
};

/// What was seen at one address.
#[derive(Clone, Debug, Serialize)]
pub struct Visit {
    /// The host's name, or the address.
    pub host: String,
    /// Of its MX record.
    pub preference: u16,
    /// Where.
    pub address: IpAddr,
    /// What DNSSEC says of the host's addresses.
    pub security: String,
    /// Reverse names.
    pub names: Names,
    /// Our own address there.
    pub local: Option<IpAddr>,
    /// How long the connection took; none if there was none.
    #[serde(rename = "connect_milliseconds", serialize_with = "milliseconds")]
    pub connect: Option<Duration>,
    /// How long the greeting took from there.
    #[serde(rename = "greeting_milliseconds", serialize_with = "milliseconds")]
    pub greeting: Option<Duration>,
    /// The greeting's first line.
    pub banner: Option<String>,
    /// What EHLO offers in clear.
    pub in_clear: Option<Offer>,
    /// What EHLO offers under TLS.
    pub under_tls: Option<Offer>,
    /// Version, cipher, certificate, and whether it verifies.
    pub tls: Option<TlsFacts>,
    /// What is asked of TLS there, and who asks: DANE, MTA-STS.
    pub policy: String,
    /// Whether that was kept; none where nothing binding is published, or no TLS was reached.
    pub policy_kept: Option<bool>,
    /// Whether the domain's MTA-STS policy names this host; none without one.
    pub mta_sts_names_it: Option<bool>,
    /// Where and why the session ended early.
    pub failure: Option<String>,
    /// What was tried of the envelope.
    pub steps: Vec<Step>,
    /// Whether it relays for strangers, where that was tested.
    pub relay_test: Option<RelayTest>,
    /// Which feature breaks, where that was tried.
    pub bisection: Option<Bisection>,
    /// The whole dialogue, a line each.
    pub dialogue: Vec<String>,
    /// What the rules say of the dialogue.
    pub findings: Vec<Finding>,
    /// What is amiss besides.
    pub notices: Vec<Notice>,
    #[serde(skip)]
    pub(super) target: Target,
}

/// A command that was tried, and its reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// As sent.
    pub command: String,
    /// As answered, or what happened instead.
    pub reply: String,
    /// Whether the reply was positive.
    pub accepted: bool,
}

/// What all visits share.
#[derive(Clone, Copy)]
pub(super) struct Going<'a> {
    pub(super) world: &'a World,
    pub(super) tls: &'a ClientTls,
    pub(super) order: &'a Order,
    pub(super) sts: &'a StsFound,
}

/// How a visit's session ended.
#[derive(Default)]
struct Seen {
    transcript: Transcript,
    tls: Option<TlsFacts>,
    local: Option<IpAddr>,
    cause: Option<Cause>,
    kept: Option<bool>,
    /// The policy's own trouble, where it forbids the host.
    forbidden: Option<String>,
    steps: Vec<Step>,
}

impl Going<'_> {
    /// Visits one address.
    pub(super) async fn visit(
        self,
        host: &Exchanger,
        address: IpAddr,
        policy: Arc<Policy>,
    ) -> Visit {
        let names = names::look_up(self.world, address).await;
        let target = Target::tcp(host.host.clone(), SocketAddr::new(address, self.order.port));
        let seen = self.session(&target, &policy).await;
        let heard = dialogue::read(&seen.transcript);
        let attempt = self.attempt(&target, &seen);
        let named = match self.sts {
            StsFound::Policy(sts) if sts.mode != Mode::None => Some(sts.names(&host.host)),
            _ => None,
        };
        let greeting = heard.greeted.zip(heard.connected);
        let mut visit = Visit {
            host: host.host.clone(),
            preference: host.preference,
            address,
            security: host.security.to_string(),
            names,
            local: seen.local,
            connect: heard.connected,
            greeting: greeting.map(|(greeted, connected)| greeted.saturating_sub(connected)),
            banner: heard.banner,
            in_clear: heard.in_clear,
            under_tls: heard.under_tls,
            tls: seen.tls,
            policy: policy.why.clone(),
            policy_kept: seen.kept,
            mta_sts_names_it: named,
            failure: seen.cause.as_ref().map(|cause| format!("{}: {}", cause.stage, cause.trouble)),
            steps: seen.steps,
            dialogue: crate::send::dialogue(&seen.transcript).lines().map(str::to_owned).collect(),
            findings: findings(&attempt),
            notices: Vec::new(),
            relay_test: None,
            bisection: None,
            target: target.with_policy(Arc::clone(&policy)),
        };
        if is_our_own_lack(&visit) {
            visit.findings.clear();
            let what = "this machine has no way to that address: nothing is known of it from here";
            let remedy = "probe it from a machine that has IPv6";
            visit.notices.push(Notice::new(Weight::Remark, what, remedy));
        } else {
            judge(&mut visit, &policy, seen.forbidden);
            visit.notices.extend(expiry(&visit, self.world.clock.now()));
        }
        visit
    }

    /// As published; if the policy forbids the host, once more without it.
    async fn session(self, target: &Target, policy: &Arc<Policy>) -> Seen {
        let binding = policy.demand.is_binding();
        let first = target.clone().with_policy(Arc::clone(policy));
        match open(self.world, self.tls, &first, &self.order.plan).await {
            Ok(session) => {
                let kept = binding.then_some(true);
                self.talk(session, Seen { kept, ..Seen::default() }).await
            }
            Err(failure) if binding && is_about_policy(&failure, policy) => {
                let mut seen = Seen {
                    kept: Some(false),
                    forbidden: Some(failure.cause.trouble.to_string()),
                    transcript: failure.transcript,
                    ..Seen::default()
                };
                let why = "once more, without what the policy asks for";
                let end = seen.transcript.lines().last().map_or(Duration::ZERO, |line| line.at);
                seen.transcript.record(end, Party::Note, why);
                let free = Policy::of_route(Demand::Opportunistic, why);
                let again = target.clone().with_policy(Arc::new(free));
                match open(self.world, self.tls, &again, &self.order.plan).await {
                    Ok(session) => self.talk(session, seen).await,
                    Err(failure) => failed(seen, failure),
                }
            }
            Err(failure) => failed(Seen::default(), failure),
        }
    }

    async fn talk(self, mut session: Session, mut seen: Seen) -> Seen {
        seen.tls = session.tls().cloned();
        seen.local = session.local_address();
        if let Some(trial) = &self.order.trial {
            seen.steps = try_envelope(&mut session, trial).await;
        }
        seen.transcript.extend(&session.quit().await);
        seen
    }

    /// The visit as an attempt, which the session rules read.
    fn attempt(self, target: &Target, seen: &Seen) -> Attempt {
        let recipients = self.order.trial.iter().flat_map(|trial| trial.recipients.iter().cloned());
        // The rules see in an outcome that there was no connection; without a recipient nobody has one.
        let recipient = recipients.chain("postmaster@probe.invalid".parse()).next();
        let outcome = seen.cause.clone().map(Outcome::Deferred);
        Attempt {
            next_hop: target.host.clone(),
            address: target.endpoint.socket().map(|address| address.to_string()),
            route: Vec::new(),
            transcript: seen.transcript.clone(),
            tls: seen.tls.clone(),
            outcomes: recipient.zip(outcome).into_iter().collect(),
        }
    }
}

fn failed(mut seen: Seen, failure: Failure) -> Seen {
    seen.transcript.extend(&failure.transcript);
    seen.tls = failure.tls;
    seen.cause = Some(failure.cause);
    seen
}

fn is_about_policy(failure: &Failure, policy: &Policy) -> bool {
    matches!(failure.cause.stage, Stage::StartTls | Stage::Tls)
        || matches!(policy.demand, Demand::Unusable { .. })
}

/// MAIL and RCPT, one by one, then RSET: nothing is ever sent.
async fn try_envelope(session: &mut Session, trial: &Trial) -> Vec<Step> {
    let mut steps = Vec::new();
    let reverse = trial.reverse_path.as_ref().map_or("", |path| path.as_str());
    let all = trial.reverse_path.iter().chain(&trial.recipients);
    let international = all.into_iter().any(|path| path.needs_smtputf8());
    let mut parameters = if international { " SMTPUTF8".to_owned() } else { String::new() };
    if let Some(size) = trial.size.filter(|_| session.extensions().has("SIZE")) {
        parameters.push_str(&format!(" SIZE={size}"));
    }
    let mail = step(session, format!("MAIL FROM:<{reverse}>{parameters}")).await;
    let accepted = mail.accepted;
    steps.push(mail);
    if accepted {
        for recipient in &trial.recipients {
            steps.push(step(session, format!("RCPT TO:<{recipient}>")).await);
        }
    }
    if session.is_reusable() {
        // What it answers decides nothing: QUIT follows.
        let _ = session.command("RSET").await;
    }
    steps
}

/// One command of a tool's, and what it got.
pub(super) async fn step(session: &mut Session, command: String) -> Step {
    let (reply, accepted) = match session.command(&command).await {
        Ok(reply) => (reply.to_string(), reply.is_positive()),
        Err(cause) => (cause.trouble.to_string(), false),
    };
    Step { command, reply, accepted }
}

/// What the rules say of the dialogue; and of its early end, which an attempt's outcome tells best.
fn findings(attempt: &Attempt) -> Vec<Finding> {
    let mut findings = inspect(&diagnose::Session::from(attempt));
    if let Some((path, _)) = attempt.outcomes.first() {
        let ended = examine(attempt, path);
        if !findings.iter().any(|known| known.rule == ended.rule) {
            findings.push(ended);
        }
    }
    findings
}

/// IPv6 that our own network does not have is no fault of theirs.
fn is_our_own_lack(visit: &Visit) -> bool {
    let unreachable =
        |failure: &String| failure.contains("no route to") && failure.contains("unreachable");
    visit.address.is_ipv6() && visit.failure.as_ref().is_some_and(unreachable)
}

fn judge(visit: &mut Visit, policy: &Policy, forbidden: Option<String>) {
    let mut notices = Vec::new();
    let mut tell = |weight, what: String, remedy: &str| {
        notices.push(Notice::new(weight, what, remedy));
    };
    if let Some(why) = forbidden {
        let what = format!("mail by the published policy does not go here: {why}");
        tell(Weight::Failure, what, "make certificate, TLSA records and MTA-STS policy agree");
    }
    if let Some(failed) = policy.failed {
        let what = format!("the published policy can't be kept or can't be had: {failed}");
        tell(Weight::Fault, what, "mend the MTA-STS policy");
    }
    if let (Some(problem), true) = (&visit.names.problem, visit.connect.is_some()) {
        // Nobody needs a name to receive; but most such hosts send as well.
        let what = format!("no forward-confirmed reverse name: {problem}");
        tell(Weight::Remark, what, "give the address a PTR record whose name leads back to it");
    }
    let clear = visit.in_clear.as_ref();
    if clear.is_some_and(|offer| !offer.has("STARTTLS")) && visit.tls.is_none() {
        let what = "STARTTLS is not offered: mail comes in clear".to_owned();
        tell(Weight::Fault, what, "set up a certificate; or find what takes the keyword away");
    }
    let plain = |name: &&str| ["PLAIN", "LOGIN"].iter().any(|own| own.eq_ignore_ascii_case(name));
    if clear.is_some_and(|offer| offer.mechanisms().iter().any(plain)) {
        let what = "AUTH with a readable password is offered without TLS".to_owned();
        tell(Weight::Fault, what, "offer AUTH only under TLS (RFC 8314 section 4.1)");
    }
    if let (Some(Err(why)), None | Some(true)) =
        (visit.tls.as_ref().map(|tls| &tls.verified), visit.policy_kept)
    {
        let what = format!("the certificate does not verify: {why}");
        tell(Weight::Remark, what, "most senders don't ask; those who want it verified do");
    }
    visit.notices = notices;
}

/// So many days before its end a certificate should have a successor: those who renew by themselves do so a
/// month before.
const EXPIRY_WARNING_DAYS: u64 = 14;

/// A certificate that expires soon. One that has expired does not verify, which is told as that.
fn expiry(visit: &Visit, now: Timestamp) -> Option<Notice> {
    let until = expires(visit.tls.as_ref()?)?;
    let days = until.since(now).as_secs() / 86_400;
    (until > now && days < EXPIRY_WARNING_DAYS).then(|| {
        let what = format!("the certificate expires in {days} days, at {}", until.to_rfc3339());
        Notice::new(Weight::Fault, what, "renew it, and see why nothing did so by itself")
    })
}

impl Visit {
    /// Whether the failure, if any, was the connection itself.
    pub fn is_connected(&self) -> bool {
        self.connect.is_some()
    }
}

fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
}
