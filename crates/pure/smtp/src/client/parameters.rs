//! MAIL, RCPT and BDAT as they are written: with the parameters that the next hop offers, and no other
//! (RFC 5321 section 2.2.2); and what can't be said to it at all.

use std::io::Write;

use super::{Features, Protocol, Transaction, wire::Wire};
use crate::{
    envelope::{BodyType, ByMode, Notify, Recipient, Ret},
    extension::no_soliciting,
    status::EnhancedStatus,
    transcript::Party,
};

/// Why something is not sent: the status for the DSN, and the words.
pub(super) type Unfit = (EnhancedStatus, String);

/// What a next hop is like, as far as it decides what can be sent there.
#[derive(Clone, Copy)]
pub(super) struct Terms<'e> {
    pub(super) usable: Features,
    pub(super) size_max: Option<u64>,
    /// TLS stands, and the certificate is what was asked for.
    pub(super) verified: bool,
    pub(super) protocol: Protocol,
    /// The shortest time that it takes in BY= with R.
    pub(super) deliver_by_min: i64,
    /// The classes of solicitation that it lists.
    pub(super) no_soliciting: &'e str,
}

/// What stands against the whole message.
pub(super) fn check(transaction: &Transaction, terms: &Terms<'_>) -> Result<(), Unfit> {
    check_promises(transaction, terms)?;
    let Terms { usable, size_max, .. } = *terms;
    let envelope = &transaction.envelope;
    let utf8_path = envelope.reverse_path.as_ref().is_some_and(|path| path.needs_smtputf8());
    if (transaction.smtputf8 || utf8_path) && !usable.has(Features::SMTPUTF8) {
        return unfit((5, 6, 7), "the message needs SMTPUTF8 and the next hop does not offer it");
    }
    if let Some(limit) = size_max.filter(|&limit| limit < transaction.size) {
        // RFC 1870 section 6.2: too big is known before anything is sent.
        let size = transaction.size;
        return unfit(
            (5, 3, 4),
            format!("the message is {size} octets, the next hop takes {limit}"),
        );
    }
    let binary = Features::BINARYMIME.with(Features::CHUNKING);
    let carried = match transaction.body {
        BodyType::SevenBit => true,
        BodyType::EightBitMime => usable.has(Features::EIGHTBITMIME),
        BodyType::BinaryMime => usable.has(binary),
    };
    if !carried {
        let name = body_name(transaction.body);
        return unfit(
            (5, 6, 3),
            format!("the content is {name} and the next hop does not offer that"),
        );
    }
    let path = envelope.reverse_path.as_ref().map_or("", |path| path.as_str());
    if has_control(path) || envelope.envid.as_deref().is_some_and(is_broken_word) {
        return unfit(
            (5, 5, 4),
            "the reverse-path or ENVID has an octet that no command line can carry",
        );
    }
    Ok(())
}

/// What was promised to the originator and can't be kept there. LMTP is the last step, and hands nothing on.
fn check_promises(transaction: &Transaction, terms: &Terms<'_>) -> Result<(), Unfit> {
    let envelope = &transaction.envelope;
    let relayed = terms.protocol == Protocol::Smtp;
    if relayed && envelope.insists_on_tls() && !terms.verified {
        // RFC 8689 section 4.2.1.
        return unfit((5, 7, 10), "REQUIRETLS, and there is no verified TLS with the next hop");
    }
    if relayed && envelope.insists_on_tls() && !terms.usable.has(Features::REQUIRETLS) {
        return unfit((5, 7, 30), "REQUIRETLS, and the next hop does not offer it");
    }
    if relayed && let Some(by) = envelope.deliver_by.filter(|by| by.mode == ByMode::Return) {
        // RFC 2852 section 4.1.4.
        check_time(by.seconds, terms)?;
    }
    match &envelope.solicit {
        Some(solicit) if no_soliciting::is_refused(terms.no_soliciting, solicit) => {
            unfit((5, 7, 1), "SOLICIT names a class that the next hop does not take")
        }
        Some(solicit) if !no_soliciting::is_valid(solicit) => {
            unfit((5, 5, 4), "SOLICIT has an octet that no command line can carry")
        }
        _ => Ok(()),
    }
}

