//! A client's line: what is shown of it, and what has to follow.

use diagnose::session::{Ending, Kind, Party};
use smtp::command::Chunk;

use super::{
    dialogue::{Asked, Dialogue, Wrapping},
    line::WholeLine,
    state::{Blob, Client, Then, Wait},
    verb::{self, Command, SECRET},
};

impl Dialogue {
    pub(super) fn client_line(&mut self, line: WholeLine) {
        if self.client.tls_due && self.client.wrapping == Wrapping::Clear {
            self.client.tls_due = false;
            self.record
                .remark(line.first, "the client speaks in clear though STARTTLS was accepted");
        }
        let command = verb::command(&line.text);
        let known = verb::looks_like_command(&line.text);
        let whole = line.ending != Ending::Missing;
        let (kind, text) = self.shown(&line, command, known);
        // It has heard that AUTH was refused, and goes on.
        let goes_on = command == Command::Reset || verb::is_mail_for_sure(&line.text);
        self.client.auth_refused &= !goes_on;
        self.push(Party::Client, kind, text, line.first, line.last);
        if kind == Kind::SaslResponse {
            self.ask(Asked::Auth);
        } else if whole {
            self.client.unsure &= !known;
            self.client.may_be_content &= !known;
            self.follow_command(command);
        }
    }

    /// What may be seen of it. No secret ever enters a line.
    fn shown(&self, line: &WholeLine, command: Command, known: bool) -> (Kind, Vec<u8>) {
        let kind = Kind::Command(line.ending);
        if command == Command::Auth || verb::may_hold_secret(&line.text) {
            return (kind, verb::strike_out(&line.text));
        }
        if !known && self.client.unsure && verb::looks_like_response(&line.text) {
            return (Kind::SaslResponse, SECRET.as_bytes().to_vec());
        }
        // A client that did not wait for the refusal of AUTH sends its password as a command.
        if !known && command == Command::Other && self.client.auth_refused {
            return (kind, SECRET.as_bytes().to_vec());
        }
        (kind, line.text.clone())
    }

    fn follow_command(&mut self, command: Command) {
        let (asked, state) = match command {
            Command::Rcpt => (Asked::Rcpt, Client::Lines),
            Command::Data => (Asked::Data, Client::Waiting(Wait::Data)),
            Command::Auth => (Asked::Auth, Client::Waiting(Wait::Auth)),
            Command::StartTls => (Asked::StartTls, Client::Waiting(Wait::StartTls)),
            Command::Xexch50(octets) => (Asked::Xexch50, Client::Waiting(Wait::Xexch50(octets))),
            Command::Bdat(Chunk::Size { size, last, .. }) => {
                let blob =
                    if size > 0 { Client::Blob(Blob::new(size, None)) } else { Client::Lines };
                (Asked::Bdat { last }, blob)
            }
            Command::LinkState(octets) if octets > 0 => {
                (Asked::Other, Client::Peek(Then::Blob(Blob::new(octets, None))))
            }
            Command::Lhlo | Command::Reset => {
                self.is_lmtp |= command == Command::Lhlo;
                self.accepted = 0;
                (Asked::Other, Client::Lines)
            }
            _ => (Asked::Other, Client::Lines),
        };
        self.ask(asked);
        self.client.state = state;
    }

    /// A line within a SASL exchange.
    pub(super) fn response(&mut self, line: WholeLine) {
        let text = if line.text == b"*" { line.text } else { SECRET.as_bytes().to_vec() };
        self.push(Party::Client, Kind::SaslResponse, text, line.first, line.last);
        self.ask(Asked::Auth);
        self.client.state = Client::Waiting(Wait::Auth);
    }
}
