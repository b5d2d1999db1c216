//! Where clients come in: accept, count, refuse or start a [`Session`].

mod census;
mod door;
mod rates;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use smtp::{
    Reply,
    server::{Peer, Server},
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use transport::Wire;
use world::net::{Listener, Stream};

pub use self::{census::Census, door::Door, rates::Rates};
use crate::{queue::Queue, session::Session};

/// What all listeners of a transfer agent share.
#[derive(Clone)]
pub struct Entrance {
    /// Whereto.
    pub queue: Arc<Queue>,
    /// Who is in.
    pub census: Arc<Census>,
    /// True once the transfer agent stops.
    pub closing: watch::Receiver<bool>,
}

/// Accepts until the transfer agent stops or the listener is given up. The door may be exchanged
/// (reload): the next connection gets the new one.
pub async fn accept(
    entrance: Entrance,
    listener: Listener,
    door: Arc<ArcSwap<Door>>,
    mut gone: watch::Receiver<bool>,
) {
    /// Out of file descriptors: connections wait in the kernel's list meanwhile.
    const PAUSE: Duration = Duration::from_millis(100);
    let mut closing = entrance.closing.clone();
    loop {
        let stream = tokio::select! {
            biased;
            _ = closing.wait_for(|&closing| closing) => return,
            _ = gone.wait_for(|&gone| gone) => return,
            stream = listener.accept() => stream,
        };
        match stream {
            Ok(stream) => {
                let entrance = entrance.clone();
                let door = door.load_full();
                let tasks = entrance.queue.context.tasks.clone();
                tasks.spawn(admit(entrance, door, stream));
            }
            Err(error) => {
                tracing::warn!(listener = %door.load().name, %error, "accept failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn admit(entrance: Entrance, door: Arc<Door>, stream: Stream) {
    let began = Instant::now();
    let (Some(address), Some(local)) =
        (stream.peer().socket(), stream.local().ok().and_then(|end| end.socket()))
    else {
        return;
    };
    let client = address.ip();
    entrance.queue.context.metrics.connections_in.increment();
    let now = entrance.queue.context.world.clock.now();
    let limits = &door.limits;
    let place = entrance.census.enter(client, limits);
    let refusal = match &place {
        Err(full) => {
            entrance.queue.context.metrics.connections_refused.increment();
            tracing::info!(client = %address, limit = %full, "too many connections");
            Some(Reply::too_many_connections())
        }
        Ok(_) if !door.rates.connection(client, limits, now) => Some(Reply::too_many_connections()),
        Ok(_) => None,
    };
    let mut peer = Peer { address, local, tls: None };
    let mut wire = match (&door.tls, door.implicit_tls && refusal.is_none()) {
        (Some(identity), true) => {
            match timeout(limits.handshake_wait, transport::tls::accept(stream, identity)).await {
                Ok(Ok((wire, facts))) => {
                    peer.tls = Some(facts);
                    wire
                }
                Ok(Err(why)) => {
                    return tracing::info!(client = %address, why, "TLS handshake failed");
                }
                Err(_) => {
                    return tracing::info!(client = %address, why = "too slow", "TLS handshake failed");
                }
            }
        }
        (None, true) => return,
        (_, false) => Wire::Plain(stream),
    };
    let refusal = match refusal {
        None if !door.greeting_wait.is_zero() => talks_too_early(&mut wire, &door).await,
        refusal => refusal,
    };
    let elapsed = began.elapsed();
    let machine = match refusal {
        Some(reply) => {
            tracing::info!(client = %address, listener = %door.name, %reply, "connection refused");
            Server::refuse(door.offer.clone(), peer, reply, elapsed)
        }
        None => Server::new(door.offer.clone(), peer, elapsed),
    };
    let closing = entrance.closing.clone();
    Session::new(entrance.queue.clone(), door, wire, machine, began).run(closing).await;
    drop(place);
}

/// Mail servers wait for the greeting (RFC 5321 section 4.3.1); programs that send spam often don't.
async fn talks_too_early(wire: &mut Wire, door: &Door) -> Option<Reply> {
    match timeout(door.greeting_wait, wire.readable()).await {
        // Something to read, or the end: both are no way to begin.
        Ok(_) => Some(Reply::talked_too_early()),
        Err(_) => None,
    }
}
