//! Command lines, carried out: which of them may come now, then what they do.

use std::time::Duration;

use super::{
    Event, Output, Protocol, Question, Server,
    line::{Limits, Step},
    state::{Asked, Exchange, Helo, State},
};
use crate::{
    address,
    command::{self, Verb},
    extension::{self, Features},
    reply::{Missing, Proof, Reply},
};

/// RFC 4954 section 4.
const AUTH_LINE_LENGTH_MAX: usize = 12_288 + 2;
/// What a browser says first, lured to our port (cross-protocol attacks on a local MTA).
const HTTP_METHODS: [&str; 8] =
    ["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH"];
/// The first octet of a TLS handshake record (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

impl<P: Proof> Server<P> {
    pub(super) fn take_line(&mut self, now: Duration, octets: &[u8]) -> usize {
        if octets[0] == TLS_HANDSHAKE && self.is_fresh() {
            self.report(Event::NotSmtp { protocol: "TLS" });
            self.voice.note(now, "a TLS handshake where the session starts in clear");
            self.say_and_close(now, &Reply::tls_too_early());
            return octets.len();
        }
        let limits = self.limits(octets);
        match self.line.take(octets, limits) {
            Step::Taken => octets.len(),
            Step::Discarded(taken) => taken,
            Step::Line(taken) => {
                let mut whole = Vec::new();
                // The buffer is lent out while the line is carried out.
                let mut buffer = std::mem::take(&mut self.line);
                let line = buffer.line(octets, taken, &mut whole);
                self.hear_line(now, line);
                self.since = now;
                taken
            }
            Step::BareLf(taken) => {
                self.refuse_line(now, Reply::bare_lf_in_command(), "a line with a bare LF");
                self.report(Event::ControlCharacter { octet: b'\n' });
                taken
            }
            Step::TooLong { taken, length, of_auth } => {
                self.report(Event::LineTooLong { length: length as u64 });
                let reply =
                    if of_auth { Reply::auth_line_too_long() } else { Reply::line_too_long() };
                self.refuse_line(now, reply, &format!("a line of {length} octets"));
                taken
            }
            Step::Endless => {
                self.report(Event::LineTooLong { length: self.offer.discard_length_max as u64 });
                self.voice.note(now, "a line without an end");
                self.say_and_close(now, &Reply::endless_line());
                octets.len()
            }
        }
    }

    /// Nothing was heard yet, and nothing protects the session. (Who was turned away may have come to a port
    /// that starts in TLS.)
    fn is_fresh(&self) -> bool {
        let greeted = matches!(self.state, State::Ready);
        greeted && self.facts.helo.is_none() && self.tls().is_none() && self.line.is_at_start()
    }

    fn limits(&self, octets: &[u8]) -> Limits {
        let start = self.line.start();
        let mut first = [0; 7];
        for (place, &octet) in first.iter_mut().zip(start.iter().chain(octets)) {
            *place = octet.to_ascii_uppercase();
        }
        let signs_in = first.starts_with(b"AUTH ") || first == *b"X-EXPS ";
        let of_auth = signs_in || matches!(self.state, State::Authenticating(_));
        let line = self.offer.command_length_max;
        let line = if of_auth { line.max(AUTH_LINE_LENGTH_MAX) } else { line };
        Limits { line, discard: self.offer.discard_length_max.max(line), of_auth }
    }

    /// A line that can't be read as a command. Inside AUTH it ends the exchange.
    fn refuse_line(&mut self, now: Duration, reply: Reply, what: &str) {
        if let State::Authenticating(Exchange { mechanism, .. }) = self.state {
            self.state = State::Ready;
            self.report(Event::AuthenticationAborted { mechanism });
        }
        self.voice.trim(now, self.state.transaction().is_some());
        self.voice.note(now, format!("C: {what}, thrown away"));
        self.refuse_command(now, "other", reply);
        self.since = now;
    }

    fn hear_line(&mut self, now: Duration, line: &[u8]) {
        if let State::Authenticating(_) = self.state {
            return self.hear_response(now, line);
        }
        self.voice.trim(now, self.state.transaction().is_some());
        if let State::TurnedAway = self.state {
            return self.hear_turned_away(now, line);
        }
        if let Some(&octet) = line.iter().find(|octet| octet.is_ascii_control()) {
            self.voice.note(now, "C: a line with a control character");
            self.report(Event::ControlCharacter { octet });
            return self.refuse_command(now, "other", Reply::control_in_command());
        }
        let Ok(line) = std::str::from_utf8(line) else {
            self.voice.note(now, "C: a line that is not UTF-8");
            return self.refuse_command(now, "other", Reply::not_utf8());
        };
        let (word, argument) = command::split(line);
        let Some(verb) = Verb::parse(word) else { return self.unknown(now, word, line) };
        if verb == Verb::Mail && matches!(self.state, State::Ready) {
            self.voice.begin_transaction();
        }
        let signs_in = matches!(verb, Verb::Auth | Verb::XExps);
        match signs_in {
            true => self.hear_auth(now, word, argument),
            false => self.voice.hear(now, line.as_bytes()),
        }
        // Until AUTH succeeds.
        self.auth_refused = signs_in;
        self.carry_out(now, verb, argument);
    }

