//! EXTERNAL (RFC 4422 appendix A): who it is was proven below us, by the client's certificate.

use super::{Answer, Ask, Context, Machine, Next, name, plain::judged};

/// The response is as whom the client wants to act; empty if as whoever it is.
#[derive(Default)]
pub(super) struct External {
    authorization: Option<String>,
}

impl Machine for External {
    fn respond(&mut self, _: &Context, response: &[u8]) -> Next {
        match name(response) {
            Ok(text) => {
                self.authorization = Some(text).filter(|text| !text.is_empty());
                Next::Ask(Ask::Certificate { authorization: self.authorization.clone() })
            }
            Err(why) => Next::Refuse(why),
        }
    }

    fn answer(&mut self, _: &Context, answer: Answer) -> Next {
        judged(answer)
    }

    fn user(&self) -> Option<&str> {
        self.authorization.as_deref()
    }
}
