//! The service extensions, a file each: keyword, when it is offered, its parameters, and its row in the
//! table that code and documentation (docs/extensions.md) are both made of.
//!
//! A new one needs a file with its `ROW`, its place in [`TABLE`], a row in [`MAIL`] or [`RCPT`] if it has
//! parameters there, a feature in `features.rs`, and a golden dialogue.

use std::borrow::Cow;

use sasl::Mechanisms;

use crate::{
    command::parameters,
    envelope::{Envelope, Recipient},
    reply::Reply,
    server::Offer,
    time::Timestamp,
};

pub mod atrn;
pub mod auth;
pub mod auth_equals;
pub mod binarymime;
pub mod chunking;
pub mod deliver_by;
pub mod dsn;
pub mod eight_bit_mime;
pub mod enhanced_status_codes;
pub mod etrn;
pub mod expn;
mod features;
pub mod future_release;
pub mod help;
pub mod limits;
pub mod mt_priority;
pub mod no_soliciting;
pub mod pipelining;
pub mod require_tls;
pub mod rrvs;
pub mod size;
pub mod smtputf8;
pub mod starttls;
pub mod tls_verb;
pub mod turn;
pub mod vrfy;
pub mod x_anonymoustls;
pub mod x_exps;
pub mod x_exps_login;
pub mod x_link2state;
pub mod xclient;
pub mod xexch50;
pub mod xforward;
pub mod xrdst;
pub mod xshadow;

pub use features::{Features, NotAFeature};

/// One extension: what there is to say of it, and how EHLO lists it.
pub struct Extension {
    /// Its feature, which has the keyword as its name.
    pub feature: Features,
    /// The RFC, or whose it is.
    pub specified: &'static str,
    /// Who is offered it where nothing is configured.
    pub offered: Offered,
    /// What in the configuration matters for it, besides `advertise` and `hide`, `use` and `avoid`.
    pub switch: &'static str,
    /// What the server does.
    pub server: &'static str,
    /// What the client does.
    pub client: &'static str,
    advertise: fn(&Ground<'_>, &mut Lines),
}

/// Who is offered an extension where nothing is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Everybody.
    Always,
    /// Clients of listeners for users (submission).
    Users,
    /// Nobody, until the setting that is named as its switch says more.
    IfConfigured,
    /// Nobody, unless `advertise` names it.
    Never,
    /// Nobody: it can't be switched on.
    Refused,
}

impl Offered {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Always => "yes",
            Self::Users => "submission",
            Self::IfConfigured => "where configured",
            Self::Never => "no",
            Self::Refused => "never",
        }
    }
}

/// What a session is like when it asks what is offered.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'o> {
    /// What the listener offers.
    pub offer: &'o Offer,
    /// What of it is for this client.
    pub features: Features,
    /// It runs inside TLS.
    pub tls: bool,
    /// A login can be bound to that.
    pub bindable: bool,
    /// The client has shown a certificate there.
    pub certificate: bool,
    /// AUTH succeeded.
    pub authenticated: bool,
    /// The time of day.
    pub now: Timestamp,
}

impl Ground<'_> {
    /// The SASL mechanisms that there are in this session.
    pub fn mechanisms(&self) -> Mechanisms {
        self.offer.auth.mechanisms(self.tls, self.bindable, self.certificate)
    }

    /// Their names as EHLO lists them, and whatever else they are called here.
    pub(crate) fn mechanism_names(&self) -> String {
        let offered = self.mechanisms();
        let others = self.offer.auth_names.iter().filter(|(_, of)| offered.has(*of));
        others.fold(offered.to_string(), |names, (name, _)| format!("{names} {name}"))
    }

    /// Whether TLS can be started by the verb of that feature. RFC 3207 section 4.2: not inside TLS.
    pub(crate) fn may_start_tls(&self, verb: Features) -> bool {
        self.offer.tls_available && !self.tls && self.features.has(verb)
    }
}

/// Every extension, in the order of the EHLO reply.
pub const TABLE: [&Extension; 34] = [
    &pipelining::ROW,
    &size::ROW,
    &starttls::ROW,
    &tls_verb::ROW,
    &x_anonymoustls::ROW,
    &auth::ROW,
    &auth_equals::ROW,
    &x_exps::ROW,
    &x_exps_login::ROW,
    &eight_bit_mime::ROW,
    &smtputf8::ROW,
    &enhanced_status_codes::ROW,
    &dsn::ROW,
    &chunking::ROW,
    &binarymime::ROW,
    &require_tls::ROW,
    &deliver_by::ROW,
    &future_release::ROW,
    &mt_priority::ROW,
    &rrvs::ROW,
    &no_soliciting::ROW,
    &limits::ROW,
    &vrfy::ROW,
    &expn::ROW,
    &etrn::ROW,
    &atrn::ROW,
    &turn::ROW,
    &xclient::ROW,
    &xforward::ROW,
    &x_link2state::ROW,
    &xexch50::ROW,
    &xshadow::ROW,
    &xrdst::ROW,
    &help::ROW,
];

