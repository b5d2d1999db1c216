//! Which refusals only follow from an earlier one.
//!
//! The first refused command is the cause: a RCPT after a refused MAIL, a DATA without a recipient that
//! was accepted, and what a client sends as content after a refused DATA can't but be refused as well.

use smtp::Stage;

use crate::{
    dialogue::{Dialogue, Exchange, Verb},
    evidence::plain,
};

/// For each exchange, the one whose refusal brought its own; `None` for causes and for what was accepted.
pub(crate) fn roots(dialogue: &Dialogue<'_>) -> Vec<Option<usize>> {
    let mut state = State::default();
    let mut roots = Vec::with_capacity(dialogue.exchanges.len());
    for (index, exchange) in dialogue.exchanges.iter().enumerate() {
        let root = exchange.is_refusal().then(|| state.root(dialogue, exchange)).flatten();
        state.account(index, exchange, root);
        roots.push(root);
    }
    roots
}

/// Refusals that later ones may follow from.
#[derive(Default)]
struct State {
    first: Option<usize>,
    greeting: Option<usize>,
    hello: Option<usize>,
    start_tls: Option<usize>,
    auth: Option<usize>,
    /// Of the transaction under way.
    transaction: Option<u32>,
    mail: Option<usize>,
    recipient: Option<usize>,
    has_recipient: bool,
    data: Option<usize>,
}

impl State {
    fn root(&self, dialogue: &Dialogue<'_>, exchange: &Exchange) -> Option<usize> {
        let is_same = exchange.transaction.is_some() && exchange.transaction == self.transaction;
        let mail = self.mail.filter(|_| is_same);
        let words = || plain(&dialogue.reply(exchange).text);
        let by_stage = match exchange.stage {
            Stage::Mail => self.before_mail(exchange, &words()),
            Stage::Rcpt => mail.or_else(|| self.before_mail(exchange, &words())),
            Stage::Data | Stage::EndOfData => {
                let no_recipient = is_same && !self.has_recipient;
                mail.or(self.recipient.filter(|_| no_recipient))
                    .or(self.data.filter(|_| exchange.verb == Verb::Bdat && is_same))
            }
            // Lines of content that the server, having refused DATA, takes for commands.
            _ if exchange.verb == Verb::Unknown && (500..=504).contains(&exchange.code) => {
                self.data
            }
            _ => None,
        };
        let by_count = || {
            let words = words();
            let is_limit =
                ["too many errors", "too many bad", "too many invalid", "too many unknown"]
                    .iter()
                    .any(|phrase| words.contains(phrase));
            self.first.filter(|_| is_limit)
        };
        self.greeting.or(by_stage).or_else(by_count)
    }

    /// What a refusal at MAIL or RCPT may follow from: no EHLO, no TLS, no login.
    fn before_mail(&self, exchange: &Exchange, words: &str) -> Option<usize> {
        let wants = |word: &str| words.contains(word);
        if let Some(start_tls) =
            self.start_tls.filter(|_| wants("starttls") || wants("tls required"))
        {
            return Some(start_tls);
        }
        let wants_login = exchange.code == 530 || wants("authenticat") || wants("relay");
        if let Some(auth) = self.auth.filter(|_| wants_login) {
            return Some(auth);
        }
        self.hello.filter(|_| exchange.code == 503)
    }

    fn account(&mut self, index: usize, exchange: &Exchange, root: Option<usize>) {
        let refused = exchange.is_refusal().then_some(index);
        if exchange.verb == Verb::Mail && exchange.transaction != self.transaction {
            self.transaction = exchange.transaction;
            (self.mail, self.recipient, self.has_recipient, self.data) = (None, None, false, None);
        }
        // Content taken for commands may hold any word; a known verb that is accepted ends it.
        if exchange.verb != Verb::Unknown && refused.is_none() {
            self.data = None;
        }
        let own = refused.filter(|_| root.is_none());
        match exchange.stage {
            Stage::Greeting => self.greeting = own,
            Stage::Ehlo => self.hello = own,
            Stage::StartTls => self.start_tls = own,
            Stage::Auth if exchange.code != 334 => self.auth = own,
            Stage::Mail => self.mail = own,
            Stage::Rcpt if refused.is_none() => self.has_recipient = true,
            Stage::Rcpt => self.recipient = self.recipient.or(own),
            // What comes next may be content that belongs to whatever made DATA fail.
            Stage::Data | Stage::EndOfData => self.data = self.data.or(root).or(refused),
            _ => {}
        }
        self.first = self.first.or(refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation;

    /// The codes of refusals, each with the code that it follows from.
    fn pairs(text: &str) -> Vec<(u16, Option<u16>)> {
        let session = notation::session(text);
        let dialogue = Dialogue::read(&session);
        let roots = roots(&dialogue);
        let of = |index: usize| dialogue.exchanges[index].code;
        (0..roots.len())
            .filter(|index| dialogue.exchanges[*index].is_refusal())
            .map(|index| (of(index), roots[index].map(of)))
            .collect()
    }

    const START: &str = "S: 220 r\nC: EHLO a\nS: 250 r\n";

    #[test]
    fn the_first_refusal_is_the_cause() {
        for (text, expected) in [
            (
                "C: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nC: DATA\nS: 550 no\nS: 503 first MAIL\nS: 503 no",
                vec![(550, None), (503, Some(550)), (503, Some(550))],
            ),
            (
                "C: MAIL FROM:<a@a>\nS: 250 ok\nC: RCPT TO:<b@b>\nS: 551 no\nC: DATA\nS: 554 no valid recipients",
                vec![(551, None), (554, Some(551))],
            ),
            // one recipient was accepted: DATA's refusal is its own
            (
                "C: MAIL FROM:<a@a>\nS: 250 ok\nC: RCPT TO:<b@b>\nS: 551 no\nC: RCPT TO:<c@b>\nS: 250 ok\n\
                 C: DATA\nS: 554 no",
                vec![(551, None), (554, None)],
            ),
            // another transaction is another matter
            (
                "C: MAIL FROM:<a@a>\nS: 550 no\nC: RSET\nS: 250 ok\nC: MAIL FROM:<c@a>\nS: 250 ok\n\
                 C: RCPT TO:<b@b>\nS: 551 no",
                vec![(550, None), (551, None)],
            ),
            (
                "C: AUTH PLAIN x\nS: 535 no\nC: MAIL FROM:<a@a>\nS: 530 log in first",
                vec![(535, None), (530, Some(535))],
            ),
            (
                "C: DATA\nS: 503 no\nC: Subject: x\nS: 500 what\nC: hello\nS: 500 what",
                vec![(503, None), (500, Some(503)), (500, Some(503))],
            ),
            (
                "C: MAIL FROM:<a@a>\nS: 250 ok\nC: RCPT TO:<b@b>\nS: 551 no\nC: DATA\nS: 554 no valid recipients\n\
                 C: Subject: x\nS: 500 what",
                vec![(551, None), (554, Some(551)), (500, Some(551))],
            ),
        ] {
            assert_eq!(pairs(&format!("{START}{text}")), expected, "{text}");
        }
    }
}
