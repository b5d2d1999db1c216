//! A client signs in: drives a mechanism of [`sasl::server`] and has its questions answered by the back
//! ends, or relays the whole exchange to Dovecot.
//!
//! Who has failed too often is not looked at, and a refusal goes out no sooner than the guard has it
//! ([`policy::guard`]): nobody can tell from the time which names there are.

use std::sync::Arc;

use accounts::{
    Account, Answered, Told, Verdict, Visit,
    dovecot::{self, Relay},
};
use policy::{LOGIN_UNAVAILABLE, Refusal, WRONG_LOGIN, guard::Try};
use sasl::{
    Bindings, Mechanism, Secret,
    server::{Answer, Ask, Context, Exchange, Step, Why},
};
use smtp::server::{Sasl, SaslAnswer, Server};
use spool::Receipt;

use super::kerberos::SecurityContext;
use crate::{listen::Door, queue::Queue};

/// The exchange that is under way, if one is, and who has signed in.
#[derive(Default)]
pub struct Login {
    way: Option<Way>,
    looked_at: Option<LookedAt>,
    account: Option<Account>,
    security: SecurityContext,
}

/// Who does the mechanism.
enum Way {
    Ours(Box<Exchange>),
    Dovecot(Box<Relay>),
}

/// A login that the guard has let in.
struct LookedAt {
    /// None once it has been counted.
    tried: Option<Try>,
    /// The password or token, where the mechanism shows one.
    shown: Option<Secret>,
    account: Option<Account>,
    told: Vec<Told>,
}

/// Where a login comes from.
pub struct At<'a> {
    /// What everything shares.
    pub queue: &'a Arc<Queue>,
    /// The listener's side.
    pub door: &'a Door,
    /// The session's machine.
    pub machine: &'a Server<Receipt>,
    /// The certificate that the client showed.
    pub certificate: Option<Vec<u8>>,
    /// What the login can be bound to.
    pub bindings: Bindings,
}

/// What the client hears, and why, where that is no.
pub struct Outcome {
    /// For the machine.
    pub answer: SaslAnswer,
    /// For the log and the evidence.
    pub refusal: Option<Refusal>,
}

impl Login {
    /// Who has signed in, as the back end knows him.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// He has signed in with a proxy that is believed, or nobody has.
    pub fn is_elsewhere(&mut self, door: &Door, user: Option<&str>) {
        self.account = user.map(|name| {
            let known = door.accounts.known(name);
            known.unwrap_or_else(|| Account { name: name.to_owned(), ..Account::default() })
        });
    }

    /// The client has no wish to go on.
    pub async fn abort(&mut self) {
        // The last response of a mechanism that proves itself may be what fails.
        (self.looked_at, self.account) = (None, None);
        if let Some(Way::Dovecot(mut relay)) = self.way.take() {
            relay.cancel().await;
        }
    }

    /// What the mechanism says to the client's part.
    pub async fn step(&mut self, at: &At<'_>, step: Sasl) -> Outcome {
        match (step, self.way.take()) {
            (Sasl::Begin { mechanism, initial }, left) => {
                // Of another exchange that was left in the middle.
                drop(left);
                (self.looked_at, self.account) = (None, None);
                self.security = SecurityContext::default();
                self.begin(at, mechanism, initial).await
            }
            (Sasl::Response(response), Some(Way::Ours(mut exchange))) => {
                let step = exchange.respond(response.octets());
                self.go_on(at, exchange, step).await
            }
            (Sasl::Response(response), Some(Way::Dovecot(mut relay))) => {
                let step = relay.respond(response.octets()).await;
                self.relayed(at, relay, step).await
            }
            (Sasl::Response(_), None) => Outcome::plain(SaslAnswer::Malformed),
        }
    }

    async fn begin(
        &mut self,
        at: &At<'_>,
        mechanism: Mechanism,
        initial: Option<Secret>,
    ) -> Outcome {
        let initial = initial.as_ref().map(Secret::octets);
        let is_ours = mechanism == Mechanism::Gssapi && at.door.gssapi().is_some();
        let relay = at.door.accounts.relay(mechanism, &at.visit()).filter(|_| !is_ours);
        if let Some(relay) = relay {
            // Who it is only Dovecot will know; where it comes from is known now.
            if let Err(told) = self.look_at(at, "", None) {
                return *told;
            }
            let mut relay = Box::new(relay);
            let step = relay.begin(initial).await;
            return self.relayed(at, relay, step).await;
        }
        if mechanism == Mechanism::Gssapi
            && let Err(told) = self.look_at(at, "", None)
        {
            return *told;
        }
        match at.context() {
            Ok(context) => {
                let mut exchange = Box::new(Exchange::new(mechanism, context));
                let step = exchange.begin(initial);
                self.go_on(at, exchange, step).await
            }
            Err(error) => {
                tracing::error!(%error, "no login without randomness");
                Outcome::plain(SaslAnswer::refused(None, &Why::Unavailable))
            }
        }
    }

