//! What was asked and not answered yet, in order: so that a reply is known by its command, and a forged
//! one comes when it is its turn.

use std::collections::VecDeque;

/// Commands without their replies.
#[derive(Default)]
pub struct Pending(VecDeque<Asked>);

struct Asked {
    verb: String,
    /// The box's own answer, if the server never saw the command.
    forged: Option<Vec<u8>>,
}

impl Pending {
    /// The greeting is what every connection waits for first.
    pub fn new() -> Self {
        Self(VecDeque::from([Asked { verb: "CONNECT".to_owned(), forged: None }]))
    }

    /// A command goes on to the server.
    pub fn sent(&mut self, verb: &str) {
        self.0.push_back(Asked { verb: verb.to_owned(), forged: None });
    }

    /// A command was kept, and this is said in its place.
    pub fn kept(&mut self, verb: &str, answer: &str) {
        let forged = Some(format!("{answer}\r\n").into_bytes());
        self.0.push_back(Asked { verb: verb.to_owned(), forged });
    }

    /// Whether the server still has to answer something.
    pub fn waits(&self) -> bool {
        self.0.iter().any(|asked| asked.forged.is_none())
    }

    /// The command that the server's next reply belongs to; empty if it speaks unasked.
    pub fn next(&self) -> &str {
        self.0.iter().find(|asked| asked.forged.is_none()).map_or("", |asked| &asked.verb)
    }

    /// The server's reply is complete.
    pub fn answered(&mut self) {
        if let Some(index) = self.0.iter().position(|asked| asked.forged.is_none()) {
            self.0.remove(index);
        }
    }

    /// Forged answers whose turn it is.
    pub fn due(&mut self) -> Vec<u8> {
        let mut due = Vec::new();
        while self.0.front().is_some_and(|asked| asked.forged.is_some()) {
            if let Some(asked) = self.0.pop_front() {
                due.extend(asked.forged.unwrap_or_default());
            }
        }
        due
    }
}
