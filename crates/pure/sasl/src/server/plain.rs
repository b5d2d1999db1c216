//! PLAIN (RFC 4616), and LOGIN, its unpublished forerunner (draft-murchison-sasl-login): the password as
//! it is.

use super::{Answer, Ask, Context, Machine, Next, Why, name};
use crate::Secret;

/// Authorization identity, NUL, authentication identity, NUL, password.
#[derive(Default)]
pub(super) struct Plain {
    user: String,
}

/// User and password, each asked for.
#[derive(Default)]
pub(super) struct Login {
    user: Option<String>,
}

impl Machine for Plain {
    fn respond(&mut self, _: &Context, response: &[u8]) -> Next {
        let mut parts = response.split(|&octet| octet == 0);
        let (Some(authorization), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Next::Refuse(Why::Malformed("not two NULs"));
        };
        self.user = match name(user) {
            Ok(user) => user,
            Err(why) => return Next::Refuse(why),
        };
        // Nobody acts for another here.
        if !authorization.is_empty() && authorization != user {
            return Next::Refuse(Why::Credentials);
        }
        ask(&self.user, password)
    }

    fn answer(&mut self, _: &Context, answer: Answer) -> Next {
        judged(answer)
    }

    fn user(&self) -> Option<&str> {
        Some(&self.user)
    }
}

impl Machine for Login {
    fn challenge(&mut self, _: &Context) -> Vec<u8> {
        b"Username:".to_vec()
    }

    fn respond(&mut self, _: &Context, response: &[u8]) -> Next {
        if let Some(user) = &self.user {
            return ask(user, response);
        }
        match name(response) {
            Ok(user) => {
                self.user = Some(user);
                Next::Challenge(b"Password:".to_vec())
            }
            Err(why) => Next::Refuse(why),
        }
    }

    fn answer(&mut self, _: &Context, answer: Answer) -> Next {
        judged(answer)
    }

    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

fn ask(user: &str, password: &[u8]) -> Next {
    if user.is_empty() || password.is_empty() {
        return Next::Refuse(Why::Credentials);
    }
    // RFC 4616 section 2: both are UTF-8.
    match std::str::from_utf8(password) {
        Ok(_) => {
            Next::Ask(Ask::Password { user: user.to_owned(), password: Secret::new(password) })
        }
        Err(_) => Next::Refuse(Why::Malformed("a password that is no text")),
    }
}

/// What a back end's plain yes or no comes to.
pub(super) fn judged(answer: Answer) -> Next {
    match answer {
        Answer::User(user) => Next::Done { user, additional: None },
        Answer::No => Next::Refuse(Why::Credentials),
        answer => panic!("a yes or a no was asked for, and not {answer:?}"),
    }
}
