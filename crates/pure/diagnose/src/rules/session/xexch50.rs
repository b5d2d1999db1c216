//! XEXCH50 and X-LINK2STATE, private verbs of old Exchange servers, which inspecting firewalls on the way
//! often do not know: refused they are harmless, but a session that dies of one is stuck.

use smtp::Party as By;

use super::{About, Broken, FOUND_MAX, Observed};
use crate::{
    dialogue::{Command, Verb},
    finding::{Confidence, Finding, Party, Weight},
};

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    let is_private = |command: &&Command| matches!(command.verb, Verb::Xexch50 | Verb::Xlink2State);
    let Some(last) = dialogue.commands.iter().rev().find(is_private) else { return };
    if let Some(finding) = died(observed, last) {
        found.push(finding);
        return;
    }
    for command in dialogue.commands.iter().filter(is_private).take(FOUND_MAX) {
        if let Some(exchange) = dialogue.answer(command).filter(|exchange| exchange.is_refusal()) {
            let name = command.verb.name();
            let is_last = dialogue.commands.last().is_some_and(|last| last.line == command.line);
            let more = if is_last { "" } else { ", and the session went on" };
            found.push(observed.finding(rule(command.verb), Some(exchange.reply), About {
                what: format!("{} refused {name} with {}{more}", observed.peer, exchange.code),
                command: exchange.command,
                confidence: Confidence::Certain,
                why: format!(
                    "{name} is a verb that Exchange servers of one organization use among themselves. Between \
                     strangers it is refused (usually 504, login needed), and the mail goes on without it."
                ),
                remedy: "Nothing to do. Who minds the remark in the log can stop the sending Exchange from using \
                         the verb (SuppressExternal)."
                    .to_owned(),
                weight: Weight::Remark,
                ..About::default()
            }));
        }
    }
}

fn rule(verb: Verb) -> &'static str {
    if verb == Verb::Xexch50 { "xexch50" } else { "x-link2state" }
}

/// The session ended at this command: behind it nothing but its refusal came.
fn died(observed: &Observed<'_>, command: &Command) -> Option<Finding> {
    let dialogue = observed.dialogue;
    let survived = dialogue.exchanges.iter().rev().any(|e| e.reply > command.line && e.code < 421);
    let answer = dialogue.answer(command);
    let is_refused_and_over = answer.is_some_and(|e| {
        let is_last = dialogue.exchanges.last().is_some_and(|last| last.reply == e.reply);
        is_last
            && (matches!(e.code, 421 | 500..=502) && observed.is_ours()
                || matches!(e.code, 421 | 500..=502 | 504) && observed.cut.is_some())
    });
    let at_stake = observed.cut.filter(|cut| cut.after.is_some_and(|after| after >= command.line));
    if survived || !(is_refused_and_over || at_stake.is_some()) {
        return None;
    }
    let name = command.verb.name();
    let how = match observed.cut.map(|cut| (cut.how, cut.by)) {
        Some((Broken::Reset, Some(By::Client))) => "the client's side reset the connection",
        Some((Broken::Reset, _)) => "the connection was reset",
        Some((Broken::Silence, _)) => "no answer came any more",
        Some((Broken::Closed, _)) => "the connection was closed",
        None => "it was refused and the session was over",
    };
    let line = answer.map(|e| e.reply).or(Some(command.line));
    Some(observed.finding(rule(command.verb), line, About {
        what: format!("right after {name}, {how}"),
        command: Some(command.line),
        who: Party::Between,
        confidence: Confidence::Likely,
        why: format!(
            "The session ended right after {name}, a verb that only Exchange servers use among themselves. \
             Neither server minds it, but firewalls that read along and do not know it cut the connection."
        ),
        remedy: remedy(name, observed.is_ours()),
        next_test: Some(format!(
            "a capture on the server's side of the firewall: if {name} is not in it, or the break of the \
             connection did not come from the server, the box did it"
        )),
        ..About::default()
    }))
}

fn remedy(name: &str, is_ours: bool) -> String {
    match is_ours {
        true => format!(
            "Take {name} out of the route's `use`: the message does not need it. Or let the firewall pass SMTP \
             uninspected."
        ),
        false => format!(
            "Stop using the verb: the message does not need it. On the Exchange that sends, set SuppressExternal; \
             on the one that receives, stop announcing {name}; or let the firewall pass SMTP uninspected."
        ),
    }
}

#[cfg(test)]
mod tests {
    use smtp::{Stage, Trouble};

    use crate::{
        finding::{Party, Weight},
        rules::{
            session::testing::{none, one},
            testing::{found, reply},
        },
    };

    const START: &str = "S: 220 ex\nC: EHLO a\nS: 250-ex\nS: 250 XEXCH50\nC: MAIL FROM:<a@a.test>\nS: 250 ok\n\
                         C: RCPT TO:<bob@b.test>\nS: 250 ok\n";

    #[test]
    fn only_when_the_verb_was_sent_and_the_session_died_of_it() {
        for (more, trouble, is_it) in [
            ("C: XEXCH50 1904 2\n-: closed", Trouble::Closed, true),
            ("-: closed", Trouble::Closed, false), // announced is not used
            // harmless: refused, then it goes on, and fails for another reason
            (
                "C: XEXCH50 1904 2\nS: 504 Need to authenticate first\nC: BDAT 1211 LAST\nS: 250 \
                 ok",
                Trouble::Closed,
                false,
            ),
            ("C: XEXCH50 1904 2\nS: 500 what", Trouble::Reply(reply("500 what")), true),
        ] {
            let finding = found(&format!("{START}{more}"), Stage::Other, trouble);
            assert_eq!(finding.rule == "xexch50", is_it, "{more}: {finding:?}");
        }
    }

    #[test]
    fn seen_on_the_wire() {
        let reset = format!("{START}C: XEXCH50 1904 2\n-- S reset");
        assert_eq!(one(&reset, "xexch50").who, Party::Between);
        let silent = format!("{START}C: X-LINK2STATE LAST CHUNK={{x}}\n-- +60s\n-- C closed");
        assert_eq!(one(&silent, "x-link2state").weight, Weight::Failure);
        let refused = format!(
            "{START}C: XEXCH50 1904 2\nS: 504 Need to authenticate first\nC: BDAT 1211 LAST\nC: <blob 1211 of \
             1211>\nS: 250 ok\nC: QUIT\nS: 221 bye\n-- S closed"
        );
        assert_eq!(one(&refused, "xexch50").weight, Weight::Remark);
        none(&format!("{START}-- S reset"), "xexch50");
        // Field case 5: the server said no more than that, and a box ended it.
        let cut =
            format!("{START}C: XEXCH50 1904 2\nS: 504 Need to authenticate first\n-- S closed");
        let finding = one(&cut, "xexch50");
        assert_eq!((finding.who, finding.weight), (Party::Between, Weight::Failure));
    }
}
