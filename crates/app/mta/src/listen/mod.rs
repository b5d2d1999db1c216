//! Where clients come in: accept, count, refuse or start a [`Session`].

mod census;
mod door;
mod proxy;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use policy::{Case, EARLY_TALKER, Refusal};
use smtp::{
    Reply,
    server::{Peer, Server},
};
use tokio::{
    io::AsyncWriteExt,
    sync::watch,
    time::{Instant, timeout},
};
use transport::Wire;
use world::net::{Listener, Stream};

pub use self::{
    census::{Census, Full, Place},
    door::{Door, Teaser, mechanisms, offer},
};
use crate::{
    queue::Queue,
    session::{Session, judge::Refused},
};

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
    let mut stream = stream;
    let origin = entrance.queue.context.world.clock.now();
    let mut peer = Peer { origin, ..ends(&stream) };
    if door.is_proxied(peer.address.ip()) && !introduced(&door, &mut stream, &mut peer).await {
        return;
    }
    let address = peer.address;
    peer.granted = door.grants(address.ip());
    let client = address.ip();
    let context = &entrance.queue.context;
    context.metrics.connections_in.increment();
    let config = context.config();
    let place = entrance.census.enter(client, &door.limits);
    let case = door.case(&config, client);
    let refusal = match &place {
        Err(full) => Some(full.refusal()),
        Ok(_) => context.policy.connection(&case).refusal,
    };
    let mut wire = match door.implicit_tls && refusal.is_none() {
        true => match secured(&door, stream, &mut peer).await {
            Some(wire) => wire,
            None => return,
        },
        false => Wire::Plain(stream),
    };
    let (refusal, teaser) = match refusal {
        None => match greet(&entrance.queue, &door, &mut wire, &case).await {
            Some(greeted) => greeted,
            None => return tracing::debug!(client = %address, "gone before the greeting"),
        },
        refusal => (refusal, None),
    };
    let elapsed = began.elapsed();
    let machine = match refusal {
        Some(refusal) => {
            let reply = refusal.reply.clone();
            let machine = Server::refuse(door.offer.clone(), peer, reply, elapsed);
            let refused = Refused { refusal, reverse_path: None };
            door.report_turned_away(&entrance.queue, &machine, &refused);
            machine
        }
        None => {
            let offer = teaser.map_or(&door.offer, |teaser| &teaser.offer);
            let mut machine = Server::new(offer.clone(), peer, elapsed);
            if let Some(teaser) = teaser {
                // Its first line has been sent.
                machine.replies().drain(..teaser.line.len());
            }
            machine
        }
    };
    let closing = entrance.closing.clone();
    // Boxed, as the handshakes above are, so that who waits for the greeting takes no room for what comes
    // after it.
    let census = entrance.census.clone();
    let session = Session::new(entrance.queue.clone(), census, door, wire, machine, began);
    Box::pin(session.run(closing)).await;
    drop(place);
}

/// Hears from a proxy whom it brings; false if it does not say.
async fn introduced(door: &Door, stream: &mut Stream, peer: &mut Peer) -> bool {
    let why = match timeout(door.limits.handshake_wait, Box::pin(proxy::read(stream))).await {
        Ok(Ok(proxied)) => {
            peer.address = proxied.client.unwrap_or(peer.address);
            peer.local = proxied.local.unwrap_or(peer.local);
            return true;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it did not come in time".to_owned(),
    };
    tracing::warn!(proxy = %peer.address, listener = %door.name, why, "no PROXY header");
    false
}

/// TLS from the first octet on; `None` if it does not come about.
async fn secured(door: &Door, stream: Stream, peer: &mut Peer) -> Option<Wire> {
    let handshake = Box::pin(transport::tls::accept(stream, door.tls.as_ref()?));
    let why = match timeout(door.limits.handshake_wait, handshake).await {
        Ok(Ok((wire, facts))) => {
            peer.tls = Some(facts);
            return Some(wire);
        }
        Ok(Err(why)) => why,
        Err(_) => "too slow".to_owned(),
    };
    tracing::info!(client = %peer.address, why, "TLS handshake failed");
    None
}

/// Who is at the other end. A Unix socket's client is one of this machine, and has the port 0.
fn ends(stream: &Stream) -> Peer {
    let this_machine = SocketAddr::from(([127, 0, 0, 1], 0));
    let local = stream.local().ok().and_then(|end| end.socket());
    Peer::new(stream.peer().socket().unwrap_or(this_machine), local.unwrap_or(this_machine))
}

/// Waits before the greeting, as mail servers do (RFC 5321 section 4.3.1) and programs that send spam
/// often don't; not for those of ours, nor for who has waited before. Who talks is refused. If the
/// greeting was begun with a teaser, that comes back too. `None`: the client has gone.
async fn greet<'d>(
    queue: &Queue,
    door: &'d Door,
    wire: &mut Wire,
    case: &Case<'_>,
) -> Option<(Option<Refusal>, Option<&'d Teaser>)> {
    let (policy, clock) = (&queue.context.policy, &queue.context.world.clock);
    if door.greeting_wait.is_zero() || case.trusted || policy.waited.knows(case.client, clock.now())
    {
        return Some((None, None));
    }
    let teaser = door.teaser.as_ref();
    if let Some(teaser) = teaser {
        let sent = timeout(door.write_timeout, async {
            wire.write_all(&teaser.line).await?;
            wire.flush().await
        });
        // A client that is gone is found gone by the wait.
        let _sent = sent.await;
    }
    match timeout(door.greeting_wait, heard(wire)).await {
        // What looks whether a port is open does that.
        Ok(false) => None,
        Ok(true) => {
            throw_away(wire);
            policy.waited.forget(case.client);
            policy.count(EARLY_TALKER);
            let reply = Reply::talked_too_early();
            let why = "it talked before the greeting".to_owned();
            Some((Some(Refusal { rule: EARLY_TALKER, reply, why }), teaser))
        }
        Err(_) => {
            let keep = policy.set().settings.waited_keep;
            policy.waited.remember(case.client, keep, clock.now());
            Some((None, teaser))
        }
    }
}

/// Waits until the client says something (true) or goes (false). That a socket seems readable proves
/// neither: one that was just accepted may seem so with nothing in it, so it is read.
async fn heard(wire: &mut Wire) -> bool {
    loop {
        if wire.readable().await.is_err() {
            return false;
        }
        match wire.try_read(&mut [0; 1]) {
            Ok(length) => return length > 0,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
}

/// Takes off what was sent too early: a connection that is closed with octets unread is reset, and the
/// client would never read why.
fn throw_away(wire: &mut Wire) {
    const READS_MAX: usize = 16;
    let mut octets = [0; 4096];
    for _ in 0..READS_MAX {
        match wire.try_read(&mut octets) {
            Ok(length) if length > 0 => {}
            _ => return,
        }
    }
}
