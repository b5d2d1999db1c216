//! The server's challenge, hashed with the password: CRAM (RFC 2195) and DIGEST-MD5 (RFC 2831).

use super::{Context, Credentials, Machine, Step, Why, send};
use crate::{
    cram,
    digest::{self, Facts},
    hex,
};

/// CRAM-MD5, or CRAM-SHA1.
pub(super) struct Cram(pub(super) cram::Hash);

impl Machine for Cram {
    fn begin(&mut self, _: &Context, _: &Credentials) -> Step {
        Step::Wait
    }

    fn challenge(&mut self, _: &Context, credentials: &Credentials, octets: &[u8]) -> Step {
        let digest = self.0.digest(&crate::Secret::new(credentials.secret()), octets);
        send(format!("{} {digest}", credentials.user))
    }
}

/// The server proves itself, too.
#[derive(Default)]
pub(super) struct DigestMd5 {
    /// What the server has to answer; none before we have said anything.
    expected: Option<String>,
    proven: bool,
}

impl DigestMd5 {
    fn respond(
        &mut self,
        context: &Context,
        credentials: &Credentials,
        text: &str,
    ) -> Result<Step, Why> {
        let mut directives = digest::read(text).ok_or(Why::Malformed("not directives"))?;
        let qop = directives.remove("qop").unwrap_or_else(|| "auth".to_owned());
        if !qop.split(',').any(|it| it.trim().eq_ignore_ascii_case("auth")) {
            return Err(Why::Malformed("no `auth` among the qualities of protection"));
        }
        if !directives.get("algorithm").is_some_and(|it| it.eq_ignore_ascii_case("md5-sess")) {
            return Err(Why::Malformed("no `md5-sess`"));
        }
        let facts = Facts {
            user: credentials.user.clone(),
            realm: directives.remove("realm").unwrap_or_default(),
            nonce: directives.remove("nonce").ok_or(Why::Malformed("no nonce"))?,
            client_nonce: hex(&context.random[..16]),
            uri: format!("{}/{}", context.service, context.host),
            authorization: None,
        };
        let password = credentials.password();
        self.expected = Some(format!("rspauth={}", facts.response_auth(&password)));
        let charset = if directives.contains_key("charset") { "charset=utf-8," } else { "" };
        let [user, realm, nonce, uri] =
            [&facts.user, &facts.realm, &facts.nonce, &facts.uri].map(|it| digest::quote(it));
        let (cnonce, count) = (&facts.client_nonce, digest::COUNT);
        let response = facts.response(&password);
        Ok(send(format!(
            "{charset}username={user},realm={realm},nonce={nonce},nc={count},cnonce=\"{cnonce}\",\
             digest-uri={uri},response={response},qop=auth"
        )))
    }
}

impl Machine for DigestMd5 {
    fn begin(&mut self, _: &Context, _: &Credentials) -> Step {
        Step::Wait
    }

    fn challenge(&mut self, context: &Context, credentials: &Credentials, octets: &[u8]) -> Step {
        let Ok(text) = std::str::from_utf8(octets) else {
            return Step::Failed(Why::Malformed("no text"));
        };
        match &self.expected {
            None => self.respond(context, credentials, text).unwrap_or_else(Step::Failed),
            Some(expected) if digest::is_same(text.trim(), expected) => {
                self.proven = true;
                send([])
            }
            Some(_) => Step::Failed(Why::Impostor),
        }
    }

    fn finish(&self) -> Result<(), Why> {
        if self.proven { Ok(()) } else { Err(Why::Impostor) }
    }
}
