//! From the greeting to `Ready`: EHLO with its fall-backs, STARTTLS. (AUTH is `login`.)

use super::{Awaited, Client, Extensions, Features, Output, Protocol, StartTls, State};
use crate::{
    outcome::{Cause, Stage, Trouble},
    reply::parse::Heard,
    transcript::TlsFacts,
};
use std::time::Duration;

impl Client {
    /// The handshake is done, after [`Output::StartTls`] or, under implicit TLS, before the greeting.
    pub fn tls_established(&mut self, now: Duration, facts: TlsFacts) {
        self.wire.now = now;
        self.note_discarded();
        let remark = format!("TLS established: {} {}", facts.version, facts.cipher);
        self.wire.note(remark);
        self.tls = Some(facts);
        if matches!(self.state, State::Handshake { .. }) {
            // RFC 3207 section 4.2: what was learned in clear is forgotten, the dialogue starts over.
            self.extensions = Extensions::default();
            self.reader.clear();
            self.state = State::Opening;
            self.say_ehlo();
        }
        self.rearm();
    }

    /// The handshake failed. The connection is of no use any more; under `IfOffered` the caller may try
    /// a new one that avoids STARTTLS.
    pub fn tls_failed(&mut self, now: Duration, why: String) {
        self.wire.now = now;
        if matches!(self.state, State::Handshake { .. } | State::Opening) {
            self.note_discarded();
            self.wire.note(format!("TLS failed: {why}"));
            let cause = Cause { stage: Stage::Tls, trouble: Trouble::Tls(why) };
            self.outputs.push_back(Output::Failed { cause, permanent: false });
            self.close();
        }
    }

    pub(super) fn hear_greeting(&mut self, heard: &Heard<'_>) {
        if heard.is_positive() {
            self.say_ehlo();
        } else {
            // RFC 5321 section 3.1: after 554 nothing is due but QUIT.
            self.fail_opening(Stage::Greeting, heard);
        }
    }

    fn say_ehlo(&mut self) {
        let plan = &self.plan;
        let (verb, awaited) = match plan.protocol {
            Protocol::Lmtp => ("LHLO ", Awaited::Ehlo),
            Protocol::Smtp if plan.avoid.has(Features::EHLO) => ("HELO ", Awaited::Helo),
            Protocol::Smtp => ("EHLO ", Awaited::Ehlo),
        };
        self.say_hello(verb, awaited);
    }

    fn say_hello(&mut self, verb: &str, awaited: Awaited) {
        let name = &self.plan.ehlo_name;
        self.wire.say(awaited, |line| {
            line.extend_from_slice(verb.as_bytes());
            line.extend_from_slice(name.as_bytes());
        });
    }

    pub(super) fn hear_ehlo(&mut self, heard: &Heard<'_>) {
        if heard.is_positive() {
            self.extensions = Extensions::read(heard);
            self.used = self.used.with(Features::EHLO);
            self.secure();
        } else if heard.code / 100 == 5 && self.plan.protocol == Protocol::Smtp {
            // RFC 5321 section 3.2: an old server may know HELO only.
            self.say_hello("HELO ", Awaited::Helo);
        } else {
            self.fail_opening(Stage::Ehlo, heard);
        }
    }

    pub(super) fn hear_helo(&mut self, heard: &Heard<'_>) {
        if heard.is_positive() {
            self.extensions = Extensions::default();
            self.secure();
        } else {
            self.fail_opening(Stage::Ehlo, heard);
        }
    }

    /// STARTTLS, if it is wanted and not done yet.
    fn secure(&mut self) {
        if self.is_secure() || self.plan.start_tls == StartTls::Never {
            return self.authenticate();
        }
        if self.usable().has(Features::STARTTLS) {
            self.used = self.used.with(Features::STARTTLS);
            return self.wire.say(Awaited::StartTls, |line| line.extend_from_slice(b"STARTTLS"));
        }
        if self.plan.start_tls == StartTls::Required {
            let trouble = Trouble::Tls("TLS is required here and STARTTLS is not offered".into());
            return self.refuse_opening(Stage::StartTls, trouble);
        }
        self.authenticate();
    }

    pub(super) fn hear_start_tls(&mut self, heard: &Heard<'_>) {
        if heard.is_positive() {
            self.state = State::Handshake { discarded: 0 };
            self.outputs.push_back(Output::StartTls);
        } else if heard.is_intermediate() {
            self.misunderstood(Stage::StartTls, heard);
        } else if self.plan.start_tls == StartTls::Required {
            // Never for good, whatever the code: anybody in the path could say it to make mail bounce.
            self.refuse_opening(Stage::StartTls, Trouble::Reply(heard.to_reply()));
        } else {
            self.authenticate();
        }
    }

    fn note_discarded(&mut self) {
        if let State::Handshake { discarded: count @ 1.. } = self.state {
            self.wire.note(format!(
                "discarded {count} octets that came in clear behind the reply to STARTTLS"
            ));
        }
    }

    pub(super) fn is_secure(&self) -> bool {
        self.plan.under_tls || self.tls.is_some()
    }

    pub(super) fn ready(&mut self) {
        self.state = State::Ready { unfinished: false, secret: false };
        self.opened = self.wire.transcript.mark();
        self.outputs.push_back(Output::Ready);
    }

    /// The peer refused; for good if the code says so.
    fn fail_opening(&mut self, stage: Stage, heard: &Heard<'_>) {
        if heard.is_positive() || heard.is_intermediate() {
            return self.misunderstood(stage, heard);
        }
        let cause = Cause { stage, trouble: Trouble::Reply(heard.to_reply()) };
        self.outputs.push_back(Output::Failed { cause, permanent: heard.code / 100 == 5 });
        self.say_quit();
    }

    /// This session can't be used, and it is not the message's fault.
    pub(super) fn refuse_opening(&mut self, stage: Stage, trouble: Trouble) {
        if !matches!(trouble, Trouble::Reply(_)) {
            self.wire.note(trouble.to_string());
        }
        self.outputs
            .push_back(Output::Failed { cause: Cause { stage, trouble }, permanent: false });
        self.say_quit();
    }
}
