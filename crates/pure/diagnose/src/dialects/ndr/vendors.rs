//! Whose report it is: one vendor a file, with the signs that tell it and what only that one does.
//!
//! The order is that of [`VENDORS`]: who quotes another's words comes before that other.

mod amazon_ses;
mod aol;
mod barracuda;
mod courier;
mod domino;
mod dragonfly;
mod exchange;
mod exchange_2003;
mod exchange_2007;
mod exchange_online;
mod exim;
mod ezmlm;
mod gmail;
mod gmx;
mod groupwise;
mod hmailserver;
mod imail;
mod interscan;
mod ironport;
mod kddi;
mod list_manager;
mod m_filter;
mod mail_ru;
mod mailenable;
mod mailmarshal;
mod mcafee;
mod messaging_server;
mod mimecast;
mod opensmtpd;
mod postfix;
mod qmail;
mod sendmail;
mod surfcontrol;
mod symantec;
mod yahoo;
mod yandex;
mod zimbra;
mod zoho;

use crate::testimony::Testimony;

use super::parts::Parts;

/// A mailer or service that writes reports.
pub(super) struct Vendor {
    /// The constant word for it: `postfix`.
    pub name: &'static str,
    /// Any of these tells it.
    pub signs: &'static [Sign],
    /// What only this one does: corrects what the common reading came to.
    pub refine: Option<fn(&Parts, &mut Testimony)>,
}

/// What tells a vendor; all in lower case.
pub(super) enum Sign {
    /// A header field of that name that holds these words (none: it is there).
    Field(&'static str, &'static str),
    /// Words in the readable text.
    Text(&'static str),
    /// Words in the machine-readable part.
    Status(&'static str),
    /// Words in the name of the reporting server.
    Reporting(&'static str),
}

const VENDORS: [&Vendor; 37] = [
    &exchange_online::VENDOR,
    &exchange_2007::VENDOR,
    &hmailserver::VENDOR,
    &exchange_2003::VENDOR,
    &m_filter::VENDOR,
    &amazon_ses::VENDOR,
    &gmail::VENDOR,
    &yahoo::VENDOR,
    &symantec::VENDOR,
    &mimecast::VENDOR,
    &zimbra::VENDOR,
    &mail_ru::VENDOR,
    &yandex::VENDOR,
    &zoho::VENDOR,
    &gmx::VENDOR,
    &aol::VENDOR,
    &kddi::VENDOR,
    &imail::VENDOR,
    &interscan::VENDOR,
    &mcafee::VENDOR,
    &mailmarshal::VENDOR,
    &messaging_server::VENDOR,
    &barracuda::VENDOR,
    &surfcontrol::VENDOR,
    &ironport::VENDOR,
    &mailenable::VENDOR,
    &groupwise::VENDOR,
    &domino::VENDOR,
    &dragonfly::VENDOR,
    &opensmtpd::VENDOR,
    &courier::VENDOR,
    &sendmail::VENDOR,
    &ezmlm::VENDOR,
    &qmail::VENDOR,
    &exim::VENDOR,
    &postfix::VENDOR,
    &list_manager::VENDOR,
];

/// The vendor of a report, if it is one of those known here.
pub(super) fn of(parts: &Parts, reporting: Option<&str>) -> Option<&'static Vendor> {
    let text = parts.text.to_lowercase();
    let status = parts.status.concat().to_lowercase();
    let reporting = reporting.unwrap_or("").to_ascii_lowercase();
    let shows = |sign: &Sign| match sign {
        Sign::Field(name, words) => parts.field_has(name, words),
        Sign::Text(words) => text.contains(words),
        Sign::Status(words) => status.contains(words),
        Sign::Reporting(words) => reporting.contains(words),
    };
    // What the report says of itself weighs more than the ways that it came.
    let is_way = |sign: &Sign| matches!(sign, Sign::Field("received" | "list-id", _));
    let told =
        VENDORS.iter().find(|vendor| vendor.signs.iter().any(|sign| !is_way(sign) && shows(sign)));
    let came = || VENDORS.iter().find(|vendor| vendor.signs.iter().any(shows));
    told.or_else(came).copied()
}
