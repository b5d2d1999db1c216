//! An open session with a next hop, and the transactions in it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use smtp::{
    Cause, EnhancedStatus, Envelope, Outcome, Party, Reply, Stage, TlsFacts, Transcript, Trouble,
    client::{Extensions, Features, Limits, Output, Transaction},
};
use world::net::{Endpoint, Idle};

use crate::{
    content::Content,
    convert::{self, Fitting},
    drive::Driver,
    interference, limits,
    plan::{Learned, Target},
    policy::{Demand, Policy, TlsResult},
    wire::Wire,
};

/// An open connection, past greeting, EHLO, TLS and AUTH, ready for a transaction.
pub struct Session {
    driver: Driver,
    target: Target,
    local: Option<std::net::IpAddr>,
    /// The connection that was tried before this one, in the same opening.
    pub(crate) before: Transcript,
    pub(crate) learned: Learned,
    pub(crate) policy: Arc<Policy>,
    pub(crate) tls_result: Option<TlsResult>,
}

/// One message for one next hop.
pub struct Mail<'a> {
    /// Paths and parameters. All its recipients are tried.
    pub envelope: Arc<Envelope>,
    /// What is sent.
    pub content: &'a dyn Content,
}

/// What became of a transaction.
#[derive(Clone, Debug)]
pub struct Relayed {
    /// One for each of the envelope's recipients, in their order.
    pub outcomes: Vec<Outcome>,
    /// Which of them were refused only because there were too many in one transaction (`452`, `552`;
    /// RFC 5321 section 4.5.3.1.10), while others were accepted: to be repeated at once.
    pub too_many: Vec<usize>,
    /// How the session was opened, and this transaction.
    pub transcript: Transcript,
    /// Features that broke in this transaction.
    pub learned: Learned,
}

/// Why no session was opened.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Where and what.
    pub cause: Cause,
    /// Whether another try cannot help (for this host).
    pub permanent: bool,
    /// What was said before.
    pub transcript: Transcript,
    /// What TLS came to; where the handshake broke, what was seen until then.
    pub tls: Option<TlsFacts>,
    /// What a TLS report would say of it; none if TLS was not the trouble.
    pub tls_result: Option<TlsResult>,
    /// Where we had connected to; none when it came to no connection.
    pub address: Option<SocketAddr>,
    /// Features that broke.
    pub learned: Learned,
}

impl Session {
    pub(crate) fn new(mut driver: Driver, target: Target) -> Self {
        let local = driver.wire().and_then(|wire| wire.local().ok()?.ip());
        let policy = Arc::new(Policy::of_route(Demand::Opportunistic, ""));
        let (before, learned) = (Transcript::default(), Learned::default());
        Self { driver, target, local, before, learned, policy, tls_result: None }
    }

    /// What was asked of TLS.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Whether the peer proved, by its certificate, a name that is sure to be the right one: what REQUIRETLS
    /// asks for (RFC 8689 section 4.2.1).
    pub fn proves_its_name(&self) -> bool {
        self.tls().is_some() && self.policy.demand.authenticates() && self.policy.name_is_sure
    }

    /// What is wrong with its TLS in the eyes of whoever published a policy, though the session goes on:
    /// in clear, or a certificate that does not verify. Of no weight where nobody asks for more.
    pub fn tls_result(&self) -> Option<TlsResult> {
        self.tls_result
    }

    /// Carries out one transaction. Never fails as a whole: each recipient has its outcome. Where the next
    /// hop limits the recipients of a transaction (LIMITS, RFC 9422), only so many are tried: the others
    /// are [`Relayed::too_many`].
    pub async fn relay(&mut self, mail: &Mail<'_>) -> Relayed {
        let (fit, rest) = limits::divide(&mail.envelope, &self.limits());
        if rest.is_empty() {
            return self.relay_all(mail).await;
        }
        let note = format!(
            "LIMITS: {} of {} recipients in this transaction",
            fit.len(),
            mail.envelope.recipients.len()
        );
        let recipients = fit.iter().map(|&at| mail.envelope.recipients[at].clone()).collect();
        let envelope = Arc::new(Envelope { recipients, ..mail.envelope.as_ref().clone() });
        let part = self.relay_all(&Mail { envelope, content: mail.content }).await;
        let later = || {
            let status = EnhancedStatus::new(4, 5, 3);
            let trouble =
                Trouble::Local(status, "left for another transaction (LIMITS)".to_owned());
            Outcome::Deferred(Cause { stage: Stage::Rcpt, trouble })
        };
        let mut outcomes: Vec<Outcome> = mail.envelope.recipients.iter().map(|_| later()).collect();
        for (&at, outcome) in fit.iter().zip(part.outcomes) {
            outcomes[at] = outcome;
        }
        let mut too_many: Vec<usize> = part.too_many.iter().map(|&at| fit[at]).collect();
        too_many.extend(rest);
        too_many.sort_unstable();
        let mut transcript = part.transcript;
        let at = transcript.lines().last().map_or(Duration::ZERO, |line| line.at);
        transcript.record(at, Party::Note, note);
        Relayed { outcomes, too_many, transcript, learned: part.learned }
    }

    fn limits(&self) -> Limits {
        let client = &self.driver.client;
        match client.usable().has(Features::LIMITS) {
            true => client.extensions().limits(),
            false => Limits::default(),
        }
    }

    async fn relay_all(&mut self, mail: &Mail<'_>) -> Relayed {
        let usable = self.driver.client.usable();
        match convert::fit(&mail.envelope, mail.content, usable).await {
            Ok(fitting) => {
                let outcomes = self.transact(mail, &fitting).await;
                self.report(outcomes)
            }
            Err(failed) => {
                let now = self.driver.now();
                self.driver.client.note(now, failed.trouble().to_string());
                self.report(vec![failed.outcome(); mail.envelope.recipients.len()])
            }
        }
    }

