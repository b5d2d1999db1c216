//! What a broken thing does, as a file.
//!
//! ```toml
//! kind = "server"
//! what = "Puts off the first attempt with 450, as greylisting does."
//! imitates = "postgrey, Exchange Edge, many providers"
//! finds = ["greylisting"]
//!
//! [[server.on]]
//! command = "RCPT"
//! sessions = 1
//! reply = "450 4.2.0 Greylisted, please come back in a minute"
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod table;

/// A scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called; of a file its name.
    #[serde(skip_deserializing)]
    pub name: String,
    /// Which of the two it is.
    pub kind: Kind,
    /// What it does, in a sentence.
    pub what: String,
    /// Which real things do so.
    pub imitates: String,
    /// The rules by which `analyze` and `why` name it; one of them is enough. Empty: nothing is wrong.
    #[serde(default)]
    pub finds: Vec<String>,
    /// Whether a transfer agent that looks for a way round gets a message through.
    #[serde(default)]
    pub passes: bool,
    /// How the server behaves; of a middlebox, nothing.
    #[serde(default)]
    pub server: ServerScript,
    /// How the box behaves; of a server, nothing.
    #[serde(default)]
    pub middlebox: BoxScript,
}

/// What a scenario plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The end that is connected to.
    Server,
    /// Something between the two ends.
    Middlebox,
}

/// A server: what it says of itself, and where it misbehaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerScript {
    /// Its name, in the greeting and in the EHLO reply.
    pub name: String,
    /// What comes after `220 NAME `.
    pub greeting: String,
    /// EHLO keywords.
    pub offers: Vec<String>,
    /// What stands in for the usual behaviour; the first that fits counts.
    pub on: Vec<On>,
}

/// What a server does at one point, instead of what it should.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct On {
    /// A verb; `CONNECT` for the greeting, `CONTENT` while content comes, `DOT` at its end, `ANY`.
    pub command: String,
    /// Only where the command's argument has this in it, whatever the case.
    pub contains: Option<String>,
    /// Only the n-th time in a session, from 1.
    pub nth: Option<u32>,
    /// Only from the n-th time in a session on.
    pub from: Option<u32>,
    /// Only in the first so many sessions.
    pub sessions: Option<u32>,
    /// Only so many seconds after the first session.
    pub within_s: Option<u64>,
    /// The reply's lines; CRLF is added. Its first digit decides whether the command counts as accepted.
    pub reply: Option<Say>,
    /// Octets as they are, instead of a reply.
    pub raw: Option<String>,
    /// Milliseconds to wait before it.
    #[serde(default)]
    pub delay_ms: u64,
    /// Milliseconds between any two octets of the reply.
    #[serde(default)]
    pub drip_ms: u64,
    /// What happens to the connection after it.
    #[serde(default)]
    pub then: Then,
    /// Octets of content after which it happens; for `CONTENT`.
    #[serde(default)]
    pub after_octets: u64,
}

/// One line or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Say {
    /// One.
    Line(String),
    /// Several.
    Lines(Vec<String>),
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// It goes on.
    #[default]
    Go,
    /// It is closed in order (FIN).
    Close,
    /// It is broken off (RST).
    Reset,
    /// It stays open, and nothing is said any more.
    Silence,
}

/// A box in between: what it does to which words.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoxScript {
    /// The first that fits a line counts.
    pub rule: Vec<Rule>,
}

/// One thing that a box does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Whose words it is about.
    pub of: Side,
    /// Of the client: a verb, or `CONTENT`, or `ANY`. Of the server: the command that is answered,
    /// `CONNECT` for the greeting.
    pub at: String,
    /// Of the server's EHLO reply: only the lines of these keywords.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Only what came in one piece with a command before it that has no reply yet.
    #[serde(default)]
    pub pipelined: bool,
    /// Only the n-th of its kind in a session, from 1.
    pub nth: Option<u32>,
    /// Only from the n-th on.
    pub from: Option<u32>,
    /// Only what is longer than this, in octets.
    pub longer: Option<usize>,
    /// What is done.
    pub act: Act,
    /// For `replace`: the verb or line that stands in.
    pub with: Option<String>,
    /// For `remove`: what the box answers in the server's name.
    pub answer: Option<String>,
}

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The client's.
    Client,
    /// The server's.
    Server,
}

