//! GSSAPI (RFC 4752 section 3.1): the tokens are made elsewhere; of the security layers, none is chosen.

use super::{Context, Credentials, Machine, Step, Why, send};
use crate::gss::{Answer, Ask};

/// The bit for no security layer.
const NONE: u8 = 1;

/// How far it has come.
pub(super) struct Gssapi(State);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Tokens come and go.
    Context,
    /// The context stands here; the server's layers are to come.
    Layers,
    /// Our choice is being wrapped, or went.
    Chosen,
}

impl Gssapi {
    pub(super) fn new() -> Self {
        Self(State::Context)
    }
}

impl Machine for Gssapi {
    fn begin(&mut self, _: &Context, _: &Credentials) -> Step {
        Step::Ask(Ask::Token(None))
    }

    fn challenge(&mut self, _: &Context, _: &Credentials, octets: &[u8]) -> Step {
        match self.0 {
            State::Context if octets.is_empty() => Step::Ask(Ask::Token(None)),
            State::Context => Step::Ask(Ask::Token(Some(octets.to_vec()))),
            State::Layers => Step::Ask(Ask::Unwrap(octets.to_vec())),
            State::Chosen => Step::Failed(Why::Malformed("there is nothing left to say")),
        }
    }

    fn answer(&mut self, credentials: &Credentials, answer: Answer) -> Step {
        match (self.0, answer) {
            (_, Answer::Failed(why)) => Step::Failed(Why::Context(why)),
            (State::Context, Answer::Continue(token)) => send(token),
            (State::Context, Answer::Established { token, .. }) => {
                self.0 = State::Layers;
                send(token.unwrap_or_default())
            }
            (State::Layers, Answer::Octets(layers)) => match layers.first() {
                Some(layers) if layers & NONE != 0 => {
                    self.0 = State::Chosen;
                    let choice = [&[NONE, 0, 0, 0], credentials.user.as_bytes()].concat();
                    Step::Ask(Ask::Wrap(choice))
                }
                _ => Step::Failed(Why::Malformed("the server asks for a security layer")),
            },
            (State::Chosen, Answer::Octets(wrapped)) => send(wrapped),
            (state, answer) => panic!("{state:?} does not go with {answer:?}"),
        }
    }

    fn finish(&self) -> Result<(), Why> {
        if self.0 == State::Chosen { Ok(()) } else { Err(Why::Impostor) }
    }
}
