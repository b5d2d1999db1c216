//! Kerberos, by [`gss`]: its calls made where blocking hurts nobody.
//!
//! Making a context and its steps may ask a KDC, read a keytab, write the replay cache; wrapping computes
//! only. Where the network is simulated, Kerberos is absent.

use std::time::Duration;

use gss::{Context, Keytab, Reason, Step, Tickets, Trouble};
use tokio::{sync::Semaphore, task, time};

use crate::{World, net::Net};

/// Logins of ours that may wait for a KDC at once: one that is silent must not take all the threads there
/// are for what blocks.
static ASKING: Semaphore = Semaphore::const_new(16);

/// The library itself gives up on a silent KDC after some 10 s each.
const PATIENCE: Duration = Duration::from_secs(60);

/// One security context with one peer.
#[derive(Debug)]
pub struct Kerberos {
    /// None after a step that failed.
    context: Option<Context>,
    is_client: bool,
}

impl World {
    /// A context for somebody who wants to be let in. `bindings` as for [`Context::accepting`].
    ///
    /// # Errors
    /// There is no library, or no key for the service.
    pub async fn kerberos_accept(
        &self,
        keytab: Keytab,
        bindings: Option<Vec<u8>>,
    ) -> Result<Kerberos, Trouble> {
        self.has_kerberos()?;
        let context = blocking(false, move || Context::accepting(&keytab, bindings)).await?;
        Ok(Kerberos { context: Some(context), is_client: false })
    }

    /// A context to log in with at that host.
    ///
    /// # Errors
    /// There is no library, or no ticket to be had.
    pub async fn kerberos_initiate(
        &self,
        tickets: Tickets,
        host: String,
        bindings: Option<Vec<u8>>,
    ) -> Result<Kerberos, Trouble> {
        self.has_kerberos()?;
        let make = move || Context::initiating(&tickets, &host, bindings);
        let context = blocking(true, make).await?;
        Ok(Kerberos { context: Some(context), is_client: true })
    }

    /// Whether this machine can do it at all.
    ///
    /// # Errors
    /// The library is missing, or too old.
    pub fn has_kerberos(&self) -> Result<(), Trouble> {
        match &self.net {
            Net::Real => gss::Library::load().map(|_| ()),
            Net::Sim(_) => {
                let words = "the network is simulated".to_owned();
                Err(Trouble { reason: Reason::NoLibrary, words })
            }
        }
    }
}

impl Kerberos {
    /// What to say to what the peer said.
    ///
    /// # Errors
    /// The context has failed, and is gone.
    pub async fn step(&mut self, token: Vec<u8>) -> Result<Step, Trouble> {
        let mut context = self.take()?;
        let (context, step) = blocking(self.is_client, move || {
            let step = context.step(&token)?;
            Ok((context, step))
        })
        .await?;
        self.context = Some(context);
        Ok(step)
    }

    /// See [`Context::wrap`].
    ///
    /// # Errors
    /// As there.
    pub fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, Trouble> {
        let mut context = self.take()?;
        let wrapped = context.wrap(message)?;
        self.context = Some(context);
        Ok(wrapped)
    }

    /// See [`Context::unwrap`].
    ///
    /// # Errors
    /// As there.
    pub fn unwrap(&mut self, token: &[u8]) -> Result<Vec<u8>, Trouble> {
        let mut context = self.take()?;
        let message = context.unwrap(token)?;
        self.context = Some(context);
        Ok(message)
    }

    /// The client's principal, to the server.
    ///
    /// # Errors
    /// The context is not established.
    pub fn peer(&self) -> Result<String, Trouble> {
        self.context.as_ref().ok_or_else(over)?.peer()
    }

    fn take(&mut self) -> Result<Context, Trouble> {
        self.context.take().ok_or_else(over)
    }
}

fn over() -> Trouble {
    Trouble { reason: Reason::BadToken, words: "the context has failed before".to_owned() }
}

/// Does it on a thread that may block.
async fn blocking<T: Send + 'static>(
    asks_kdc: bool,
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    let silent = |_| Trouble {
        reason: Reason::KdcUnreachable,
        words: format!("no answer in {} s", PATIENCE.as_secs()),
    };
    let worked = time::timeout(PATIENCE, async {
        // It is never closed; a thread that goes on after our patience keeps its permit.
        let permit = match asks_kdc {
            true => ASKING.acquire().await.ok(),
            false => None,
        };
        task::spawn_blocking(move || {
            let worked = work();
            drop(permit);
            worked
        })
        .await
    });
    match worked.await.map_err(silent)? {
        Ok(worked) => worked,
        Err(error) => Err(Trouble { reason: Reason::Other, words: error.to_string() }),
    }
}