    fn unknown(&mut self, now: Duration, word: &str, line: &str) {
        if self.facts.helo.is_none() && HTTP_METHODS.contains(&word) {
            self.voice.hear(now, line.as_bytes());
            self.report(Event::NotSmtp { protocol: "HTTP" });
            return self.say_and_close(now, &Reply::not_smtp());
        }
        if self.facts.helo.is_none() && word == "PROXY" {
            // Whom it speaks for is believed of configured proxies only, and asked before the greeting.
            self.voice.hear(now, line.as_bytes());
            self.report(Event::NotSmtp { protocol: "PROXY" });
            return self.say_and_close(now, &Reply::not_smtp());
        }
        // A client that did not wait for the refusal of AUTH sends its password as a command.
        let line = if self.auth_refused { "****" } else { line };
        self.voice.hear(now, line.as_bytes());
        self.refuse_command(now, "other", Reply::unknown_command());
    }

    fn carry_out(&mut self, now: Duration, verb: Verb, argument: &str) {
        self.facts.introducing &= verb == Verb::XClient;
        let checked = self.check(verb, argument);
        if verb == Verb::Bdat {
            return self.bdat(now, argument, checked);
        }
        if let Err(reply) = checked {
            return self.refuse_command(now, verb.text(), reply);
        }
        let done = match verb {
            Verb::Ehlo | Verb::Helo | Verb::Lhlo => self.ehlo(now, verb, argument),
            Verb::Mail => self.mail(now, argument),
            Verb::Rcpt => self.rcpt(now, argument),
            Verb::Data => self.data(),
            Verb::Auth | Verb::XExps => return self.auth(now, verb, argument),
            Verb::Rset => {
                self.end_transaction();
                Ok(Some(Reply::reset()))
            }
            Verb::Noop => Ok(Some(Reply::still_here())),
            Verb::Vrfy => {
                let (text, utf8) = extension::vrfy::argument(argument);
                self.ask(Question::Verify(text.to_owned()), Asked::Verify { utf8 });
                Ok(None)
            }
            Verb::Help => Ok(Some(self.help(argument))),
            Verb::StartTls | Verb::XAnonymousTls | Verb::Tls => self.start_tls(),
            Verb::Quit => return self.quit(now),
            _ => self.carry_out_extended(verb, argument),
        };
        match done {
            Ok(Some(reply)) if reply.is_permanent() => self.refuse_command(now, verb.text(), reply),
            Ok(Some(reply)) => self.voice.say(now, &reply),
            Ok(None) => {}
            Err(reply) => self.refuse_command(now, verb.text(), reply),
        }
    }

    /// What can be said against a command before its argument is read.
    fn check(&self, verb: Verb, argument: &str) -> Result<(), Reply> {
        let alone = matches!(
            verb,
            Verb::Data | Verb::Rset | Verb::Quit | Verb::StartTls | Verb::XAnonymousTls | Verb::Tls
        );
        let optional = alone || matches!(verb, Verb::Mail | Verb::Rcpt | Verb::Noop | Verb::Help);
        let needs = !optional && verb != Verb::Atrn;
        // RFC 3207 section 4.
        let before_tls = matches!(
            verb,
            Verb::Noop
                | Verb::Ehlo
                | Verb::Helo
                | Verb::Lhlo
                | Verb::StartTls
                | Verb::XAnonymousTls
                | Verb::Tls
                | Verb::Quit
        );
        match () {
            () if verb == Verb::Turn => Err(Reply::turn_refused()),
            () if !self.is_offered(verb) && verb.is_private() => Err(Reply::unknown_command()),
            // RFC 2033 section 4.1: 500 in LMTP, so that who takes it for SMTP finds out.
            () if matches!(verb, Verb::Ehlo | Verb::Helo) && !self.is_offered(verb) => {
                Err(Reply::unknown_command())
            }
            () if verb.is_refused() || !self.is_offered(verb) => Err(Reply::not_implemented()),
            () if self.offer.tls_required && self.tls().is_none() && !before_tls => {
                Err(Reply::tls_required())
            }
            () if (alone && !argument.is_empty()) || (needs && argument.is_empty()) => {
                Err(Reply::syntax(verb.usage()))
            }
            () => Ok(()),
        }
    }

