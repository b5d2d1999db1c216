//! What the evidence itself lacks: packets that a capture lost, a missing side, a start in mid-session. Never the
//! server's fault.

use smtp::Party as By;

use super::{About, Observed};
use crate::{
    finding::{Confidence, Finding, Weight},
    session::Kind,
};

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let Some(wire) = observed.wire() else { return };
    let dialogue = observed.dialogue;
    let mut lacks = Vec::new();
    let mut first = None;
    for (by, whose) in [(By::Client, "the client's"), (By::Server, "the server's")] {
        let mut octets = 0;
        for (index, line) in
            dialogue.session.lines.iter().enumerate().filter(|(_, line)| line.by == by)
        {
            if let Kind::Gap { octets: more } = line.kind {
                octets += more;
                first = first.map_or(Some(index), |first: usize| Some(first.min(index)));
            }
        }
        if octets > 0 {
            lacks.push(format!("{octets} octets of {whose} side"));
        }
    }
    if dialogue.is_one_sided() {
        let whose = if wire.client.packets == 0 { "the client's" } else { "the server's" };
        lacks.push(format!("all of {whose} packets"));
    }
    if !wire.handshake_seen {
        lacks.push("its beginning".to_owned());
    }
    if lacks.is_empty() {
        return;
    }
    let seen = wire.client.unseen_but_acknowledged + wire.server.unseen_but_acknowledged;
    let proof = if seen > 0 {
        " The other side acknowledged octets that are not in the capture: they were sent and did arrive."
    } else {
        ""
    };
    found.push(observed.finding("capture-gap", first, About {
        what: format!("of this session the capture lacks {}", lacks.join(", ")),
        confidence: if seen > 0 { Confidence::Certain } else { Confidence::Likely },
        why: format!(
            "The capture began late, dropped packets, or saw only one direction; that says nothing about client and \
             server.{proof} What seems to be missing near it may have been there."
        ),
        remedy: "Capture again with a larger buffer (`tcpdump -B 8192`), whole packets (`-s 0`), both directions, and from \
                 before the session begins."
            .to_owned(),
        weight: Weight::Remark,
        ..About::default()
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{found, none, one};

    #[test]
    fn what_is_lacking() {
        let text = "-- wire: handshake_seen=no client.unseen_but_acknowledged=30\nC: <gap 30>\nS: 250 ok\nC: QUIT\nS: 221 b";
        let finding = one(text, "capture-gap");
        assert_eq!((finding.weight, finding.confidence), (Weight::Remark, Confidence::Certain));
        assert!(
            finding.what.contains("30 octets of the client's side, its beginning"),
            "{}",
            finding.what
        );
        assert!(found(text).iter().all(|finding| finding.weight == Weight::Remark));
        let one_sided =
            "-- wire: server.packets=0\nC: EHLO a\nC: MAIL FROM:<a@a>\nC: QUIT\n-- C closed";
        assert!(found(one_sided).iter().all(|finding| finding.weight == Weight::Remark));
        none("-- wire: handshake_seen=yes\nS: 220 r\nC: QUIT\nS: 221 b", "capture-gap");
    }
}
