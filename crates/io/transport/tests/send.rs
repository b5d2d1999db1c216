//! Handing over one message by MX, host after host.

mod peer;

use std::{net::SocketAddr, sync::Arc};

use peer::{envelope, memory, play};
use smtp::Outcome;
use transport::{
    ClientTls, Plan,
    send::{Via, dialogue, send},
};
use world::sim::{SimWorld, disk::SimDisk};

const OPENING: &str = "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 PIPELINING\n";

#[tokio::test(start_paused = true)]
async fn the_next_host_takes_what_the_first_does_not() {
    let sim = SimWorld::new(5);
    let zone = "b.test MX 10 mx1.b.test\nb.test MX 20 mx2.b.test\nc.test MX 10 mx2.b.test\n\
        mx1.b.test A 192.0.2.2\nmx2.b.test A 192.0.2.3";
    sim.dns.add(zone).expect("records");
    let disk = || Arc::new(SimDisk::new(1));
    let ours = sim.world_for([192, 0, 2, 1].into(), disk());
    let (first, second) = ([192, 0, 2, 2], [192, 0, 2, 3]);
    let one = play(
        &sim.world_for(first.into(), disk()),
        SocketAddr::from((first, 25)),
        None,
        &[&format!(
            "{OPENING}C: MAIL\nC: RCPT TO:<one@b.test>\nC: RCPT TO:<two@b.test>\nC: DATA\n\
        S: 250 x\nS: 250 x\nS: 451 4.7.1 greylisted\nS: 354 x\ncontent\nS: 250 first\nC: QUIT\nS: 221 x"
        )],
    );
    let two = play(
        &sim.world_for(second.into(), disk()),
        SocketAddr::from((second, 25)),
        None,
        &[
            &format!(
                "{OPENING}C: MAIL\nC: RCPT TO:<two@b.test>\nC: DATA\nS: 250 x\nS: 250 x\nS: 354 x\ncontent\nS: 250 second\nC: QUIT\nS: 221 x"
            ),
            &format!(
                "{OPENING}C: MAIL\nC: RCPT TO:<three@c.test>\nC: DATA\nS: 250 x\nS: 550 5.1.1 nobody\nS: 503 no\nC: QUIT\nS: 221 x"
            ),
        ],
    );
    let tls = ClientTls::new(&ours).expect("TLS");
    let envelope = envelope(&["one@b.test", "three@c.test", "two@b.test", "four@nowhere.test"]);
    let report =
        send(&ours, &tls, &Via::Mx(25), &Plan::new("a.test"), &envelope, &memory("x\r\n")).await;
    let shown: Vec<String> = report
        .outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Relayed(reply) => reply.to_string(),
            Outcome::Deferred(cause) | Outcome::Failed(cause) => cause.trouble.to_string(),
        })
        .collect();
    let expected = ["250 first", "550 5.1.1 nobody", "250 second", "`nowhere.test` does not exist"];
    assert_eq!(shown, expected);
    let hops: Vec<&str> = report.attempts.iter().map(|attempt| attempt.next_hop.as_str()).collect();
    assert_eq!(hops, ["mx1.b.test", "mx2.b.test", "mx2.b.test", "nowhere.test"]);
    assert!(report.attempts[0].route.iter().any(|line| line.contains("mx1.b.test")));
    one.0.await.expect("played");
    two.0.await.expect("played");
}

#[tokio::test(start_paused = true)]
async fn too_many_recipients_follow_in_the_same_session() {
    let sim = SimWorld::new(5);
    let disk = || Arc::new(SimDisk::new(1));
    let ours = sim.world_for([192, 0, 2, 1].into(), disk());
    let there = SocketAddr::from(([192, 0, 2, 2], 2500));
    let peer = play(
        &sim.world_for(there.ip(), disk()),
        there,
        None,
        &[&format!(
            "{OPENING}C: MAIL\nC: RCPT TO:<one@b.test>\nC: RCPT TO:<two@b.test>\nC: DATA\n\
        S: 250 x\nS: 250 x\nS: 452 4.5.3 enough\nS: 354 x\ncontent\nS: 250 first\n\
        C: MAIL\nC: RCPT TO:<two@b.test>\nC: DATA\nS: 250 x\nS: 250 x\nS: 354 x\ncontent\nS: 250 second\n\
        C: QUIT\nS: 221 x"
        )],
    );
    let tls = ClientTls::new(&ours).expect("TLS");
    let via = Via::Server("192.0.2.2".to_owned(), 2500);
    let envelope = envelope(&["one@b.test", "two@b.test"]);
    let report = send(&ours, &tls, &via, &Plan::new("a.test"), &envelope, &memory("x\r\n")).await;
    assert!(report.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Relayed(_))));
    assert_eq!(report.attempts.len(), 1);
    let text = dialogue(&report.attempts[0].transcript);
    assert_eq!(text.matches("EHLO").count(), 1, "{text}");
    assert_eq!(text.matches("C: MAIL").count(), 2, "{text}");
    peer.0.await.expect("played");
}
