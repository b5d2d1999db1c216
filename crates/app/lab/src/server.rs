//! A server that misbehaves as its scenario says, and else takes any message.

mod session;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use world::{Net, net::Listener};

use crate::scenario::{On, ServerScript};

/// A server that listens.
pub struct Server {
    listener: Listener,
    shared: Arc<Shared>,
}

/// What its sessions have in common.
struct Shared {
    script: ServerScript,
    /// Where accepted contents are written, a file each.
    into: Option<PathBuf>,
    sessions: AtomicU32,
    /// When the first session began.
    first: std::sync::OnceLock<Instant>,
    accepted: AtomicU32,
}

impl Server {
    /// Listens. Accepted contents are written into the folder `into`, a file each, if there is one.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn listen(
        net: &Net,
        at: SocketAddr,
        script: ServerScript,
        into: Option<PathBuf>,
    ) -> io::Result<Self> {
        let shared = Shared {
            script,
            into,
            sessions: AtomicU32::new(0),
            first: std::sync::OnceLock::new(),
            accepted: AtomicU32::new(0),
        };
        Ok(Self { listener: net.listen(at)?, shared: Arc::new(shared) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.listener.local()?.socket().ok_or_else(|| io::Error::other("not a TCP listener"))
    }

    /// How many messages it has taken so far.
    pub fn accepted(&self) -> u32 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Serves for ever; dropping the future ends it, sessions that are open go on to their end.
    pub async fn run(&self) {
        loop {
            match self.listener.accept().await {
                Ok(stream) => {
                    let number = self.shared.sessions.fetch_add(1, Ordering::Relaxed) + 1;
                    self.shared.first.get_or_init(Instant::now);
                    let session = session::Session::new(Arc::clone(&self.shared), number, stream);
                    tokio::spawn(session.run());
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Shared {
    /// What the scenario has for this point: verb, argument, how often the verb was said, which session.
    fn wanted(&self, verb: &str, argument: &str, times: u32, session: u32) -> Option<&On> {
        let since = self.first.get().map_or(Duration::ZERO, Instant::elapsed);
        self.script.on.iter().find(|on| {
            (on.command.eq_ignore_ascii_case(verb) || (on.command == "ANY" && is_command(verb)))
                && on.nth.is_none_or(|nth| nth == times)
                && on.from.is_none_or(|from| times >= from)
                && on.sessions.is_none_or(|sessions| session <= sessions)
                && on.within_s.is_none_or(|within| since < Duration::from_secs(within))
                && on.contains.as_ref().is_none_or(|part| {
                    argument.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
                })
        })
    }
}

fn is_command(verb: &str) -> bool {
    !matches!(verb, "CONNECT" | "CONTENT" | "DOT")
}
