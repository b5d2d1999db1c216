//! A session that was cut off right after something was said: what it was, whose packets did it, and whether
//! they were really theirs.

use smtp::{Party as By, Stage, Trouble};

use super::{About, Broken, Cut, Observed};
use crate::{
    dialogue::Verb,
    evidence::Evidence,
    finding::{Confidence, Finding, Party, Weight},
    rules,
    session::{Event, Kind, Line, Side},
};

/// Packets of one host may take ways of slightly different length; more hops apart they come from
/// elsewhere.
const TTL_APART_MIN: u8 = 3;
/// ASA's default: one more recipient and the connection is dropped without a word.
const RECIPIENTS_USUAL_MAX: usize = 100;
/// RFC 5321 section 4.5.3.1.4: longer command lines need not be taken, and some boxes drop them silently.
const COMMAND_LENGTH_MAX: usize = 510;

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let forged = forged(observed);
    if let Some(forged) = &forged
        && let Some(told) = found.iter_mut().find(|told| {
            told.weight == Weight::Failure && told.line.is_some() && told.line == forged.line
        })
    {
        // The cause is known already; this is one proof more of who did it.
        told.why = format!("{} And {}.", told.why, forged.what);
        return;
    }
    if let Some(forged) = forged {
        return found.push(forged);
    }
    // Our own attempt has rules for each kind of trouble, which know more than the lines.
    let Some(cut) = observed.cut.filter(|_| !observed.is_ours()) else { return };
    let is_told = |finding: &Finding| {
        let is_of_all = finding.rule == "pipelining-broken"
            || finding.rule == "pix-fixup" && observed.dialogue.exchanges.is_empty();
        finding.weight == Weight::Failure
            && (is_of_all
                || finding.command.is_some() && finding.command == cut.after
                || finding.line == cut.after && cut.after.is_some())
    };
    if found.iter().any(is_told) || !is_failure(observed, &cut) {
        return;
    }
    found.push(plain(observed, &cut));
}

/// Whether anything was at stake: something said and not answered, or a transaction under way.
fn is_failure(observed: &Observed<'_>, cut: &Cut) -> bool {
    let dialogue = observed.dialogue;
    if cut.after.is_some() || cut.how == Broken::Silence {
        return true;
    }
    let open = dialogue.exchanges.last().is_some_and(|last| {
        last.transaction.is_some() && last.stage != Stage::EndOfData && last.code < 400
    });
    // Nothing was said at all: connected and dropped.
    open || dialogue.exchanges.is_empty() && dialogue.has_start && dialogue.commands.is_empty()
}

fn plain(observed: &Observed<'_>, cut: &Cut) -> Finding {
    let stage = stage(observed, cut);
    let trouble = match cut.how {
        Broken::Silence => Trouble::Silence(cut.waited),
        Broken::Closed | Broken::Reset => Trouble::Closed,
    };
    let evidence = Evidence::of_trouble(observed.dialogue, stage, trouble);
    // Without packets that were all acknowledged nobody knows whether the content arrived.
    let arrived = observed.wire().is_some_and(|wire| wire.client.unacknowledged == 0);
    let by_content = rules::silence_after_content::explain(&evidence).filter(|_| !arrived);
    let mut finding = by_content
        .or_else(|| rules::broken_off::explain(&evidence))
        .unwrap_or_else(|| observed.finding("closed", None, About::default()));
    (finding.line, finding.command) = (cut.after.or(cut.line), cut.after);
    if cut.how == Broken::Reset {
        finding.rule = "reset".to_owned();
    }
    let after = cut.after.map(|line| {
        format!(" right after `{}`", crate::quote::quote(observed.dialogue.octets(line)))
    });
    let after = after
        .filter(|_| cut.after.is_some_and(|line| is_command(observed, line)))
        .unwrap_or_default();
    match (cut.how, cut.by) {
        (Broken::Silence, _) => {}
        (_, Some(By::Client)) => {
            finding.what = format!("the client's side broke the connection off at {stage}{after}");
            finding.who = Party::Client;
            finding.confidence = Confidence::Possible;
            finding.why = "The packets that end it come from the client's side: its program gave up (a limit of its own, a \
                           crash, a broken source), or a firewall or scanner near it did so in its name."
                .to_owned();
            finding.remedy = "Look at the sending program's log at that time.".to_owned();
        }
        (how, _) => {
            let verb = if how == Broken::Reset { "reset" } else { "closed" };
            finding.what = format!(
                "the connection was {verb}{after}, at {stage}, by packets from the server's side ({})",
                observed.peer
            );
        }
    }
    finding.why.push_str(hint(observed, cut));
    finding.next_test = Some(next_test(cut));
    finding
}

