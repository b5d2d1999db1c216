//! DIGEST-MD5 (RFC 2831): historic, and some clients have nothing else. The server has to know the
//! password.

use super::{Answer, Ask, Context, Machine, Next, Why, hex, name};
use crate::digest::{self, Facts};

/// How far it has come.
#[derive(Default)]
pub(super) struct DigestMd5 {
    facts: Facts,
    response: String,
}

impl DigestMd5 {
    fn read(&mut self, context: &Context, text: &str) -> Result<(), &'static str> {
        let mut directives = digest::read(text).ok_or("not directives")?;
        let mut take = |name: &str| directives.remove(name);
        self.facts.user = take("username").filter(|it| !it.is_empty()).ok_or("no username")?;
        self.facts.realm = take("realm").unwrap_or_default();
        self.facts.client_nonce = take("cnonce").filter(|it| !it.is_empty()).ok_or("no cnonce")?;
        self.facts.uri = take("digest-uri").ok_or("no digest-uri")?;
        self.response = take("response").ok_or("no response")?;
        // Section 2.1.2: `authzid` is none of ours, unless it is the user.
        self.facts.authorization = take("authzid").filter(|it| !it.is_empty());
        let service = self.facts.uri.split_once('/').map(|(service, _)| service);
        match () {
            () if take("nonce").as_ref() != Some(&self.facts.nonce) => Err("another nonce"),
            () if take("nc").as_deref() != Some(digest::COUNT) => Err("another nonce-count"),
            () if take("qop").is_some_and(|qop| qop != "auth") => {
                Err("another quality of protection")
            }
            // What a client calls us, it got from somewhere; for what protocol, it has to know.
            () if service != Some(context.service) => Err("a digest for another service"),
            () => Ok(()),
        }
    }
}

impl Machine for DigestMd5 {
    fn challenge(&mut self, context: &Context) -> Vec<u8> {
        self.facts.nonce = hex(&context.random[..16]);
        let (realm, nonce) = (digest::quote(&context.hostname), &self.facts.nonce);
        format!(r#"realm={realm},nonce="{nonce}",qop="auth",charset=utf-8,algorithm=md5-sess"#)
            .into()
    }

    fn respond(&mut self, context: &Context, response: &[u8]) -> Next {
        let read = match name(response) {
            Ok(text) => self.read(context, &text).map_err(Why::Malformed),
            Err(why) => Err(why),
        };
        let other = |it: &String| *it != self.facts.user;
        match read {
            Err(why) => Next::Refuse(why),
            // Nobody acts for another here.
            Ok(()) if self.facts.authorization.as_ref().is_some_and(other) => {
                Next::Refuse(Why::Credentials)
            }
            Ok(()) => Next::Ask(Ask::SharedSecret { user: self.facts.user.clone() }),
        }
    }

    fn answer(&mut self, _: &Context, answer: Answer) -> Next {
        let password = match answer {
            Answer::Password(password) => password,
            Answer::No => return Next::Refuse(Why::Credentials),
            answer => panic!("a password was asked for, and not {answer:?}"),
        };
        let Some(password) = password.text() else { return Next::Refuse(Why::Credentials) };
        match digest::is_same(&self.facts.response(password), &self.response) {
            true => {
                let proof = format!("rspauth={}", self.facts.response_auth(password));
                let user = self.facts.user.clone();
                Next::Done { user, additional: Some(proof.into_bytes()) }
            }
            false => Next::Refuse(Why::Credentials),
        }
    }

    fn user(&self) -> Option<&str> {
        Some(&self.facts.user)
    }
}
