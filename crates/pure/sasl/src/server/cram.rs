//! CRAM-MD5 (RFC 2195), and the same with SHA-1: the server's challenge, hashed with the password as key.
//! The server has to know the password for it, so it is offered only where that is wanted.

use super::{Answer, Ask, Context, Machine, Next, Why, hex, name};
use crate::{Secret, cram};

/// Which hash, and how far it has come.
pub(super) struct Cram {
    hash: cram::Hash,
    challenge: Vec<u8>,
    user: String,
    digest: Secret,
}

impl Cram {
    pub(super) fn new(hash: cram::Hash) -> Self {
        Self { hash, challenge: Vec::new(), user: String::new(), digest: Secret::default() }
    }
}

impl Machine for Cram {
    /// RFC 2195 section 2: in the form of a message id.
    fn challenge(&mut self, context: &Context) -> Vec<u8> {
        let Context { random, now, hostname, .. } = context;
        self.challenge = format!("<{}.{now}@{hostname}>", hex(&random[..16])).into_bytes();
        self.challenge.clone()
    }

    fn respond(&mut self, _: &Context, response: &[u8]) -> Next {
        // The digest has no blank in it; a name may.
        let Some(blank) = response.iter().rposition(|&octet| octet == b' ') else {
            return Next::Refuse(Why::Malformed("no digest behind the name"));
        };
        self.user = match name(&response[..blank]) {
            Ok(user) => user,
            Err(why) => return Next::Refuse(why),
        };
        self.digest = Secret::new(response[blank + 1..].to_ascii_lowercase());
        match self.user.is_empty() {
            true => Next::Refuse(Why::Credentials),
            false => Next::Ask(Ask::SharedSecret { user: self.user.clone() }),
        }
    }

    fn answer(&mut self, _: &Context, answer: Answer) -> Next {
        let password = match answer {
            Answer::Password(password) => password,
            Answer::No => return Next::Refuse(Why::Credentials),
            answer => panic!("a password was asked for, and not {answer:?}"),
        };
        match Secret::new(self.hash.digest(&password, &self.challenge)) == self.digest {
            true => Next::Done { user: self.user.clone(), additional: None },
            false => Next::Refuse(Why::Credentials),
        }
    }

    fn user(&self) -> Option<&str> {
        Some(&self.user)
    }
}
