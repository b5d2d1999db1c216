//! Hearing replies, commands between transactions, and every way a session ends.

use std::time::Duration;

use super::{Awaited, Client, Output, State};
use crate::{
    outcome::{Cause, Stage, Trouble},
    reply::parse::{Heard, ReplyReader, excerpt},
    status::EnhancedStatus,
    transcript::Party,
};

impl Client {
    /// The peer closed the connection. What it owed us is not coming any more.
    pub fn closed_by_peer(&mut self, now: Duration) {
        self.wire.now = now;
        self.lose("the connection was closed by the peer", Trouble::Closed);
    }

    /// The operating system reported a failure of the connection, in its words.
    pub fn network_failed(&mut self, now: Duration, text: String) {
        self.wire.now = now;
        self.lose(&format!("network: {text}"), Trouble::Network(text.clone()));
    }

    /// [`deadline`](Self::deadline) has passed; before that it does nothing.
    pub fn expire(&mut self, now: Duration) {
        self.wire.now = now;
        if let Some(deadline) = self.deadline.filter(|deadline| deadline.at <= now) {
            let trouble = Trouble::Silence(deadline.wait);
            self.lose(&trouble.to_string(), trouble);
        }
    }

    /// Ends the session with QUIT; `Close` comes when it was answered, or soon. In mid-transaction that
    /// gives the transaction up.
    pub fn quit(&mut self, now: Duration) {
        self.wire.now = now;
        match self.state {
            State::Ready { .. } => {
                self.say_quit();
                self.rearm();
            }
            State::Quitting | State::Closed => {}
            _ => {
                let text = "the session was ended from our side".to_owned();
                let trouble = Trouble::Local(EnhancedStatus::new(4, 3, 2), text);
                self.give_up(self.stage(), trouble);
            }
        }
    }

    /// Sends a command as it stands, up to its first line ending: VRFY, NOOP, whatever a person types.
    /// Only when ready; the reply comes as [`Output::Replied`]. A command that changes how the dialogue
    /// goes on (DATA, BDAT, STARTTLS) is not understood here.
    pub fn command(&mut self, now: Duration, line: &str) {
        self.wire.now = now;
        let State::Ready { secret, unfinished } = &mut self.state else { return };
        let line = line.split(['\r', '\n']).next().unwrap_or("");
        let verb = line.split(' ').next().unwrap_or("");
        // Somebody's MAIL may have begun a transaction.
        *unfinished |= verb.eq_ignore_ascii_case("MAIL");
        if *secret {
            self.wire.say_secretly(Awaited::Command, line, "****");
        } else if verb.eq_ignore_ascii_case("AUTH") {
            let mechanism = line.split_ascii_whitespace().nth(1).unwrap_or("");
            let mark = if line.split_ascii_whitespace().nth(2).is_some() { " ****" } else { "" };
            self.wire.say_secretly(Awaited::Command, line, &format!("{verb} {mechanism}{mark}"));
        } else {
            self.wire.say(Awaited::Command, |out| out.extend_from_slice(line.as_bytes()));
        }
        self.rearm();
    }

    /// One complete reply.
    pub(super) fn hear(&mut self, heard: &Heard<'_>) {
        for line in heard.lines() {
            self.wire.transcript.record(self.wire.now, Party::Server, line);
        }
        self.end_whole_chunk();
        let Some(awaited) = self.wire.awaited.pop_front() else {
            return self.hear_unasked(heard);
        };
        // RFC 5321 section 3.8: 421 to any command closes the session. Over LMTP it may be about one
        // recipient.
        let final_word =
            matches!(awaited, Awaited::Quit | Awaited::Command | Awaited::EndOfDataFor(_));
        if heard.code == 421 && !final_word {
            return self.give_up(awaited.stage(), Trouble::Reply(heard.to_reply()));
        }
        match awaited {
            Awaited::Greeting => self.hear_greeting(heard),
            Awaited::Ehlo => self.hear_ehlo(heard),
            Awaited::Helo => self.hear_helo(heard),
            Awaited::StartTls => self.hear_start_tls(heard),
            Awaited::Auth(turn) => self.hear_auth(turn, heard),
            Awaited::Command => self.hear_command(heard),
            Awaited::Quit => self.close(),
            _ => self.hear_in_transaction(awaited, heard),
        }
    }

    fn hear_command(&mut self, heard: &Heard<'_>) {
        self.outputs.push_back(Output::Replied(heard.to_reply()));
        if let State::Ready { secret, .. } = &mut self.state {
            *secret = heard.code == 334;
        }
        if heard.code == 421 {
            self.close();
        }
    }

    /// A reply that nothing asked for. Before the content has ended it is the peer's last word; at any
    /// other time nobody can tell any more which reply belongs to what.
    fn hear_unasked(&mut self, heard: &Heard<'_>) {
        if matches!(self.state, State::Transacting(_)) && heard.code >= 400 {
            return self.give_up(Stage::Content, Trouble::Reply(heard.to_reply()));
        }
        self.wire.note("nothing had asked for that reply");
        self.misunderstood(self.stage(), heard);
    }

    /// A reply that can't be one to what was asked.
    pub(super) fn misunderstood(&mut self, stage: Stage, heard: &Heard<'_>) {
        let line = excerpt(heard.lines().next().unwrap_or_default());
        let trouble = Trouble::Malformed(format!("`{line}` is no reply that fits ({stage})"));
        self.give_up(stage, trouble);
    }

    /// The connection is gone or silent.
    fn lose(&mut self, remark: &str, trouble: Trouble) {
        if matches!(self.state, State::Closed) {
            return;
        }
        let reader = std::mem::take(&mut self.reader);
        self.note_rest(&reader);
        self.wire.note(remark);
        self.give_up(self.stage(), trouble);
    }

    /// What came of a reply that never became whole is evidence too.
    pub(super) fn note_rest(&mut self, reader: &ReplyReader) {
        if !reader.rest().is_empty() {
            self.wire.note(format!("not a whole reply: `{}`", excerpt(reader.rest())));
        }
    }

    /// Ends the session without a further word. Whoever has no verdict yet gets this one; replies that
    /// were heard before stand.
    pub(super) fn give_up(&mut self, stage: Stage, trouble: Trouble) {
        let cause = Cause { stage, trouble };
        let asked = self.wire.awaited.contains(&Awaited::Command);
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Opening | State::Handshake { .. } => {
                self.outputs.push_back(Output::Failed { cause, permanent: false });
            }
            State::Ready { .. } if asked => {
                self.outputs.push_back(Output::Failed { cause, permanent: false });
            }
            State::Transacting(progress) => {
                self.outputs.push_back(Output::Finished(progress.end(Some(cause))));
            }
            State::Ready { .. } | State::Quitting => {}
            State::Closed => return,
        }
        self.close();
    }

    pub(super) fn say_quit(&mut self) {
        self.state = State::Quitting;
        self.wire.say(Awaited::Quit, |line| line.extend_from_slice(b"QUIT"));
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.wire.awaited.clear();
        self.wire.commands.clear();
        self.deadline = None;
        self.outputs.push_back(Output::Close);
    }
}
