//! From complete content to a [`Receipt`]: trace field, hop count, lanes, spool; then the queue.

use std::{borrow::Cow, sync::Arc};

use accounts::Account;
use bytes::Bytes;
use message::{
    header::{Facts, Scan},
    submission, trace, valid_since,
};
use policy::Refusal;
use smtp::{
    Address, Envelope, Recipient, Reply, ValidSince, extension,
    server::{Protocol, Server},
};
use spool::{Accepted, Arrival, KeepError, MessageId, NewContent, Receipt, Staged};

use super::judge::must_be_its_owner;
use crate::{
    config::{Compiled, Role},
    intake,
    listen::Door,
    queue::Queue,
};

/// What has been put away of the content that is being received.
#[derive(Default)]
pub struct Keeping {
    staged: Option<Box<dyn Staged>>,
    scan: Option<Scan>,
    /// Why the content can't be kept; it is read to its end all the same.
    broken: Option<Reply>,
}

impl Keeping {
    /// The transaction is over without its message.
    pub fn drop_staged(&mut self) {
        *self = Self::default();
    }

    /// Moves what has arrived so far to disk: memory stays bounded, whatever the size.
    pub async fn spill(&mut self, queue: &Queue, machine: &mut Server<Receipt>) {
        let piece = machine.content().split().freeze();
        if self.broken.is_some() || piece.is_empty() {
            return;
        }
        let wants_author = queue.context.config().config.senders.from_field;
        self.scan.get_or_insert_with(|| scan(wants_author)).feed(&piece);
        if let Err(error) = self.write(queue, piece).await {
            self.staged = None;
            self.broken = Some(refusal(&error));
        }
    }

    async fn write(&mut self, queue: &Queue, piece: Bytes) -> Result<(), KeepError> {
        let staged = match &mut self.staged {
            Some(staged) => staged,
            None => self.staged.insert(queue.context.spool.stage().await?),
        };
        staged.write(piece).await
    }

    /// The content is complete: keep it. After `Ok` the message is ours.
    pub async fn keep(
        &mut self,
        queue: &Arc<Queue>,
        door: &Door,
        machine: &mut Server<Receipt>,
        account: Option<&Account>,
    ) -> Result<Receipt, Refused> {
        if self.staged.is_some() || self.broken.is_some() {
            self.spill(queue, machine).await;
        }
        let Self { staged, scan, broken } = std::mem::take(self);
        if let Some(reply) = broken {
            return Err(reply.into());
        }
        let rest = machine.content().split().freeze();
        let config = queue.context.config();
        let mut scan = scan.unwrap_or_else(|| self::scan(config.config.senders.from_field));
        scan.feed(&rest);
        let facts = scan.finish();
        if let Some(account) = account {
            author(&config, account, &facts)?;
        }
        if facts.hops > config.config.limits.header_hops_max {
            return Err(Reply::loop_detected().into());
        }
        if let Some(classes) = &facts.solicitation
            && extension::no_soliciting::is_refused(&machine.offer().no_soliciting, classes)
        {
            return Err(Reply::solicitation_refused().into());
        }
        let id = queue.context.spool.reserve();
        let at = queue.context.world.clock.now();
        let mut prefix = Vec::with_capacity(256);
        trace_field(&mut prefix, machine, &config.config.hostname, id, at);
        let mut message_id = facts.message_id.clone();
        if door.role == Role::Submission {
            let host = &config.config.hostname;
            let unique = id.to_string();
            submission::complete(&facts, at, 0, &unique, host, &mut prefix);
            message_id.get_or_insert_with(|| format!("<{unique}@{host}>").into());
        }
        let Some(envelope) = machine.envelope() else { return Err(Reply::local_error().into()) };
        let envelope = as_its_header_says(&config, envelope, &facts);
        let mut recipients = envelope.recipients.iter();
        if let Some(Err(refusal)) = recipients.next().map(|it| must_be_its_owner(&config, it))
            && !recipients.any(|recipient| config.is_its_owner(recipient))
        {
            return Err(Refused::By(refusal));
        }
        let intake = intake::sort(&config, &envelope, message_id.clone(), at);
        let size = machine.content_length();
        let content = match staged {
            Some(staged) => NewContent::Staged(staged),
            None => NewContent::Memory(rest),
        };
        let arrival = Arrival { id, at, prefix: prefix.into(), content, jobs: intake.jobs };
        match queue.context.spool.accept(arrival).await {
            Ok(Accepted { receipt, jobs, content }) => {
                door.report_kept(queue, machine, &receipt, message_id.as_deref(), size, at);
                queue.admit(jobs, content, intake.carried, at);
                Ok(receipt)
            }
            Err(error) => {
                tracing::error!(%error, client = %machine.peer().address, "message not kept");
                Err(refusal(&error).into())
            }
        }
    }
}

