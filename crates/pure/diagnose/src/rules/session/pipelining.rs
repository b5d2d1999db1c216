//! Commands sent together of which only the first is answered: whoever offers PIPELINING there does not
//! understand it.

use std::time::Duration;

use super::{About, Broken, Observed, SILENCE_MIN};
use crate::{
    dialogue::Command,
    finding::{Confidence, Finding, Party},
};

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let dialogue = observed.dialogue;
    let Some((position, waited)) = stuck(observed) else { return };
    let lost = &dialogue.commands[position];
    // It was sent together with one that was answered: before that one's reply came.
    let Some(before) = position.checked_sub(1).map(|before| &dialogue.commands[before]) else {
        return;
    };
    let Some(answer) = dialogue.answer(before) else { return };
    let is_together = lost.line < answer.first && answer.code < 400 && answer.is_sure;
    let is_offered =
        observed.offer_before(lost.line).is_some_and(|(_, offer)| offer.has("PIPELINING"));
    if !is_together || observed.may_lack_lines() {
        return;
    }
    let group =
        dialogue.commands[position..].iter().take_while(|c| c.line < answer.first).count() + 1;
    let (who, confidence, promise) = if is_offered {
        (
            Party::Between,
            Confidence::Likely,
            "PIPELINING was offered, so the client may send them so.",
        )
    } else {
        (
            observed.sender(),
            Confidence::Likely,
            "PIPELINING was not offered, so the client must not send them so.",
        )
    };
    let mut finding = observed.finding("pipelining-broken", Some(lost.line), About {
        what: format!(
            "of {group} commands sent together not all were answered; then nothing came for {}s",
            waited.as_secs()
        ),
        command: Some(lost.line),
        who,
        confidence,
        why: format!(
            "{promise} The first ones were answered, and the rest of the group seems never to have been read: that is \
             how proxies behave (virus scanners, firewalls) that pass on the server's offer but read one command at a \
             time. The server itself may have the same fault."
        ),
        remedy: "Do not use PIPELINING with this server (ignore the keyword), or take the proxy out of the path."
            .to_owned(),
        // One command at a time passes.
        retry_helps: true,
        next_test: Some(
            "a capture on the server's side of the proxy: if the later commands of the group are not in it, the proxy \
             lost them"
                .to_owned(),
        ),
        ..About::default()
    });
    let gave_up = dialogue.exchanges.last().filter(|last| last.code == 421);
    finding.consequences.extend(gave_up.map(|last| last.reply));
    found.push(finding);
}

/// The first command that got no answer in time: none before the session died, or only a `421` after a
/// long wait. Gives its position and the wait.
fn stuck(observed: &Observed<'_>) -> Option<(usize, Duration)> {
    let dialogue = observed.dialogue;
    let is_stuck = |command: &Command| command.answer.is_none();
    if observed.cut.is_some_and(|cut| cut.how == Broken::Silence || cut.waited >= SILENCE_MIN) {
        let waited = observed.cut?.waited;
        let first = dialogue.unanswered.first()?;
        let position = dialogue.commands.iter().position(|command| command.line == *first)?;
        return is_stuck(&dialogue.commands[position]).then_some((position, waited));
    }
    let position = dialogue.exchanges.iter().rposition(|exchange| exchange.code == 421)?;
    let (last, before) =
        (dialogue.exchanges[position], dialogue.exchanges.get(position.checked_sub(1)?)?);
    let waited = dialogue.line(last.first)?.at.saturating_sub(dialogue.line(before.reply)?.at);
    let index = dialogue.commands.iter().position(|command| Some(command.line) == last.command)?;
    (waited >= SILENCE_MIN).then_some((index, waited))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{START, found, none, one};

    #[test]
    fn only_the_first_is_answered() {
        let start = START.split_once("C: MAIL").unwrap().0;
        let group = "C: MAIL FROM:<a@a>\nC: RCPT TO:<b@b>\nC: DATA\nS: 250 ok\n-- +290s\n";
        for end in ["S: 421 timeout\n-- S closed", "-- C closed"] {
            let finding = one(&format!("{start}{group}{end}"), "pipelining-broken");
            assert_eq!((finding.line, finding.who), (Some(5), Party::Between), "{end}");
            assert!(finding.what.contains("3 commands"), "{}", finding.what);
            let all = found(&format!("{start}{group}{end}"));
            assert_eq!(all.len(), 1, "told once: {all:?}");
        }
    }

    #[test]
    fn near_misses() {
        // one at a time, and the server is slow
        none(&format!("{START}C: RCPT TO:<b@b>\n-- +290s\nS: 421 timeout"), "pipelining-broken");
        // all answered
        none(
            &format!(
                "{START}C: RCPT TO:<b@b>\nC: RCPT TO:<c@b>\nS: 250 ok\nS: 250 ok\n-- +290s\nS: 421 timeout"
            ),
            "pipelining-broken",
        );
        // the capture lost the replies
        none(
            &format!(
                "{START}C: RCPT TO:<b@b>\nC: RCPT TO:<c@b>\nS: 250 ok\nS: <gap 9>\n-- +290s\n-- C closed"
            ),
            "pipelining-broken",
        );
    }
}