fn next_test(cut: &Cut) -> String {
    match cut.how {
        Broken::Silence => "a capture on the server's side: if what was said last is not in it, the way there lost it; if \
                            it is and was not answered, the server (or its filter) hangs"
            .to_owned(),
        _ => "a capture on that side: if the same break is in it as sent by the host itself, the host did it; if the host \
              received one instead, a box between the two captures made it up"
            .to_owned(),
    }
}

fn is_command(observed: &Observed<'_>, line: usize) -> bool {
    observed.dialogue.line(line).is_some_and(|line| matches!(line.kind, Kind::Command(_)))
}

/// The step at which it was cut.
fn stage(observed: &Observed<'_>, cut: &Cut) -> Stage {
    let dialogue = observed.dialogue;
    let Some(after) = cut.after else {
        return match dialogue.exchanges.last() {
            None => Stage::Greeting,
            Some(last) if last.stage == Stage::Data && last.code == 354 => Stage::Content,
            Some(last) => last.stage,
        };
    };
    match dialogue.line(after).map(|line| line.kind) {
        Some(Kind::Content { finished: true, .. }) => Stage::EndOfData,
        Some(Kind::Content { .. } | Kind::Blob { .. }) => Stage::Content,
        Some(Kind::SaslResponse) => Stage::Auth,
        _ => {
            let index = dialogue.commands.partition_point(|command| command.line < after);
            dialogue.commands.get(index).map_or(Stage::Other, |command| command.stage)
        }
    }
}

