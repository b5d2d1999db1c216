//! The second part of a DSN: `message/delivery-status` (RFC 3464), for programs.

use std::fmt::Write;

use smtp::{Address, Outcome, Stage, Timestamp, Trouble};

use super::{Action, Fate, Report, field};
use crate::date;

/// Appends the part: its header section, the block on the message, one block a recipient.
pub(super) fn write(report: &Report<'_>, out: &mut Vec<u8>) {
    // RFC 6533 section 4: the form for UTF-8 readers, if the reader is one; 7 bit for all others.
    let global = report.to.needs_smtputf8();
    let media_type =
        if global { "message/global-delivery-status" } else { "message/delivery-status" };
    field(out, "Content-Description", "Delivery report, for programs");
    field(out, "Content-Type", media_type);
    if global {
        field(out, "Content-Transfer-Encoding", "8bit");
    }
    out.extend_from_slice(b"\r\n");
    field(out, "Reporting-MTA", &format!("dns; {}", report.host));
    if let Some(envid) = report.envelope.envid.as_deref() {
        field(out, "Original-Envelope-Id", &printable(&decoded(envid), false));
    }
    if let Some(name) = report.received_from {
        field(out, "Received-From-MTA", &format!("dns; {}", printable(name, false)));
    }
    write_date(out, "Arrival-Date", report.arrived, report.offset);
    if let Some(at) = report.deliver_by {
        // RFC 2852 section 5.
        write_date(out, "Deliver-By-Date", at, report.offset);
    }
    for fate in report.fates {
        out.extend_from_slice(b"\r\n");
        write_fate(report, fate, global, out);
    }
}

fn write_fate(report: &Report<'_>, fate: &Fate<'_>, global: bool, out: &mut Vec<u8>) {
    if let Some(orcpt) = fate.recipient.orcpt.as_deref() {
        field(out, "Original-Recipient", &original_recipient(orcpt, global));
    }
    field(out, "Final-Recipient", &final_recipient(&fate.recipient.forward_path, global));
    field(out, "Action", fate.action.name());
    field(out, "Status", &fate.status.to_string());
    if let Some(name) = remote(fate) {
        field(out, "Remote-MTA", &format!("dns; {}", printable(name, false)));
    }
    if let Some(diagnostic) = diagnostic(fate) {
        field(out, "Diagnostic-Code", &printable(&diagnostic, global));
    }
    if let Some(at) = fate.attempted {
        write_date(out, "Last-Attempt-Date", at, report.offset);
    }
    if let Some(until) = fate.retry_until.filter(|_| fate.action == Action::Delayed) {
        write_date(out, "Will-Retry-Until", until, report.offset);
    }
}

fn write_date(out: &mut Vec<u8>, name: &str, at: Timestamp, offset: i16) {
    field(out, name, &date::text(at, offset));
}

/// Who spoke: only a server that we did talk to (RFC 3464 section 2.3.5).
pub(super) fn remote<'a>(fate: &Fate<'a>) -> Option<&'a str> {
    let attempt = fate.attempt?;
    let is_ours = fate.cause().is_some_and(|cause| {
        matches!(cause.stage, Stage::Routing | Stage::Mailbox)
            && !matches!(cause.trouble, Trouble::Reply(_))
    });
    let was_met = attempt.address.is_some() || !attempt.transcript.is_empty();
    (was_met && !is_ours && !attempt.next_hop.starts_with('/')).then_some(attempt.next_hop.as_str())
}

/// The whole reply, or in our words what there was instead of one.
fn diagnostic(fate: &Fate<'_>) -> Option<String> {
    match fate.outcome()? {
        Outcome::Relayed(reply) => remote(fate).map(|_| format!("smtp; {reply}")),
        Outcome::Deferred(cause) | Outcome::Failed(cause) => Some(match &cause.trouble {
            Trouble::Reply(reply) => format!("smtp; {reply}"),
            trouble => format!("x-mailwright; {}: {trouble}", cause.stage),
        }),
    }
}

/// RFC 3464 section 2.3.2 with RFC 6533 section 3.
fn final_recipient(address: &Address, global: bool) -> String {
    let kind = if address.needs_smtputf8() { "utf-8" } else { "rfc822" };
    format!("{kind}; {}", printable(address.as_str(), global))
}

/// ORCPT's address decoded from xtext, its type kept (RFC 3464 section 2.3.1).
fn original_recipient(orcpt: &str, global: bool) -> String {
    let (kind, address) = orcpt.split_once(';').unwrap_or(("rfc822", orcpt));
    let is_utf8 = kind.eq_ignore_ascii_case("utf-8");
    // RFC 6533 section 3: type utf-8 has an escape of its own, in which it may stay.
    let address = if is_utf8 { address.to_owned() } else { decoded(address) };
    format!("{}; {}", printable(kind, false), printable(&address, global))
}

/// What xtext stands for; what is none stays as it was sent.
fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&smtp::xtext::decode(text)).into_owned()
}

/// Without control characters; what is not ASCII as `\x{E9}` (RFC 6533 section 3), unless `global`.
fn printable(text: &str, global: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => out.push(' '),
            c if c.is_ascii() || global => out.push(c),
            // Writing to a String cannot fail.
            c => drop(write!(out, "\\x{{{:X}}}", u32::from(c))),
        }
    }
    out
}
