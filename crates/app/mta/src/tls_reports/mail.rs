//! Reports as mail (RFC 8460 section 5.3), through our own queue.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use smtp::{Address, Envelope, Notify, Recipient};
use spool::{Arrival, NewContent};

use super::{
    Keeper,
    report::{About, MEDIA_TYPE, packed},
};
use crate::{context::Context, intake, queue::Queue};

/// Queues a report. False: it could not be kept, and is tried again.
pub(super) async fn send(
    queue: &Arc<Queue>,
    keeper: &Keeper,
    day: &str,
    domain: &str,
    to: &[Address],
) -> bool {
    let context = &queue.context;
    let Some(text) = message(context, keeper, day, domain, to) else { return true };
    let config = context.config();
    let now = context.world.clock.now();
    // Nobody wants to hear that a report did not arrive.
    let mut envelope = Envelope::new(None);
    for address in to {
        let mut recipient = Recipient::new(address.clone());
        recipient.notify = Notify::NEVER;
        envelope.recipients.push(recipient);
    }
    let sorted = intake::sort(&config, &envelope, None, now);
    let carried = sorted.carried;
    let arrival = Arrival {
        id: context.spool.reserve(),
        at: now,
        prefix: Bytes::new(),
        content: NewContent::Memory(text.into()),
        jobs: sorted.jobs,
    };
    match context.spool.apply(Vec::new(), vec![arrival]).await {
        Ok(accepted) => {
            for accepted in accepted {
                tracing::info!(id = %accepted.receipt.id(), domain, day, "TLS report queued");
                queue.admit(accepted.jobs, accepted.content, carried.clone(), now);
            }
            true
        }
        Err(error) => {
            tracing::warn!(domain, day, %error, "a TLS report can't be kept: tried again later");
            false
        }
    }
}

fn message(
    context: &Context,
    keeper: &Keeper,
    day: &str,
    domain: &str,
    to: &[Address],
) -> Option<Vec<u8>> {
    let config = context.config();
    let host = &config.config.hostname;
    let contact = config.config.tls_reports.contact(&config);
    let about = About { organization: host, contact: &contact, day, domain };
    let report = packed(&about, &keeper.of(day, domain)?).ok()?;
    let file = about.file_name()?;
    let id = format!("{day}.{:016x}@{host}", context.world.random.u64());
    let boundary = format!("mw{:016x}", context.world.random.u64());
    let to: Vec<_> = to.iter().map(ToString::to_string).collect();
    let date = message::date::text(context.world.clock.now(), 0);
    let mut text = format!(
        "From: {contact}\r\nTo: {}\r\nDate: {date}\r\nMessage-ID: <{id}>\r\n\
         Subject: Report Domain: {domain} Submitter: {host} Report-ID: <{id}>\r\n\
         TLS-Report-Domain: {domain}\r\nTLS-Report-Submitter: {host}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
         This is an aggregate TLS report from {host} about mail to {domain} on {day}.\r\n\r\n\
         --{boundary}\r\nContent-Type: {MEDIA_TYPE}\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n \
         filename=\"{file}\"\r\n\r\n",
        to.join(",\r\n "),
    );
    for line in STANDARD.encode(report).as_bytes().chunks(76) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push_str("\r\n");
    }
    text.push_str(&format!("--{boundary}--\r\n"));
    Some(text.into_bytes())
}
