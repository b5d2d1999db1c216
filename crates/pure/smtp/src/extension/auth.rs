//! AUTH (RFC 4954) with PLAIN (RFC 4616) and LOGIN. The exchange itself is the server machine's.
//!
//! `MAIL FROM:<..> AUTH=xtext` or `AUTH=<>` says who submitted the message (section 5). It is kept, and
//! trusted by nobody.

use super::{Ground, Lines};
use crate::{
    envelope::Envelope,
    reply::Reply,
    server::{AuthOffer, Offer},
    xtext,
};

pub(super) fn is_offered(offer: &Offer) -> bool {
    offer.auth != AuthOffer::Never
}

pub(super) fn advertise(offer: &Offer, ground: Ground, lines: &mut Lines) {
    let offered = match offer.auth {
        AuthOffer::Never => false,
        AuthOffer::InsideTls => ground.tls,
        AuthOffer::Always => true,
    };
    // Once a session (section 4): who has done it is not invited again.
    if offered && !ground.authenticated {
        lines.push("AUTH PLAIN LOGIN");
        // What clients of before RFC 2554 look for (old Outlook Express, some printers). No keyword of
        // RFC 5321's grammar, and shown to nobody who has authenticated.
        lines.push("AUTH=PLAIN LOGIN");
    }
}

pub(super) fn read(_: &Offer, value: Option<&str>, envelope: &mut Envelope) -> Result<(), Reply> {
    let valid = |text: &&str| *text == "<>" || (!text.is_empty() && xtext::is_valid(text));
    let wrong = || Reply::bad_parameter("AUTH is <> or a mailbox in xtext");
    envelope.auth = Some(value.filter(valid).ok_or_else(wrong)?.into());
    Ok(())
}
