//! NTLM (MS-NLMP section 3.1), version 2. The user may be written `DOMAIN\user`.

use super::{Context, Credentials, Machine, Step, Why, send};
use crate::ntlm::{
    Authenticate, Challenge, Negotiate, Response, binding_hash, file_time, find, flags, integrity,
    key, nt_hash, pair, proof, session_key, target_info,
};

const ASKED: u32 = flags::UNICODE
    | flags::REQUEST_TARGET
    | flags::NTLM
    | flags::ALWAYS_SIGN
    | flags::EXTENDED_SECURITY;

/// Our first message, once it went.
#[derive(Default)]
pub(super) struct Ntlm {
    negotiate: Vec<u8>,
}

impl Ntlm {
    fn authenticate(
        &self,
        context: &Context,
        credentials: &Credentials,
        octets: &[u8],
    ) -> Option<Vec<u8>> {
        let challenge = Challenge::read(octets)?;
        let (domain, user) = match credentials.user.split_once('\\') {
            Some((domain, user)) => (domain, user),
            None => ("", credentials.user.as_str()),
        };
        let time = find(&challenge.info, pair::TIMESTAMP);
        let info = self.info(context, &challenge.info);
        let nonce = context.random[..8].try_into().ok()?;
        let clock = file_time(context.now);
        let stamp = time.and_then(|it| it.try_into().ok()).map_or(clock, u64::from_le_bytes);
        let blob = Response::blob(stamp, nonce, &info);
        let key = key(&nt_hash(&credentials.password()), user, domain);
        let proof = proof(&key, &challenge.nonce, &blob);
        // With a time in the challenge, nothing of LAN Manager's is sent (section 3.1.5.1.2).
        let lm = match time {
            Some(_) => vec![0; 24],
            None => {
                let lm = crate::ntlm::proof(&key, &challenge.nonce, &nonce);
                [&lm[..], &nonce].concat()
            }
        };
        let message = Authenticate {
            flags: challenge.flags & (ASKED | flags::TARGET_INFO),
            lm,
            nt: [&proof[..], &blob].concat(),
            domain: domain.to_owned(),
            user: user.to_owned(),
            ..Authenticate::default()
        };
        let mut message = message.write();
        if time.is_some() {
            let messages = [&self.negotiate[..], octets, &message];
            let check = integrity(&session_key(&key, &proof), messages);
            message[crate::ntlm::INTEGRITY_AT..][..check.len()].copy_from_slice(&check);
        }
        Some(message)
    }

    /// The pairs of the challenge and ours: that there is a check of integrity, and the channel.
    fn info(&self, context: &Context, theirs: &[u8]) -> Vec<u8> {
        let ids = 1..=pair::CHANNEL_BINDINGS;
        let ours = [pair::FLAGS, pair::CHANNEL_BINDINGS, pair::TARGET_NAME];
        let theirs_of = |id: u16| Some((id, find(theirs, id)?));
        let mut pairs: Vec<(u16, &[u8])> =
            ids.filter(|id| !ours.contains(id)).filter_map(theirs_of).collect();
        let flags = 2_u32.to_le_bytes();
        let hash = binding_hash(&context.bindings).unwrap_or_default();
        let target =
            crate::ntlm::utf16(&format!("{}/{}", context.service.to_uppercase(), context.host));
        if find(theirs, pair::TIMESTAMP).is_some() {
            pairs.push((pair::FLAGS, &flags));
        }
        pairs.push((pair::CHANNEL_BINDINGS, &hash));
        pairs.push((pair::TARGET_NAME, &target));
        target_info(&pairs)
    }
}

impl Machine for Ntlm {
    /// The server says in words that it is ready (MS-SMTPNTLM section 2.2.1.2).
    fn begin(&mut self, _: &Context, _: &Credentials) -> Step {
        Step::Wait
    }

    fn challenge(&mut self, context: &Context, credentials: &Credentials, octets: &[u8]) -> Step {
        if self.negotiate.is_empty() {
            self.negotiate = Negotiate { flags: ASKED }.write();
            return send(self.negotiate.as_slice());
        }
        match self.authenticate(context, credentials, octets) {
            Some(message) => send(message),
            None => Step::Failed(Why::Malformed("no CHALLENGE_MESSAGE")),
        }
    }
}
