//! SCRAM (RFC 5802, RFC 7677), with and without channel binding: the client proves that it knows the
//! password without showing it, and we prove that we know what was stored of it.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Answer, Ask, Context, Machine, Next, Why};
use crate::{
    Secret,
    gs2::{self, Flag, Header},
    prepare,
    scram::{self, Attributes, Hash, Keys},
};

/// How far it has come.
pub(super) struct Scram {
    hash: Hash,
    /// It is bound to the channel.
    plus: bool,
    user: String,
    state: State,
}

enum State {
    /// Nothing came yet.
    First,
    /// The keys are being looked up.
    Keys(Opening),
    /// The server's first message went.
    Final { opening: Opening, keys: Keys, known: bool, server_first: String },
}

/// What the client's first message fixes.
struct Opening {
    /// The GS2 header, as it came, and what it binds to: `c=` has to say the same.
    bound: Vec<u8>,
    /// The message without the header.
    bare: String,
    /// The client's nonce and ours.
    nonce: String,
}

impl Scram {
    pub(super) fn new(hash: Hash, plus: bool) -> Self {
        Self { hash, plus, user: String::new(), state: State::First }
    }

    fn first(&mut self, context: &Context, text: &str) -> Result<Next, Why> {
        let (header, bare) = Header::split_from(text).ok_or(Why::Malformed("no GS2 header"))?;
        let channel = self.channel(context, &header.flag)?;
        let mut attributes = Attributes::of(bare);
        let user = attributes.next('n').and_then(gs2::decode);
        let user = user.ok_or(Why::Malformed("no name"))?;
        // Names are compared as SASLprep leaves them (RFC 5802 section 5.1).
        self.user = prepare::user(&user).ok_or(Why::Malformed("a name that is no text"))?.into();
        let nonce = attributes.next('r').filter(|nonce| scram::is_nonce(nonce));
        let nonce = nonce.ok_or(Why::Malformed("no nonce"))?;
        if header.authorization.is_some_and(|it| it != user && it != self.user) {
            // Nobody acts for another here, whoever there is.
            return Err(Why::Credentials);
        }
        let nonce = format!("{nonce}{}", STANDARD.encode(&context.random[..18]));
        let mut bound = text.as_bytes()[..text.len() - bare.len()].to_vec();
        bound.extend_from_slice(channel);
        self.state = State::Keys(Opening { bound, bare: bare.to_owned(), nonce });
        Ok(Next::Ask(Ask::ScramKeys { user: self.user.clone(), hash: self.hash }))
    }

