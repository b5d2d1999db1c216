//! One listener's side of every session: what it offers, whom it trusts, what it writes into the log.

use std::{net::IpAddr, sync::Arc, time::Duration};

use accounts::Accounts;
use policy::{
    Case, Refusal,
    rates::{Count, Per, Rate},
};
use sasl::{Mechanism, Mechanisms};
use smtp::{
    Reply, Stage, Timestamp,
    client::Features,
    server::{AuthOffer, Event, LineEndings, Offer, Protocol, Server, Timeouts},
};
use spool::Receipt;
use transport::ServerConfig;

use crate::{
    config::{self, Compiled, Disclosure, Gssapi, Limits, Listener, ListenerTls, Role},
    queue::Queue,
    session::judge::Refused,
};

/// A listener, made ready.
pub struct Door {
    /// For the log.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// What the machine offers.
    pub offer: Arc<Offer>,
    /// The certificate.
    pub tls: Option<Arc<ServerConfig>>,
    /// TLS from the first octet on.
    pub implicit_tls: bool,
    /// In effect here.
    pub limits: Limits,
    /// Before the greeting.
    pub greeting_wait: Duration,
    /// For a client to take our replies.
    pub write_timeout: Duration,
    /// The same offer with a greeting of two lines, the first of which is sent before the wait.
    pub teaser: Option<Teaser>,
    /// Who knows the users here.
    pub accounts: Accounts,
    /// What AUTH offers.
    pub mechanisms: Mechanisms,
    rates: Vec<Rate>,
    listener: Listener,
}

impl Door {
    /// Makes a listener ready.
    pub fn new(
        config: &Compiled,
        listener: &Listener,
        tls: Option<Arc<ServerConfig>>,
        accounts: &Accounts,
    ) -> Self {
        let limits = listener.limits.clone().unwrap_or_else(|| config.config.limits.clone());
        let tls = tls.filter(|_| listener.tls != ListenerTls::None);
        let accounts = accounts.only(&listener.accounts);
        let mechanisms = mechanisms(listener, &accounts);
        let offer = offer(config, listener, &limits, tls.is_some(), mechanisms);
        Self {
            accounts,
            mechanisms,
            name: listener.name(),
            role: listener.role,
            teaser: Teaser::new(&config.config.door.teaser, &offer),
            offer: Arc::new(offer),
            implicit_tls: listener.tls == ListenerTls::Implicit,
            tls,
            greeting_wait: limits.greeting_wait,
            write_timeout: limits.command_wait,
            rates: rates(&limits),
            limits,
            listener: listener.clone(),
        }
    }

    /// Whether a client may relay through this listener without a password.
    pub fn trusts(&self, client: IpAddr) -> bool {
        self.listener.trusts(client)
    }

