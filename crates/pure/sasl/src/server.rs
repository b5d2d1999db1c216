//! The server's side: one machine for each mechanism, all behind [`Exchange`].
//!
//! ```text
//! begin ─► Challenge ─► respond ─► Ask ─► answer ─► Done | Refused
//! ```
//!
//! The driver passes the client's octets in, sends what a [`Step::Challenge`] holds, and answers each
//! [`Ask`] from whatever back end it has. After `Done` and `Refused` the exchange is over.
//!
//! Nobody learns here who exists: for an unknown user the same steps are walked with the same lengths
//! and the same salt each time, and fail at the end.

mod cram;
mod digest;
mod external;
mod gssapi;
mod ntlm;
mod oauth;
mod plain;
mod scram;

use std::sync::Arc;

use crate::{
    Bindings, Mechanism, Secret, gss, hex,
    scram::{self as scram_keys, Hash},
};

/// What the server knows before the client says anything. Made for each exchange.
#[derive(Clone, Debug)]
pub struct Context {
    /// Our name: the realm of DIGEST-MD5, the target of NTLM, and part of CRAM's challenge.
    pub hostname: Box<str>,
    /// The protocol, as GSSAPI's registry has it: `smtp`.
    pub service: &'static str,
    /// The TLS session's names.
    pub bindings: Bindings,
    /// The client was offered mechanisms that are bound to the channel.
    pub plus_offered: bool,
    /// Octets by chance, never used before: nonces and challenges are made of them.
    pub random: [u8; 32],
    /// The server's own key, the same in each exchange and after each start: the salts of users that do
    /// not exist are made of it and their names.
    pub key: Arc<Secret>,
    /// The iterations of users that do not exist: those that new users get.
    pub iterations: u32,
    /// Seconds since 1970, in UTC.
    pub now: u64,
    /// What a client is told whose token is refused (RFC 7628 section 3.2.2).
    pub tokens: Tokens,
    /// NTLM's version 1 is taken, though whoever hears it can break it.
    pub ntlm_v1: bool,
}

/// Where tokens come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// The scope that a token has to have.
    pub scope: Option<String>,
    /// The URL of the OpenID provider's configuration.
    pub configuration: Option<String>,
}

/// What only a back end knows. Each may be answered by [`Answer::No`] and [`Answer::Unavailable`], too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// PLAIN and LOGIN: is that the user's password? Neither is empty. -> [`Answer::User`]
    Password {
        /// As typed.
        user: String,
        /// As typed: UTF-8.
        password: Secret,
    },
    /// SCRAM: what is stored of the user's password. -> [`Answer::ScramKeys`]
    ScramKeys {
        /// As typed.
        user: String,
        /// For which hash.
        hash: Hash,
    },
    /// CRAM and DIGEST-MD5: the password itself. -> [`Answer::Password`]
    SharedSecret {
        /// As typed.
        user: String,
    },
    /// NTLM: MD4 of the password in UTF-16LE. -> [`Answer::NtHash`]
    NtHash {
        /// As typed.
        user: String,
        /// As typed, often empty; part of the name in some back ends.
        domain: String,
    },
    /// XOAUTH2 and OAUTHBEARER: whose token is it? -> [`Answer::User`]
    Token {
        /// Who the client says it is, or wants to act as.
        user: Option<String>,
        /// The bearer token.
        token: Secret,
    },
    /// EXTERNAL: who is meant by the client's certificate? -> [`Answer::User`]
    Certificate {
        /// Who it wants to act as.
        authorization: Option<String>,
    },
    /// GSSAPI: who is meant by the Kerberos principal? -> [`Answer::User`]
    Principal {
        /// `anna@EXAMPLE.TEST`.
        principal: String,
        /// Who it wants to act as.
        authorization: Option<String>,
    },
    /// GSSAPI: something for the security context. -> [`Answer::Gss`]
    Gss(gss::Ask),
}

/// An answer to the open [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is right, and it is this user.
    User(String),
    /// Not he, nobody of that name, not for that service: for the client all the same.
    No,
    /// Whoever could tell is not to be had now.
    Unavailable,
    /// To [`Ask::ScramKeys`].
    ScramKeys(scram_keys::Keys),
    /// To [`Ask::SharedSecret`].
    Password(Secret),
    /// To [`Ask::NtHash`].
    NtHash {
        /// Who that is, without a domain or with it, as the back end names its users.
        user: String,
        /// 16 octets, see [`crate::nt_hash`].
        hash: Secret,
    },
    /// To [`Ask::Gss`].
    Gss(gss::Answer),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this and wait for the client's response.
    Challenge(Vec<u8>),
    /// Find an answer.
    Ask(Ask),
    /// It is this user. If there is additional data the client gets it with the outcome (RFC 4422
    /// section 3.6), or as a challenge that it answers with nothing.
    Done {
        /// The name that the back end gave, else the one that the client did.
        user: String,
        /// The server's proof that it knows the user, too.
        additional: Option<Vec<u8>>,
    },
    /// It came to nothing.
    Refused {
        /// Who the client said it is, as far as it came to that.
        user: Option<String>,
        /// Why, for the log: the client hears only what [`Why`] says it may.
        why: Why,
    },
}

