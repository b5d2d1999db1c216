//! What the packets show of a session, beside the oracle: how many, how many octets, what is missing, how
//! it began and ended.

use diagnose::{
    Session,
    session::{Event, Kind, Party, Wire},
};
use serde_json::Value;

use super::{Count, array};
use crate::figure::{Figure, Misses};

/// Right ones of what the oracle says in `tcp` and beside it.
#[derive(Default)]
pub struct Counts {
    packets: Count,
    octets: Count,
    gaps: Count,
    ends: Count,
    retransmissions: Count,
}

impl Counts {
    /// `is_turned`: the oracle took our server for the client.
    pub fn session(
        &mut self,
        ours: &Session,
        wanted: &Value,
        is_turned: bool,
        place: &str,
        misses: &mut Misses,
    ) {
        let Some(wire) = &ours.wire else { return };
        let tcp = &wanted["tcp"];
        let (first, second) =
            if is_turned { (Party::Server, Party::Client) } else { (Party::Client, Party::Server) };
        let mut check = |count: &mut Count, what: &str, want: String, have: String| {
            count.add(want == have);
            if want != have {
                misses.note(&format!("captures: {what}"), place, want, have);
            }
        };
        // tshark counts an ICMP error to the stream that it is about.
        let packets = wire.client.packets + wire.server.packets + wire.icmp.len() as u64;
        check(&mut self.packets, "packets", wanted["packets"].to_string(), packets.to_string());
        let octets = format!("{} {}", side(wire, first).octets, side(wire, second).octets);
        let want = format!("{} {}", wanted["client_bytes"], wanted["server_bytes"]);
        check(&mut self.octets, "octets", want, octets);
        let missing =
            |name: &str| array(&tcp[name]).filter_map(|gap| gap["missing"].as_u64()).sum::<u64>();
        let want = format!("{} {}", missing("gaps_client"), missing("gaps_server"));
        // An oracle's gap stands before an octet that was seen, ours also after the last.
        let have = format!("{} {}", gaps(ours, first), gaps(ours, second));
        check(&mut self.gaps, "gaps", want, have);
        let want = format!("SYN {} FIN {} RST {}", tcp["syn_seen"], tcp["fin"], tcp["rst"]);
        let event = |wanted: Event| ours.lines.iter().any(|line| line.kind == Kind::Event(wanted));
        let reset = wire.client.ttl_of_reset.or(wire.server.ttl_of_reset).is_some();
        let have = format!("SYN {} FIN {} RST {reset}", wire.handshake_seen, event(Event::Closed));
        check(&mut self.ends, "beginning and end", want, have);
        let have = wire.client.retransmissions + wire.server.retransmissions;
        let have = have + wire.client.out_of_order + wire.server.out_of_order;
        let want = tcp["retransmissions"].as_u64().unwrap_or_default()
            + tcp["out_of_order"].as_u64().unwrap_or_default();
        let what = "retransmissions and overtaken";
        check(&mut self.retransmissions, what, want.to_string(), have.to_string());
    }

    pub fn figures(&self) -> Vec<Figure> {
        vec![
            self.packets.figure("captures: packets of a session", 0.98),
            self.octets.figure("captures: octets of both sides", 0.98),
            self.gaps.figure("captures: missing octets", 0.95),
            self.ends.figure("captures: SYN, FIN and RST seen", 0.98),
            self.retransmissions.figure("captures: retransmitted or overtaken", 0.0),
        ]
    }
}

fn side(wire: &Wire, party: Party) -> &diagnose::session::Side {
    if party == Party::Client { &wire.client } else { &wire.server }
}

fn gaps(session: &Session, party: Party) -> u64 {
    let gap = |line: &diagnose::session::Line| match line.kind {
        Kind::Gap { octets } if line.by == party => octets,
        _ => 0,
    };
    session.lines.iter().map(gap).sum()
}
