//! Signing in (RFC 4954): the mechanism that proves most among what is offered and allowed, the next one
//! where the server does not know it after all, and what becomes of it.
//!
//! | the server says            | then                                                              |
//! |----------------------------|-------------------------------------------------------------------|
//! | `334`                      | the mechanism's response, or `*` if the challenge is none of it   |
//! | `235`                      | in, if the server has proven itself where the mechanism has it do so |
//! | `504`, `534`, `538` at once | the next mechanism, if there is one                               |
//! | anything else              | not in: a trouble of ours, that can be mended                     |

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use sasl::{
    Mechanism, Mechanisms, Secret,
    client::{Context, Exchange, Proof, Step, Why},
    gss,
};

use super::{Awaited, Client, Features, Output, State, awaited::Turn};
use crate::{
    outcome::{Stage, Trouble},
    reply::parse::Heard,
    status::EnhancedStatus,
};

/// A command line with its CRLF. An initial response that makes it longer comes on a line of its own (RFC
/// 4954 section 4).
const LINE_LENGTH_MAX: usize = 512;

/// A login under way.
pub(super) struct Login {
    context: Context,
    /// The mechanisms that may still be tried.
    left: Mechanisms,
    plus_offered: bool,
    exchange: Exchange,
    /// The mechanism was not named yet, or its initial response is still to come.
    before: Before,
    /// Why we have given up.
    failed: Option<Why>,
}

enum Before {
    /// The command is to be said.
    Command,
    /// The command went, and this belongs to the first challenge.
    Initial(Secret),
    /// It has begun.
    Nothing,
}

impl Client {
    /// AUTH, if there are credentials; else the session is open.
    pub(super) fn authenticate(&mut self) {
        match self.plan.credentials {
            Some(_) => self.outputs.push_back(Output::SignIn),
            None => self.ready(),
        }
    }

    /// After [`Output::SignIn`]: signs in by the best mechanism there is.
    pub fn sign_in(&mut self, now: Duration, context: Context) {
        self.wire.now = now;
        if let Some(credentials) = self.plan.credentials.clone().filter(|_| self.is_opening()) {
            let offered = self.offered_mechanisms();
            let left = credentials.choose(offered, self.is_secure(), &context.bindings);
            let plus_offered = offered.iter().any(Mechanism::is_plus);
            if let Err(trouble) = self.try_next(context, left, plus_offered) {
                self.refuse_opening(Stage::Auth, trouble);
            }
        }
        self.rearm();
    }

    /// After [`Output::Gss`]: what came of it.
    pub fn gss_answered(&mut self, now: Duration, answer: gss::Answer) {
        self.wire.now = now;
        let is_opening = self.is_opening();
        if let Some(login) = self.login.as_mut().filter(|_| is_opening) {
            let step = login.exchange.answer(answer);
            self.go_on(step);
        }
        self.rearm();
    }

    /// After [`Output::Salt`]: what came of it.
    pub fn salted(&mut self, now: Duration, salted: &Secret) {
        self.wire.now = now;
        let is_opening = self.is_opening();
        if let Some(login) = self.login.as_mut().filter(|_| is_opening) {
            let step = login.exchange.salted(salted);
            self.go_on(step);
        }
        self.rearm();
    }

