//! What the configuration says to a client's wishes: may it send, may it relay, is there room.

use std::sync::Arc;

use smtp::{
    Recipient, Reply,
    server::{Secret, Server},
};
use spool::Receipt;

use crate::{config::Disposition, listen::Door, queue::Queue};

/// May this reverse-path start a transaction here?
pub fn reverse_path(queue: &Queue, door: &Door, machine: &Server<Receipt>) -> Result<(), Reply> {
    let envelope = machine.envelope();
    let config = queue.context.config();
    if !door.rates.message(machine.peer().address.ip(), &config, queue.context.world.clock.now()) {
        return Err(Reply::too_many_messages());
    }
    if let (Some(user), Some(Some(path))) =
        (machine.user(), envelope.map(|e| e.reverse_path.as_ref()))
        && !config.users.may_use(user, path.as_str())
    {
        return Err(Reply::reverse_path_not_yours());
    }
    let size = envelope.and_then(|envelope| envelope.size).unwrap_or(0);
    match queue.context.spool.has_room(size) {
        true => Ok(()),
        false => Err(Reply::no_room()),
    }
}

/// May this recipient be added? Ours: if the mailbox is there. Others': only for those who may relay.
pub fn recipient(
    queue: &Queue,
    door: &Door,
    machine: &Server<Receipt>,
    recipient: &Recipient,
) -> Result<(), Reply> {
    let config = queue.context.config();
    let client = machine.peer().address.ip();
    match config.recipient(&recipient.forward_path) {
        Disposition::Unknown => Err(Reply::no_such_mailbox()),
        Disposition::NotOurs(_) => {
            let may = machine.user().is_some() || door.trusts(client) || config.may_relay(client);
            if may { Ok(()) } else { Err(Reply::relaying_denied()) }
        }
        _ => match door.rates.recipient(client, &config, queue.context.world.clock.now()) {
            true => Ok(()),
            false => Err(Reply::too_many_messages()),
        },
    }
}

/// Content is about to come: is there room for what is announced?
pub fn begin(queue: &Queue, machine: &Server<Receipt>) -> Result<(), Reply> {
    let size = machine.envelope().and_then(|envelope| envelope.size).unwrap_or(0);
    match queue.context.spool.has_room(size) {
        true => Ok(()),
        false => Err(Reply::no_room()),
    }
}

/// VRFY tells nobody who has a mailbox here (RFC 5321 section 7.3).
pub fn verify(_text: &str) -> Reply {
    Reply::not_verified()
}

/// Is it the user? The hash is slow on purpose, so it is computed where blocking hurts nobody.
pub async fn authenticate(queue: &Arc<Queue>, user: String, password: Secret) -> Result<(), Reply> {
    let config = queue.context.config();
    if config.users.verify_remembered(&user, password.expose().as_bytes()).is_some() {
        return Ok(());
    }
    let verified = tokio::task::spawn_blocking(move || {
        config.users.verify(&user, password.expose().as_bytes()).is_some()
    });
    match verified.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Reply::authentication_failed()),
        Err(error) => {
            tracing::error!(%error, "the password check broke");
            Err(Reply::authentication_unavailable())
        }
    }
}