    /// What policy has to know of a client that comes in here.
    pub fn case(&self, config: &Compiled, client: IpAddr) -> Case<'_> {
        Case {
            trusted: self.trusts(client) || config.may_relay(client),
            screened: self.listener.screens(),
            rates: &self.rates,
            ..Case::new(client)
        }
    }

    /// Kerberos, for those who sign in here.
    pub fn gssapi(&self) -> Option<&Gssapi> {
        self.listener.gssapi.as_ref()
    }

    /// Whether version 1 of NTLM is taken.
    pub fn takes_ntlm_v1(&self) -> bool {
        self.listener.auth.ntlm_v1
    }

    /// Which of the features that are not for everybody a client may use.
    pub fn grants(&self, client: IpAddr) -> Features {
        self.listener.grants(client)
    }

    /// Whether connections from there begin with a PROXY protocol header.
    pub fn is_proxied(&self, peer: IpAddr) -> bool {
        self.listener.is_proxied(peer)
    }

    /// What VRFY and EXPN say here.
    pub fn discloses(&self) -> (Disclosure, Disclosure) {
        (self.listener.vrfy, self.listener.expn)
    }

    /// Logs what the machine noticed, and keeps evidence of refusals; `because` is why the last question
    /// got a no.
    pub fn report(
        &self,
        queue: &Queue,
        machine: &Server<Receipt>,
        event: &Event,
        because: Option<&Refused>,
    ) {
        let client = machine.peer().address;
        let listener = self.name.as_str();
        match event {
            Event::CommandRefused { verb, reply } => {
                let (because, rule, why) = told(because, reply);
                tracing::info!(%client, listener, verb, %reply, rule, why, "command refused");
                if *verb == "MAIL" {
                    queue.context.metrics.refused.increment();
                    self.keep_refusal(queue, machine, Stage::Mail, reply, None, because);
                }
            }
            Event::RecipientRefused { forward_path, reply } => {
                queue.context.metrics.refused.increment();
                let (because, rule, why) = told(because, reply);
                tracing::info!(%client, listener, to = %forward_path, %reply, rule, why, "recipient refused");
                self.keep_refusal(queue, machine, Stage::Rcpt, reply, Some(forward_path), because);
            }
            Event::Authenticated { .. }
            | Event::AuthenticationAborted { .. }
            | Event::AuthenticationFailed { .. } => {
                self.report_login(queue, machine, event, because);
            }
            Event::ContentRefused { reply, length } => {
                queue.context.metrics.refused.increment();
                let (because, rule, why) = told(because, reply);
                tracing::info!(%client, listener, length, %reply, rule, why, "content refused");
                self.keep_refusal(queue, machine, Stage::EndOfData, reply, None, because);
            }
            Event::TlsFailed { why } => {
                queue.context.metrics.tls_failed.increment();
                tracing::info!(%client, listener, why, "TLS handshake failed");
            }
            event => self.remark(machine, event),
        }
    }

    /// Logs what has no evidence of its own.
    fn remark(&self, machine: &Server<Receipt>, event: &Event) {
        let client = machine.peer().address;
        let listener = self.name.as_str();
        match event {
            Event::BareLineEnd { line, which } => {
                tracing::info!(%client, listener, line, %which, "bare line end in content");
            }
            Event::LineTooLong { length } => {
                tracing::info!(%client, listener, length, "line too long")
            }
            Event::ControlCharacter { octet } => {
                tracing::info!(%client, listener, octet, "control character in a command");
            }
            Event::NotSmtp { protocol } => {
                tracing::info!(%client, listener, protocol, "client speaks no SMTP")
            }
            Event::PlaintextDiscarded { length } => {
                tracing::warn!(%client, listener, length, "octets in clear behind STARTTLS thrown away");
            }
            Event::Aborted { recipients, length } => {
                tracing::debug!(%client, listener, recipients, length, "transaction aborted");
            }
            Event::ClientNamed { proxy } => {
                tracing::info!(%client, %proxy, listener, "a proxy named its client");
            }
            Event::ExchangeDiscarded { verb, length } => {
                tracing::info!(%client, listener, verb, length, "what only Exchange reads was thrown away");
            }
            Event::TooManyErrors => tracing::info!(%client, listener, "too many errors"),
            Event::Idle => tracing::info!(%client, listener, "client was silent for too long"),
            Event::ClosedByPeer => tracing::debug!(%client, listener, "closed by the client"),
            // The others are told with what they came to.
            Event::CommandRefused { .. }
            | Event::RecipientRefused { .. }
            | Event::Authenticated { .. }
            | Event::AuthenticationAborted { .. }
            | Event::AuthenticationFailed { .. }
            | Event::ContentRefused { .. }
            | Event::TlsFailed { .. } => {}
        }
    }

    fn report_login(
        &self,
        queue: &Queue,
        machine: &Server<Receipt>,
        event: &Event,
        because: Option<&Refused>,
    ) {
        let client = machine.peer().address;
        let listener = self.name.as_str();
        match event {
            Event::Authenticated { mechanism, user } => {
                tracing::info!(%client, listener, %mechanism, user, "authenticated");
            }
            Event::AuthenticationAborted { mechanism } => {
                tracing::info!(%client, listener, %mechanism, "authentication given up");
            }
            Event::AuthenticationFailed { mechanism, user, reply } => {
                let (because, rule, why) = told(because, reply);
                let user = user.as_deref();
                tracing::warn!(%client, listener, %mechanism, user, %reply, rule, why, "authentication failed");
                let at = queue.context.world.clock.now();
                queue.context.evidence.login_refused(at, listener, machine, user, reply, because);
            }
            _ => {}
        }
    }

    /// A message is ours now.
    pub fn report_kept(
        &self,
        queue: &Queue,
        machine: &Server<Receipt>,
        receipt: &Receipt,
        message_id: Option<&str>,
        size: u64,
        at: Timestamp,
    ) {
        let Some(envelope) = machine.envelope() else { return };
        let case = Case {
            sender: Some(envelope.reverse_path.as_ref()),
            user: machine.user(),
            ..self.case(&queue.context.config(), machine.peer().address.ip())
        };
        queue.context.policy.took(&case, size);
        queue.context.metrics.messages_received.increment();
        queue.context.metrics.recipients_received.add(envelope.recipients.len() as u64);
        queue.context.metrics.octets_received.add(size);
        let from = envelope.reverse_path.as_ref().map_or("<>", |path| path.as_str());
        tracing::info!(id = %receipt.id(), client = %machine.peer().address, helo = machine.helo(), from,
            recipients = envelope.recipients.len(), size, user = machine.user(), message_id, "received");
        if let Some(origin) = machine.origin() {
            tracing::info!(id = %receipt.id(), name = origin.name.as_deref(), address = origin.address.as_deref(),
                helo = origin.helo.as_deref(), ident = origin.ident.as_deref(), "forwarded for");
        }
        queue.context.evidence.received(at, &self.name, receipt.id(), machine, message_id, size);
    }

    /// Keeps evidence of a client that was refused before it said anything; for a limit on how often, once
    /// in a while is enough.
    pub fn report_turned_away(&self, queue: &Queue, machine: &Server<Receipt>, because: &Refused) {
        queue.context.metrics.connections_refused.increment();
        let (client, listener) = (machine.peer().address, self.name.as_str());
        let Refusal { rule, reply, why } = &because.refusal;
        tracing::info!(%client, listener, rule, %reply, why, "connection refused");
        let context = &queue.context;
        if context.policy.is_worth_telling(client.ip()) {
            self.keep_refusal(queue, machine, Stage::Greeting, reply, None, Some(because));
        }
    }

    fn keep_refusal(
        &self,
        queue: &Queue,
        machine: &Server<Receipt>,
        stage: Stage,
        reply: &Reply,
        forward_path: Option<&smtp::Address>,
        because: Option<&Refused>,
    ) {
        let at = queue.context.world.clock.now();
        queue.context.evidence.refused(
            at,
            &self.name,
            machine,
            stage,
            reply,
            forward_path,
            because,
        );
    }
}

