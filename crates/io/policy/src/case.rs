//! Who wants what: all that a check may look at.

use std::net::IpAddr;

use smtp::Address;

use crate::{
    asked::NextHop,
    rates::{Doer, Rate},
};

/// One connection, and as far as it has come, its sender and recipient.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The client's address.
    pub client: IpAddr,
    /// The argument of EHLO or HELO.
    pub helo: Option<&'a str>,
    /// The reverse-path; `Some(None)` is the null one.
    pub sender: Option<Option<&'a Address>>,
    /// The forward-path.
    pub recipient: Option<&'a Address>,
    /// As whom it authenticated.
    pub user: Option<&'a str>,
    /// It may relay through us: it is of ours.
    pub trusted: bool,
    /// The listener wants more than rates.
    pub screened: bool,
    /// It sent commands before it had our replies.
    pub ahead: bool,
    /// The listener's own limits, besides those of the settings.
    pub rates: &'a [Rate],
    /// Who can ask the recipient's next hop; none where there is none, or the mailbox is known.
    pub next_hop: Option<&'a dyn NextHop>,
}

impl<'a> Case<'a> {
    /// A stranger who has just connected to a listener that screens.
    pub fn new(client: IpAddr) -> Self {
        Self {
            client,
            helo: None,
            sender: None,
            recipient: None,
            user: None,
            trusted: false,
            screened: true,
            ahead: false,
            rates: &[],
            next_hop: None,
        }
    }

    pub(crate) fn doer(&self) -> Doer<'a> {
        Doer {
            client: Some(self.client),
            sender: self.sender.flatten(),
            user: self.user,
            recipient: self.recipient,
        }
    }

    /// The reverse-path that is one.
    pub(crate) fn sender_path(&self) -> Option<&'a Address> {
        self.sender.flatten()
    }
}
