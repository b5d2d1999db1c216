//! The customer's side of ATRN (RFC 2645): now and then we sign in at a provider, ask for our mail, and
//! are the server of the connection that we opened.
//!
//! What comes is received like any other mail: for our domains only, and nobody is trusted for having been
//! asked.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use accounts::Accounts;
use smtp::server::{Peer, Server};
use tokio::time::Instant;
use transport::{Plan, Session as Outgoing, Target};

use crate::{
    config::{Compiled, Listener, ListenerTls, NextHop, Odmr, Role},
    listen::{Door, Entrance},
    session::Session,
};

/// RFC 2645 section 3.
const PORT: u16 = 366;

/// Asks every configured provider as often as configured, until the transfer agent stops.
pub async fn keep_fetching(entrance: Entrance) {
    let mut closing = entrance.closing.clone();
    let mut asked: Vec<(Odmr, Instant)> = Vec::new();
    loop {
        let config = entrance.queue.context.config();
        asked.retain(|(odmr, _)| config.config.odmr.contains(odmr));
        for odmr in &config.config.odmr {
            let last = asked.iter_mut().find(|(known, _)| known == odmr);
            let due = last.as_ref().is_none_or(|(_, at)| at.elapsed() >= odmr.every);
            if !due {
                continue;
            }
            match last {
                Some((_, at)) => *at = Instant::now(),
                None => asked.push((odmr.clone(), Instant::now())),
            }
            fetch(&entrance, &config, odmr).await;
        }
        let next = asked.iter().map(|(odmr, at)| *at + odmr.every).min();
        let wait = async {
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = closing.wait_for(|&closing| closing) => return,
            () = entrance.queue.context.reconfigured.notified() => {}
            () = wait => {}
        }
    }
}

async fn fetch(entrance: &Entrance, config: &Arc<Compiled>, odmr: &Odmr) {
    let world = &entrance.queue.context.world;
    let plan = plan(config, odmr);
    for target in targets(entrance, odmr).await {
        let tls = entrance.queue.context.outgoing_tls();
        match transport::open(world, tls.general(), &target, &plan).await {
            Ok(session) => return reverse(entrance, config, odmr, session).await,
            Err(failure) => {
                tracing::warn!(provider = %target, stage = %failure.cause.stage,
                    cause = %failure.cause.trouble, "ODMR: the provider can't be asked");
            }
        }
    }
}

/// ATRN, and then the other role.
async fn reverse(entrance: &Entrance, config: &Arc<Compiled>, odmr: &Odmr, mut session: Outgoing) {
    let provider = session.target().to_string();
    let tls = session.tls().cloned();
    let command = match odmr.domains.is_empty() {
        true => "ATRN".to_owned(),
        false => format!("ATRN {}", odmr.domains.join(",")),
    };
    match session.command(&command).await {
        Ok(reply) if reply.code == 250 => {}
        // RFC 2645 section 5.2.1: 453, there is no mail.
        Ok(reply) => {
            tracing::info!(provider, %reply, "ODMR: nothing fetched");
            let _said = session.quit().await;
            return;
        }
        Err(cause) => return tracing::warn!(provider, cause = %cause.trouble, "ODMR: no reply"),
    }
    let address = session.address().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    let Some(wire) = session.into_wire() else { return };
    let listener = Listener {
        name: "odmr".to_owned(),
        role: Role::Mx,
        tls: ListenerTls::None,
        ..Listener::default()
    };
    let door = Arc::new(Door::new(
        config,
        &listener,
        None,
        &Accounts::nobody(&entrance.queue.context.world),
    ));
    let origin = entrance.queue.context.world.clock.now();
    let local = wire.local().ok().and_then(|end| end.socket()).unwrap_or(address);
    let peer = Peer { tls, origin, ..Peer::new(address, local) };
    let began = Instant::now();
    let machine = Server::new(door.offer.clone(), peer, began.elapsed());
    tracing::info!(provider, "ODMR: the roles are swapped");
    let session =
        Session::new(entrance.queue.clone(), entrance.census.clone(), door, wire, machine, began);
    session.run(entrance.closing.clone()).await;
}

fn plan(config: &Compiled, odmr: &Odmr) -> Plan {
    let waits = &config.config.timeouts;
    let local = odmr.provider.iter().all(NextHop::is_loopback);
    let mut plan = Plan::new(config.config.hostname.as_str());
    plan.tls = odmr.tls;
    plan.connect_timeout = waits.connect;
    plan.timeouts.greeting = waits.greeting;
    plan.timeouts.ehlo = waits.command;
    plan.credentials = Some(Arc::new(odmr.auth.read(local && !odmr.tls.is_binding())));
    plan.tickets = odmr.auth.tickets();
    plan
}

async fn targets(entrance: &Entrance, odmr: &Odmr) -> Vec<Target> {
    let mut targets = Vec::new();
    for provider in &odmr.provider {
        match provider {
            NextHop::Address(address, port) => {
                let at = SocketAddr::new(*address, port.unwrap_or(PORT));
                targets.push(Target::tcp(address.to_string(), at));
            }
            NextHop::Host(name, port) => {
                let port = port.unwrap_or(PORT);
                let target = |address: &IpAddr| Target::tcp(name, (*address, port).into());
                match entrance.queue.context.world.dns.addresses(name).await {
                    Ok(answer) => targets.extend(answer.records.iter().map(target)),
                    Err(error) => tracing::warn!(provider = name, %error, "ODMR: no address"),
                }
            }
            // The check of the configuration refuses what is no SMTP.
            _ => {}
        }
    }
    targets
}
