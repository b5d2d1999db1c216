//! The path loses big packets and nobody says so: small commands pass, full-size segments are sent again
//! and again and never acknowledged.

use smtp::{Party as By, Unconfirmed};

use super::{About, Broken, Observed};
use crate::{
    finding::{Confidence, Finding, Party},
    session::{Side, Wire},
};

/// Fewer repetitions of one segment happen on any busy line.
const REPEATED_MIN: u32 = 3;
/// No path has to carry more than 576 octets in one piece (RFC 791 section 3.1): shorter segments than that,
/// without headers, do not get lost for their size.
pub(crate) const BIG_MIN: u32 = 512;

const REMEDY: &str = "Let ICMP `fragmentation needed` (IPv6: `packet too big`) through all firewalls, or lower the MTU of \
    the sending host (1400, for example), or have the router clamp the segment size (MSS).";
const NEXT_TEST: &str = "`ping` with the don't-fragment bit and growing sizes from the sending host, or a capture on the \
    other side: the big segments never arrive there";

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    found.extend(own(observed));
    let Some((by, side, wire)) = side(observed) else { return };
    let dialogue = observed.dialogue;
    let (shortest, longest) = side.retransmitted_lengths.unwrap_or_default();
    let after = dialogue.unanswered.last().copied().filter(|_| by == By::Client);
    let line = after.or(dialogue.session.lines.len().checked_sub(1));
    let whose = if by == By::Client { "the client's" } else { "the server's" };
    let told = wire.icmp.iter().find(|(_, text)| {
        let text = text.to_lowercase();
        text.contains("frag") || text.contains("too big")
    });
    let notice = match told {
        Some((_, text)) => format!(
            " A router did say so ({}), but the sending host did not heed it, or its firewall kept the notice from it.",
            crate::quote::clean(text)
        ),
        None => " The notice that a router would send (`fragmentation needed`, ICMP type 3 code 4) does not come \
                 through."
            .to_owned(),
    };
    let sizes =
        if shortest == longest { longest.to_string() } else { format!("{shortest} to {longest}") };
    let mss = side.mss.map(|mss| format!(", announced segment size {mss}")).unwrap_or_default();
    found.push(observed.finding("mtu-black-hole", line, About {
        what: format!(
            "{whose} segments of {sizes} octets were sent {} times more and never acknowledged; the \
             longest that passed has {} octets{mss}",
            side.retransmissions, side.passed_length_max
        ),
        command: after,
        who: Party::Between,
        confidence: Confidence::Likely,
        why: format!(
            "Everything short went through, nothing above that size did: a link on the way carries only smaller \
             packets (a tunnel, PPPoE), and drops the big ones.{notice}"
        ),
        remedy: REMEDY.to_owned(),
        // The next message of a few hundred octets passes, this one does not.
        retry_helps: false,
        next_test: Some(NEXT_TEST.to_owned()),
        ..About::default()
    }));
}

/// The same from our own evidence: the packets are not there, but our side's TCP counted them.
fn own(observed: &Observed<'_>) -> Option<Finding> {
    let is_silent = observed.cut.is_some_and(|cut| cut.how == Broken::Silence);
    if !observed.is_ours() || !is_silent {
        return None;
    }
    let lines = &observed.dialogue.session.lines;
    let remarks = lines.iter().rev().filter(|line| line.by == By::Note);
    let lost = remarks.filter_map(|line| Unconfirmed::read(&line.text)).next()?;
    // Of something shorter any packet may have been lost.
    if lost.repeats < REPEATED_MIN || lost.octets < u64::from(BIG_MIN) {
        return None;
    }
    let command = observed.dialogue.unanswered.last().copied();
    let line = command.or(lines.len().checked_sub(1));
    Some(observed.finding("mtu-black-hole", line, About {
        what: format!(
            "{} octets of ours were sent {} times more and never acknowledged by the host of {}",
            lost.octets, lost.repeats, observed.peer
        ),
        command,
        who: Party::Between,
        confidence: Confidence::Likely,
        why: "All the short commands went through and were answered; of the message itself not even the other host's \
              system has the first packet. A link on the way carries only smaller packets (a tunnel, PPPoE) and drops \
              the big ones, and the notice that a router would send (`fragmentation needed`, ICMP type 3 code 4) does \
              not come through. A host that vanished at that very moment would look the same, once."
            .to_owned(),
        remedy: REMEDY.to_owned(),
        retry_helps: false,
        next_test: Some(NEXT_TEST.to_owned()),
        ..About::default()
    }))
}