    async fn transact(&mut self, mail: &Mail<'_>, fitting: &Fitting) -> Vec<Outcome> {
        let content = fitting.content(mail.content);
        let transaction = Transaction {
            envelope: Arc::clone(&mail.envelope),
            body: fitting.body,
            smtputf8: fitting.smtputf8,
            size: content.len(),
        };
        let driver = &mut self.driver;
        driver.client.begin(driver.now(), transaction);
        if let Some(note) = &fitting.note {
            driver.client.note(driver.now(), note);
        }
        loop {
            match driver.next().await {
                Output::Content(_) => driver.send_content(content).await,
                Output::Finished(outcomes) => {
                    driver.settle();
                    return outcomes;
                }
                Output::Close => {
                    let cause = Cause { stage: Stage::Other, trouble: Trouble::Closed };
                    return vec![Outcome::Deferred(cause); mail.envelope.recipients.len()];
                }
                Output::StartTls
                | Output::SignIn
                | Output::Gss(_)
                | Output::Salt(_)
                | Output::Ready
                | Output::Replied(_)
                | Output::Failed { .. } => {}
            }
        }
    }

    fn report(&mut self, mut outcomes: Vec<Outcome>) -> Relayed {
        let used = self.driver.client.used();
        // In clear and without a login: then HELO takes nothing away that was promised.
        let without_ehlo = self.tls().is_none() && !used.has(Features::AUTH);
        let mut learned = interference::learn(used, without_ehlo, &mut outcomes);
        if let Some((feature, reply)) = self.driver.client.take_refusal() {
            learned.was_refused(feature, format!("it is offered and was refused: {reply}"));
        }
        Relayed { too_many: too_many(&outcomes), outcomes, transcript: self.transcript(), learned }
    }

    /// How the session was opened, and its newest transaction.
    pub fn transcript(&self) -> Transcript {
        let own = self.driver.client.transcript();
        if self.before.is_empty() {
            return own.clone();
        }
        let mut whole = self.before.clone();
        whole.extend(own);
        whole
    }

    /// Whether another transaction may follow.
    pub fn is_reusable(&self) -> bool {
        self.driver.client.is_reusable() && self.driver.is_connected()
    }

    /// Whether only the peer's limit (MAILMAX, RFC 9422) stands against another transaction: over a
    /// new connection there may be more.
    pub fn is_used_up(&self) -> bool {
        self.driver.client.is_used_up() && self.driver.is_connected()
    }

    /// Whether the peer has closed or spoken (`421`) since the last transaction; to be asked before
    /// reuse. One system call.
    pub fn is_dead(&mut self) -> bool {
        !self.is_reusable() || self.driver.wire().is_none_or(|wire| wire.idle() != Idle::Quiet)
    }

    /// How many transactions were begun here.
    pub fn transactions(&self) -> u32 {
        self.driver.client.transactions()
    }

    /// What TLS came to; none in clear.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.driver.client.tls()
    }

    /// What the next hop offers.
    pub fn extensions(&self) -> &Extensions {
        self.driver.client.extensions()
    }

    /// What of that its transactions use where they need it.
    pub fn usable(&self) -> Features {
        self.driver.client.usable()
    }

    /// Whom we are connected to.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The peer's address; none over a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.target.endpoint {
            Endpoint::Ip(address) => Some(*address),
            Endpoint::Unix(_) => None,
        }
    }

    /// Our own address; none over a Unix socket.
    pub fn local_address(&self) -> Option<std::net::IpAddr> {
        self.local
    }

    /// Features that broke while the session was opened.
    pub fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Sends one command line as it stands, for tools; not one that changes how the dialogue goes on.
    ///
    /// # Errors
    /// The session ended instead of a reply.
    pub async fn command(&mut self, line: &str) -> Result<Reply, Cause> {
        let driver = &mut self.driver;
        driver.client.command(driver.now(), line);
        loop {
            match driver.next().await {
                Output::Replied(reply) => {
                    driver.settle();
                    return Ok(reply);
                }
                Output::Failed { cause, .. } => {
                    driver.settle();
                    return Err(cause);
                }
                Output::Close => {
                    return Err(Cause { stage: Stage::Other, trouble: Trouble::Closed });
                }
                _ => {}
            }
        }
    }

    /// Gives the connection away, for the roles to be swapped on it after ATRN (RFC 2645): what the other
    /// end says from here on is not heard by this session. `None` if it is closed.
    pub fn into_wire(mut self) -> Option<Wire> {
        self.driver.take_wire()
    }

    /// Says QUIT, waits for the reply (by default at most 5 s) and closes. Gives the whole transcript.
    pub async fn quit(mut self) -> Transcript {
        self.driver.client.quit(self.driver.now());
        while self.driver.next().await != Output::Close {}
        self.transcript()
    }
}

fn too_many(outcomes: &[Outcome]) -> Vec<usize> {
    let is_too_many = |outcome: &Outcome| match outcome {
        Outcome::Deferred(cause) | Outcome::Failed(cause) => cause.is_too_many_recipients(),
        Outcome::Relayed(_) => false,
    };
    // Where nobody got through, fewer at once won't help.
    if !outcomes.iter().any(|outcome| matches!(outcome, Outcome::Relayed(_))) {
        return Vec::new();
    }
    outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| is_too_many(outcome))
        .map(|(number, _)| number)
        .collect()
}