/// What is left of BY= with R.
fn check_time(left: i64, terms: &Terms<'_>) -> Result<(), Unfit> {
    if !terms.usable.has(Features::DELIVERBY) {
        return unfit((5, 4, 7), "BY with R, and the next hop does not offer DELIVERBY");
    }
    match terms.deliver_by_min.max(1) {
        least if left < least => {
            let text = format!("BY with R, {left}s are left, and the next hop takes {least}s");
            unfit((5, 4, 7), format!("{text} or more"))
        }
        _ => Ok(()),
    }
}

/// What stands against one recipient.
pub(super) fn check_recipient(
    recipient: &Recipient,
    usable: Features,
    protocol: Protocol,
) -> Result<(), Unfit> {
    let strict = recipient.valid_since.is_some_and(|since| since.strict);
    if strict && protocol == Protocol::Smtp && !usable.has(Features::RRVS) {
        return unfit((5, 3, 3), "RRVS with R, and the next hop does not offer RRVS");
    }
    if recipient.forward_path.needs_smtputf8() && !usable.has(Features::SMTPUTF8) {
        return unfit((5, 6, 7), "the address needs SMTPUTF8 and the next hop does not offer it");
    }
    if has_control(recipient.forward_path.as_str())
        || recipient.orcpt.as_deref().is_some_and(is_broken_word)
    {
        return unfit(
            (5, 5, 4),
            "the forward-path or ORCPT has an octet that no command line can carry",
        );
    }
    Ok(())
}

pub(super) fn write_mail(line: &mut Vec<u8>, transaction: &Transaction, usable: Features) {
    let envelope = &transaction.envelope;
    line.extend_from_slice(b"MAIL FROM:<");
    if let Some(path) = &envelope.reverse_path {
        line.extend_from_slice(path.as_str().as_bytes());
    }
    line.push(b'>');
    if usable.has(Features::SIZE) {
        // Writing to a Vec cannot fail, here and below.
        let _ = write!(line, " SIZE={}", transaction.size);
    }
    if transaction.body != BodyType::SevenBit {
        let _ = write!(line, " BODY={}", body_name(transaction.body));
    }
    if usable.has(Features::SMTPUTF8) && needs_smtputf8(transaction) {
        line.extend_from_slice(b" SMTPUTF8");
    }
    if usable.has(Features::DSN) {
        match envelope.ret {
            Some(Ret::Full) => line.extend_from_slice(b" RET=FULL"),
            Some(Ret::Headers) => line.extend_from_slice(b" RET=HDRS"),
            None => {}
        }
        if let Some(envid) = &envelope.envid {
            let _ = write!(line, " ENVID={envid}");
        }
    }
    write_promises(line, transaction, usable);
}

/// The parameters that MAIL and RCPT of a transaction carry, as far as mail passes without them too: what
/// may be left out at a next hop that stumbles over them.
pub(super) fn dispensable(transaction: &Transaction, usable: Features) -> Features {
    let envelope = &transaction.envelope;
    let is_notify = |recipient: &Recipient| recipient.orcpt.is_some() || recipient.notify.given;
    let says_dsn = envelope.ret.is_some()
        || envelope.envid.is_some()
        || envelope.recipients.iter().any(is_notify);
    let mut used = Features::NONE;
    for (feature, is_said) in [
        (Features::SIZE, true),
        (Features::DSN, says_dsn),
        (Features::EIGHTBITMIME, transaction.body == BodyType::EightBitMime),
    ] {
        if is_said && usable.has(feature) {
            used = used.with(feature);
        }
    }
    used
}

