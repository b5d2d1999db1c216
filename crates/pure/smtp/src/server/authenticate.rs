//! AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN, up to the question whether it is he.
//!
//! No part of an exchange gets into the transcript but the verb, the mechanism and `*`.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    AuthOffer, Event, Mechanism, Question, Secret, Server,
    commands::RefusalKind,
    state::{Asked, Exchange, State},
};
use crate::{
    command::Verb,
    reply::{Missing, Proof, Reply},
};

/// `Username:` and `Password:`, as LOGIN's clients expect them.
const LOGIN_USER: &str = "VXNlcm5hbWU6";
const LOGIN_PASSWORD: &str = "UGFzc3dvcmQ6";

impl<P: Proof> Server<P> {
    /// Whether AUTH can ever be done on this listener.
    pub(super) fn is_auth_possible(&self) -> bool {
        match self.offer.auth {
            AuthOffer::Never => false,
            AuthOffer::InsideTls => self.offer.tls_available || self.tls().is_some(),
            AuthOffer::Always => true,
        }
    }

    /// Writes the command down without what is secret in it.
    pub(super) fn hear_auth(&mut self, now: Duration, word: &str, argument: &str) {
        let (mechanism, rest) = argument.split_once(' ').unwrap_or((argument, ""));
        // RFC 4422 section 3.1: capitals. What does not look like a mechanism might be a password.
        let known = ["PLAIN", "LOGIN"].iter().any(|known| known.eq_ignore_ascii_case(mechanism));
        let capital =
            |o: u8| o.is_ascii_uppercase() || o.is_ascii_digit() || o == b'-' || o == b'_';
        let shown = known || (mechanism.len() <= 20 && mechanism.bytes().all(capital));
        let line = match (argument.is_empty(), shown, rest.is_empty()) {
            (true, ..) => word.to_owned(),
            (_, false, _) => format!("{word} ****"),
            (_, true, true) => format!("{word} {mechanism}"),
            (_, true, false) => format!("{word} {mechanism} ****"),
        };
        self.voice.hear(now, line.as_bytes());
    }

    pub(super) fn auth(&mut self, now: Duration, verb: Verb, argument: &str) {
        if let Err(reply) = self.may_authenticate() {
            return self.refuse_auth(now, reply);
        }
        let mut words = argument.split(' ').filter(|word| !word.is_empty());
        let mechanism = match words.next() {
            Some(word) if word.eq_ignore_ascii_case("PLAIN") => Mechanism::Plain,
            Some(word) if word.eq_ignore_ascii_case("LOGIN") => Mechanism::Login,
            _ => return self.refuse_auth(now, Reply::unknown_mechanism()),
        };
        let initial = words.next();
        if words.next().is_some() {
            return self.refuse_auth(now, Reply::syntax(verb.usage()));
        }
        let exchange = match mechanism {
            Mechanism::Plain => Exchange::Plain,
            Mechanism::Login => Exchange::LoginUser,
        };
        match (initial, mechanism) {
            // RFC 4954 section 4: `=` is an initial response of no octets.
            (Some("="), _) => self.respond(now, exchange, ""),
            (Some(initial), _) => self.respond(now, exchange, initial),
            (None, Mechanism::Plain) => self.challenge(now, exchange, ""),
            (None, Mechanism::Login) => self.challenge(now, exchange, LOGIN_USER),
        }
    }

    fn may_authenticate(&self) -> Result<(), Reply> {
        if self.offer.auth == AuthOffer::InsideTls && self.tls().is_none() {
            return Err(Reply::auth_needs_tls());
        }
        if !self.facts.helo.as_ref().is_some_and(|helo| helo.extended) {
            return Err(Reply::out_of_sequence(Missing::Ehlo));
        }
        if self.facts.user.is_some() {
            return Err(Reply::already_authenticated());
        }
        match self.state {
            State::Ready => Ok(()),
            // RFC 4954 section 4: not during a mail transaction.
            _ => Err(Reply::out_of_sequence(Missing::Rset)),
        }
    }

    /// A line inside the exchange.
    pub(super) fn hear_response(&mut self, now: Duration, line: &[u8]) {
        let State::Authenticating(exchange) = std::mem::replace(&mut self.state, State::Ready)
        else {
            return;
        };
        if line == b"*" {
            self.voice.hear(now, line);
            return self.refuse_auth(now, Reply::auth_cancelled());
        }
        self.voice.hear(now, b"****");
        match std::str::from_utf8(line) {
            Ok(line) => self.respond(now, exchange, line),
            Err(_) => self.refuse_auth(now, Reply::bad_auth_response()),
        }
    }

    fn challenge(&mut self, now: Duration, exchange: Exchange, base64: &'static str) {
        self.state = State::Authenticating(exchange);
        self.voice.say(now, &Reply::challenge(base64));
    }

    fn respond(&mut self, now: Duration, exchange: Exchange, base64: &str) {
        let text = STANDARD.decode(base64).ok().and_then(|octets| String::from_utf8(octets).ok());
        let Some(text) = text else {
            return self.refuse_auth(now, Reply::bad_auth_response());
        };
        match exchange {
            Exchange::Plain => self.plain(now, &text),
            Exchange::LoginUser => {
                self.challenge(now, Exchange::LoginPassword { user: text }, LOGIN_PASSWORD);
            }
            Exchange::LoginPassword { user } => self.examine(now, Mechanism::Login, user, text),
        }
    }

    /// RFC 4616 section 2: authorization identity, NUL, authentication identity, NUL, password.
    fn plain(&mut self, now: Duration, message: &str) {
        let mut parts = message.split('\0');
        let (Some(authorization), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return self.refuse_auth(now, Reply::bad_auth_response());
        };
        if !authorization.is_empty() && authorization != user {
            // Nobody acts for another here.
            let user = Some(user.to_owned());
            return self.failed(now, Mechanism::Plain, user, Reply::authentication_failed());
        }
        self.examine(now, Mechanism::Plain, user.to_owned(), password.to_owned());
    }

    fn examine(&mut self, now: Duration, mechanism: Mechanism, user: String, password: String) {
        if user.is_empty() || password.is_empty() {
            let user = Some(user).filter(|user| !user.is_empty());
            return self.failed(now, mechanism, user, Reply::authentication_failed());
        }
        let asked = Asked::Authenticate { mechanism, user: user.clone() };
        let password = Secret::new(password);
        self.ask(Question::Authenticate { mechanism, user, password }, asked);
    }

    pub(super) fn authenticated(
        &mut self,
        now: Duration,
        mechanism: Mechanism,
        user: String,
        result: Result<(), Reply>,
    ) {
        match result {
            Ok(()) => {
                self.facts.user = Some(user.as_str().into());
                self.auth_refused = false;
                self.voice.say(now, &Reply::authenticated());
                self.voice.end_opening();
                self.report(Event::Authenticated { mechanism, user });
            }
            Err(reply) => self.failed(now, mechanism, Some(user), reply),
        }
    }

    fn failed(&mut self, now: Duration, mechanism: Mechanism, user: Option<String>, reply: Reply) {
        let over = reply.is_permanent() && self.is_over(RefusalKind::Auth);
        self.report(Event::AuthenticationFailed { mechanism, user, reply: reply.clone() });
        if over {
            return self.too_many(now);
        }
        self.voice.say(now, &reply);
    }

    /// AUTH is refused without a look at any credentials.
    fn refuse_auth(&mut self, now: Duration, reply: Reply) {
        self.refuse_command(now, Verb::Auth.text(), reply);
    }
}
