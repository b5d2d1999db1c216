//! Kerberos, by [`gss`]: its calls made where blocking hurts nobody.
//!
//! Making a context and its steps may ask a KDC, read a keytab, write the replay cache; wrapping computes
//! only. Where the network is simulated, Kerberos is absent.

use std::time::Duration;

use gss::{Context, Keytab, Reason, Step, Tickets, Trouble};
use sasl::{
    Binding, Bindings,
    gss::{Answer, Ask},
};
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
    /// A context for somebody who wants to be let in. One that binds itself to nothing is not refused for it.
    ///
    /// # Errors
    /// There is no library, or no key for the service.
    pub async fn kerberos_accept(
        &self,
        keytab: Keytab,
        bindings: &Bindings,
    ) -> Result<Kerberos, Trouble> {
        self.has_kerberos()?;
        let bindings = channel(bindings);
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
        bindings: &Bindings,
    ) -> Result<Kerberos, Trouble> {
        self.has_kerberos()?;
        let bindings = channel(bindings);
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
    /// Answers what SASL's machine asks.
    ///
    /// # Errors
    /// The context has failed, and is gone.
    pub async fn answer(&mut self, ask: Ask) -> Result<Answer, Trouble> {
        let mut context = self.context.take().ok_or_else(over)?;
        let answer = match ask {
            Ask::Token(token) => {
                let is_client = self.is_client;
                let (stepped, step) = blocking(is_client, move || {
                    let step = context.step(&token.unwrap_or_default())?;
                    Ok((context, step))
                })
                .await?;
                context = stepped;
                told(step, &context, is_client)?
            }
            Ask::Wrap(message) => Answer::Octets(context.wrap(&message)?),
            Ask::Unwrap(token) => Answer::Octets(context.unwrap(&token)?),
        };
        self.context = Some(context);
        Ok(answer)
    }
}

fn told(step: Step, context: &Context, is_client: bool) -> Result<Answer, Trouble> {
    Ok(match step.established {
        false => Answer::Continue(step.token),
        true => Answer::Established {
            token: Some(step.token).filter(|token| !token.is_empty()),
            // A client has proof that it is the one whom it called.
            peer: if is_client { String::new() } else { context.peer()? },
        },
    })
}

/// What a context is bound to: the server's certificate, as Windows does it (RFC 5929 section 4). RFC 4752
/// binds to nothing.
fn channel(bindings: &Bindings) -> Option<Vec<u8>> {
    let end_point = bindings.of(Binding::EndPoint)?;
    Some([Binding::EndPoint.name().as_bytes(), b":", end_point].concat())
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
