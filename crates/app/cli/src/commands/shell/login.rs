//! `:auth`: a login done for one, by the mechanisms of [`sasl::client`]. The password is asked for when
//! it is needed, and no record ever holds it.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use sasl::{
    Mechanism, Secret,
    client::{Context, Credentials, Exchange, Proof, Step},
};
use world::{Clock, Random};

use super::{dialogue::Dialogue, hearing::Heard, typing::Given};

/// What such a login is done with here.
pub const POSSIBLE: [Mechanism; 12] = [
    Mechanism::ScramSha256Plus,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha1,
    Mechanism::OAuthBearer,
    Mechanism::XOAuth2,
    Mechanism::DigestMd5,
    Mechanism::CramSha1,
    Mechanism::CramMd5,
    Mechanism::Ntlm,
    Mechanism::Plain,
    Mechanism::Login,
];

impl Dialogue {
    /// Logs in; the reply tells what came of it.
    pub(super) async fn log_in(&mut self, mechanism: Mechanism, user: &str) {
        if !self.progress.tls && mechanism.row().reveals {
            self.record.aside("without TLS everybody on the way can read the password");
        }
        let by_token = matches!(mechanism, Mechanism::OAuthBearer | Mechanism::XOAuth2);
        let what = if by_token { "Token" } else { "Password" };
        let secret = match self.typist.secret(&format!("{what} of {user}: ")).await {
            Given::Line(secret) => Secret::new(secret),
            Given::End => return self.give_up("no password was given: nothing is sent".to_owned()),
            Given::Trouble(why) => return self.give_up(why),
        };
        let proof = if by_token { Proof::Token(secret) } else { Proof::Password(secret) };
        let credentials = Credentials { proof, ..Credentials::new(user, "") };
        match self.context() {
            Ok(context) if mechanism.is_plus() && context.bindings.is_empty() => {
                self.give_up(format!(
                    "{mechanism} is bound to TLS, and there is none to bind it to"
                ));
            }
            Ok(context) => {
                let exchange = Exchange::new(mechanism, context, Arc::new(credentials), true);
                self.sign_in(exchange).await;
            }
            Err(error) => self.give_up(format!("no login without randomness: {error}")),
        }
    }

    fn context(&self) -> std::io::Result<Context> {
        Ok(Context {
            service: "smtp",
            host: self.name.as_str().into(),
            port: self.link.port(),
            bindings: self.link.bindings(),
            random: Random::real().secret()?,
            now: Clock::Real.now().0 / 1000,
        })
    }

    async fn sign_in(&mut self, mut exchange: Exchange) {
        let mechanism = exchange.mechanism();
        let command = match exchange.begin() {
            Step::Send(initial) => {
                format!("AUTH {mechanism} {}", STANDARD.encode(initial.octets()))
            }
            _ => format!("AUTH {mechanism}"),
        };
        let mut heard = self.exchange(&command).await;
        let mut is_first = true;
        while let Some(challenge) = heard.as_ref().filter(|heard| heard.code == 334) {
            // LOGIN's questions and NTLM's first are for people.
            let for_people =
                mechanism == Mechanism::Login || (mechanism == Mechanism::Ntlm && is_first);
            let step = match STANDARD.decode(challenge.text.trim()) {
                Ok(octets) => exchange.challenge(&octets),
                Err(_) if for_people => exchange.challenge(&[]),
                Err(error) => {
                    self.give_up(format!("the challenge is not base64 ({error}): given up"));
                    self.exchange("*").await;
                    return;
                }
            };
            heard = match exchange.worked(step) {
                Step::Send(response) => self.exchange(&STANDARD.encode(response.octets())).await,
                Step::Failed(why) => {
                    self.give_up(why.to_string());
                    self.exchange("*").await
                }
                // Of Kerberos only, which is not among those that are possible here.
                Step::Wait | Step::Ask(_) | Step::Salt(_) => return,
            };
            is_first = false;
        }
        if let Some(told) = exchange.told() {
            self.record.aside(&format!("why the token was refused: {told}"));
        }
        if heard.is_some_and(|heard| heard.code == 235)
            && let Err(why) = exchange.finish()
        {
            self.give_up(why.to_string());
        }
    }

    fn give_up(&mut self, why: String) {
        let why = self.failed(why);
        self.record.aside(&why);
    }

    async fn exchange(&mut self, line: &str) -> Option<Heard> {
        self.send_line(line.as_bytes(), false).await;
        self.replies().await
    }
}