    fn is_offered(&self, verb: Verb) -> bool {
        let lmtp = self.offer.protocol == Protocol::Lmtp;
        let ground = self.ground(&self.offer, self.since);
        let has = |feature| ground.features.has(feature);
        match verb {
            Verb::Ehlo | Verb::Helo => !lmtp,
            Verb::Lhlo => lmtp,
            Verb::Bdat => has(Features::CHUNKING),
            Verb::StartTls => self.offer.tls_available && has(Features::STARTTLS),
            Verb::XAnonymousTls => self.offer.tls_available && has(Features::X_ANONYMOUSTLS),
            Verb::Tls => self.offer.tls_available && has(Features::TLS),
            Verb::Auth => has(Features::AUTH) && self.is_auth_possible(),
            Verb::XExps => extension::x_exps::is_offered(&ground) && self.is_auth_possible(),
            Verb::Help => has(Features::HELP),
            Verb::Vrfy => self.offer.vrfy,
            Verb::Expn => self.offer.expn,
            Verb::Etrn => has(Features::ETRN),
            Verb::Atrn => has(Features::ATRN) && self.is_auth_possible(),
            Verb::XClient => has(Features::XCLIENT),
            Verb::XForward => has(Features::XFORWARD),
            Verb::XExch50 => has(Features::XEXCH50),
            Verb::XLink2State => has(Features::X_LINK2STATE),
            _ => true,
        }
    }

    /// The verbs of RFC 5321 are listed wherever they stand; the others where they are done.
    fn help(&self, topic: &str) -> Reply {
        extension::help::reply(topic, |verb| {
            let known = matches!(verb, Verb::StartTls | Verb::Auth | Verb::Bdat);
            !verb.is_refused() && (known || self.is_offered(verb))
        })
    }

    fn ehlo(&mut self, now: Duration, verb: Verb, name: &str) -> Result<Option<Reply>, Reply> {
        // RFC 6531 section 3.3: A-labels here, as the client can't know yet what is offered.
        if !name.is_ascii() || address::check_domain(name).is_err() {
            return Err(Reply::bad_helo());
        }
        self.end_transaction();
        let extended = verb != Verb::Helo;
        self.facts.helo = Some(Helo { name: name.into(), extended });
        let reply = if extended {
            extension::ehlo_reply(&self.ground(&self.offer, now))
        } else {
            Reply::helo(&self.offer.hostname)
        };
        self.voice.say(now, &reply);
        self.voice.end_opening();
        Ok(None)
    }

    fn start_tls(&mut self) -> Result<Option<Reply>, Reply> {
        if self.tls().is_some() {
            return Err(Reply::already_tls());
        }
        if !self.facts.helo.as_ref().is_some_and(|helo| helo.extended) {
            return Err(Reply::out_of_sequence(Missing::Ehlo));
        }
        self.end_transaction();
        self.state = State::Handshake;
        self.outputs.push_back(Output::StartTls);
        Ok(Some(Reply::start_tls()))
    }

    /// RFC 5321 section 3.1: who was turned away may say QUIT, and nothing else does anything.
    fn hear_turned_away(&mut self, now: Duration, line: &[u8]) {
        let verb = str::from_utf8(line).ok().and_then(|line| Verb::parse(command::split(line).0));
        // What stands behind it may be a password, or anything.
        self.voice.hear(now, verb.map_or("****", Verb::text).as_bytes());
        match verb {
            Some(Verb::Quit) => self.quit(now),
            // Whatever it was: why nothing is taken has been told.
            _ => self.refuse_command(now, "other", Reply::out_of_sequence(Missing::Quit)),
        }
    }

    fn quit(&mut self, now: Duration) {
        // The transaction's end is reported before the session's.
        self.end_transaction();
        self.say_and_close(now, &Reply::goodbye());
    }

    pub(super) fn verified(&mut self, now: Duration, reply: &Reply, utf8: bool) {
        let reply = match utf8 || reply.text.is_ascii() {
            true => reply,
            false => &Reply::answer_needs_smtputf8(),
        };
        if reply.is_permanent() && self.is_over(RefusalKind::Policy) {
            return self.too_many(now);
        }
        self.voice.say(now, reply);
    }

    /// Says that a command is refused, and counts.
    pub(super) fn refuse_command(&mut self, now: Duration, verb: &'static str, reply: Reply) {
        if reply.is_permanent() && self.is_over(RefusalKind::Command) {
            return self.too_many(now);
        }
        self.voice.say(now, &reply);
        self.report(Event::CommandRefused { verb, reply });
    }

    /// Counts a refusal, and tells whether it is one too many.
    pub(super) fn is_over(&mut self, kind: RefusalKind) -> bool {
        let (count, limit) = match kind {
            RefusalKind::Command => (&mut self.counts.errors, self.offer.errors_max),
            RefusalKind::Policy => (&mut self.counts.refusals, self.offer.refusals_max),
            RefusalKind::Auth => (&mut self.counts.auth_failures, self.offer.auth_failures_max),
        };
        *count += 1;
        *count > limit
    }

    pub(super) fn too_many(&mut self, now: Duration) {
        self.report(Event::TooManyErrors);
        self.say_and_close(now, &Reply::too_many_errors());
    }
}

/// Which count a refusal belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum RefusalKind {
    /// The command was wrong.
    Command,
    /// It was right, and policy said no.
    Policy,
    /// The credentials were wrong.
    Auth,
}
