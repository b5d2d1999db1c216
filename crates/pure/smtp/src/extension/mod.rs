//! The service extensions, a file each: keyword, when it is offered, and its parameters.
//!
//! A new one needs a file, a row in [`TABLE`], a row in [`MAIL`] or [`RCPT`] if it has parameters
//! there, and a golden dialogue.

use std::borrow::Cow;

use crate::{
    command::parameters,
    envelope::{Envelope, Recipient},
    reply::Reply,
    server::Offer,
};

pub mod auth;
pub mod chunking;
pub mod dsn;
pub mod eight_bit_mime;
pub mod enhanced_status_codes;
mod features;
pub mod help;
pub mod pipelining;
pub mod size;
pub mod smtputf8;
pub mod starttls;

pub use features::{Features, NotAFeature};

/// What a session is like when it asks what is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    /// It runs inside TLS.
    pub tls: bool,
    /// AUTH succeeded.
    pub authenticated: bool,
}

/// Adds the lines of one extension to the EHLO reply.
type Advertise = fn(&Offer, Ground, &mut Lines);

/// Every extension, in the order of the EHLO reply.
pub const TABLE: [Advertise; 10] = [
    pipelining::advertise,
    size::advertise,
    starttls::advertise,
    auth::advertise,
    eight_bit_mime::advertise,
    smtputf8::advertise,
    enhanced_status_codes::advertise,
    dsn::advertise,
    chunking::advertise,
    help::advertise,
];

/// The EHLO reply while it is made.
pub struct Lines(String);

impl Lines {
    /// Adds a line.
    pub fn push(&mut self, line: impl AsRef<str>) {
        self.0.push('\n');
        self.0.push_str(line.as_ref());
    }
}

/// The reply to EHLO (RFC 5321 section 4.1.1.1).
pub fn ehlo_reply(offer: &Offer, ground: Ground) -> Reply {
    let mut lines = Lines(String::with_capacity(256));
    lines.0.push_str(&offer.hostname);
    for advertise in TABLE {
        advertise(offer, ground, &mut lines);
    }
    Reply::bare(250, Cow::Owned(lines.0))
}

/// A parameter of MAIL or RCPT.
struct Parameter<T> {
    keyword: &'static str,
    is_offered: fn(&Offer) -> bool,
    /// Reads the value (`None` without a `=`) into the envelope.
    read: fn(&Offer, Option<&str>, &mut T) -> Result<(), Reply>,
}

const MAIL: [Parameter<Envelope>; 6] = [
    Parameter { keyword: "SIZE", is_offered: size::is_offered, read: size::read },
    Parameter {
        keyword: "BODY",
        is_offered: eight_bit_mime::is_offered,
        read: eight_bit_mime::read,
    },
    Parameter { keyword: "SMTPUTF8", is_offered: smtputf8::is_offered, read: smtputf8::read },
    Parameter { keyword: "RET", is_offered: dsn::is_offered, read: dsn::read_ret },
    Parameter { keyword: "ENVID", is_offered: dsn::is_offered, read: dsn::read_envid },
    Parameter { keyword: "AUTH", is_offered: auth::is_offered, read: auth::read },
];

const RCPT: [Parameter<Recipient>; 2] = [
    Parameter { keyword: "NOTIFY", is_offered: dsn::is_offered, read: dsn::read_notify },
    Parameter { keyword: "ORCPT", is_offered: dsn::is_offered, read: dsn::read_orcpt },
];

/// Reads what stands behind MAIL's path into the envelope.
///
/// # Errors
/// The reply that refuses it: `555` for what is not offered, `501` for what is wrong.
pub fn read_mail(offer: &Offer, text: &str, envelope: &mut Envelope) -> Result<(), Reply> {
    read(&MAIL, offer, text, envelope)
}

/// Reads what stands behind RCPT's path into the recipient; errors as for MAIL.
pub fn read_rcpt(offer: &Offer, text: &str, recipient: &mut Recipient) -> Result<(), Reply> {
    read(&RCPT, offer, text, recipient)
}

fn read<T>(table: &[Parameter<T>], offer: &Offer, text: &str, into: &mut T) -> Result<(), Reply> {
    let glued = || Reply::bad_parameter("a blank stands between the path and each parameter");
    let mut seen = [false; 8];
    for (keyword, value) in parameters(text).ok_or_else(glued)? {
        let row = table.iter().position(|row| row.keyword.eq_ignore_ascii_case(keyword));
        let row = row.filter(|&row| (table[row].is_offered)(offer));
        let row = row.ok_or_else(|| Reply::unknown_parameter(keyword))?;
        if std::mem::replace(&mut seen[row], true) {
            return Err(Reply::parameter_twice());
        }
        (table[row].read)(offer, value, into)?;
    }
    Ok(())
}