/// Why an exchange failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Not a response of this mechanism. The client may know.
    #[error("not a response of this mechanism: {0}")]
    Malformed(&'static str),
    /// Not the user, or nobody. The client may not know which.
    #[error("the credentials are wrong")]
    Credentials,
    /// The login was meant for another TLS session: somebody is in between.
    #[error("the channel binding is that of another TLS session")]
    Binding,
    /// The client could have bound it to the channel, and was not shown that we can, too.
    #[error("the client was kept from binding the login to the channel")]
    Downgraded,
    /// A version of the mechanism that is broken. The client may know: nobody was looked up.
    #[error(
        "the client answered by version 1 of NTLM, which whoever hears it can break: set it to version 2 \
         (`auth.ntlm_v1` takes version 1 all the same)"
    )]
    Outdated,
    /// GSSAPI says what.
    #[error("the security context failed: {0}")]
    Context(String),
    /// Nobody to be had who could tell.
    #[error("no back end could tell")]
    Unavailable,
}

/// A mechanism on its way: the same as [`Step`] without what [`Exchange`] adds.
enum Next {
    Challenge(Vec<u8>),
    Ask(Ask),
    Done { user: String, additional: Option<Vec<u8>> },
    Refuse(Why),
}

/// One mechanism.
trait Machine: Send {
    /// The first challenge of a mechanism in which the server speaks first; else none.
    fn challenge(&mut self, _: &Context) -> Vec<u8> {
        Vec::new()
    }

    /// The client's response to the last challenge, or its initial one.
    fn respond(&mut self, context: &Context, response: &[u8]) -> Next;

    /// The answer to what was asked; neither [`Answer::Unavailable`], nor one to another question.
    fn answer(&mut self, context: &Context, answer: Answer) -> Next;

    /// Who the client says it is.
    fn user(&self) -> Option<&str>;
}

/// One login of a client.
pub struct Exchange {
    mechanism: Mechanism,
    context: Context,
    machine: Box<dyn Machine>,
    awaits: Awaits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Begin,
    Response,
    Answer,
    Nothing,
}

impl Exchange {
    /// An exchange that is about to begin.
    pub fn new(mechanism: Mechanism, context: Context) -> Self {
        let machine: Box<dyn Machine> = match mechanism {
            Mechanism::External => Box::new(external::External::default()),
            Mechanism::Gssapi => Box::new(gssapi::Gssapi::new()),
            Mechanism::ScramSha256Plus => Box::new(scram::Scram::new(Hash::Sha256, true)),
            Mechanism::ScramSha256 => Box::new(scram::Scram::new(Hash::Sha256, false)),
            Mechanism::ScramSha1Plus => Box::new(scram::Scram::new(Hash::Sha1, true)),
            Mechanism::ScramSha1 => Box::new(scram::Scram::new(Hash::Sha1, false)),
            Mechanism::OAuthBearer => Box::new(oauth::OAuth::new(oauth::Form::Bearer)),
            Mechanism::XOAuth2 => Box::new(oauth::OAuth::new(oauth::Form::XOAuth2)),
            Mechanism::DigestMd5 => Box::new(digest::DigestMd5::default()),
            Mechanism::CramSha1 => Box::new(cram::Cram::new(crate::cram::Hash::Sha1)),
            Mechanism::CramMd5 => Box::new(cram::Cram::new(crate::cram::Hash::Md5)),
            Mechanism::Ntlm => Box::new(ntlm::Ntlm::default()),
            Mechanism::Plain => Box::new(plain::Plain::default()),
            Mechanism::Login => Box::new(plain::Login::default()),
        };
        Self { mechanism, context, machine, awaits: Awaits::Begin }
    }

    /// The client named the mechanism, perhaps with its first response. To be called once, and first.
    pub fn begin(&mut self, initial: Option<&[u8]>) -> Step {
        self.expect(Awaits::Begin);
        let next = match initial {
            // RFC 4422 section 3.3: only where the client speaks first.
            Some(_) if !self.mechanism.is_client_first() => {
                Next::Refuse(Why::Malformed("the server speaks first here"))
            }
            Some(initial) => self.machine.respond(&self.context, initial),
            None => Next::Challenge(self.machine.challenge(&self.context)),
        };
        self.step(next)
    }

    /// The client's response to the last challenge.
    ///
    /// # Panics
    /// When there was no challenge.
    pub fn respond(&mut self, response: &[u8]) -> Step {
        self.expect(Awaits::Response);
        let next = self.machine.respond(&self.context, response);
        self.step(next)
    }

    /// The answer to the last [`Ask`].
    ///
    /// # Panics
    /// When there is none open, or another one than this is an answer to.
    pub fn answer(&mut self, answer: Answer) -> Step {
        self.expect(Awaits::Answer);
        let next = match answer {
            Answer::Unavailable => Next::Refuse(Why::Unavailable),
            answer => self.machine.answer(&self.context, answer),
        };
        self.step(next)
    }

    /// Which one it is.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    fn expect(&self, awaits: Awaits) {
        assert_eq!(self.awaits, awaits, "{} out of turn", self.mechanism);
    }

    fn step(&mut self, next: Next) -> Step {
        let (awaits, step) = match next {
            Next::Challenge(octets) => (Awaits::Response, Step::Challenge(octets)),
            Next::Ask(ask) => (Awaits::Answer, Step::Ask(ask)),
            Next::Done { user, additional } => (Awaits::Nothing, Step::Done { user, additional }),
            Next::Refuse(why) => {
                let user = self.machine.user().filter(|user| !user.is_empty()).map(str::to_owned);
                (Awaits::Nothing, Step::Refused { user, why })
            }
        };
        self.awaits = awaits;
        step
    }
}

/// UTF-8 without NUL and control characters, as a user's name has to be.
fn name(octets: &[u8]) -> Result<String, Why> {
    match std::str::from_utf8(octets) {
        Ok(text) if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err(Why::Malformed("a name that is no text")),
    }
}
