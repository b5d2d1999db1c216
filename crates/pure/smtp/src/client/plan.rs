//! How a client shall behave in a session: given once, never changed by the machine.

use std::{sync::Arc, time::Duration};

use sasl::client::Credentials;

use crate::extension::Features;

/// What to do in one session, and what not.
#[derive(Clone, Debug)]
pub struct Plan {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// Our name in EHLO, HELO or LHLO: a domain or an address literal (RFC 5321 section 4.1.1.1).
    pub ehlo_name: Box<str>,
    /// What to do about STARTTLS. Without meaning under implicit TLS.
    pub start_tls: StartTls,
    /// TLS stands before the greeting comes (implicit TLS, RFC 8314).
    pub under_tls: bool,
    /// Whom to authenticate as. With credentials, a session without AUTH fails: mail never goes out
    /// under less than was asked for.
    pub credentials: Option<Arc<Credentials>>,
    /// Features that are not used though the next hop may offer them. With EHLO among them the session
    /// begins with HELO. What was asked for (TLS, credentials, a promise of the envelope's) is never
    /// given up for it: then the session or the transaction fails.
    pub avoid: Features,
    /// Those of [`Features::OPT_IN`] that may be used where they are offered.
    pub allow: Features,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

/// The language of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 2033: LHLO, and a reply for each recipient after the content.
    Lmtp,
}

/// What to do about STARTTLS (RFC 3207).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTls {
    /// Stay in clear.
    Never,
    /// Use it where it is offered, go on in clear where it is refused (RFC 7435).
    IfOffered,
    /// No mail without it.
    Required,
}

/// How long to wait, stage by stage. The defaults are those of RFC 5321 section 4.5.3.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the greeting.
    pub greeting: Duration,
    /// For the replies to EHLO, HELO, LHLO, STARTTLS and AUTH, and for the TLS handshake.
    pub ehlo: Duration,
    /// For the reply to MAIL (and RSET before it).
    pub mail: Duration,
    /// For the reply to RCPT.
    pub rcpt: Duration,
    /// For the `354` to DATA.
    pub data: Duration,
    /// For one piece of content to be taken by the network.
    pub content: Duration,
    /// For the reply after the content. Long, as a reply lost here makes duplicates (RFC 1047).
    pub end_of_data: Duration,
    /// For the reply to QUIT, which decides nothing any more.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        Self {
            greeting: minutes(5),
            ehlo: minutes(5),
            mail: minutes(5),
            rcpt: minutes(5),
            data: minutes(2),
            content: minutes(3),
            end_of_data: minutes(10),
            quit: Duration::from_secs(5),
        }
    }
}

impl Timeouts {
    /// None longer than that, for somebody who sits and waits.
    pub fn limit(&mut self, longest: Duration) {
        let Self { greeting, ehlo, mail, rcpt, data, content, end_of_data, quit } = self;
        for own in [greeting, ehlo, mail, rcpt, data, content, end_of_data, quit] {
            *own = longest.min(*own);
        }
    }
}

impl Plan {
    /// SMTP under that name, STARTTLS where offered, no credentials, nothing avoided.
    pub fn new(ehlo_name: impl Into<Box<str>>) -> Self {
        Self {
            protocol: Protocol::Smtp,
            ehlo_name: ehlo_name.into(),
            start_tls: StartTls::IfOffered,
            under_tls: false,
            credentials: None,
            avoid: Features::NONE,
            allow: Features::NONE,
            timeouts: Timeouts::default(),
        }
    }
}
