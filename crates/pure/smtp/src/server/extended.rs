//! Commands of extensions that are no part of a transaction: EXPN, ETRN, ATRN, XCLIENT, XFORWARD, and
//! those of Exchange.

use std::time::Duration;

use super::{
    Event, Output, Peer, Question, Server,
    commands::RefusalKind,
    state::{Asked, Facts, Helo, State, Swallow},
};
use crate::{
    command::Verb,
    extension::{atrn, etrn::Node, vrfy, xclient::Claim, xexch50},
    reply::{Missing, Proof, Reply},
};

/// What a command comes to: a reply, or a question to the driver first.
type Done = Result<Option<Reply>, Reply>;

impl<P: Proof> Server<P> {
    pub(super) fn carry_out_extended(&mut self, verb: Verb, argument: &str) -> Done {
        match verb {
            Verb::Expn => {
                let (text, utf8) = vrfy::argument(argument);
                self.ask(Question::Expand(text.to_owned()), Asked::Verify { utf8 });
                Ok(None)
            }
            Verb::Etrn => self.etrn(argument),
            Verb::Atrn => self.atrn(argument),
            Verb::XClient => self.xclient(argument),
            Verb::XForward => self.xforward(argument),
            Verb::XExch50 => self.xexch50(argument),
            Verb::XLink2State => self.x_link2state(argument),
            _ => Err(Reply::not_implemented()),
        }
    }

    /// RFC 1985 section 5: after EHLO, and not within a transaction.
    fn etrn(&mut self, argument: &str) -> Done {
        self.between_transactions()?;
        let node = Node::parse(argument).ok_or_else(|| Reply::syntax(Verb::Etrn.usage()))?;
        self.ask(Question::StartQueue(node), Asked::Verify { utf8: false });
        Ok(None)
    }

    /// RFC 2645 section 5.2.1: after AUTH, and not within a transaction.
    fn atrn(&mut self, argument: &str) -> Done {
        self.between_transactions()?;
        if self.facts.user.is_none() {
            return Err(Reply::auth_required());
        }
        let domains = atrn::domains(argument).ok_or_else(|| Reply::syntax(Verb::Atrn.usage()))?;
        self.ask(Question::Reverse(domains), Asked::Reverse);
        Ok(None)
    }

    pub(super) fn reversed(&mut self, now: Duration, result: Result<Vec<Box<str>>, Reply>) {
        match result {
            Ok(domains) => {
                self.voice.say(now, &Reply::reversing());
                self.voice.note(now, "the roles are swapped");
                self.state = State::Closed;
                self.outputs.push_back(Output::Reverse(domains));
            }
            Err(reply) if reply.is_permanent() && self.is_over(RefusalKind::Policy) => {
                self.too_many(now);
            }
            Err(reply) => self.refuse_command(now, Verb::Atrn.text(), reply),
        }
    }

    /// Not within a transaction: who sent it can't change in mid-message.
    fn xclient(&mut self, argument: &str) -> Done {
        if !matches!(self.state, State::Ready) {
            return Err(Reply::out_of_sequence(Missing::Rset));
        }
        let claim = Claim::parse(argument).ok_or_else(|| Reply::syntax(Verb::XClient.usage()))?;
        self.ask(Question::Client(Box::new(claim.clone())), Asked::Client(Box::new(claim)));
        Ok(None)
    }

    /// The session begins anew, as that of another client. What was refused so far still counts: the
    /// counts are the connection's.
    pub(super) fn client_named(
        &mut self,
        now: Duration,
        claim: Claim,
        peer: Peer,
        refused: Option<Reply>,
    ) {
        let proxy = self.peer.address;
        self.report(Event::ClientNamed { proxy });
        self.voice.note(now, format!("speaks for {}", peer.address));
        // What does not fit into one XCLIENT comes in another; the first one ends what was before.
        let before = match self.facts.introducing {
            true => std::mem::take(&mut self.facts),
            false => Facts::default(),
        };
        let extended = claim.extended.unwrap_or(true);
        let helo = claim.helo.map(|name| Helo { name: name.into(), extended });
        self.facts = Facts {
            // Never the proxy's own: its client would have it without a password.
            user: claim.login.map_or(before.user, |login| login.map(Into::into)),
            helo: helo.or(before.helo),
            introducing: true,
            ..Facts::default()
        };
        self.peer = peer;
        self.auth_refused = false;
        if let Some(reply) = refused {
            return self.turn_away(now, &reply);
        }
        self.voice.say(now, &Reply::greeting(&self.offer.hostname, &self.offer.banner));
        self.voice.end_opening();
    }

    fn xforward(&mut self, argument: &str) -> Done {
        self.between_transactions()?;
        let mut origin = self.facts.origin.take().unwrap_or_default();
        let fits = origin.add(argument);
        self.facts.origin = Some(origin);
        match fits {
            true => Ok(Some(Reply::noted())),
            false => Err(Reply::syntax(Verb::XForward.usage())),
        }
    }

    /// 504 before AUTH, whatever stands behind it: nothing follows that would have to be read.
    fn xexch50(&mut self, argument: &str) -> Done {
        if self.facts.user.is_none() {
            return Err(Reply::exchange_needs_auth());
        }
        match &self.state {
            State::Mail(transaction) if !transaction.envelope.recipients.is_empty() => {}
            State::Mail(_) => return Err(Reply::out_of_sequence(Missing::Rcpt)),
            _ => return Err(Reply::out_of_sequence(Missing::Mail)),
        }
        let length = xexch50::length(argument);
        let length = length.ok_or_else(|| Reply::syntax(Verb::XExch50.usage()))?;
        if self.offer.size_max.is_some_and(|most| length > most) {
            return Err(Reply::content_over_limit());
        }
        self.report(Event::ExchangeDiscarded { verb: Verb::XExch50.text(), length });
        if length == 0 {
            return Ok(Some(Reply::exchange_properties_discarded()));
        }
        let reply = Reply::exchange_properties_discarded();
        self.block = 0;
        self.swallow = Some(Swallow { left: length, verb: Verb::XExch50, reply });
        Ok(Some(Reply::send_exchange_properties()))
    }

    fn x_link2state(&mut self, argument: &str) -> Done {
        if self.facts.user.is_none() {
            return Err(Reply::exchange_needs_auth());
        }
        let (verb, length) = (Verb::XLink2State.text(), argument.len() as u64);
        self.report(Event::ExchangeDiscarded { verb, length });
        Ok(Some(Reply::no_link_state()))
    }

    fn between_transactions(&self) -> Result<(), Reply> {
        if !self.facts.helo.as_ref().is_some_and(|helo| helo.extended) {
            return Err(Reply::out_of_sequence(Missing::Ehlo));
        }
        match self.state {
            State::Ready => Ok(()),
            _ => Err(Reply::out_of_sequence(Missing::Rset)),
        }
    }
}
