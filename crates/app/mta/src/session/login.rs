//! A client signs in: drives a mechanism of [`sasl::server`], and answers what it asks from the users.

use std::sync::Arc;

use sasl::{
    Bindings, Secret, scram,
    server::{Answer, Ask, Context, Exchange, Step, Tokens, Why},
};
use smtp::{
    Reply,
    server::{Sasl, SaslAnswer, Server},
};
use spool::Receipt;

use super::kerberos::{self, SecurityContext};
use crate::{listen::Door, queue::Queue};

/// The exchange that is under way, if one is.
#[derive(Default)]
pub struct Login {
    exchange: Option<Box<Exchange>>,
    security: SecurityContext,
}

impl Login {
    /// What the mechanism says to the client's part.
    pub async fn step(
        &mut self,
        queue: &Arc<Queue>,
        door: &Door,
        machine: &Server<Receipt>,
        step: Sasl,
    ) -> SaslAnswer {
        let (mut exchange, mut step) = match step {
            Sasl::Begin { mechanism, initial } => {
                self.security = SecurityContext::default();
                let context = match context(queue) {
                    Ok(context) => context,
                    Err(error) => {
                        tracing::error!(%error, "no login without randomness");
                        return SaslAnswer::refused(None, &Why::Unavailable);
                    }
                };
                let mut exchange = Box::new(Exchange::new(mechanism, context));
                let step = exchange.begin(initial.as_ref().map(Secret::octets));
                (exchange, step)
            }
            Sasl::Response(response) => {
                let Some(mut exchange) = self.exchange.take() else { return SaslAnswer::Malformed };
                let step = exchange.respond(response.octets());
                (exchange, step)
            }
        };
        loop {
            step = match step {
                Step::Challenge(octets) => {
                    self.exchange = Some(exchange);
                    return SaslAnswer::Challenge(octets);
                }
                Step::Ask(Ask::Password { user, password }) => {
                    match authenticate(queue, machine, &user, password).await {
                        Ok(()) => exchange.answer(Answer::User(user)),
                        Err(reply) => return SaslAnswer::Refused { user: Some(user), reply },
                    }
                }
                Step::Ask(Ask::Gss(ask)) => {
                    let Some(settings) = door.gssapi() else {
                        return SaslAnswer::refused(None, &Why::Unavailable);
                    };
                    let (world, client) = (&queue.context.world, machine.peer().address);
                    let bindings = Bindings::default();
                    let answer = self.security.answer(world, settings, &bindings, client, ask);
                    exchange.answer(answer.await)
                }
                Step::Ask(Ask::Principal { principal, authorization }) => {
                    let meant = door.gssapi().map(|settings| {
                        kerberos::user(settings, &principal, authorization.as_deref())
                    });
                    exchange.answer(meant.unwrap_or(Answer::No))
                }
                // No other mechanism is offered.
                Step::Ask(_) => exchange.answer(Answer::Unavailable),
                Step::Done { user, additional } => return SaslAnswer::Done { user, additional },
                Step::Refused { user, why } => {
                    let client = machine.peer().address;
                    tracing::warn!(%client, user, %why, "login refused");
                    return SaslAnswer::refused(user, &why);
                }
            }
        }
    }
}

fn context(queue: &Queue) -> std::io::Result<Context> {
    let world = &queue.context.world;
    Ok(Context {
        hostname: queue.context.config().config.hostname.as_str().into(),
        service: "smtp",
        bindings: Bindings::default(),
        plus_offered: false,
        random: world.random.secret()?,
        key: Arc::default(),
        iterations: scram::ITERATIONS,
        now: world.clock.now().0 / 1000,
        tokens: Tokens::default(),
    })
}

/// Is it the user? The hash is slow on purpose, so it is computed where blocking hurts nobody. Who has
/// failed too often is not even looked at.
async fn authenticate(
    queue: &Arc<Queue>,
    machine: &Server<Receipt>,
    user: &str,
    password: Secret,
) -> Result<(), Reply> {
    let config = queue.context.config();
    let client = machine.peer().address.ip();
    let policy = &queue.context.policy;
    if let Err(refusal) = policy.login(client, user) {
        tracing::warn!(%client, user, rule = refusal.rule, why = refusal.why, "login not looked at");
        return Err(refusal.reply);
    }
    if config.users.verify_remembered(user, password.octets()).is_some() {
        return Ok(());
    }
    let asked = user.to_owned();
    let verified = tokio::task::spawn_blocking(move || {
        config.users.verify(&asked, password.octets()).is_some()
    });
    match verified.await {
        Ok(true) => Ok(()),
        Ok(false) => {
            policy.login_failed(client, user);
            Err(Reply::authentication_failed())
        }
        Err(error) => {
            tracing::error!(%error, "the password check broke");
            Err(Reply::authentication_unavailable())
        }
    }
}
