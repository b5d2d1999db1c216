//! Questions of clients that are about something else than a message: VRFY, EXPN, ATRN, XCLIENT.

use std::net::{Ipv4Addr, SocketAddr};

use smtp::{Address, Reply, extension::xclient::Claim, server::Peer};

use crate::{
    config::{Compiled, Disclosure, Disposition},
    listen::Door,
    queue::Queue,
};

/// VRFY: is there such a mailbox (RFC 5321 section 3.5.3)?
pub fn verify(queue: &Queue, door: &Door, text: &str) -> Reply {
    let config = queue.context.config();
    let (Disclosure::Exact, _) = door.discloses() else { return Reply::not_verified() };
    let Some(address) = address(&config, text) else { return Reply::no_such_mailbox() };
    match config.recipient(&address) {
        Disposition::Unknown => Reply::no_such_mailbox(),
        Disposition::Local(_) | Disposition::Alias(_) => Reply::verified(address.as_str()),
        // Where it goes from here is not ours to know.
        Disposition::Route(_) | Disposition::NotOurs(_) => Reply::not_verified(),
    }
}

/// EXPN: whom does an alias lead to?
pub fn expand(queue: &Queue, door: &Door, text: &str) -> Reply {
    let config = queue.context.config();
    let (_, Disclosure::Exact) = door.discloses() else { return Reply::not_expanded() };
    let address = address(&config, text);
    match address.as_ref().map(|address| config.recipient(address)) {
        Some(Disposition::Alias(targets)) => {
            Reply::expanded(targets.iter().map(|target| target.as_str()))
        }
        _ => Reply::no_such_list(),
    }
}

/// An address, in angle brackets or not; without a domain, in the postmaster's.
fn address(config: &Compiled, text: &str) -> Option<Address> {
    let text = text.trim().trim_start_matches('<').trim_end_matches('>');
    match text.contains('@') {
        true => text.parse().ok(),
        false => format!("{text}@{}", config.postmaster().domain()).parse().ok(),
    }
}

/// ATRN: may the user have the mail of these domains, and is there any (RFC 2645 section 5.2.1)?
pub fn reverse(
    queue: &Queue,
    user: Option<&str>,
    domains: &[Box<str>],
) -> Result<Vec<Box<str>>, Reply> {
    let config = queue.context.config();
    let Some(user) = user else { return Err(Reply::auth_required()) };
    let allowed = config.users.odmr(user);
    let is_allowed =
        |domain: &str| allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain));
    if allowed.is_empty() || !domains.iter().all(|domain| is_allowed(domain)) {
        return Err(Reply::reversal_refused());
    }
    let wanted: Vec<Box<str>> = match domains.is_empty() {
        true => allowed.iter().map(|domain| domain.to_ascii_lowercase().into()).collect(),
        false => domains.to_vec(),
    };
    match queue.has_any(&wanted) {
        true => Ok(wanted),
        false => Err(Reply::no_mail_for_you()),
    }
}

/// XCLIENT: who the client is now. What the proxy was trusted with is not passed on to it.
pub fn client(door: &Door, peer: &Peer, claim: &Claim) -> Box<Peer> {
    let mut peer = peer.clone();
    if let Some(address) = claim.address {
        // 0 is for clients without an address.
        let port = claim.port.filter(|&port| port != 0).unwrap_or(1);
        peer.address = match address {
            Some(address) => SocketAddr::new(address, port),
            // Never the proxy's, which may be trusted.
            None => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        };
        peer.granted = door.grants(peer.address.ip());
    }
    if let Some(local) = claim.local {
        peer.local.set_ip(local);
    }
    if let Some(port) = claim.local_port {
        peer.local.set_port(port);
    }
    Box::new(peer)
}