/// What is known to make boxes drop a connection without a word.
fn hint(observed: &Observed<'_>, cut: &Cut) -> &'static str {
    let dialogue = observed.dialogue;
    let Some(after) = cut.after.filter(|line| is_command(observed, *line)) else { return "" };
    if dialogue.octets(after).len() > COMMAND_LENGTH_MAX {
        return " The command is longer than 512 octets: some firewalls drop the connection at that.";
    }
    let last = dialogue.commands.iter().rev().find(|command| command.line == after);
    let Some(last) = last.filter(|command| command.verb == Verb::Rcpt) else { return "" };
    let same = |command: &&crate::dialogue::Command| {
        command.verb == Verb::Rcpt && command.transaction == last.transaction
    };
    if dialogue.commands.iter().filter(same).count() > RECIPIENTS_USUAL_MAX {
        return " It came after more than 100 recipients of one message: some firewalls (Cisco ASA) drop the connection at \
                the next one.";
    }
    ""
}

/// A reset that the host in whose name it came did not send.
fn forged(observed: &Observed<'_>) -> Option<Finding> {
    let wire = observed.wire()?;
    let (by, side) = [(By::Server, &wire.server), (By::Client, &wire.client)].into_iter().find(
        |(by, side)| {
            side.ttl_of_reset.is_some()
                && (went_on(observed, *by, side) || ttl_apart(side).is_some())
        },
    )?;
    let is_over = observed.dialogue.ending.how == crate::dialogue::How::Quit;
    if is_over {
        return None;
    }
    let host = if by == By::Server { "the server" } else { "the client" };
    let mut signs = Vec::new();
    if let Some((usual, reset)) = ttl_apart(side) {
        signs.push(format!("its time to live is {reset}, that of {host}'s other packets {usual}"));
    }
    let went_on = went_on(observed, by, side);
    if went_on {
        signs.push(format!("{host} went on sending after it"));
    }
    let line = observed.dialogue.ending.line;
    let after =
        observed.cut.and_then(|cut| cut.after).or(observed.dialogue.unanswered.last().copied());
    Some(observed.finding("reset-forged", after.or(line), About {
        what: format!("the reset that ended the session did not come from {host}: {}", signs.join(", and ")),
        command: after,
        who: Party::Between,
        confidence: if went_on { Confidence::Certain } else { Confidence::Likely },
        why: format!(
            "Somebody sent it in the name of {host}: an intrusion prevention system or an inspecting firewall that did \
             not like what it read."
        ),
        remedy: "Look at the logs of the firewalls in the path at that time, and let them pass this traffic uninspected."
            .to_owned(),
        next_test: Some(format!("a capture at {host}: there the reset arrives as if the other end had sent it, or never")),
        ..About::default()
    }))
}

/// Whether that side knew nothing of its own reset. A host that closes (FIN) and is still spoken to resets by
/// itself, and the network may deliver that before its last octets.
fn went_on(observed: &Observed<'_>, by: By, side: &Side) -> bool {
    let closed = |line: &Line| line.kind == Kind::Event(Event::Closed) && line.by == by;
    side.spoke_after_reset && !observed.dialogue.session.lines.iter().any(closed)
}

fn ttl_apart(side: &Side) -> Option<(u8, u8)> {
    let (usual, reset) = (side.ttl?, side.ttl_of_reset?);
    (usual.abs_diff(reset) >= TTL_APART_MIN).then_some((usual, reset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{START, found, none, one};

    #[test]
    fn whose_packets() {
        for (end, rule, who) in [
            ("-- S reset", "reset", Party::Unknown),
            ("-- S closed", "closed", Party::Unknown),
            ("-- +60s\n-- C closed", "silence", Party::Unknown),
        ] {
            let finding = one(&format!("{START}C: RCPT TO:<b@b>\n{end}"), rule);
            assert_eq!(
                (finding.who, finding.line, finding.command),
                (who, Some(6), Some(6)),
                "{end}"
            );
            assert!(finding.next_test.is_some() && finding.confidence < Confidence::Certain);
        }
        let finding = one(
            &format!("{START}C: DATA\nS: 354 go\nC: <content 99 cut off>\n-- C reset"),
            "reset",
        );
        assert_eq!(finding.who, Party::Client);
    }

    #[test]
    fn forged_by_somebody_else() {
        let text = |facts: &str| {
            format!("-- source: capture\n-- wire: {facts}\n{START}C: RCPT TO:<b@b>\n-- S reset")
        };
        let finding = one(&text("server.ttl=52 server.ttl_of_reset=64"), "reset-forged");
        assert_eq!((finding.who, finding.confidence), (Party::Between, Confidence::Likely));
        let finding = one(
            &text("server.ttl=52 server.ttl_of_reset=52 server.spoke_after_reset=yes"),
            "reset-forged",
        );
        assert_eq!(finding.confidence, Confidence::Certain);
        // A host that had closed and was still spoken to; its last octets were overtaken by its reset.
        let overtaken = text("server.ttl=52 server.ttl_of_reset=52 server.spoke_after_reset=yes");
        none(&format!("{overtaken}\n-- S closed"), "reset-forged");
        none(&text("server.ttl=52 server.ttl_of_reset=53"), "reset-forged");
        assert_eq!(one(&text("server.ttl=52 server.ttl_of_reset=53"), "reset").who, Party::Unknown);
    }

    #[test]
    fn ends_that_are_none() {
        for text in [
            // done, and closed without QUIT
            format!(
                "{START}C: RCPT TO:<b@b>\nS: 250 ok\nC: DATA\nS: 354 go\nC: <content 9>\nS: 250 ok\n-- S closed"
            ),
            format!("{START}C: QUIT\n-- S reset"),
            format!("{START}C: RSET\nS: 250 ok\n-- C closed"),
            // it said so
            format!("{START}S: 421 idle too long\n-- S closed"),
            // the client did not wait
            format!("{START}C: RCPT TO:<b@b>\n-- C closed"),
        ] {
            let cuts = ["closed", "reset", "silence"];
            assert!(
                found(&text).iter().all(|finding| !cuts.contains(&finding.rule.as_str())),
                "{text}"
            );
        }
    }

    /// Many clients say QUIT when they have waited for long enough.
    #[test]
    fn quit_after_a_silence() {
        let finding = one(
            &format!("{START}C: RCPT TO:<b@b>\n-- +30s\nC: QUIT\n-- +20s\n-- S reset"),
            "silence",
        );
        assert_eq!((finding.line, finding.command), (Some(6), Some(6)));
        let nothing = "-- connected\n-- +30s\nC: QUIT\n-- +17s\n-- S reset";
        assert!(one(nothing, "silence").what.contains("30s"), "{:?}", found(nothing));
        none(&format!("{START}-- +30s\nC: QUIT\n-- S closed"), "silence");
        none("-- connected\n-- +3s\nC: QUIT\n-- C closed", "silence");
    }

    #[test]
    fn the_recipient_too_many() {
        let recipients = "C: RCPT TO:<b@b>\nS: 250 ok\n".repeat(100);
        let finding = one(&format!("{START}{recipients}C: RCPT TO:<b@b>\n-- S reset"), "reset");
        assert!(finding.why.contains("100 recipients"), "{}", finding.why);
    }
}