/// A greeting in two parts.
pub struct Teaser {
    /// What is offered with it.
    pub offer: Arc<Offer>,
    /// Its first line, to be sent before the wait.
    pub line: Vec<u8>,
}

impl Teaser {
    fn new(text: &str, offer: &Offer) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let line = format!("220-{} {text}\r\n", offer.hostname).into_bytes();
        let banner = format!("{text}\n{} {}", offer.hostname, offer.banner).into();
        Some(Self { offer: Arc::new(Offer { banner, ..offer.clone() }), line })
    }
}

/// Why it was refused, with the rule and the words of it; nothing where the machine refused by itself, and
/// `because` is of another question.
fn told<'r>(
    because: Option<&'r Refused>,
    reply: &Reply,
) -> (Option<&'r Refused>, Option<&'static str>, Option<&'r str>) {
    let because = because.filter(|because| because.refusal.reply == *reply);
    let refusal = because.map(|because| &because.refusal);
    (because, refusal.map(|refusal| refusal.rule), refusal.map(|refusal| refusal.why.as_str()))
}

/// The limits of `[limits]` that are rates.
fn rates(limits: &Limits) -> Vec<Rate> {
    let of = |count, per_minute: u32| Rate {
        count,
        per: Per::Client,
        most: u64::from(per_minute),
        within: Duration::from_secs(60),
    };
    let rates = [
        of(Count::Connections, limits.connections_per_client_per_minute),
        of(Count::Messages, limits.messages_per_client_per_minute),
        of(Count::Recipients, limits.recipients_per_client_per_minute),
    ];
    rates.into_iter().filter(|rate| rate.most > 0).collect()
}

