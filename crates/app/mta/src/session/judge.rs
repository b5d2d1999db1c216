//! Answers to a client's wishes: what the configuration says (may it relay, is the mailbox there, is
//! there room), then what [`policy`] says.
//!
//! A refusal goes to the log under a rule's name, so nothing is refused here without one.

use std::sync::Arc;

use accounts::Account;
use policy::{Case, Refusal};
use smtp::{Address, Recipient, Reply, ReversePath, server::Server};
use spool::Receipt;

pub use super::next_hop::Forward;
use crate::{
    config::{Compiled, Disposition, Role},
    listen::Door,
    queue::Queue,
};

/// What a session knows of its client besides what the machine does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manners {
    /// It sent commands before it had our reply to EHLO.
    pub ahead: bool,
}

/// A refusal on its way to the log.
#[derive(Debug)]
pub struct Refused {
    /// What was decided.
    pub refusal: Refusal,
    /// The reverse-path that was refused: the machine has forgotten it when it tells of that.
    pub reverse_path: Option<ReversePath>,
}

/// May this reverse-path start a transaction here?
pub fn reverse_path(
    queue: &Queue,
    door: &Door,
    machine: &Server<Receipt>,
    manners: Manners,
    account: Option<&Account>,
) -> Result<(), Refusal> {
    let envelope = machine.envelope();
    let config = queue.context.config();
    let case = case(&config, door, machine, manners);
    if let Some(path) = envelope.and_then(|envelope| envelope.reverse_path.as_ref()) {
        must_be_complete(&config, door, path, Reply::reverse_path_incomplete)?;
    }
    if let Some(refusal) = queue.context.policy.sender(&case).refusal {
        return Err(refusal);
    }
    if let (Some(account), Some(envelope)) = (account, envelope) {
        let may = match &envelope.reverse_path {
            Some(path) => config.config.senders.may_use(account, path.as_str()),
            None => config.config.senders.null,
        };
        if !may {
            let path = envelope.reverse_path.as_ref().map_or("<>", |path| path.as_str());
            let why = format!("{} may not send as {path}", account.name);
            return Err(Refusal { rule: "user", reply: Reply::reverse_path_not_yours(), why });
        }
    }
    begin(queue, machine)
}

/// May this recipient be added? Others' only for those who may relay; ours if the mailbox is there; and if
/// nothing at the door is against it.
pub async fn recipient(
    queue: &Arc<Queue>,
    door: &Door,
    machine: &Server<Receipt>,
    manners: Manners,
    recipient: &Recipient,
) -> Result<(), Refusal> {
    let config = queue.context.config();
    let case = case(&config, door, machine, manners);
    let path = &recipient.forward_path;
    must_be_complete(&config, door, path, Reply::forward_path_incomplete)?;
    may_be_named(&config, &case, path)?;
    must_be_its_owner(&config, recipient)?;
    let forward = Forward::of(queue, &config, path);
    let case = Case {
        recipient: Some(path),
        next_hop: forward.as_ref().map(|forward| forward as &dyn policy::asked::NextHop),
        ..case
    };
    queue.context.policy.recipient(&case).await.refusal.map_or(Ok(()), Err)
}

/// RFC 7293 section 5: whoever has the mailbox now may not be whom it is for.
pub fn must_be_its_owner(config: &Compiled, recipient: &Recipient) -> Result<(), Refusal> {
    let path = &recipient.forward_path;
    if config.is_its_owner(recipient) {
        return Ok(());
    }
    let why = format!("{path} has another owner since then (RRVS)");
    Err(Refusal { rule: "owner", reply: Reply::mailbox_owner_changed(), why })
}

/// What a user submits leaves with domains that mean the same everywhere (RFC 6409 section 4.2).
fn must_be_complete(
    config: &Compiled,
    door: &Door,
    path: &Address,
    reply: fn() -> Reply,
) -> Result<(), Refusal> {
    let domain = path.domain();
    if door.role != Role::Submission || domain.is_empty() || config.is_complete(domain) {
        return Ok(());
    }
    let why = format!("`{domain}` is one label, and none of the configuration");
    Err(Refusal { rule: "incomplete-domain", reply: reply(), why })
}

/// What the configuration alone says of a recipient.
pub fn may_be_named(config: &Compiled, case: &Case<'_>, path: &Address) -> Result<(), Refusal> {
    match config.recipient(path) {
        Disposition::NotOurs(_) if case.user.is_none() && !case.trusted => {
            let why = format!("{} is not ours, and the client may not relay", path.domain());
            Err(Refusal { rule: "relay", reply: Reply::relaying_denied(), why })
        }
        _ if is_routed(path) && case.user.is_none() && !case.trusted && !config.names(path) => {
            let why = "its local-part looks like a way to somebody else".to_owned();
            Err(Refusal { rule: "routed-recipient", reply: Reply::routed_recipient(), why })
        }
        Disposition::Unknown => {
            let why = format!("{} is ours, and has no such mailbox", path.domain());
            Err(Refusal { rule: "mailbox", reply: Reply::no_such_mailbox(), why })
        }
        _ => Ok(()),
    }
}

/// Whether a local-part has in it what once was a route: `user%other.example`, `other.example!user`,
/// `"user@other.example"`. Here it leads nowhere, but a server behind us may follow it, and then we relay
/// for strangers.
fn is_routed(path: &Address) -> bool {
    path.local_part_unquoted().contains(['@', '%', '!'])
}

/// The machine's facts as policy sees them, up to the reverse-path.
fn case<'a>(
    config: &Compiled,
    door: &'a Door,
    machine: &'a Server<Receipt>,
    manners: Manners,
) -> Case<'a> {
    Case {
        helo: machine.helo(),
        sender: machine.envelope().map(|envelope| envelope.reverse_path.as_ref()),
        user: machine.user(),
        ahead: manners.ahead,
        ..door.case(config, machine.peer().address.ip())
    }
}

/// Content is about to come: is there room for what is announced?
pub fn begin(queue: &Queue, machine: &Server<Receipt>) -> Result<(), Refusal> {
    let size = machine.envelope().and_then(|envelope| envelope.size).unwrap_or(0);
    match queue.context.spool.has_room(size) {
        true => Ok(()),
        false => {
            let why = format!("the disk has no room for {size} octets more");
            Err(Refusal { rule: "disk space", reply: Reply::no_room(), why })
        }
    }
}

#[cfg(test)]
mod tests;