/// The features of those rows of the table that are offered so.
pub fn offered(wanted: Offered) -> Features {
    let rows = TABLE.iter().filter(|row| row.offered == wanted);
    rows.fold(Features::NONE, |set, row| set.with(row.feature))
}

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
pub fn ehlo_reply(ground: &Ground<'_>) -> Reply {
    let mut lines = Lines(String::with_capacity(256));
    lines.0.push_str(&ground.offer.hostname);
    for extension in TABLE {
        (extension.advertise)(ground, &mut lines);
    }
    Reply::bare(250, Cow::Owned(lines.0))
}

/// A parameter of MAIL or RCPT.
struct Parameter<T> {
    keyword: &'static str,
    is_offered: fn(&Ground<'_>) -> bool,
    /// Reads the value (`None` without a `=`) into the envelope.
    read: fn(&Ground<'_>, Option<&str>, &mut T) -> Result<(), Reply>,
}

/// Offered if the feature is.
macro_rules! with {
    ($feature:ident) => {
        |ground| ground.features.has(Features::$feature)
    };
}

#[rustfmt::skip] // a table
const MAIL: [Parameter<Envelope>; 14] = [
    Parameter { keyword: "SIZE", is_offered: with!(SIZE), read: size::read },
    Parameter { keyword: "BODY", is_offered: with!(EIGHTBITMIME), read: eight_bit_mime::read },
    Parameter { keyword: "SMTPUTF8", is_offered: smtputf8::is_offered, read: smtputf8::read },
    Parameter { keyword: "RET", is_offered: with!(DSN), read: dsn::read_ret },
    Parameter { keyword: "ENVID", is_offered: with!(DSN), read: dsn::read_envid },
    Parameter { keyword: "AUTH", is_offered: auth::is_offered, read: auth::read },
    Parameter { keyword: "REQUIRETLS", is_offered: require_tls::is_offered, read: require_tls::read },
    Parameter { keyword: "BY", is_offered: with!(DELIVERBY), read: deliver_by::read },
    Parameter { keyword: "HOLDFOR", is_offered: future_release::is_offered, read: future_release::read_for },
    Parameter { keyword: "HOLDUNTIL", is_offered: future_release::is_offered, read: future_release::read_until },
    Parameter { keyword: "MT-PRIORITY", is_offered: with!(MT_PRIORITY), read: mt_priority::read },
    Parameter { keyword: "SOLICIT", is_offered: with!(NO_SOLICITING), read: no_soliciting::read },
    Parameter { keyword: "XSHADOW", is_offered: with!(XSHADOW), read: xshadow::read },
    Parameter { keyword: "XRDST", is_offered: with!(XRDST), read: xrdst::read },
];

const RCPT: [Parameter<Recipient>; 5] = [
    Parameter { keyword: "NOTIFY", is_offered: with!(DSN), read: dsn::read_notify },
    Parameter { keyword: "ORCPT", is_offered: with!(DSN), read: dsn::read_orcpt },
    Parameter { keyword: "RRVS", is_offered: with!(RRVS), read: rrvs::read },
    Parameter { keyword: "XSHADOW", is_offered: with!(XSHADOW), read: xshadow::read },
    Parameter { keyword: "XRDST", is_offered: with!(XRDST), read: xrdst::read },
];

/// Reads what stands behind MAIL's path into the envelope.
///
/// # Errors
/// The reply that refuses it: `555` for what is not offered, `501` for what is wrong.
pub fn read_mail(ground: &Ground<'_>, text: &str, envelope: &mut Envelope) -> Result<(), Reply> {
    read(&MAIL, ground, text, envelope)
}

/// Reads what stands behind RCPT's path into the recipient; errors as for MAIL.
pub fn read_rcpt(ground: &Ground<'_>, text: &str, recipient: &mut Recipient) -> Result<(), Reply> {
    read(&RCPT, ground, text, recipient)
}

/// A parameter that is a mere word.
fn without_value(keyword: &str, value: Option<&str>) -> Result<(), Reply> {
    match value {
        None => Ok(()),
        Some(_) => Err(Reply::bad_parameter(format!("{keyword} has no value"))),
    }
}

/// A parameter whose value is nothing to us.
fn any_value(keyword: &str, value: Option<&str>) -> Result<(), Reply> {
    match value {
        Some(value) if !value.is_empty() => Ok(()),
        _ => Err(Reply::bad_parameter(format!("{keyword} has a value"))),
    }
}

fn read<T>(
    table: &[Parameter<T>],
    ground: &Ground<'_>,
    text: &str,
    into: &mut T,
) -> Result<(), Reply> {
    let glued = || Reply::bad_parameter("a blank stands between the path and each parameter");
    let mut seen = 0_u32;
    for (keyword, value) in parameters(text).ok_or_else(glued)? {
        let row = table.iter().position(|row| row.keyword.eq_ignore_ascii_case(keyword));
        let row = row.filter(|&row| (table[row].is_offered)(ground));
        let row = row.ok_or_else(|| Reply::unknown_parameter(keyword))?;
        if seen & 1 << row != 0 {
            return Err(Reply::parameter_twice());
        }
        seen |= 1 << row;
        (table[row].read)(ground, value, into)?;
    }
    Ok(())
}
