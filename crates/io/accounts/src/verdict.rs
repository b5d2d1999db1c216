//! What a back end is told of a login, and what it says.

use std::net::SocketAddr;

/// A login's surroundings, for back ends that want to know.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The client.
    pub client: SocketAddr,
    /// Where it came to.
    pub local: SocketAddr,
    /// It came inside TLS.
    pub is_encrypted: bool,
    /// The certificate that it showed, and that its issuer vouches for: DER.
    pub certificate: Option<Vec<u8>>,
}

/// A user, as a back end knows him.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What he is called here, whatever he typed.
    pub name: String,
    /// Who said so.
    pub back_end: String,
    /// Reverse-paths that are his: addresses, or `@domain`. None: what is configured for everybody holds.
    pub reverse_paths: Vec<String>,
}

/// What a back end says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is he.
    Yes(Account),
    /// It is not.
    No {
        /// Why, for the operator.
        why: String,
        /// The back end has a user of that name, and is sure: nobody below is asked for good.
        is_known: bool,
    },
    /// It can't tell now, and why.
    Unavailable(String),
}

impl Verdict {
    pub(crate) fn no(why: impl Into<String>) -> Self {
        Self::No { why: why.into(), is_known: false }
    }
}

/// One back end's word, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its name.
    pub back_end: String,
    /// What it said.
    pub verdict: Verdict,
}