    async fn go_on(&mut self, at: &At<'_>, mut exchange: Box<Exchange>, step: Step) -> Outcome {
        let mut step = step;
        loop {
            step = match step {
                Step::Challenge(octets) => {
                    self.way = Some(Way::Ours(exchange));
                    return Outcome::plain(SaslAnswer::Challenge(octets));
                }
                Step::Ask(Ask::Gss(ask)) => {
                    let Some(settings) = at.door.gssapi() else {
                        return self.refused(at, None, &Why::Unavailable).await;
                    };
                    let (world, client) = (&at.queue.context.world, at.machine.peer().address);
                    let answer =
                        self.security.answer(world, settings, &at.bindings, client, ask).await;
                    exchange.answer(answer)
                }
                Step::Ask(Ask::Principal { principal, authorization }) => {
                    match self.principal(at, &principal, authorization.as_deref()) {
                        Ok(answer) => exchange.answer(answer),
                        Err(told) => return *told,
                    }
                }
                Step::Ask(ask) => {
                    let (user, shown) = who(&ask);
                    if let Err(told) = self.look_at(at, user, shown) {
                        return *told;
                    }
                    let Answered { answer, account, told } =
                        at.door.accounts.ask(&ask, &at.visit()).await;
                    if let Some(looked_at) = &mut self.looked_at {
                        looked_at.account = account;
                        looked_at.told = told;
                        // The client hears of it before its last response, and may do without that.
                        if matches!(ask, Ask::Token { .. }) && answer == Answer::No {
                            looked_at.count(at).await;
                        }
                    }
                    if let Answer::User(user) = &answer
                        && let Err(told) = self.named(at, user)
                    {
                        return *told;
                    }
                    exchange.answer(answer)
                }
                Step::Done { user, additional } => return self.done(at, user, additional),
                Step::Refused { user, why } => return self.refused(at, user, &why).await,
            }
        }
    }

    async fn relayed(&mut self, at: &At<'_>, relay: Box<Relay>, step: dovecot::Step) -> Outcome {
        match step {
            dovecot::Step::Challenge(octets) => {
                // Nobody says yet whom it was to be. The client may hang up now, and it has failed all the same.
                if relay.refuses_by_challenge(&octets)
                    && let Some(looked_at) = &mut self.looked_at
                {
                    looked_at.count(at).await;
                }
                self.way = Some(Way::Dovecot(relay));
                Outcome::plain(SaslAnswer::Challenge(octets))
            }
            dovecot::Step::Done(account, additional) => {
                let user = account.name.clone();
                if let Err(told) = self.named(at, &user) {
                    return *told;
                }
                if let Some(looked_at) = &mut self.looked_at {
                    looked_at.account = Some(account);
                }
                self.done(at, user, additional)
            }
            dovecot::Step::No { user, why } => {
                if let Some(user) = &user
                    && let Err(told) = self.named(at, user)
                {
                    return *told;
                }
                self.note("dovecot", Verdict::No { why, is_known: false });
                self.refused(at, user, &Why::Credentials).await
            }
            dovecot::Step::Unavailable(why) => {
                self.note("dovecot", Verdict::Unavailable(why));
                self.refused(at, None, &Why::Unavailable).await
            }
        }
    }

    fn note(&mut self, back_end: &str, verdict: Verdict) {
        if let Some(looked_at) = &mut self.looked_at {
            looked_at.told.push(Told { back_end: back_end.to_owned(), verdict });
        }
    }

    /// Asks the guard, once for each exchange.
    fn look_at(
        &mut self,
        at: &At<'_>,
        user: &str,
        shown: Option<Secret>,
    ) -> Result<(), Box<Outcome>> {
        if self.looked_at.is_some() {
            return Ok(());
        }
        match at.queue.context.policy.login(at.client(), user) {
            Ok(tried) => {
                let (tried, account, told) = (Some(tried), None, Vec::new());
                self.looked_at = Some(LookedAt { tried, shown, account, told });
                Ok(())
            }
            Err(refusal) => Err(Outcome::locked(user, refusal)),
        }
    }

    /// Tells the guard who it is, where only now that is known.
    fn named(&mut self, at: &At<'_>, user: &str) -> Result<(), Box<Outcome>> {
        let tried = self.looked_at.as_mut().and_then(|it| it.tried.take_if(|it| it.is_nameless()));
        let (Some(tried), Some(looked_at)) = (tried, &mut self.looked_at) else { return Ok(()) };
        match at.queue.context.policy.login_named(tried, user) {
            Ok(tried) => {
                looked_at.tried = Some(tried);
                Ok(())
            }
            Err(refusal) => {
                self.looked_at = None;
                Err(Outcome::locked(user, refusal))
            }
        }
    }