    /// A session may have ended while its driver looked for an answer: then nothing is said any more.
    fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening)
    }

    /// The mechanisms that the server offers, as far as we know them.
    fn offered_mechanisms(&self) -> Mechanisms {
        let verb = self.auth_verb();
        if !self.usable().has(Features::AUTH) && verb == "AUTH" {
            return Mechanisms::NONE;
        }
        self.extensions.mechanisms_of(verb).filter_map(Mechanism::by_name).collect()
    }

    /// AUTH, or what Exchange calls it, where the plan allows that and AUTH is not to be had.
    fn auth_verb(&self) -> &'static str {
        let exchange = Features::X_EXPS.with(Features::X_EXPS_LOGIN).of(self.usable());
        match self.usable().has(Features::AUTH) || exchange.is_empty() {
            true => "AUTH",
            false => "X-EXPS",
        }
    }

    /// Begins with the best mechanism that is left.
    fn try_next(
        &mut self,
        context: Context,
        left: Mechanisms,
        plus_offered: bool,
    ) -> Result<(), Trouble> {
        let (Some(mechanism), Some(credentials)) = (left.iter().next(), &self.plan.credentials)
        else {
            return Err(self.no_mechanism());
        };
        let credentials = credentials.clone();
        let mut exchange = Exchange::new(mechanism, context.clone(), credentials, plus_offered);
        let step = exchange.begin();
        let (before, left) = (Before::Command, left.without(mechanism));
        let failed = None;
        let login = Login { context, left, plus_offered, exchange, before, failed };
        self.login = Some(Box::new(login));
        self.used = self.used.with(Features::AUTH);
        self.go_on(step);
        Ok(())
    }

    /// Why there is none: said to whoever can mend it.
    fn no_mechanism(&self) -> Trouble {
        let Some(credentials) = &self.plan.credentials else {
            return Trouble::Local(EnhancedStatus::new(4, 7, 0), "there are no credentials".into());
        };
        if let Proof::Missing(why) = &credentials.proof {
            return Trouble::Local(EnhancedStatus::new(4, 3, 5), why.clone());
        }
        let offered = self.offered_mechanisms();
        let in_tls = credentials.choose(offered, true, &sasl::Bindings::default());
        if !self.is_secure() && !in_tls.is_empty() {
            let text = "credentials are not sent in clear and the session has no TLS";
            return Trouble::Local(EnhancedStatus::new(4, 7, 11), text.to_owned());
        }
        let verb = self.auth_verb();
        let theirs: Vec<_> = self.extensions.mechanisms_of(verb).collect();
        let theirs = match theirs.is_empty() {
            true => "none is offered".to_owned(),
            false => format!("the server offers {}", theirs.join(" ")),
        };
        let ours = credentials.choose(Mechanisms::that(|_| true), true, &sasl::Bindings::default());
        let text = format!("no mechanism of AUTH in common: {theirs}, and ours are {ours}");
        Trouble::Local(EnhancedStatus::new(4, 7, 4), text)
    }

    fn go_on(&mut self, step: Step) {
        let Some(login) = &mut self.login else { return };
        match (step, std::mem::replace(&mut login.before, Before::Nothing)) {
            (Step::Ask(ask), before) => {
                login.before = before;
                self.outputs.push_back(Output::Gss(ask));
            }
            (Step::Salt(salting), before) => {
                login.before = before;
                self.outputs.push_back(Output::Salt(salting));
            }
            (Step::Send(response), Before::Command) => self.say_auth(Some(response)),
            (Step::Wait, _) => self.say_auth(None),
            (Step::Send(response), _) => self.say_response(&response),
            (Step::Failed(why), Before::Command) => self.skip(&why),
            (Step::Failed(why), _) => {
                login.failed = Some(why);
                self.cancel();
            }
        }
    }

    /// The command, with the initial response if there is one and it fits.
    fn say_auth(&mut self, initial: Option<Secret>) {
        let verb = self.auth_verb();
        let Some(login) = &mut self.login else { return };
        let command = format!("{verb} {}", login.exchange.mechanism());
        // RFC 4954 section 4: `=` is a response of no octets.
        let base64 = initial.as_ref().map(|it| match it.is_empty() {
            true => "=".to_owned(),
            false => STANDARD.encode(it.octets()),
        });
        let awaited = Awaited::Auth(Turn::Begun);
        match (initial, base64) {
            (Some(initial), Some(base64))
                if command.len() + 1 + base64.len() + 2 > LINE_LENGTH_MAX =>
            {
                login.before = Before::Initial(initial);
                self.wire.say_secretly(awaited, &command, &command);
            }
            (_, Some(base64)) => {
                let line = format!("{command} {base64}");
                self.wire.say_secretly(awaited, &line, &format!("{command} ****"));
            }
            (_, None) => self.wire.say_secretly(awaited, &command, &command),
        }
    }

    fn say_response(&mut self, response: &Secret) {
        let base64 = STANDARD.encode(response.octets());
        let shown = if base64.is_empty() { "" } else { "****" };
        self.wire.say_secretly(Awaited::Auth(Turn::Answered), &base64, shown);
    }

    fn cancel(&mut self) {
        self.wire.say_secretly(Awaited::Auth(Turn::Cancelled), "*", "*");
    }

    /// It can't even begin on our side: the next one, if there is one.
    fn skip(&mut self, why: &Why) {
        let Some(login) = self.login.take() else { return };
        let mechanism = login.exchange.mechanism();
        self.wire.note(format!("{mechanism}: {why}"));
        let Login { context, left, plus_offered, .. } = *login;
        if left.is_empty() || self.try_next(context, left, plus_offered).is_err() {
            self.refuse_opening(Stage::Auth, own_trouble(mechanism, why));
        }
    }

    pub(super) fn hear_auth(&mut self, turn: Turn, heard: &Heard<'_>) {
        let Some(login) = &mut self.login else { return self.misunderstood(Stage::Auth, heard) };
        let mechanism = login.exchange.mechanism();
        match (turn, heard.code) {
            (Turn::Cancelled, _) => {
                let why = login.failed.take().unwrap_or(Why::Impostor);
                self.login = None;
                self.refuse_opening(Stage::Auth, own_trouble(mechanism, &why));
            }
            (_, 334) => match std::mem::replace(&mut login.before, Before::Nothing) {
                Before::Initial(initial) => self.say_response(&initial),
                _ => self.hear_challenge(turn, heard),
            },
            (_, 200..=299) => match login.exchange.finish() {
                Ok(()) => {
                    self.login = None;
                    self.ready();
                }
                Err(why) => {
                    self.login = None;
                    self.refuse_opening(Stage::Auth, own_trouble(mechanism, &why));
                }
            },
            // The mechanism is not known, too weak, or not for a session in clear.
            (Turn::Begun, 504 | 534 | 538) if !login.left.is_empty() => {
                let Some(login) = self.login.take() else { return };
                let Login { context, left, plus_offered, .. } = *login;
                // There is one left.
                let _ = self.try_next(context, left, plus_offered);
            }
            _ => self.login_refused(heard),
        }
    }

    fn hear_challenge(&mut self, turn: Turn, heard: &Heard<'_>) {
        let Some(login) = &mut self.login else { return };
        let text = heard.texts().next().unwrap_or_default().trim_ascii();
        let mechanism = login.exchange.mechanism();
        let octets = STANDARD.decode(text);
        // LOGIN's prompts and NTLM's first are for people, and written in many ways.
        let for_people =
            mechanism == Mechanism::Login || (mechanism == Mechanism::Ntlm && turn == Turn::Begun);
        let step = match octets {
            Ok(octets) => login.exchange.challenge(&octets),
            Err(_) if for_people => login.exchange.challenge(&[]),
            Err(_) => Step::Failed(Why::Malformed("it is no base64")),
        };
        self.go_on(step);
    }

    /// RFC 4954 section 6: refused credentials are a trouble of ours that can be mended.
    fn login_refused(&mut self, heard: &Heard<'_>) {
        let Some(login) = self.login.take() else { return };
        if heard.is_intermediate() {
            return self.misunderstood(Stage::Auth, heard);
        }
        if let Some(told) = login.exchange.told() {
            self.wire.note(format!("why the token was refused: {told}"));
        }
        if heard.code == 535 && !login.left.is_empty() {
            let (mechanism, left) = (login.exchange.mechanism(), login.left);
            self.wire.note(format!(
                "{mechanism} was refused; not tried: {left} (`mechanisms` says which may be used)"
            ));
        }
        self.refuse_opening(Stage::Auth, Trouble::Reply(heard.to_reply()));
    }
}

fn own_trouble(mechanism: Mechanism, why: &Why) -> Trouble {
    // RFC 3463 section 3.8: security features not supported, or a failure of the cryptography.
    let detail = if *why == Why::Impostor { 5 } else { 0 };
    Trouble::Local(EnhancedStatus::new(4, 7, detail), format!("{mechanism}: {why}"))
}
