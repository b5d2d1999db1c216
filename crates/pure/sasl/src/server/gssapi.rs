//! GSSAPI (RFC 4752 section 3.2): the tokens are for somebody who speaks Kerberos; here is what comes
//! around them, up to the agreement on no security layer, as TLS is there for that.

use super::{Answer, Ask, Context, Machine, Next, Why, name, plain::judged};
use crate::gss;

/// No security layer, and so no octets that one could have (section 3.1).
const NO_LAYER: [u8; 4] = [1, 0, 0, 0];

/// How far it has come.
pub(super) struct Gssapi {
    state: State,
    principal: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Tokens come and go.
    Context,
    /// The last token went; the client has nothing to say to it.
    LastToken,
    /// The layers that we have are being wrapped.
    Wrapping,
    /// The client has them, and chooses.
    Layers,
    /// It has chosen one: who is meant is asked.
    Chosen,
}

impl Gssapi {
    pub(super) fn new() -> Self {
        Self { state: State::Context, principal: String::new() }
    }

    fn offer_layers(&mut self) -> Next {
        self.state = State::Wrapping;
        Next::Ask(Ask::Gss(gss::Ask::Wrap(NO_LAYER.to_vec())))
    }

    /// The layer that the client chose, with the largest buffer it has, and as whom it wants to act.
    fn chosen(&mut self, octets: &[u8]) -> Next {
        let Some((layer, authorization)) = octets.split_at_checked(NO_LAYER.len()) else {
            return Next::Refuse(Why::Malformed("no choice of a security layer"));
        };
        if layer != NO_LAYER {
            return Next::Refuse(Why::Malformed("a security layer that was not offered"));
        }
        let authorization = match name(authorization) {
            Ok(text) => Some(text).filter(|text| !text.is_empty()),
            Err(why) => return Next::Refuse(why),
        };
        self.state = State::Chosen;
        Next::Ask(Ask::Principal { principal: self.principal.clone(), authorization })
    }
}

impl Machine for Gssapi {
    fn respond(&mut self, _: &Context, response: &[u8]) -> Next {
        match self.state {
            State::Context => Next::Ask(Ask::Gss(gss::Ask::Token(Some(response.to_vec())))),
            State::LastToken if response.is_empty() => self.offer_layers(),
            State::LastToken => Next::Refuse(Why::Malformed("a token where there was none left")),
            _ => Next::Ask(Ask::Gss(gss::Ask::Unwrap(response.to_vec()))),
        }
    }

    fn answer(&mut self, _: &Context, answer: Answer) -> Next {
        let answer = match (self.state, answer) {
            (_, Answer::Gss(gss::Answer::Failed(why))) => return Next::Refuse(Why::Context(why)),
            (State::Chosen, answer) => return judged(answer),
            (_, Answer::No) => return Next::Refuse(Why::Credentials),
            (_, Answer::Gss(answer)) => answer,
            (_, answer) => panic!("the security context was asked, and not {answer:?}"),
        };
        match (self.state, answer) {
            (State::Context, gss::Answer::Continue(token)) => Next::Challenge(token),
            (State::Context, gss::Answer::Established { token, peer }) => {
                self.principal = peer;
                match token {
                    Some(token) => {
                        self.state = State::LastToken;
                        Next::Challenge(token)
                    }
                    None => self.offer_layers(),
                }
            }
            (State::Wrapping, gss::Answer::Octets(wrapped)) => {
                self.state = State::Layers;
                Next::Challenge(wrapped)
            }
            (State::Layers, gss::Answer::Octets(octets)) => self.chosen(&octets),
            (state, answer) => panic!("{state:?} does not go with {answer:?}"),
        }
    }

    fn user(&self) -> Option<&str> {
        Some(&self.principal)
    }
}