    /// What the login is bound to; nothing without -PLUS.
    fn channel<'c>(&self, context: &'c Context, flag: &Flag) -> Result<&'c [u8], Why> {
        match (flag, self.plus) {
            (Flag::Does(Some(binding)), true) => {
                context.bindings.of(*binding).ok_or(Why::Malformed("a binding we do not have"))
            }
            (Flag::Does(None), true) => Err(Why::Malformed("a binding that is unknown")),
            (Flag::CanNot, false) => Ok(&[]),
            // RFC 5802 section 6: somebody took -PLUS out of our offer.
            (Flag::Could, false) if context.plus_offered => Err(Why::Downgraded),
            (Flag::Could, false) => Ok(&[]),
            _ => Err(Why::Malformed("the mechanism and its channel binding differ")),
        }
    }

    /// Salt and iterations.
    fn challenge(&mut self, context: &Context, opening: Opening, keys: Option<Keys>) -> Next {
        let known = keys.is_some();
        let keys = keys.unwrap_or_else(|| self.decoy(context));
        let salt = STANDARD.encode(&keys.salt);
        let server_first = format!("r={},s={salt},i={}", opening.nonce, keys.iterations);
        let challenge = server_first.clone().into_bytes();
        self.state = State::Final { opening, keys, known, server_first };
        Next::Challenge(challenge)
    }

    /// Keys for somebody whom there is not: always the same salt, or it would show.
    fn decoy(&self, context: &Context) -> Keys {
        let of = |what: &str| {
            let text = format!("{what}\0{}\0{}", self.hash.name(), self.user);
            self.hash.hmac(context.key.octets(), text.as_bytes())
        };
        Keys {
            hash: self.hash,
            salt: of("salt")[..scram::SALT_LENGTH].to_vec(),
            iterations: context.iterations,
            stored: Secret::new(of("stored")),
            server: Secret::new(of("server")),
        }
    }

    fn finish(&self, text: &str) -> Result<Next, Why> {
        let State::Final { opening, keys, known, server_first } = &self.state else {
            return Err(Why::Malformed("out of turn"));
        };
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Why::Malformed("no proof"))?;
        let mut attributes = Attributes::of(without_proof);
        let bound = attributes.next('c').and_then(|text| STANDARD.decode(text).ok());
        let bound = bound.ok_or(Why::Malformed("no channel binding"))?;
        let nonce = attributes.next('r').ok_or(Why::Malformed("no nonce"))?;
        if nonce != opening.nonce {
            return Err(Why::Malformed("another nonce"));
        }
        let proof = STANDARD.decode(proof).ok().filter(|it| it.len() == self.hash.length());
        let proof = proof.ok_or(Why::Malformed("a proof of another length"))?;
        if Secret::new(bound) != Secret::new(opening.bound.as_slice()) {
            return Err(Why::Binding);
        }
        let message = format!("{},{server_first},{without_proof}", opening.bare);
        match keys.verify(&message, &proof) && *known {
            true => {
                let additional = format!("v={}", STANDARD.encode(keys.signature(&message)));
                let additional = Some(additional.into_bytes());
                Ok(Next::Done { user: self.user.clone(), additional })
            }
            false => Err(Why::Credentials),
        }
    }
}

impl Machine for Scram {
    fn respond(&mut self, context: &Context, response: &[u8]) -> Next {
        let Ok(text) = std::str::from_utf8(response) else {
            return Next::Refuse(Why::Malformed("no text"));
        };
        let next = match self.state {
            State::First => self.first(context, text),
            _ => self.finish(text),
        };
        next.unwrap_or_else(Next::Refuse)
    }

    fn answer(&mut self, context: &Context, answer: Answer) -> Next {
        let keys = match answer {
            Answer::ScramKeys(keys) => Some(keys),
            Answer::No => None,
            answer => panic!("keys were asked for, and not {answer:?}"),
        };
        let wrong = keys.as_ref().is_some_and(|keys| keys.hash != self.hash);
        assert!(!wrong, "keys for {} are of another hash", self.hash.name());
        match std::mem::replace(&mut self.state, State::First) {
            State::Keys(opening) => self.challenge(context, opening, keys),
            _ => unreachable!("keys are asked for once"),
        }
    }

    fn user(&self) -> Option<&str> {
        Some(&self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfcs() {
        // RFC 5802 section 5, RFC 7677 section 3: hash, salt, nonce, the client's proof and ours.
        let rows = [
            (
                Hash::Sha1,
                "QSXCR+Q6sek8bf92",
                "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
                24,
                "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                Hash::Sha256,
                "W22ZaJ0SNY7soEsUEjb6gQ==",
                "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                20,
                "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ];
        for (hash, salt, nonce, length, proof, expected) in rows {
            let keys = Keys::derive(hash, "pencil", STANDARD.decode(salt).unwrap(), 4_096);
            let mut machine = Scram::new(hash, false);
            machine.user = "user".into();
            let server_first = format!("r={nonce},s={salt},i=4096");
            machine.state = State::Final {
                opening: Opening {
                    bound: b"n,,".to_vec(),
                    bare: format!("n=user,r={}", &nonce[..length]),
                    nonce: nonce.into(),
                },
                keys,
                known: true,
                server_first,
            };
            let last = format!("c=biws,r={nonce},p={proof}");
            let Ok(Next::Done { user, additional }) = machine.finish(&last) else {
                panic!("{nonce}: the proof is right");
            };
            assert_eq!((user.as_str(), additional.as_deref()), ("user", Some(expected.as_bytes())));
            let other = last.replace("c=biws", "c=eSws");
            assert!(matches!(machine.finish(&other), Err(Why::Binding)), "another header");
        }
    }
}
