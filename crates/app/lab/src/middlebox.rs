//! A box between a client and a server, which alters what they say as its scenario has it.
//!
//! It is a proxy of two connections; what a real firewall does to packets in passing, it does to
//! octets. Lines and contents are told apart as the dialogue goes, so that a rule about MAIL does not
//! touch a message that quotes it.

mod alter;
mod client;
mod pending;
mod relay;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use world::{
    Net,
    net::{Connect, Listener},
};

use crate::{Recording, scenario::BoxScript};

/// How long the box waits for the server's connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A box that listens for clients and passes them on to one server.
pub struct Middlebox {
    net: Net,
    listener: Listener,
    server: SocketAddr,
    script: Arc<BoxScript>,
    recordings: Recordings,
}

/// Captures of both sides of a box, as far as they are wanted.
#[derive(Clone, Default)]
pub struct Recordings {
    /// Between the client and the box.
    pub near: Option<Recording>,
    /// Between the box and the server.
    pub far: Option<Recording>,
}

impl Middlebox {
    /// Listens at `near`, for clients; passes on to `far`.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn listen(
        net: &Net,
        near: SocketAddr,
        far: SocketAddr,
        script: BoxScript,
    ) -> io::Result<Self> {
        let listener = net.listen(near)?;
        let (net, script) = (net.clone(), Arc::new(script));
        Ok(Self { net, listener, server: far, script, recordings: Recordings::default() })
    }

    /// The same, recorded.
    #[must_use]
    pub fn recorded(self, recordings: Recordings) -> Self {
        Self { recordings, ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.listener.local()?.socket().ok_or_else(|| io::Error::other("not a TCP listener"))
    }

    /// Passes on for ever; dropping the future ends it, connections that are open go on to their end.
    pub async fn run(&self) {
        loop {
            let near = match self.listener.accept().await {
                Ok(near) => near,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (net, script, to) = (self.net.clone(), Arc::clone(&self.script), self.server);
            let recordings = self.recordings.clone();
            tokio::spawn(async move {
                let connect = Connect { to, source: None, timeout: CONNECT_TIMEOUT };
                // A server that is not there looks to the client as without the box: closed at once.
                match net.connect(connect).await {
                    Ok(far) => relay::Relay::new(script, near, far, &recordings).run().await,
                    Err(error) => {
                        tracing::warn!(%to, %error, "the server behind the box is not there")
                    }
                }
            });
        }
    }
}
