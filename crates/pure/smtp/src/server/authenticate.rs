//! AUTH (RFC 4954), and X-EXPS: the framing of an exchange. What is in it, is for a mechanism to know:
//! each of the client's parts goes to the driver as [`Sasl`], whose answer says what comes next.
//!
//! No part of an exchange gets into the transcript but the verb, the mechanism and `*`.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use sasl::{Mechanism, Secret};

use super::{
    AuthOffer, Event, Question, Sasl, SaslAnswer, Server,
    commands::RefusalKind,
    state::{Asked, Exchange, State, Turn},
};
use crate::{
    command::Verb,
    reply::{Missing, Proof, Reply},
};

impl<P: Proof> Server<P> {
    /// Whether AUTH can ever be done on this listener.
    pub(super) fn is_auth_possible(&self) -> bool {
        let AuthOffer { in_clear, inside_tls } = self.offer.auth;
        let tls = self.offer.tls_available || self.tls().is_some();
        !in_clear.is_empty() || (tls && !inside_tls.is_empty())
    }

    /// Writes the command down without what is secret in it.
    pub(super) fn hear_auth(&mut self, now: Duration, word: &str, argument: &str) {
        let (mechanism, rest) = argument.split_once(' ').unwrap_or((argument, ""));
        // RFC 4422 section 3.1: capitals. What does not look like a mechanism might be a password.
        let known = self.mechanism_called(mechanism).is_some();
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
        let mechanism = match self.mechanism(words.next().unwrap_or_default()) {
            Ok(mechanism) => mechanism,
            Err(reply) => return self.refuse_auth(now, reply),
        };
        let initial = words.next();
        if words.next().is_some() {
            return self.refuse_auth(now, Reply::syntax(verb.usage()));
        }
        if initial.is_some() && !mechanism.is_client_first() {
            return self.refuse_auth(now, Reply::server_speaks_first());
        }
        let initial = match initial {
            // RFC 4954 section 4: `=` is an initial response of no octets.
            Some("=") => Some(Vec::new()),
            Some(base64) => match STANDARD.decode(base64) {
                Ok(octets) => Some(octets),
                Err(_) => return self.refuse_auth(now, Reply::bad_auth_response()),
            },
            // MS-SMTPNTLM section 2.2.1.2: the first message is asked for in words.
            None if mechanism == Mechanism::Ntlm => {
                return self.challenge(now, mechanism, Turn::First, &Reply::ntlm_supported());
            }
            None => None,
        };
        self.ask_sasl(mechanism, Sasl::Begin { mechanism, initial: initial.map(Secret::new) });
    }

    fn may_authenticate(&self) -> Result<(), Reply> {
        if self.offer.auth.in_clear.is_empty() && self.tls().is_none() {
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

    /// The mechanism of that name, or of that further name.
    fn mechanism_called(&self, name: &str) -> Option<Mechanism> {
        let others = || {
            let mut names = self.offer.auth_names.iter();
            names
                .find(|(other, _)| other.eq_ignore_ascii_case(name))
                .map(|&(_, mechanism)| mechanism)
        };
        Mechanism::by_name(name).or_else(others)
    }

    /// The mechanism of that name, if this client is offered it now.
    fn mechanism(&self, name: &str) -> Result<Mechanism, Reply> {
        let offered = self.mechanisms();
        match self.mechanism_called(name) {
            Some(mechanism) if offered.has(mechanism) => Ok(mechanism),
            Some(mechanism)
                if self.offer.auth.inside_tls.has(mechanism) && self.tls().is_none() =>
            {
                Err(Reply::auth_needs_tls())
            }
            _ => Err(Reply::unknown_mechanism()),
        }
    }

    /// A line inside the exchange.
    pub(super) fn hear_response(&mut self, now: Duration, line: &[u8]) {
        let State::Authenticating(exchange) = std::mem::replace(&mut self.state, State::Ready)
        else {
            return;
        };
        let Exchange { mechanism, turn } = exchange;
        if line == b"*" {
            self.voice.hear(now, line);
            self.report(Event::AuthenticationAborted { mechanism });
            return self.refuse_auth(now, Reply::auth_cancelled());
        }
        self.voice.hear(now, b"****");
        let Ok(octets) = STANDARD.decode(line) else {
            self.report(Event::AuthenticationAborted { mechanism });
            return self.refuse_auth(now, Reply::bad_auth_response());
        };
        match turn {
            Turn::First => {
                let initial = Some(Secret::new(octets));
                self.ask_sasl(mechanism, Sasl::Begin { mechanism, initial });
            }
            Turn::Next => self.ask_sasl(mechanism, Sasl::Response(Secret::new(octets))),
            Turn::Last { user } if octets.is_empty() => self.authenticated(now, mechanism, user),
            // RFC 4422 section 3.6: there is nothing left to say.
            Turn::Last { .. } => self.refuse_auth(now, Reply::bad_auth_response()),
        }
    }

    fn ask_sasl(&mut self, mechanism: Mechanism, step: Sasl) {
        self.ask(Question::Sasl(step), Asked::Sasl(mechanism));
    }

    fn challenge(&mut self, now: Duration, mechanism: Mechanism, turn: Turn, reply: &Reply) {
        self.state = State::Authenticating(Exchange { mechanism, turn });
        self.voice.say(now, reply);
    }

    pub(super) fn sasl_answered(
        &mut self,
        now: Duration,
        mechanism: Mechanism,
        answer: SaslAnswer,
    ) {
        match answer {
            SaslAnswer::Challenge(octets) => {
                let reply = Reply::challenge(&STANDARD.encode(octets));
                self.challenge(now, mechanism, Turn::Next, &reply);
            }
            SaslAnswer::Done { user, additional: None } => {
                self.authenticated(now, mechanism, user);
            }
            // RFC 4954 section 4: a success has no data here, so it comes as one more challenge.
            SaslAnswer::Done { user, additional: Some(octets) } => {
                let reply = Reply::challenge(&STANDARD.encode(octets));
                self.challenge(now, mechanism, Turn::Last { user }, &reply);
            }
            SaslAnswer::Malformed => self.refuse_auth(now, Reply::bad_auth_response()),
            SaslAnswer::Refused { user, reply } => {
                let over = reply.is_permanent() && self.is_over(RefusalKind::Auth);
                let told = reply.clone();
                self.report(Event::AuthenticationFailed { mechanism, user, reply: told });
                match over {
                    true => self.too_many(now),
                    false => self.voice.say(now, &reply),
                }
            }
        }
    }

    fn authenticated(&mut self, now: Duration, mechanism: Mechanism, user: String) {
        self.facts.user = Some(user.as_str().into());
        self.auth_refused = false;
        self.voice.say(now, &Reply::authenticated());
        self.voice.end_opening();
        self.report(Event::Authenticated { mechanism, user });
    }

    /// AUTH is refused without a look at any credentials.
    fn refuse_auth(&mut self, now: Duration, reply: Reply) {
        self.refuse_command(now, Verb::Auth.text(), reply);
    }
}
