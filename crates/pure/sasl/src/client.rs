//! The client's side: one machine for each mechanism, all behind [`Exchange`], and the choice between them.
//!
//! ```text
//! begin ─► Send | Wait ─► challenge ─► Send | Ask | Failed ... ─► finish
//! ```
//!
//! That the server says yes is not enough: [`Exchange::finish`] tells whether it has proven itself, where
//! the mechanism has it do so.

mod challenge;
mod choice;
mod gssapi;
mod ntlm;
mod plain;
mod scram;

use std::sync::Arc;

pub use choice::{Credentials, Proof};

use crate::{
    Bindings, Mechanism, Secret, cram, gss,
    scram::{Hash, Salting},
};

/// What a client knows when it signs in. Made for each session.
#[derive(Clone, Debug)]
pub struct Context {
    /// The protocol, as GSSAPI's registry has it: `smtp`.
    pub service: &'static str,
    /// The server's host name.
    pub host: Box<str>,
    /// The server's port.
    pub port: u16,
    /// The TLS session's names.
    pub bindings: Bindings,
    /// Octets by chance, never used before.
    pub random: [u8; 32],
    /// Seconds since 1970, in UTC.
    pub now: u64,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this.
    Send(Secret),
    /// Name the mechanism and wait for the server's first challenge.
    Wait,
    /// Find an answer.
    Ask(gss::Ask),
    /// Have this worked out, and tell [`Exchange::salted`].
    Salt(Salting),
    /// It came to nothing on our side: the exchange is to be cancelled.
    Failed(Why),
}

/// Why we give an exchange up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// No challenge of this mechanism.
    #[error("the server's challenge is none of this mechanism: {0}")]
    Malformed(&'static str),
    /// Whoever it is, it does not know what the user's server has to know.
    #[error(
        "the server could not prove that it knows the password, so it may not be who it says it is"
    )]
    Impostor,
    /// The work that is asked of us, in iterations.
    #[error("the server asks for {0} iterations; between 4,096 and 600,000 are taken")]
    Iterations(u32),
    /// What the server says.
    #[error("the server says `{0}`")]
    Refused(String),
    /// GSSAPI says what.
    #[error("the security context failed: {0}")]
    Context(String),
}

/// One mechanism.
trait Machine: Send {
    /// What comes with the mechanism's name.
    fn begin(&mut self, context: &Context, credentials: &Credentials) -> Step;

    /// The server's challenge.
    fn challenge(&mut self, context: &Context, credentials: &Credentials, octets: &[u8]) -> Step;

    /// What came of [`Step::Ask`].
    fn answer(&mut self, _: &Credentials, answer: gss::Answer) -> Step {
        panic!("nothing was asked, and {answer:?} is the answer")
    }

    /// What came of [`Step::Salt`].
    fn salted(&mut self, _: &Secret) -> Step {
        panic!("no salting was asked for")
    }

    /// The server says yes.
    fn finish(&self) -> Result<(), Why> {
        Ok(())
    }

    /// What the server said of its refusal, before it refuses.
    fn told(&self) -> Option<&str> {
        None
    }
}

/// One login.
pub struct Exchange {
    mechanism: Mechanism,
    context: Context,
    credentials: Arc<Credentials>,
    machine: Box<dyn Machine>,
}

impl Exchange {
    /// An exchange that is about to begin. `plus_offered` says that the server has offered -PLUS.
    pub fn new(
        mechanism: Mechanism,
        context: Context,
        credentials: Arc<Credentials>,
        plus_offered: bool,
    ) -> Self {
        let scram = |hash| Box::new(scram::Scram::new(hash, mechanism.is_plus(), plus_offered));
        let machine: Box<dyn Machine> = match mechanism {
            Mechanism::External => Box::new(plain::External),
            Mechanism::Gssapi => Box::new(gssapi::Gssapi::new()),
            Mechanism::ScramSha256Plus | Mechanism::ScramSha256 => scram(Hash::Sha256),
            Mechanism::ScramSha1Plus | Mechanism::ScramSha1 => scram(Hash::Sha1),
            Mechanism::OAuthBearer => Box::new(plain::Token::bearer()),
            Mechanism::XOAuth2 => Box::new(plain::Token::xoauth2()),
            Mechanism::DigestMd5 => Box::new(challenge::DigestMd5::default()),
            Mechanism::CramSha1 => Box::new(challenge::Cram(cram::Hash::Sha1)),
            Mechanism::CramMd5 => Box::new(challenge::Cram(cram::Hash::Md5)),
            Mechanism::Ntlm => Box::new(ntlm::Ntlm::default()),
            Mechanism::Plain => Box::new(plain::Plain::default()),
            Mechanism::Login => Box::new(plain::Login::default()),
        };
        Self { mechanism, context, credentials, machine }
    }

    /// What goes with the mechanism's name, if anything does.
    pub fn begin(&mut self) -> Step {
        self.machine.begin(&self.context, &self.credentials)
    }

    /// The server's challenge, without base64.
    pub fn challenge(&mut self, octets: &[u8]) -> Step {
        self.machine.challenge(&self.context, &self.credentials, octets)
    }

    /// What came of [`Step::Ask`].
    ///
    /// # Panics
    /// When nothing was asked, or something else.
    pub fn answer(&mut self, answer: gss::Answer) -> Step {
        self.machine.answer(&self.credentials, answer)
    }

    /// What came of [`Step::Salt`].
    ///
    /// # Panics
    /// When that was not asked for.
    pub fn salted(&mut self, salted: &Secret) -> Step {
        self.machine.salted(salted)
    }

    /// The step after the slow work, done here and now: for callers whom that does not hurt.
    #[must_use]
    pub fn worked(&mut self, step: Step) -> Step {
        match step {
            Step::Salt(salting) => self.salted(&salting.work()),
            step => step,
        }
    }

    /// The server says yes: whether that may be believed.
    ///
    /// # Errors
    /// [`Why::Impostor`]
    pub fn finish(&self) -> Result<(), Why> {
        self.machine.finish()
    }

    /// What the server has told of its refusal besides the reply: OAUTH's JSON.
    pub fn told(&self) -> Option<&str> {
        self.machine.told()
    }

    /// Which one it is.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }
}

fn send(octets: impl Into<Vec<u8>>) -> Step {
    Step::Send(Secret::new(octets))
}
