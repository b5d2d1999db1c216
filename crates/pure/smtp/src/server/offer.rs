//! What a listener offers and how far it goes: one [`Offer`] a listener, shared by its sessions.

use std::{net::SocketAddr, time::Duration};

use sasl::{Mechanism, Mechanisms};

use crate::{extension::Features, time::Timestamp, transcript::TlsFacts};

/// What the server says of itself, which extensions it speaks, and its limits.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The first word of the greeting and of the EHLO reply: a domain, or an address literal.
    pub hostname: Box<str>,
    /// What follows the hostname in the greeting.
    pub banner: Box<str>,
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// The extensions that are switched on. STARTTLS needs [`Offer::tls_available`] too, AUTH
    /// [`Offer::auth`]; those of [`Features::GUARDED`] need [`Peer::granted`].
    pub features: Features,
    /// The largest content in octets (RFC 1870); `None` for no limit.
    pub size_max: Option<u64>,
    /// Recipients of one transaction; RFC 5321 section 4.5.3.1.8 asks for at least 100.
    pub recipients_max: usize,
    /// Transactions of one session, told as MAILMAX (RFC 9422); `None` for no limit.
    pub transactions_max: Option<u32>,
    /// VRFY is answered; else it is not implemented.
    pub vrfy: bool,
    /// EXPN is answered.
    pub expn: bool,
    /// The least time of BY= with R, in seconds (RFC 2852); 0 for any.
    pub deliver_by_min: u32,
    /// So many seconds a message may be held back (RFC 4865); 0 for none.
    pub future_release_max: u64,
    /// The highest MT-PRIORITY of clients that have authenticated; of others it is 0 (RFC 6710).
    pub priority_max: i8,
    /// Classes of solicitation that are refused, parted by commas (RFC 3865).
    pub no_soliciting: Box<str>,
    /// A command line with its CRLF. RFC 5321 section 4.5.3.1.4 has 512, and each extension that
    /// is offered adds to it; this is one figure for all.
    pub command_length_max: usize,
    /// A line that is too long is thrown away up to its end. After so many octets without one the
    /// connection is closed.
    pub discard_length_max: usize,
    /// Whether AUTH is offered, and what of it.
    pub auth: AuthOffer,
    /// Further names of mechanisms, in capitals: offered and taken like their own.
    pub auth_names: Vec<(Box<str>, Mechanism)>,
    /// MAIL needs AUTH first (RFC 6409 section 4.3).
    pub auth_required: bool,
    /// There is a certificate: STARTTLS can be offered.
    pub tls_available: bool,
    /// Nothing but STARTTLS, NOOP and QUIT before TLS (RFC 3207 section 4).
    pub tls_required: bool,
    /// So many refused commands of a session get their reply; the next closes it.
    pub errors_max: u32,
    /// So many recipients that policy refused, likewise: whoever guesses addresses, has to reconnect.
    pub refusals_max: u32,
    /// So many failed AUTHs, likewise.
    pub auth_failures_max: u32,
    /// How long the client may be silent.
    pub timeouts: Timeouts,
    /// What to do with a bare CR or LF in content.
    pub line_endings: LineEndings,
}

/// Which language is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 2033: LHLO, and after the content a reply for each recipient.
    Lmtp,
}

/// Where AUTH is offered, and which mechanisms (RFC 4954). With none at all the command is not
/// implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthOffer {
    /// Inside TLS. EXTERNAL is offered only to a client that has shown a certificate.
    pub inside_tls: Mechanisms,
    /// In clear, where others can read along; without those that ask for TLS. If there are none, AUTH
    /// before TLS is refused without looking at anything.
    pub in_clear: Mechanisms,
}

impl AuthOffer {
    /// No AUTH.
    pub const NEVER: Self = Self::inside_tls(Mechanisms::NONE);

    /// These inside TLS, and none in clear.
    pub const fn inside_tls(mechanisms: Mechanisms) -> Self {
        Self { inside_tls: mechanisms, in_clear: Mechanisms::NONE }
    }

    /// These inside TLS or not: passwords may cross the wire in clear.
    pub const fn always(mechanisms: Mechanisms) -> Self {
        Self { inside_tls: mechanisms, in_clear: mechanisms }
    }

    /// What a client is offered in such a session: inside TLS or not, where a login can be bound to it or
    /// not, and with a certificate of the client's or without.
    pub fn mechanisms(&self, tls: bool, bindable: bool, certificate: bool) -> Mechanisms {
        let set = if tls { self.inside_tls } else { self.in_clear };
        set.of(Mechanisms::that(|row| match row.mechanism {
            Mechanism::External => tls && certificate,
            mechanism if mechanism.is_plus() => tls && bindable,
            _ => tls || !row.inside_tls,
        }))
    }
}

/// RFC 5321 section 4.5.3.2.7: at least five minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the next complete command line.
    pub command: Duration,
    /// For the next 512 octets of content: one octet a minute is no progress.
    pub content: Duration,
    /// For the TLS handshake after STARTTLS.
    pub tls: Duration,
}

/// What becomes of content that has a CR without LF, or an LF without CR (RFC 5321 section 2.3.8).
///
/// Only CRLF.CRLF ends the content, with either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEndings {
    /// It is read to its end and refused.
    Refuse,
    /// A bare LF becomes CRLF, a bare CR becomes a blank. (A line end made of a CR could turn text
    /// into a header field.)
    Normalize,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// The address that it connected to.
    pub local: SocketAddr,
    /// Set where the listener has implicit TLS (RFC 8314).
    pub tls: Option<TlsFacts>,
    /// Which of [`Features::GUARDED`] this client may use.
    pub granted: Features,
    /// The time of day when the driver's clock was at zero.
    pub origin: Timestamp,
}

impl Peer {
    /// A client in clear that nothing is granted to.
    pub fn new(address: SocketAddr, local: SocketAddr) -> Self {
        Self { address, local, tls: None, granted: Features::NONE, origin: Timestamp(0) }
    }
}

impl Offer {
    /// What every server of today offers: RFC 5321 and the extensions that need nothing else.
    pub const USUAL: Features = Features::PIPELINING
        .with(Features::SIZE)
        .with(Features::STARTTLS)
        .with(Features::AUTH)
        .with(Features::AUTH_EQUALS)
        .with(Features::EIGHTBITMIME)
        .with(Features::SMTPUTF8)
        .with(Features::ENHANCEDSTATUSCODES)
        .with(Features::DSN)
        .with(Features::CHUNKING)
        .with(Features::BINARYMIME)
        .with(Features::HELP);

    /// [`Offer::USUAL`] without a certificate and without users, with the limits of RFC 5321.
    pub fn new(hostname: impl Into<Box<str>>) -> Self {
        Self {
            hostname: hostname.into(),
            banner: "ESMTP".into(),
            protocol: Protocol::Smtp,
            features: Self::USUAL,
            size_max: Some(50 * 1024 * 1024),
            recipients_max: 1_000,
            transactions_max: None,
            vrfy: true,
            expn: false,
            deliver_by_min: 0,
            future_release_max: 0,
            priority_max: 0,
            no_soliciting: "".into(),
            command_length_max: 2_048,
            discard_length_max: 256 * 1024,
            auth: AuthOffer::NEVER,
            auth_names: Vec::new(),
            auth_required: false,
            tls_available: false,
            tls_required: false,
            errors_max: 20,
            refusals_max: 100,
            auth_failures_max: 10,
            timeouts: Timeouts::default(),
            line_endings: LineEndings::Refuse,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |number: u64| Duration::from_secs(60 * number);
        Self { command: minutes(5), content: minutes(5), tls: minutes(1) }
    }
}
