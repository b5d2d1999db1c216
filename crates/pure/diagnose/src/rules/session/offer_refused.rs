//! A verb that the server has just offered is not known to it (the *offer rule*); BDAT above all, which
//! inspecting firewalls refuse or cut off.

use smtp::Stage;

use super::{About, Broken, Observed};
use crate::{
    dialogue::{Exchange, Verb},
    finding::{Confidence, Finding, Party, Weight},
    session::Kind,
};

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    if cut_in_chunk(observed, found) {
        return;
    }
    let not_known = observed.dialogue.exchanges.iter().filter(|exchange| {
        matches!(exchange.code, 500 | 502) && matches!(exchange.verb, Verb::Bdat | Verb::Auth)
    });
    let mut last = None;
    for exchange in not_known {
        let keyword = if exchange.verb == Verb::Bdat { "CHUNKING" } else { "AUTH" };
        let is_offered =
            |first| observed.offer_before(first).is_some_and(|(_, offer)| offer.has(keyword));
        // Several chunks of one transaction are refused for one reason.
        if is_offered(exchange.first) && last != Some((exchange.verb, exchange.transaction)) {
            last = Some((exchange.verb, exchange.transaction));
            found.push(refused(observed, exchange, keyword));
        }
    }
}

fn refused(observed: &Observed<'_>, exchange: &Exchange, keyword: &str) -> Finding {
    let name = exchange.verb.name();
    let rule = if exchange.verb == Verb::Bdat { "bdat-blocked" } else { "offer-refused" };
    let without = if exchange.verb == Verb::Bdat {
        "Until then send with DATA: ignore the server's CHUNKING."
    } else {
        "Until then another port (587, 465) may get through."
    };
    observed.finding(rule, Some(exchange.reply), About {
        what: format!("{} offered {keyword} and answered {name} with {}", observed.peer, exchange.code),
        command: exchange.command,
        who: Party::Between,
        confidence: Confidence::Likely,
        why: format!(
            "A server knows the verbs that it has just offered. That {name} was not known is explained by a box in \
             between that does not know it and overwrote or refused it; less likely the server's own configuration \
             contradicts itself."
        ),
        remedy: format!("Let the firewall pass {name}, or switch off its inspection of SMTP. {without}"),
        weight: Weight::Failure,
        next_test: Some(format!(
            "a capture on the server's side of the box: if {name} is not in it as it was sent, the box changed it"
        )),
        ..About::default()
    })
}

/// The session died at a chunk.
fn cut_in_chunk(observed: &Observed<'_>, found: &mut Vec<Finding>) -> bool {
    let dialogue = observed.dialogue;
    let Some((cut, after)) = observed.cut.and_then(|cut| Some((cut, cut.after?))) else {
        return false;
    };
    let owner = dialogue.commands.iter().rev().find(|command| command.line <= after);
    let Some(command) = owner.filter(|command| command.verb == Verb::Bdat) else { return false };
    // Full-size packets that nobody acknowledges are told by a rule that knows why.
    if super::black_hole::is_one(observed) {
        return false;
    }
    let how = match cut.how {
        Broken::Silence => "no answer came any more",
        Broken::Reset => "the connection was reset",
        Broken::Closed => "the connection was closed",
    };
    let begun = dialogue.line(after).is_some_and(|line| matches!(line.kind, Kind::Blob { .. }));
    let where_to = if begun { "in the middle of its chunk" } else { "right after it" };
    found.push(observed.finding("bdat-blocked", Some(command.line), About {
        what: format!("BDAT was sent, and {how} {where_to}"),
        command: Some(command.line),
        who: Party::Between,
        confidence: Confidence::Possible,
        why: "All commands went through until the content came as a chunk (BDAT). Firewalls that inspect SMTP and do \
              not know BDAT (old ASA, ISA Server and others) cut or swallow it; a network that loses big packets, or a \
              server that crashes, looks the same from here."
            .to_owned(),
        remedy: "Send once with DATA instead (ignore the server's CHUNKING). If that passes, let the firewall pass \
                 BDAT, or switch off its inspection of SMTP."
            .to_owned(),
        // Whoever sends again with DATA gets through.
        retry_helps: true,
        next_test: Some(
            "the same message once with DATA: if it passes, BDAT is what trips the box; if it dies as well, its size or \
             its content does"
                .to_owned(),
        ),
        ..About::default()
    }));
    debug_assert!(command.stage == Stage::Data || command.stage == Stage::EndOfData);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{none, one};

    const READY: &str = "S: 220 r ESMTP\nC: EHLO a\nS: 250-r\nS: 250-AUTH PLAIN\nS: 250 CHUNKING\n\
                         C: MAIL FROM:<a@a>\nS: 250 ok\nC: RCPT TO:<b@b>\nS: 250 ok\n";

    #[test]
    fn blocked() {
        let finding =
            one(&format!("{READY}C: BDAT 9 LAST\nC: <blob 9 of 9>\nS: 500 what"), "bdat-blocked");
        assert_eq!((finding.who, finding.confidence), (Party::Between, Confidence::Likely));
        for end in ["-- S reset", "-- S closed", "-- +300s\n-- C closed"] {
            let finding =
                one(&format!("{READY}C: BDAT 9 LAST\nC: <blob 9 of 9>\n{end}"), "bdat-blocked");
            assert_eq!(
                (finding.command, finding.confidence),
                (Some(9), Confidence::Possible),
                "{end}"
            );
        }
        assert_eq!(
            one(&format!("{READY}C: AUTH PLAIN x\nS: 502 what"), "offer-refused").command,
            Some(9)
        );
    }

    #[test]
    fn near_misses() {
        none(&format!("{READY}C: BDAT 9 LAST\nC: <blob 9 of 9>\nS: 554 spam"), "bdat-blocked");
        none(&format!("{READY}C: VRFY a\nS: 502 no"), "offer-refused");
        none(&format!("{READY}C: DATA\nS: 354 go\nC: <content 9>\n-- S reset"), "bdat-blocked");
        let bare = "S: 220 r\nC: EHLO a\nS: 250-r\nS: 250 SIZE\nC: BDAT 9 LAST\nS: 500 what";
        none(bare, "bdat-blocked");
    }
}
