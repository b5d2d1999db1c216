//! NTLM (MS-NLMP, MS-SMTPNTLM). Passable only inside TLS, and off by default: for clients that can't do
//! better. Version 1 is refused before anybody is looked up, unless [`Context::ntlm_v1`] takes it.

use super::{Answer, Ask, Context, Machine, Next, Why};
use crate::{
    Secret,
    ntlm::{
        Authenticate, Challenge, First, Negotiate, Response, binding_hash, file_time, flags,
        integrity, is_first, key, pair, proof, session_key, target_info, utf16,
    },
};

/// Of [`pair::FLAGS`].
const HAS_INTEGRITY: u8 = 2;

/// How far it has come.
#[derive(Default)]
pub(super) struct Ntlm {
    nonce: [u8; 8],
    negotiate: Vec<u8>,
    challenge: Vec<u8>,
    authenticate: Vec<u8>,
    message: Authenticate,
}

impl Ntlm {
    fn challenge(&mut self, context: &Context, negotiate: &Negotiate) -> Next {
        self.nonce.copy_from_slice(&context.random[..8]);
        let host = &context.hostname;
        let (name, domain) = host.split_once('.').unwrap_or((host, host));
        // NetBIOS has 15 characters, in capitals.
        let name: String = name.to_uppercase().chars().take(15).collect();
        let time = file_time(context.now).to_le_bytes();
        let (wide_name, wide_domain, wide_host) = (utf16(&name), utf16(domain), utf16(host));
        let info = target_info(&[
            (pair::DOMAIN, &wide_name),
            (pair::COMPUTER, &wide_name),
            (pair::DNS_DOMAIN, &wide_domain),
            (pair::DNS_COMPUTER, &wide_host),
            (pair::TIMESTAMP, &time),
        ]);
        let asked = negotiate.flags & (flags::ALWAYS_SIGN | flags::EXTENDED_SECURITY);
        let always = flags::UNICODE | flags::NTLM | flags::TARGET_INFO | flags::TARGET_SERVER;
        let target = flags::REQUEST_TARGET;
        let flags = asked | always | target;
        let challenge = Challenge { flags, target: name, nonce: self.nonce, info };
        self.challenge = challenge.write();
        Next::Challenge(self.challenge.clone())
    }

    fn check(&self, context: &Context, nt_hash: &Secret) -> Result<(), Why> {
        let Authenticate { user, domain, nt, .. } = &self.message;
        let extended = self.message.flags & flags::EXTENDED_SECURITY != 0;
        if let Some(first) = First::read(self.nonce, &self.message.lm, nt, extended) {
            return first.is_of(nt_hash).then_some(()).ok_or(Why::Credentials);
        }
        // Nobody: an anonymous login.
        let response = Response::read(nt).ok_or(Why::Credentials)?;
        let key = key(nt_hash, user, domain);
        let proof = proof(&key, &self.nonce, response.blob);
        if Secret::new(proof) != response.proof {
            return Err(Why::Credentials);
        }
        // What follows is covered by the proof.
        let bound = response.pair(pair::CHANNEL_BINDINGS).filter(|hash| *hash != [0; 16]);
        match (bound, binding_hash(&context.bindings)) {
            (Some(theirs), Some(ours)) if theirs != ours => return Err(Why::Binding),
            _ => {}
        }
        let promised = response.pair(pair::FLAGS).and_then(<[u8]>::first);
        let promised = promised.is_some_and(|flags| flags & HAS_INTEGRITY != 0);
        // With another session key that would have to be decrypted first; it was not agreed on.
        if promised && self.message.flags & flags::KEY_EXCHANGE == 0 {
            let messages = [&self.negotiate[..], &self.challenge, &self.authenticate];
            let ours = Secret::new(integrity(&session_key(&key, &proof), messages));
            if self.message.integrity.map(Secret::new) != Some(ours) {
                return Err(Why::Credentials);
            }
        }
        Ok(())
    }
}

impl Machine for Ntlm {
    fn respond(&mut self, context: &Context, response: &[u8]) -> Next {
        if self.challenge.is_empty() {
            return match Negotiate::read(response) {
                Some(negotiate) => {
                    self.negotiate = response.to_vec();
                    self.challenge(context, &negotiate)
                }
                None => Next::Refuse(Why::Malformed("no NEGOTIATE_MESSAGE")),
            };
        }
        let Some(message) = Authenticate::read(response) else {
            return Next::Refuse(Why::Malformed("no AUTHENTICATE_MESSAGE"));
        };
        self.message = message;
        self.authenticate = response.to_vec();
        let Authenticate { user, domain, nt, .. } = &self.message;
        if is_first(nt) && !context.ntlm_v1 {
            return Next::Refuse(Why::Outdated);
        }
        match (user.is_empty(), user.chars().chain(domain.chars()).any(char::is_control)) {
            (_, true) => Next::Refuse(Why::Malformed("a name that is no text")),
            (true, _) => Next::Refuse(Why::Credentials),
            _ => Next::Ask(Ask::NtHash { user: user.clone(), domain: domain.clone() }),
        }
    }

    fn answer(&mut self, context: &Context, answer: Answer) -> Next {
        let (user, hash) = match answer {
            Answer::NtHash { user, hash } => (user, hash),
            Answer::No => return Next::Refuse(Why::Credentials),
            answer => panic!("a hash was asked for, and not {answer:?}"),
        };
        match self.check(context, &hash) {
            Ok(()) => Next::Done { user, additional: None },
            Err(why) => Next::Refuse(why),
        }
    }

    fn user(&self) -> Option<&str> {
        Some(&self.message.user)
    }
}
