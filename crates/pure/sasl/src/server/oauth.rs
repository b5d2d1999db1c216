//! OAUTHBEARER (RFC 7628), and XOAUTH2, Google's forerunner of it: a token that somebody else gave out.
//!
//! A token that is refused is told with reasons, as JSON in one more challenge; whatever the client says to
//! that, the login has failed (RFC 7628 section 3.2.3).

use super::{Answer, Ask, Context, Machine, Next, Why, name};
use crate::{
    Secret,
    gs2::{Flag, Header},
};

/// What parts the pairs.
const SEPARATOR: char = '\u{1}';

/// A token on its way.
pub(super) struct OAuth {
    form: Form,
    user: Option<String>,
    /// The client has been told why.
    refused: bool,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `n,a=anna@a.test,^Aauth=Bearer token^A^A`
    Bearer,
    /// `user=anna@a.test^Aauth=Bearer token^A^A`
    XOAuth2,
}

impl OAuth {
    pub(super) fn new(form: Form) -> Self {
        Self { form, user: None, refused: false }
    }

    /// The user and the token.
    fn read(&self, text: &str) -> Result<(Option<String>, Secret), &'static str> {
        let (user, pairs) = match self.form {
            Form::XOAuth2 => (None, text),
            Form::Bearer => {
                let (header, rest) = Header::split_from(text).ok_or("no GS2 header")?;
                if matches!(header.flag, Flag::Does(_)) {
                    // RFC 7628 section 3.1: no binding without -PLUS.
                    return Err("a channel binding");
                }
                (header.authorization, rest.strip_prefix(SEPARATOR).ok_or("no pairs")?)
            }
        };
        let pairs = pairs.strip_suffix("\u{1}\u{1}").ok_or("no end")?;
        let (mut user, mut token) = (user, None);
        for pair in pairs.split(SEPARATOR) {
            match pair.split_once('=').ok_or("a pair without `=`")? {
                ("user", value) if self.form == Form::XOAuth2 => user = Some(value.to_owned()),
                ("auth", value) => token = Some(value),
                // `host` and `port` say nothing that we don't know.
                _ => {}
            }
        }
        let (scheme, token) = token.and_then(|it| it.split_once(' ')).ok_or("no token")?;
        // RFC 6750 section 2.1: b64token.
        let of_token = |o: u8| o.is_ascii_alphanumeric() || b"-._~+/=".contains(&o);
        match scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
            true if token.trim().bytes().all(of_token) => Ok((user, Secret::new(token.trim()))),
            _ => Err("no bearer token"),
        }
    }

    /// RFC 7628 section 3.2.2; Google's has numbers.
    fn error(&self, context: &Context) -> String {
        let mut fields = match self.form {
            Form::Bearer => vec![("status", "invalid_token")],
            Form::XOAuth2 => vec![("status", "401"), ("schemes", "bearer")],
        };
        fields.extend(context.tokens.scope.as_deref().map(|scope| ("scope", scope)));
        let configuration = context.tokens.configuration.as_deref();
        fields.extend(configuration.map(|url| ("openid-configuration", url)));
        let fields: Vec<_> = fields.iter().map(|(k, v)| format!("\"{k}\":{}", json(v))).collect();
        format!("{{{}}}", fields.join(","))
    }
}

impl Machine for OAuth {
    fn respond(&mut self, _: &Context, response: &[u8]) -> Next {
        if self.refused {
            return Next::Refuse(Why::Credentials);
        }
        let text = match name_with_separators(response) {
            Ok(text) => text,
            Err(why) => return Next::Refuse(why),
        };
        match self.read(text) {
            Ok((user, token)) => {
                self.user.clone_from(&user);
                Next::Ask(Ask::Token { user, token })
            }
            Err(what) => Next::Refuse(Why::Malformed(what)),
        }
    }

    fn answer(&mut self, context: &Context, answer: Answer) -> Next {
        match answer {
            Answer::User(user) => Next::Done { user, additional: None },
            Answer::No => {
                self.refused = true;
                Next::Challenge(self.error(context).into_bytes())
            }
            answer => panic!("a user was asked for, and not {answer:?}"),
        }
    }

    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

/// Text without control characters but those that part the pairs.
fn name_with_separators(octets: &[u8]) -> Result<&str, Why> {
    octets.split(|&octet| octet == 1).try_for_each(|part| name(part).map(drop))?;
    std::str::from_utf8(octets).map_err(|_| Why::Malformed("no text"))
}

/// A string of JSON (RFC 8259 section 7).
fn json(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}