/// Whether this is the case.
pub(super) fn is_one(observed: &Observed<'_>) -> bool {
    side(observed).is_some()
}

fn side<'a>(observed: &Observed<'a>) -> Option<(By, &'a Side, &'a Wire)> {
    let wire = observed.wire()?;
    let is_it = |side: &Side| {
        let lost = side
            .retransmitted_lengths
            .is_some_and(|(shortest, _)| shortest >= BIG_MIN && shortest > side.passed_length_max);
        lost && side.retransmissions >= REPEATED_MIN && side.unacknowledged >= u64::from(BIG_MIN)
    };
    [(By::Client, &wire.client), (By::Server, &wire.server)]
        .into_iter()
        .find(|(_, side)| is_it(side))
        .map(|(by, side)| (by, side, wire))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{START, none, one};

    fn text(facts: &str) -> String {
        format!(
            "-- source: capture\n-- wire: {facts}\n{START}C: RCPT TO:<b@b>\nS: 250 ok\nC: DATA\nS: 354 go\n\
             C: <content 2920 cut off>\n-- +120s\n-- C closed"
        )
    }

    #[test]
    fn big_ones_only() {
        let facts = "client.retransmissions=6 client.retransmitted_min=1460 client.retransmitted_max=1460 \
                     client.passed_length_max=120 client.unacknowledged=2920 client.mss=1460";
        let finding = one(&text(facts), "mtu-black-hole");
        assert_eq!((finding.who, finding.command), (Party::Between, Some(10)));
        none(&text(facts), "silence");
    }

    /// Our own attempt, as far as the silence, with such a remark.
    fn attempt(remark: &str) -> crate::finding::Finding {
        crate::rules::testing::found(
            &format!(
                "S: 220 mx.b.test ESMTP\nC: EHLO a.test\nS: 250 mx.b.test\nC: MAIL FROM:<a@a.test>\nS: 250 ok\n\
                 C: RCPT TO:<b@b.test>\nS: 250 ok\nC: DATA\nS: 354 go\nC: .\n{remark}\nno reply in 600s"
            ),
            smtp::Stage::EndOfData,
            smtp::Trouble::Silence(std::time::Duration::from_secs(600)),
        )
    }

    #[test]
    fn our_own_tcp_counted_it() {
        let finding = attempt(&Unconfirmed { octets: 18_824, repeats: 9 }.to_string());
        assert_eq!((finding.rule.as_str(), finding.who), ("mtu-black-hole", Party::Between));
        assert_eq!(finding.confidence, Confidence::Likely);
        for remark in [
            "18824 octets in 2 chunks".to_owned(),
            // one packet more or less is lost anywhere
            Unconfirmed { octets: 18_824, repeats: 1 }.to_string(),
            Unconfirmed { octets: 6, repeats: 9 }.to_string(),
        ] {
            assert_eq!(attempt(&remark).rule, "silence-after-content", "{remark}");
        }
    }

    #[test]
    fn near_misses() {
        for facts in [
            // everything is repeated, short ones too: the peer is gone
            "client.retransmissions=6 client.retransmitted_min=6 client.retransmitted_max=1460 \
             client.passed_length_max=120 client.unacknowledged=2920",
            // a big one passed: loss on a busy line
            "client.retransmissions=6 client.retransmitted_min=1460 client.retransmitted_max=1460 \
             client.passed_length_max=1460 client.unacknowledged=2920",
            // in the end all was acknowledged
            "client.retransmissions=6 client.retransmitted_min=1460 client.retransmitted_max=1460 \
             client.passed_length_max=1460",
        ] {
            none(&text(facts), "mtu-black-hole");
        }
    }
}
