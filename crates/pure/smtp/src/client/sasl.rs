//! SASL as a client: PLAIN (RFC 4616) and LOGIN (its unpublished, widely spoken forerunner).

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Credentials, Extensions};

/// How far an exchange has come: what was sent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// `AUTH PLAIN` with its response in the same line.
    Plain,
    /// The same response once more, for servers that ask for it in spite of that.
    PlainAgain,
    /// `AUTH LOGIN`.
    Login,
    /// The user's name.
    LoginUser,
    /// The password.
    LoginPassword,
}

impl Exchange {
    /// Whether it begins with a command; the others answer a challenge.
    pub(super) fn is_first(self) -> bool {
        matches!(self, Self::Plain | Self::Login)
    }
}

/// The mechanism to begin with: PLAIN where offered, as it saves two round trips.
pub(super) fn choose(extensions: &Extensions, verb: &str) -> Option<Exchange> {
    if offers(extensions, verb, "PLAIN") {
        Some(Exchange::Plain)
    } else if offers(extensions, verb, "LOGIN") {
        Some(Exchange::Login)
    } else {
        None
    }
}

/// The command for a fresh exchange, and what the transcript shows of it. `verb` is AUTH, or X-EXPS.
pub(super) fn command(
    exchange: Exchange,
    verb: &str,
    credentials: &Credentials,
) -> (String, String) {
    match exchange {
        Exchange::Login => (format!("{verb} LOGIN"), format!("{verb} LOGIN")),
        _ => (format!("{verb} PLAIN {}", plain(credentials)), format!("{verb} PLAIN ****")),
    }
}

/// What to send next after a reply of that code; none if the exchange is over.
pub(super) fn next(
    exchange: Exchange,
    code: u16,
    extensions: &Extensions,
    verb: &str,
) -> Option<Exchange> {
    match (exchange, code) {
        (Exchange::Plain, 334) => Some(Exchange::PlainAgain),
        // RFC 4954 section 4: 504, the mechanism is not known after all.
        (Exchange::Plain, 504) if offers(extensions, verb, "LOGIN") => Some(Exchange::Login),
        (Exchange::Login, 334) => Some(Exchange::LoginUser),
        (Exchange::LoginUser, 334) => Some(Exchange::LoginPassword),
        _ => None,
    }
}

/// The line that answers a challenge.
pub(super) fn response(exchange: Exchange, credentials: &Credentials) -> String {
    match exchange {
        Exchange::LoginUser => STANDARD.encode(&credentials.user),
        Exchange::LoginPassword => STANDARD.encode(&credentials.password),
        _ => plain(credentials),
    }
}

fn plain(credentials: &Credentials) -> String {
    STANDARD.encode(format!("\0{}\0{}", credentials.user, credentials.password))
}

fn offers(extensions: &Extensions, verb: &str, mechanism: &str) -> bool {
    extensions.mechanisms_of(verb).any(|offered| offered.eq_ignore_ascii_case(mechanism))
}
