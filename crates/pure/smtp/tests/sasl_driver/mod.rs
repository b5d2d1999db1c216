//! The answers to [`Sasl`]: the mechanisms of `sasl`, and a back end of one user.

#![allow(dead_code)] // each test uses its part

use std::sync::Arc;

use sasl::{
    Bindings, Secret, scram,
    server::{Answer, Ask, Context, Exchange, Step, Tokens},
};
use smtp::{
    client,
    server::{Sasl, SaslAnswer},
};

/// The one user, and the password.
pub const USER: &str = "tester@example.test";
pub const PASSWORD: &str = "secret";

/// A session's exchange.
#[derive(Default)]
pub struct Login(Option<Exchange>);

impl Login {
    /// What the mechanism says to this; and what it asked, for a page.
    pub fn step(&mut self, step: Sasl) -> (Vec<String>, SaslAnswer) {
        let (mut exchange, mut step) = match step {
            Sasl::Begin { mechanism, initial } => {
                let mut exchange = Exchange::new(mechanism, context());
                let step = exchange.begin(initial.as_ref().map(Secret::octets));
                (exchange, step)
            }
            Sasl::Response(response) => {
                let mut exchange = self.0.take().expect("a response needs an exchange");
                let step = exchange.respond(response.octets());
                (exchange, step)
            }
        };
        let mut asked = Vec::new();
        loop {
            step = match step {
                Step::Ask(ask) => {
                    let (text, answer) = answer(&exchange, ask);
                    asked.push(text);
                    exchange.answer(answer)
                }
                Step::Challenge(challenge) => {
                    self.0 = Some(exchange);
                    return (asked, SaslAnswer::Challenge(challenge));
                }
                Step::Done { user, additional } => {
                    return (asked, SaslAnswer::Done { user, additional });
                }
                Step::Refused { user, why } => return (asked, SaslAnswer::refused(user, &why)),
            }
        }
    }
}

fn answer(exchange: &Exchange, ask: Ask) -> (String, Answer) {
    match ask {
        Ask::Password { user, password } => {
            let text = format!("authenticate {user} by {}", exchange.mechanism());
            match user == USER && password == Secret::new(PASSWORD) {
                true => (text, Answer::User(user)),
                false => (text, Answer::No),
            }
        }
        Ask::ScramKeys { user, hash } => {
            let salt = b"sixteen octets..".to_vec();
            let keys = scram::Keys::derive(hash, PASSWORD, salt, scram::ITERATIONS);
            let answer = if user == USER { Answer::ScramKeys(keys) } else { Answer::No };
            (format!("keys of {user}"), answer)
        }
        Ask::SharedSecret { user } => {
            let answer = match user == USER {
                true => Answer::Password(Secret::new(PASSWORD)),
                false => Answer::No,
            };
            (format!("password of {user}"), answer)
        }
        Ask::NtHash { user, domain } => {
            let text = format!("NT hash of {user} in `{domain}`");
            match user == USER {
                true => (text, Answer::NtHash { user, hash: sasl::nt_hash(PASSWORD) }),
                false => (text, Answer::No),
            }
        }
        Ask::Token { user, token } => {
            let text = format!("token of {}", user.as_deref().unwrap_or("whom it may be"));
            match token == Secret::new("right") {
                true => (text, Answer::User(USER.into())),
                false => (text, Answer::No),
            }
        }
        Ask::Certificate { .. } => ("certificate".into(), Answer::User(USER.into())),
        Ask::Principal { .. } | Ask::Gss(_) => ("Kerberos".into(), Answer::Unavailable),
    }
}

/// What a client knows of its channel: nothing.
pub fn client_context() -> client::Context {
    client::Context {
        service: "smtp",
        host: "relay.test".into(),
        port: 587,
        bindings: Bindings::default(),
        random: [9; 32],
        now: 1_795_168_800,
    }
}

/// The same in each session, chance included.
fn context() -> Context {
    Context {
        hostname: "mx.example.test".into(),
        service: "smtp",
        bindings: Bindings::default(),
        plus_offered: false,
        ntlm_v1: false,
        random: [7; 32],
        key: Arc::new(Secret::new("the server's")),
        iterations: 4_096,
        now: 1_795_168_800,
        tokens: Tokens {
            scope: Some("mail".into()),
            configuration: Some("https://id.example.test/.well-known/openid-configuration".into()),
        },
    }
}