/// What the header section adds to the envelope: TLS-Required (RFC 8689 section 5; REQUIRETLS has the last word), and
/// since when our mailboxes must have had their owners (RFC 7293 section 5.2; the last word has RRVS=).
fn as_its_header_says<'e>(
    config: &Compiled,
    envelope: &'e Envelope,
    facts: &Facts,
) -> Cow<'e, Envelope> {
    let mut envelope = Cow::Borrowed(envelope);
    if facts.tls_optional && !envelope.require_tls {
        envelope.to_mut().tls_optional = true;
    }
    for (address, at) in facts.valid_since.iter().filter_map(|value| valid_since::read(value)) {
        if config.owned_since(&address).is_none() {
            continue;
        }
        let same = |path: &Address| path.as_str().eq_ignore_ascii_case(address.as_str());
        let is_meant = |it: &&mut Recipient| it.valid_since.is_none() && same(&it.forward_path);
        for recipient in envelope.to_mut().recipients.iter_mut().filter(is_meant) {
            recipient.valid_since = Some(ValidSince { at, strict: false });
        }
    }
    envelope
}

/// Why a content was not kept.
pub enum Refused {
    /// As the reply says.
    Plainly(Reply),
    /// By a rule.
    By(Refusal),
}

impl From<Reply> for Refused {
    fn from(reply: Reply) -> Self {
        Self::Plainly(reply)
    }
}

fn scan(wants_author: bool) -> Scan {
    if wants_author { Scan::with_author() } else { Scan::default() }
}

/// Are all authors the user's own addresses?
fn author(config: &Compiled, account: &Account, facts: &Facts) -> Result<(), Refused> {
    if !config.config.senders.from_field {
        return Ok(());
    }
    let authors = message::author::addresses(facts.author.as_deref().unwrap_or_default());
    let may = |address: &String| config.config.senders.may_use(account, address);
    match authors.iter().find(|address| !may(address)) {
        None if !authors.is_empty() => Ok(()),
        found => {
            let named = found.map_or("nobody", String::as_str);
            let why = format!("the From field names {named}, and the user is {}", account.name);
            Err(Refused::By(Refusal { rule: "author", reply: Reply::author_not_yours(), why }))
        }
    }
}

fn trace_field(
    out: &mut Vec<u8>,
    machine: &Server<Receipt>,
    host: &str,
    id: MessageId,
    at: smtp::Timestamp,
) {
    let envelope = machine.envelope();
    let recipients = envelope.map_or(&[][..], |envelope| &envelope.recipients);
    let queue_id = id.to_string();
    trace::received(
        &trace::Received {
            helo: machine.helo().unwrap_or(""),
            // Over a Unix socket there is no address; it has the port 0.
            peer: Some(machine.peer().address).filter(|at| at.port() != 0).map(|at| at.ip()),
            peer_name: None,
            host,
            protocol: trace::Protocol {
                extended: machine.protocol() != "SMTP",
                lmtp: machine.offer().protocol == Protocol::Lmtp,
                utf8: envelope.is_some_and(|envelope| envelope.smtputf8),
                tls: machine.tls().is_some(),
                authenticated: machine.user().is_some(),
            },
            tls: machine.tls().map(|tls| (tls.version.as_str(), tls.cipher.as_str())),
            queue_id: &queue_id,
            recipient: match recipients {
                [only] => Some(only.forward_path.as_str()),
                _ => None,
            },
            priority: envelope.and_then(|envelope| envelope.priority),
            at,
            offset: 0,
        },
        out,
    );
}

/// What the client hears when its message was not kept. It still has it, and will try again.
fn refusal(error: &KeepError) -> Reply {
    match error {
        KeepError::Full { .. } => Reply::no_room(),
        KeepError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            Reply::no_room()
        }
        KeepError::Closed => Reply::shutting_down(),
        KeepError::Io { .. } | KeepError::Conflict { .. } => Reply::local_error(),
    }
}
