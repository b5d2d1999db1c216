//! Types of the client machine, until it is here: same names, same fields.
use std::time::Duration;
use serde::{Deserialize, Serialize};
/// See `smtp::client`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 2033.
    Lmtp,
}
/// See `smtp::client`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The authentication identity.
    pub user: String,
    /// The secret.
    pub password: String,
    /// Whether they may cross a connection without TLS.
    pub in_clear_allowed: bool,
}
/// See `smtp::client`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Features(u16);
impl Features {
    /// None.
    pub const NONE: Self = Self(0);
}
/// See `smtp::client`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// For the greeting.
    pub greeting: Duration,
    /// EHLO, STARTTLS, AUTH, handshake.
    pub ehlo: Duration,
    /// MAIL.
    pub mail: Duration,
    /// RCPT.
    pub rcpt: Duration,
    /// `354`.
    pub data: Duration,
    /// A piece of content.
    pub content: Duration,
    /// After the content.
    pub end_of_data: Duration,
    /// QUIT.
    pub quit: Duration,
}
