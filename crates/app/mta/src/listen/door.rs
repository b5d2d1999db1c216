//! One listener's side of every session: what it offers, whom it trusts, what it writes into the log.

use std::{net::IpAddr, sync::Arc, time::Duration};

use smtp::{
    Stage, Timestamp,
    server::{AuthOffer, Event, Extensions, LineEndings, Offer, Server, Timeouts},
};
use spool::Receipt;
use transport::ServerConfig;

use super::Rates;
use crate::{
    config::{self, Compiled, Limits, Listener, ListenerTls, Role},
    queue::Queue,
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
    /// Shared by all doors.
    pub rates: Arc<Rates>,
    listener: Listener,
}

impl Door {
    /// Makes a listener ready.
    pub fn new(
        config: &Compiled,
        listener: &Listener,
        tls: Option<Arc<ServerConfig>>,
        rates: Arc<Rates>,
    ) -> Self {
        let limits = listener.limits.clone().unwrap_or_else(|| config.config.limits.clone());
        let tls = tls.filter(|_| listener.tls != ListenerTls::None);
        Self {
            name: listener.name(),
            role: listener.role,
            offer: Arc::new(offer(config, listener, &limits, tls.is_some())),
            implicit_tls: listener.tls == ListenerTls::Implicit,
            tls,
            greeting_wait: limits.greeting_wait,
            write_timeout: limits.command_wait,
            limits,
            rates,
            listener: listener.clone(),
        }
    }

    /// Whether a client may relay through this listener without a password.
    pub fn trusts(&self, client: IpAddr) -> bool {
        self.listener.trusts(client)
    }

    /// Logs what the machine noticed, and keeps evidence of refusals.
    pub fn report(&self, queue: &Queue, machine: &Server<Receipt>, event: &Event) {
        let client = machine.peer().address;
        let listener = self.name.as_str();
        match event {
            Event::CommandRefused { verb, reply } => {
                tracing::info!(%client, listener, verb, %reply, "command refused");
                if *verb == "MAIL" {
                    queue.context.metrics.refused.increment();
                    self.keep_refusal(queue, machine, Stage::Mail, reply, None);
                }
            }
            Event::RecipientRefused { forward_path, reply } => {
                queue.context.metrics.refused.increment();
                tracing::info!(%client, listener, to = %forward_path, %reply, "recipient refused");
                self.keep_refusal(queue, machine, Stage::Rcpt, reply, Some(forward_path));
            }
            Event::Authenticated { mechanism, user } => {
                tracing::info!(%client, listener, %mechanism, user, "authenticated");
            }
            Event::AuthenticationFailed { user, reply, .. } => {
                tracing::warn!(%client, listener, user = user.as_deref(), %reply, "authentication failed");
            }
            Event::ContentRefused { reply, length } => {
                queue.context.metrics.refused.increment();
                tracing::info!(%client, listener, length, %reply, "content refused");
                self.keep_refusal(queue, machine, Stage::EndOfData, reply, None);
            }
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
            Event::TlsFailed { why } => {
                queue.context.metrics.tls_failed.increment();
                tracing::info!(%client, listener, why, "TLS handshake failed");
            }
            Event::Aborted { recipients, length } => {
                tracing::debug!(%client, listener, recipients, length, "transaction aborted");
            }
            Event::TooManyErrors => tracing::info!(%client, listener, "too many errors"),
            Event::Idle => tracing::info!(%client, listener, "client was silent for too long"),
            Event::ClosedByPeer => tracing::debug!(%client, listener, "closed by the client"),
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
        queue.context.metrics.messages_received.increment();
        queue.context.metrics.recipients_received.add(envelope.recipients.len() as u64);
        queue.context.metrics.octets_received.add(size);
        let from = envelope.reverse_path.as_ref().map_or("<>", |path| path.as_str());
        tracing::info!(id = %receipt.id(), client = %machine.peer().address, helo = machine.helo(), from,
            recipients = envelope.recipients.len(), size, user = machine.user(), message_id, "received");
        queue.context.evidence.received(at, &self.name, receipt.id(), machine, message_id, size);
    }

    fn keep_refusal(
        &self,
        queue: &Queue,
        machine: &Server<Receipt>,
        stage: Stage,
        reply: &smtp::Reply,
        forward_path: Option<&smtp::Address>,
    ) {
        let at = queue.context.world.clock.now();
        queue.context.evidence.refused(at, &self.name, machine, stage, reply, forward_path);
    }
}

/// What the configuration says, in the machine's terms.
fn offer(config: &Compiled, listener: &Listener, limits: &Limits, tls_available: bool) -> Offer {
    let shown = |keyword: &str| !listener.hides(keyword);
    Offer {
        extensions: Extensions {
            pipelining: shown("PIPELINING"),
            size: shown("SIZE"),
            eight_bit_mime: shown("8BITMIME"),
            smtputf8: shown("SMTPUTF8"),
            enhanced_status_codes: shown("ENHANCEDSTATUSCODES"),
            dsn: shown("DSN"),
            chunking: shown("CHUNKING"),
            binarymime: shown("BINARYMIME"),
            help: shown("HELP"),
        },
        size_max: (limits.size_max > 0).then_some(limits.size_max),
        recipients_max: limits.recipients_max as usize,
        auth: match (listener.offers_auth() && shown("AUTH"), listener.auth.without_tls) {
            (false, _) => AuthOffer::Never,
            (true, false) => AuthOffer::InsideTls,
            (true, true) => AuthOffer::Always,
        },
        auth_required: listener.requires_auth(),
        tls_available: tls_available && shown("STARTTLS") && listener.tls == ListenerTls::StartTls,
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