/// The mechanisms of a listener: those it names, as far as somebody can answer them; or those that serve
/// everybody, without the outdated ones. Certificates are asked for only where they are wanted.
pub fn mechanisms(listener: &Listener, accounts: &Accounts) -> Mechanisms {
    let kerberos = match listener.gssapi {
        Some(_) => Mechanisms::NONE.with(Mechanism::Gssapi),
        None => Mechanisms::NONE,
    };
    let named: Vec<_> = listener.auth.mechanisms.iter().filter_map(|it| it.parse().ok()).collect();
    match named.is_empty() {
        false => named.into_iter().collect::<Mechanisms>().of(accounts.possible().and(kerberos)),
        true => {
            let usual = Mechanisms::that(|row| row.by_default).with(Mechanism::External);
            let usual = match listener.client_ca {
                Some(_) => usual,
                None => usual.without(Mechanism::External),
            };
            accounts.fitting().of(usual).and(kerberos)
        }
    }
}

/// What the configuration says, in the machine's terms.
pub fn offer(
    config: &Compiled,
    listener: &Listener,
    limits: &Limits,
    tls_available: bool,
    mechanisms: Mechanisms,
) -> Offer {
    let features = listener.features(config.knows_owners());
    let hidden = listener.hidden();
    let seconds = |wait: Duration| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
    Offer {
        protocol: match listener.protocol {
            config::Protocol::Smtp => Protocol::Smtp,
            config::Protocol::Lmtp => Protocol::Lmtp,
        },
        features,
        vrfy: listener.vrfy != Disclosure::Off && !hidden.has(Features::VRFY),
        expn: listener.expn != Disclosure::Off && !hidden.has(Features::EXPN),
        transactions_max: Some(limits.messages_per_session_max).filter(|&most| most > 0),
        deliver_by_min: seconds(listener.deliver_by_min),
        future_release_max: listener.future_release_max.as_secs(),
        priority_max: listener.priority_max,
        no_soliciting: listener.no_soliciting.join(",").into(),
        size_max: (limits.size_max > 0).then_some(limits.size_max),
        recipients_max: limits.recipients_max as usize,
        auth: match (listener.offers_auth(), listener.auth.without_tls) {
            (false, _) => AuthOffer::NEVER,
            (true, false) => AuthOffer::inside_tls(mechanisms),
            (true, true) => AuthOffer::always(mechanisms),
        },
        auth_names: listener.auth.further_names(),
        auth_required: listener.requires_auth(),
        tls_available: tls_available && listener.tls == ListenerTls::StartTls,
        tls_required: listener.require_tls,
        errors_max: limits.errors_max,
        timeouts: Timeouts {
            command: limits.command_wait,
            content: limits.content_wait,
            tls: limits.handshake_wait,
        },
        line_endings: match listener.line_endings {
            config::LineEndings::Refuse => LineEndings::Refuse,
            config::LineEndings::Normalize => LineEndings::Normalize,
        },
        ..Offer::new(config.config.hostname.as_str())
    }
}