    /// Whom Kerberos vouches for, and whether that is a user.
    fn principal(
        &mut self,
        at: &At<'_>,
        principal: &str,
        authorization: Option<&str>,
    ) -> Result<Answer, Box<Outcome>> {
        let Some(settings) = at.door.gssapi() else { return Ok(Answer::Unavailable) };
        let user = settings.user(principal);
        self.named(at, user.as_deref().unwrap_or(principal))?;
        match settings.acting(principal, authorization) {
            Ok(user) => Ok(Answer::User(user)),
            Err(why) => {
                self.note("gssapi", Verdict::No { why: why.to_string(), is_known: true });
                Ok(Answer::No)
            }
        }
    }

    fn done(&mut self, at: &At<'_>, user: String, additional: Option<Vec<u8>>) -> Outcome {
        let account = match self.looked_at.take() {
            Some(LookedAt { tried, account, .. }) => {
                if let Some(tried) = tried {
                    at.queue.context.policy.login_succeeded(tried);
                }
                account
            }
            None => None,
        };
        let name = user.clone();
        // Proven elsewhere, by Kerberos: our own users may still have reverse-paths of theirs.
        let account = account.or_else(|| at.door.accounts.known(&name));
        self.account = Some(account.unwrap_or(Account { name, ..Account::default() }));
        Outcome::plain(SaslAnswer::Done { user, additional })
    }

    async fn refused(&mut self, at: &At<'_>, user: Option<String>, why: &Why) -> Outcome {
        let answer = SaslAnswer::refused(user, why);
        let SaslAnswer::Refused { reply, .. } = &answer else {
            self.looked_at = None;
            return Outcome::plain(answer);
        };
        let looked_at = self.looked_at.take();
        let told = looked_at.as_ref().map(|looked_at| words(&looked_at.told)).unwrap_or_default();
        let why_not = if told.is_empty() { why.to_string() } else { told };
        let policy = &at.queue.context.policy;
        let rule = match why {
            Why::Unavailable => {
                policy.count(LOGIN_UNAVAILABLE);
                LOGIN_UNAVAILABLE
            }
            _ => WRONG_LOGIN,
        };
        let refusal = Refusal { rule, reply: reply.clone(), why: why_not };
        if let (WRONG_LOGIN, Some(mut looked_at)) = (rule, looked_at) {
            looked_at.count(at).await;
        }
        Outcome { answer, refusal: Some(refusal) }
    }
}

impl LookedAt {
    /// It was wrong: counts it, once, and waits as long as that costs.
    async fn count(&mut self, at: &At<'_>) {
        if let Some(tried) = self.tried.take() {
            let shown = self.shown.as_ref().map(Secret::octets);
            at.queue.context.policy.login_failed(tried, shown).wait().await;
        }
    }
}

impl Outcome {
    fn plain(answer: SaslAnswer) -> Self {
        Self { answer, refusal: None }
    }

    fn locked(user: &str, refusal: Refusal) -> Box<Self> {
        let user = Some(user.to_owned()).filter(|user| !user.is_empty());
        let answer = SaslAnswer::Refused { user, reply: refusal.reply.clone() };
        Box::new(Self { answer, refusal: Some(refusal) })
    }
}

impl At<'_> {
    fn client(&self) -> std::net::IpAddr {
        self.machine.peer().address.ip()
    }

    fn visit(&self) -> Visit {
        let peer = self.machine.peer();
        Visit {
            client: peer.address,
            local: peer.local,
            is_encrypted: self.machine.tls().is_some(),
            certificate: self.certificate.clone(),
        }
    }

    fn context(&self) -> std::io::Result<Context> {
        let world = &self.queue.context.world;
        let config = self.queue.context.config();
        Ok(Context {
            hostname: config.config.hostname.as_str().into(),
            service: "smtp",
            plus_offered: self.machine.mechanisms().iter().any(Mechanism::is_plus),
            bindings: self.bindings.clone(),
            random: world.random.secret()?,
            key: self.queue.context.decoys.clone(),
            iterations: config.config.scram_iterations,
            now: world.clock.now().0 / 1000,
            tokens: self.door.accounts.tokens(),
            ntlm_v1: self.door.takes_ntlm_v1(),
        })
    }
}

/// Who is meant by a question, and what is shown to prove it.
fn who(ask: &Ask) -> (&str, Option<Secret>) {
    match ask {
        Ask::Password { user, password } => (user, Some(password.clone())),
        Ask::Token { user, token } => (user.as_deref().unwrap_or(""), Some(token.clone())),
        Ask::ScramKeys { user, .. } | Ask::SharedSecret { user } | Ask::NtHash { user, .. } => {
            (user, None)
        }
        Ask::Certificate { authorization } => (authorization.as_deref().unwrap_or(""), None),
        Ask::Principal { principal, .. } => (principal, None),
        Ask::Gss(_) => ("", None),
    }
}

/// What the back ends said, for the operator.
fn words(told: &[Told]) -> String {
    let said = told.iter().filter_map(|told| match &told.verdict {
        Verdict::Yes(_) => None,
        Verdict::No { why, .. } => Some(format!("{}: {why}", told.back_end)),
        Verdict::Unavailable(why) => Some(format!("{} can't tell: {why}", told.back_end)),
    });
    said.collect::<Vec<_>>().join("; ")
}
