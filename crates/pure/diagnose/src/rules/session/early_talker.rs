//! A client that speaks before the server has greeted (RFC 5321 section 3.1), and what the server made of it.

use super::{About, Observed};
use crate::{
    finding::{Confidence, Finding, Weight},
    session::Kind,
};

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    if !dialogue.has_start || observed.may_lack_lines() {
        return;
    }
    let Some(greeting) = dialogue.greeting() else { return };
    // Something came before it that the client may have taken for a greeting.
    if dialogue.malformed.first().is_some_and(|line| *line < greeting.first) {
        return;
    }
    let early = dialogue.commands.first().filter(|command| command.line < greeting.reply);
    let minds = |text: &str| {
        let text = text.to_lowercase();
        [
            "synchroni",
            "too early",
            "talked early",
            "pregreet",
            "before greeting",
            "before the greeting",
        ]
        .iter()
        .any(|word| text.contains(word))
    };
    let refused = dialogue.exchanges.iter().take(3).find(|exchange| {
        let is_greeting = exchange.first == greeting.first && early.is_some();
        exchange.is_refusal() && (is_greeting || minds(&dialogue.reply(exchange).text))
    });
    let (line, command, weight) = match (refused, early) {
        (Some(exchange), _) => (exchange.reply, exchange.command, Weight::Failure),
        (None, Some(command)) => (command.line, None, Weight::Remark),
        (None, None) => return,
    };
    found.push(observed.finding("early-talker", Some(line), About {
        what: match early {
            Some(_) => "the client spoke before the greeting was complete".to_owned(),
            None => format!("{} says that the client spoke out of turn", observed.peer),
        },
        command,
        who: observed.sender(),
        confidence: if early.is_some() { Confidence::Certain } else { Confidence::Likely },
        why: "SMTP clients have to wait for the whole greeting, and, without PIPELINING, for every reply. Spam programs \
              do not, so that servers refuse who talks early (greet delay, postscreen, Exim's synchronization check). A \
              box in between that answers for the server makes an honest client look the same."
            .to_owned(),
        remedy: "Who runs the sending program has to let it wait for the last line of the greeting (`220 `, not `220-`)."
            .to_owned(),
        weight,
        ..About::default()
    }));
    debug_assert!(dialogue.line(line).is_some_and(|line| !matches!(line.kind, Kind::Gap { .. })));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{none, one};

    #[test]
    fn spoke_first() {
        let taken = "-- connected\nC: EHLO a\nS: 220 r\nS: 250 r\nC: QUIT\nS: 221 b";
        assert_eq!(one(taken, "early-talker").weight, Weight::Remark);
        let refused = "-- connected\nC: EHLO a\nS: 554 5.5.1 no\n-- S closed";
        assert_eq!(one(refused, "early-talker").weight, Weight::Failure);
        let between = "-- connected\nS: 220-r\nC: EHLO a\nS: 220 r\nS: 250 r\nC: QUIT\nS: 221 b";
        assert_eq!(one(between, "early-talker").weight, Weight::Remark);
    }

    #[test]
    fn waited() {
        none("S: 220-r\nS: 220 r\nC: EHLO a\nS: 250 r\nC: QUIT\nS: 221 b", "early-talker");
        // the capture begins in the middle
        none("-- wire: handshake_seen=no\nC: EHLO a\nS: 220 r\nS: 250 r", "early-talker");
        none("S: 554 no\n-- S closed", "early-talker");
    }
}
