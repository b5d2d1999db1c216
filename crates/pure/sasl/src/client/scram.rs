//! SCRAM (RFC 5802, RFC 7677): we prove that we know the password, and the server that it does.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Context, Credentials, Machine, Step, Why, send};
use crate::{
    Binding, Secret,
    gs2::{self, Flag, Header},
    prepare,
    scram::{self, Attributes, Hash, ITERATIONS, ITERATIONS_MAX, Salting},
};

/// How far it has come.
pub(super) struct Scram {
    hash: Hash,
    plus: bool,
    plus_offered: bool,
    state: State,
}

enum State {
    Begin,
    First {
        header: String,
        bound: Vec<u8>,
        bare: String,
        nonce: String,
    },
    /// The password is being salted.
    Salting {
        message: String,
        without_proof: String,
    },
    /// The proof went; the server has to send this.
    Final {
        signature: Secret,
    },
    Proven,
}

impl Scram {
    pub(super) fn new(hash: Hash, plus: bool, plus_offered: bool) -> Self {
        Self { hash, plus, plus_offered, state: State::Begin }
    }

    /// The header, and what it binds to.
    fn header(&self, context: &Context) -> (Header, Vec<u8>) {
        let ways = [Binding::Exporter, Binding::EndPoint, Binding::Unique];
        let bindings = &context.bindings;
        let way = ways.into_iter().find_map(|way| Some((way, bindings.of(way)?)));
        let (flag, bound) = match way {
            Some((way, bound)) if self.plus => (Flag::Does(Some(way)), bound.to_vec()),
            // RFC 5802 section 6: says to the server what we saw of its offer.
            Some(_) if !self.plus_offered => (Flag::Could, Vec::new()),
            _ => (Flag::CanNot, Vec::new()),
        };
        (Header { flag, authorization: None }, bound)
    }

    /// What the proof is made of; the salting is the slow part.
    fn salting(&mut self, credentials: &Credentials, text: &str) -> Result<Step, Why> {
        let State::First { header, bound, bare, nonce } = &self.state else {
            return Err(Why::Malformed("out of turn"));
        };
        let mut attributes = Attributes::of(text);
        let whole = attributes.next('r').ok_or(Why::Malformed("no nonce"))?;
        if whole.len() <= nonce.len() || !whole.starts_with(nonce.as_str()) {
            return Err(Why::Malformed("another nonce than ours"));
        }
        let salt = attributes.next('s').and_then(|it| STANDARD.decode(it).ok());
        let salt = salt.filter(|salt| !salt.is_empty()).ok_or(Why::Malformed("no salt"))?;
        let iterations = attributes.next('i').and_then(|it| it.parse().ok());
        let iterations = iterations.ok_or(Why::Malformed("no number of iterations"))?;
        // Fewer would make it easy to guess the password from our proof (RFC 7677 section 4).
        if !(ITERATIONS..=ITERATIONS_MAX).contains(&iterations) {
            return Err(Why::Iterations(iterations));
        }
        let binding = STANDARD.encode([header.as_bytes(), bound].concat());
        let without_proof = format!("c={binding},r={whole}");
        let message = format!("{bare},{text},{without_proof}");
        self.state = State::Salting { message, without_proof };
        let password = Secret::new(credentials.password());
        Ok(Step::Salt(Salting { hash: self.hash, password, salt, iterations }))
    }

    fn verify(&mut self, text: &str) -> Result<Step, Why> {
        let State::Final { signature } = &self.state else {
            return Err(Why::Malformed("out of turn"));
        };
        if let Some(error) = text.strip_prefix("e=") {
            let error: String = error.chars().filter(|it| !it.is_control()).take(200).collect();
            return Err(Why::Refused(error));
        }
        let theirs = Attributes::of(text).next('v').and_then(|it| STANDARD.decode(it).ok());
        match theirs.map(Secret::new).as_ref() == Some(signature) {
            true => {
                self.state = State::Proven;
                Ok(send([]))
            }
            false => Err(Why::Impostor),
        }
    }
}

impl Machine for Scram {
    fn begin(&mut self, context: &Context, credentials: &Credentials) -> Step {
        let (header, bound) = self.header(context);
        let nonce = STANDARD.encode(&context.random[..24]);
        let user = prepare::user(&credentials.user);
        let user = gs2::encode(user.as_deref().unwrap_or(&credentials.user));
        let bare = format!("n={user},r={nonce}");
        let header = header.text();
        let first = format!("{header}{bare}");
        self.state = State::First { header, bound, bare, nonce };
        send(first)
    }

    fn challenge(&mut self, context: &Context, credentials: &Credentials, octets: &[u8]) -> Step {
        let step = match (std::str::from_utf8(octets), &self.state) {
            (Err(_), _) => Err(Why::Malformed("no text")),
            // Our first message came without being heard.
            (Ok(""), State::First { .. }) => Ok(self.begin(context, credentials)),
            (Ok(text), State::First { .. }) => self.salting(credentials, text),
            (Ok(text), _) => self.verify(text),
        };
        step.unwrap_or_else(Step::Failed)
    }

    fn salted(&mut self, salted: &Secret) -> Step {
        let State::Salting { message, without_proof } = &self.state else {
            panic!("no salting was asked for");
        };
        let (client, server) = scram::keys(self.hash, salted);
        let signature = self.hash.hmac(&self.hash.digest(client.octets()), message.as_bytes());
        let proof = STANDARD.encode(scram::xor(client.octets(), &signature));
        let response = send(format!("{without_proof},p={proof}"));
        let signature = Secret::new(self.hash.hmac(server.octets(), message.as_bytes()));
        self.state = State::Final { signature };
        response
    }

    fn finish(&self) -> Result<(), Why> {
        match self.state {
            State::Proven => Ok(()),
            _ => Err(Why::Impostor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bindings;

    #[test]
    fn the_examples_of_the_rfcs() {
        // RFC 5802 section 5, RFC 7677 section 3: hash, our nonce, the server's messages, and our last.
        let rows = [
            (
                Hash::Sha1,
                "fyko+d2lbbFgONRv9qkxdawL",
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                Hash::Sha256,
                "rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ];
        let credentials = Credentials::new("user", "pencil");
        let context = Context {
            service: "imap",
            host: "".into(),
            port: 0,
            bindings: Bindings::default(),
            random: [0; 32],
            now: 0,
        };
        for (hash, nonce, first, expected, last) in rows {
            let mut machine = Scram::new(hash, false, false);
            machine.state = State::First {
                header: "n,,".into(),
                bound: Vec::new(),
                bare: format!("n=user,r={nonce}"),
                nonce: nonce.into(),
            };
            let Step::Salt(salting) = machine.challenge(&context, &credentials, first.as_bytes())
            else {
                panic!("the password has to be salted");
            };
            assert_eq!(machine.salted(&salting.work()), send(expected));
            assert_eq!(machine.finish(), Err(Why::Impostor), "it has not proven itself");
            assert_eq!(machine.challenge(&context, &credentials, last.as_bytes()), send([]));
            assert_eq!(machine.finish(), Ok(()));
        }
    }
}