fn write_promises(line: &mut Vec<u8>, transaction: &Transaction, usable: Features) {
    let envelope = &transaction.envelope;
    if envelope.require_tls && usable.has(Features::REQUIRETLS) {
        line.extend_from_slice(b" REQUIRETLS");
    }
    if let Some(by) = envelope.deliver_by.filter(|_| usable.has(Features::DELIVERBY)) {
        let mode = if by.mode == ByMode::Return { "R" } else { "N" };
        let trace = if by.trace { "T" } else { "" };
        let _ = write!(line, " BY={};{mode}{trace}", by.seconds);
    }
    if let Some(priority) = envelope.priority.filter(|_| usable.has(Features::MT_PRIORITY)) {
        let _ = write!(line, " MT-PRIORITY={priority}");
    }
    if let Some(solicit) = envelope.solicit.as_ref().filter(|_| usable.has(Features::NO_SOLICITING))
    {
        let _ = write!(line, " SOLICIT={solicit}");
    }
}

pub(super) fn write_rcpt(line: &mut Vec<u8>, recipient: &Recipient, usable: Features) {
    line.extend_from_slice(b"RCPT TO:<");
    line.extend_from_slice(recipient.forward_path.as_str().as_bytes());
    line.push(b'>');
    if usable.has(Features::DSN) {
        write_notify(line, recipient.notify);
        if let Some(orcpt) = &recipient.orcpt {
            let _ = write!(line, " ORCPT={orcpt}");
        }
    }
    if let Some(since) = recipient.valid_since.filter(|_| usable.has(Features::RRVS)) {
        let mode = if since.strict { "R" } else { "C" };
        let _ = write!(line, " RRVS={};{mode}", since.at.to_rfc3339());
    }
}

/// `BDAT n LAST`. Its reply is due only after the content.
pub(super) fn write_bdat(wire: &mut Wire, size: u64) {
    let start = wire.commands.len();
    let _ = write!(wire.commands, "BDAT {size} LAST");
    wire.transcript.record(wire.now, Party::Client, &wire.commands[start..]);
    wire.commands.extend_from_slice(b"\r\n");
}

fn write_notify(line: &mut Vec<u8>, notify: Notify) {
    if !notify.given {
        return;
    }
    line.extend_from_slice(b" NOTIFY=");
    let wanted =
        [(notify.success, &b"SUCCESS"[..]), (notify.failure, b"FAILURE"), (notify.delay, b"DELAY")];
    let mut mark: &[u8] = b"";
    for (_, name) in wanted.into_iter().filter(|(wanted, _)| *wanted) {
        line.extend_from_slice(mark);
        line.extend_from_slice(name);
        mark = b",";
    }
    if mark.is_empty() {
        line.extend_from_slice(b"NEVER");
    }
}

fn needs_smtputf8(transaction: &Transaction) -> bool {
    let envelope = &transaction.envelope;
    transaction.smtputf8
        || envelope.reverse_path.as_ref().is_some_and(|path| path.needs_smtputf8())
        || envelope.recipients.iter().any(|recipient| recipient.forward_path.needs_smtputf8())
}

fn body_name(body: BodyType) -> &'static str {
    match body {
        BodyType::SevenBit => "7BIT",
        BodyType::EightBitMime => "8BITMIME",
        BodyType::BinaryMime => "BINARYMIME",
    }
}

/// A line ending inside an address would be a second command.
fn has_control(text: &str) -> bool {
    text.bytes().any(|octet| octet.is_ascii_control())
}

fn is_broken_word(text: &str) -> bool {
    text.is_empty() || text.bytes().any(|octet| !octet.is_ascii_graphic())
}

fn unfit<T>(status: (u8, u16, u16), text: impl Into<String>) -> Result<T, Unfit> {
    Err((EnhancedStatus::new(status.0, status.1, status.2), text.into()))
}
