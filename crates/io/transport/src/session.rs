//! An open session with a next hop.

use std::{net::SocketAddr, sync::Arc};

use smtp::{Cause, Envelope, Outcome, TlsFacts, Transcript};
use world::World;

use crate::{
    content::Content,
    plan::{Learned, Plan, Target},
    tls::ClientTls,
};

/// An open connection, past greeting, EHLO, TLS and AUTH, ready for a transaction.
pub struct Session {
    learned: Learned,
    reusable: bool,
}

/// One message for one next hop.
pub struct Mail<'a> {
    /// Paths and parameters. All its recipients are tried.
    pub envelope: Arc<Envelope>,
    /// What is sent.
    pub content: &'a dyn Content,
}

/// What became of a transaction.
#[derive(Clone, Debug)]
pub struct Relayed {
    /// One for each of the envelope's recipients, in their order.
    pub outcomes: Vec<Outcome>,
    /// Which of them were refused only because there were too many in one transaction (`452`, `552`;
    /// RFC 5321 section 4.5.3.1.10), while others were accepted: to be repeated at once.
    pub too_many: Vec<usize>,
    /// How the session was opened, and this transaction.
    pub transcript: Transcript,
    /// Features that broke in this transaction.
    pub learned: Learned,
}

/// Why no session was opened.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Where and what.
    pub cause: Cause,
    /// Whether another try cannot help (for this host).
    pub permanent: bool,
    /// What was said before.
    pub transcript: Transcript,
    /// What TLS came to.
    pub tls: Option<TlsFacts>,
    /// Where we had connected to; none when it came to no connection.
    pub address: Option<SocketAddr>,
    /// Features that broke.
    pub learned: Learned,
}

/// Connects and goes on until a transaction can start: greeting, EHLO (or HELO), TLS, AUTH.
///
/// Where TLS is opportunistic and breaks, connects once more and goes on in clear: the transcript
/// says so, and [`Session::learned`].
pub async fn open(world: &World, tls: &ClientTls, target: &Target, plan: &Plan) -> Result<Session, Failure> {
    let _ = (world, tls, target, plan);
    todo!()
}

impl Session {
    /// Carries out one transaction. Never fails as a whole: each recipient has its outcome.
    pub async fn relay(&mut self, mail: &Mail<'_>) -> Relayed {
        let _ = mail;
        todo!()
    }

    /// Whether another transaction may follow.
    pub fn is_reusable(&self) -> bool {
        self.reusable
    }

    /// Whether the peer has closed or spoken (`421`) since the last transaction; to be asked before
    /// reuse. One system call at most.
    pub fn is_dead(&mut self) -> bool {
        todo!()
    }

    /// What TLS came to; none in clear.
    pub fn tls(&self) -> Option<&TlsFacts> {
        None
    }

    /// The peer's address.
    pub fn address(&self) -> Option<SocketAddr> {
        None
    }

    /// Features that broke while the session was opened.
    pub fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Says QUIT and closes; waits for the reply at most a few seconds. Gives the whole transcript.
    pub async fn quit(self) -> Transcript {
        todo!()
    }
}