/// What is done to words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Left as they are; to exempt something from a later rule.
    Pass,
    /// Taken out.
    Remove,
    /// Overwritten, the length kept: a verb or keyword by `X`, a greeting by `*`.
    Mask,
    /// Another verb (of a command) or another line (of a reply) in their place.
    Replace,
    /// Taken out, and nothing of that side passes any more.
    Swallow,
    /// Taken out, and both connections closed (FIN).
    Close,
    /// Taken out, and both connections broken off (RST).
    Reset,
    /// Of content: its end (CRLF.CRLF) is taken out.
    CutEnd,
}

/// What can be wrong with a scenario.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// There is none of that name.
    #[error("there is no scenario `{0}`; `mailwright lab list` has them all")]
    Unknown(String),
    /// It is of the other kind.
    #[error("`{0}` is a {1}")]
    OtherKind(String, &'static str),
    /// The file does not say what a scenario has to.
    #[error("scenario `{name}`: {why}")]
    Unclear {
        /// Which.
        name: String,
        /// What, and where.
        why: String,
    },
}

impl Default for ServerScript {
    fn default() -> Self {
        let offers =
            ["PIPELINING", "SIZE 10485760", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING"];
        Self {
            name: "lab.test".to_owned(),
            greeting: "ESMTP lab".to_owned(),
            offers: offers.map(str::to_owned).to_vec(),
            on: Vec::new(),
        }
    }
}

impl On {
    /// How long to wait.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    /// How long to wait between any two octets.
    pub fn drip(&self) -> Duration {
        Duration::from_millis(self.drip_ms)
    }

    /// The lines of its reply.
    pub fn lines(&self) -> Option<Vec<&str>> {
        match self.reply.as_ref()? {
            Say::Line(line) => Some(vec![line]),
            Say::Lines(lines) => Some(lines.iter().map(String::as_str).collect()),
        }
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Middlebox => "middlebox",
        }
    }
}

impl Scenario {
    /// Reads the text of a scenario file.
    ///
    /// # Errors
    /// [`ScenarioError::Unclear`] with the place in the text.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let unclear = |why: String| ScenarioError::Unclear { name: name.to_owned(), why };
        let mut scenario: Self =
            toml::from_str(text).map_err(|error| unclear(error.to_string()))?;
        name.clone_into(&mut scenario.name);
        let is_other = match scenario.kind {
            Kind::Server => !scenario.middlebox.rule.is_empty(),
            Kind::Middlebox => !scenario.server.on.is_empty(),
        };
        if is_other {
            let why = format!("a {} has no rules of the other kind", scenario.kind.word());
            return Err(unclear(why));
        }
        Ok(scenario)
    }

    /// One of ours, by name.
    ///
    /// # Errors
    /// [`ScenarioError::Unknown`]
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        Self::parse(name, text(name)?)
    }

    /// The same scenario, if it is of that kind.
    ///
    /// # Errors
    /// [`ScenarioError::OtherKind`]
    pub fn of_kind(self, kind: Kind) -> Result<Self, ScenarioError> {
        if self.kind == kind {
            return Ok(self);
        }
        Err(ScenarioError::OtherKind(self.name, self.kind.word()))
    }
}

/// The text of one of ours.
///
/// # Errors
/// [`ScenarioError::Unknown`]
pub fn text(name: &str) -> Result<&'static str, ScenarioError> {
    let found = table::TABLE.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| ScenarioError::Unknown(name.to_owned()))
}

/// All scenarios that come with the product.
///
/// # Errors
/// None, as a test reads them all.
pub fn all() -> Result<Vec<Scenario>, ScenarioError> {
    table::TABLE.iter().map(|(name, text)| Scenario::parse(name, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_can_be_read_and_say_what_they_are() {
        let all = all().unwrap();
        assert!(all.len() >= 40);
        for scenario in &all {
            assert!(scenario.what.ends_with('.'), "{}", scenario.name);
            assert!(!scenario.imitates.is_empty(), "{}", scenario.name);
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        for (text, why) in [
            ("kind = 'server'\nwhat = 'x.'\nimitates = 'y'\nfind = 1", "unknown field `find`"),
            ("kind = 'proxy'\nwhat = 'x.'\nimitates = 'y'", "unknown variant `proxy`"),
            (
                "kind = 'middlebox'\nwhat = 'x.'\nimitates = 'y'\n[[server.on]]\ncommand = 'MAIL'",
                "no rules of the other kind",
            ),
        ] {
            let error = Scenario::parse("mine", text).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("mine"), "{error}");
        }
        assert!(matches!(Scenario::named("nonsense"), Err(ScenarioError::Unknown(_))));
    }
}
