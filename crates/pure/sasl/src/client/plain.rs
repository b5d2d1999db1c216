//! What is sent as it is: PLAIN, LOGIN, EXTERNAL, and tokens (XOAUTH2, OAUTHBEARER).

use super::{Context, Credentials, Machine, Step, send};
use crate::gs2::{Flag, Header};

/// RFC 4616.
#[derive(Default)]
pub(super) struct Plain {
    again: bool,
}

/// User and password, when they are asked for.
#[derive(Default)]
pub(super) struct Login {
    asked: usize,
}

/// RFC 4422 appendix A: as whoever the certificate says.
pub(super) struct External;

/// RFC 7628, and Google's.
pub(super) struct Token {
    bearer: bool,
    told: Option<String>,
}

impl Machine for Plain {
    fn begin(&mut self, _: &Context, credentials: &Credentials) -> Step {
        send([&[0], credentials.user.as_bytes(), &[0], credentials.secret()].concat())
    }

    /// Some servers ask for it in spite of having it.
    fn challenge(&mut self, context: &Context, credentials: &Credentials, _: &[u8]) -> Step {
        match std::mem::replace(&mut self.again, true) {
            true => Step::Failed(super::Why::Malformed("there is nothing left to say")),
            false => self.begin(context, credentials),
        }
    }
}

impl Machine for Login {
    fn begin(&mut self, _: &Context, _: &Credentials) -> Step {
        Step::Wait
    }

    /// What the server asks in is nobody's rule: first the user, then the password.
    fn challenge(&mut self, _: &Context, credentials: &Credentials, _: &[u8]) -> Step {
        self.asked += 1;
        match self.asked {
            1 => send(credentials.user.as_bytes()),
            2 => send(credentials.secret()),
            _ => Step::Failed(super::Why::Malformed("there is nothing left to say")),
        }
    }
}

impl Machine for External {
    fn begin(&mut self, _: &Context, credentials: &Credentials) -> Step {
        send(credentials.user.as_bytes())
    }

    fn challenge(&mut self, context: &Context, credentials: &Credentials, _: &[u8]) -> Step {
        self.begin(context, credentials)
    }
}

impl Token {
    pub(super) fn bearer() -> Self {
        Self { bearer: true, told: None }
    }

    pub(super) fn xoauth2() -> Self {
        Self { bearer: false, told: None }
    }
}

impl Machine for Token {
    fn begin(&mut self, context: &Context, credentials: &Credentials) -> Step {
        let user = &credentials.user;
        let mut octets = match self.bearer {
            true => {
                let authorization = Some(user.clone()).filter(|user| !user.is_empty());
                let header = Header { flag: Flag::CanNot, authorization }.text();
                let Context { host, port, .. } = context;
                format!("{header}\u{1}host={host}\u{1}port={port}\u{1}").into_bytes()
            }
            false => format!("user={user}\u{1}").into_bytes(),
        };
        octets.extend(b"auth=Bearer ");
        octets.extend(credentials.secret());
        octets.extend(b"\x01\x01");
        send(octets)
    }

    /// Why the token is refused. The refusal itself comes after a response that says nothing (RFC 7628
    /// section 3.2.3).
    fn challenge(&mut self, context: &Context, credentials: &Credentials, octets: &[u8]) -> Step {
        if octets.is_empty() && self.told.is_none() {
            return self.begin(context, credentials);
        }
        let text: String = String::from_utf8_lossy(octets).chars().take(500).collect();
        self.told = Some(text.replace(char::is_control, " "));
        send(if self.bearer { &b"\x01"[..] } else { b"" })
    }

    fn told(&self) -> Option<&str> {
        self.told.as_deref()
    }
}
