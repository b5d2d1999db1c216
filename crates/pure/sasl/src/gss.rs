//! What GSSAPI (RFC 4752) needs of somebody who speaks Kerberos: both sides' machines ask it of their
//! driver.

/// A task for the security context; the driver keeps that from one to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The peer's token for `GSS_Accept_sec_context`, or `GSS_Init_sec_context`; none for the client's
    /// first. -> [`Answer::Continue`], [`Answer::Established`]
    Token(Option<Vec<u8>>),
    /// `GSS_Wrap` without confidentiality (RFC 4752 sections 3.1 and 3.2). -> [`Answer::Octets`]
    Wrap(Vec<u8>),
    /// `GSS_Unwrap`. -> [`Answer::Octets`]
    Unwrap(Vec<u8>),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This token goes to the peer, and one more has to come.
    Continue(Vec<u8>),
    /// The context stands.
    Established {
        /// What the peer needs for it to stand there, too.
        token: Option<Vec<u8>>,
        /// Who the peer is, as Kerberos names it: `anna@EXAMPLE.TEST`.
        peer: String,
    },
    /// What was wrapped or unwrapped.
    Octets(Vec<u8>),
    /// The peer's token, ticket or wrapping is no good; why, for the log.
    Failed(String),
}
