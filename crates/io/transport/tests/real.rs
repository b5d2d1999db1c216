//! The same over this machine's sockets: wakers, half-closes and resets as the kernel has them.

mod peer;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use peer::{envelope, mail, memory, play, said};
use smtp::{Outcome, Stage};
use transport::{ClientTls, Plan, Protocol, ServerIdentity, Target, open};
use world::{Clock, Net, Random, World, disk::real::RealDisk, dns::table::TableDns};

const OPENING: &str = "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 PIPELINING\n";
const TAKEN: &str =
    "C: MAIL\nC: RCPT\nC: DATA\nS: 250 x\nS: 250 x\nS: 354 x\ncontent\nS: 250 kept\n";

fn real_world() -> World {
    World {
        clock: Clock::Real,
        disk: Arc::new(RealDisk),
        dns: Arc::new(TableDns::default()),
        net: Net::Real,
        random: Random::real(),
    }
}

const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

#[tokio::test]
async fn a_session_is_reused_until_the_peer_closes() {
    let world = real_world();
    let script = format!("{OPENING}{TAKEN}{TAKEN}close\n");
    let (peer, at) = play(&world, ANY_PORT, None, &[&script]);
    let tls = ClientTls::new(&world).expect("TLS");
    let target = Target::tcp("127.0.0.1", at);
    let mut session = open(&world, &tls, &target, &Plan::new("a.test")).await.expect("open");
    for _ in 0..2 {
        let relayed = session.relay(&mail(&envelope(&["b@b.test"]), &memory("x\r\n"))).await;
        assert!(matches!(&relayed.outcomes[..], [Outcome::Relayed(_)]), "{relayed:?}");
    }
    assert_eq!(peer.await.expect("played").len(), 2);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(session.is_dead());
    // Used all the same, it says what happened.
    let relayed = session.relay(&mail(&envelope(&["b@b.test"]), &memory("x\r\n"))).await;
    let Outcome::Deferred(cause) = &relayed.outcomes[0] else { panic!("{relayed:?}") };
    assert!(cause.stage <= Stage::Rcpt, "{cause:?}");
}

#[tokio::test]
async fn big_content_under_tls_passes_while_the_peer_is_slow() {
    let world = real_world();
    let made = ServerIdentity::self_signed(&world, &["localhost".to_owned()]).expect("made");
    let identity =
        ServerIdentity::from_pem(&made.certificate, &made.key, ("c", "k")).expect("read");
    let config = ServerIdentity::config(&[identity]).expect("configured");
    let starttls = "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 x\ntls\n";
    let inside = "C: EHLO\nS: 250-x\nS: 250-PIPELINING\nS: 250 CHUNKING\nC: MAIL\nC: RCPT\nS: 250 x\nS: 250 x\nC: BDAT\nwait 1\ncontent\nS: 250 kept\nC: QUIT\nS: 221 x";
    let (peer, at) = play(&world, ANY_PORT, Some(config), &[&format!("{starttls}{inside}")]);
    let tls = ClientTls::new(&world).expect("TLS");
    let target = Target::tcp("localhost", at);
    let mut session = open(&world, &tls, &target, &Plan::new("a.test")).await.expect("open");
    let text = "x".repeat(78) + "\r\n";
    let content = memory(&text.repeat(100_000));
    let relayed = session.relay(&mail(&envelope(&["b@b.test"]), &content)).await;
    assert!(matches!(&relayed.outcomes[..], [Outcome::Relayed(_)]), "{relayed:?}");
    session.quit().await;
    assert_eq!(peer.await.expect("played")[0].len(), 8_000_000);
}

#[tokio::test]
async fn the_reason_is_read_although_the_connection_was_reset() {
    let world = real_world();
    // The peer refuses early and goes away with our content unread, which resets the connection.
    let script = format!(
        "{OPENING}C: MAIL\nC: RCPT\nC: DATA\nS: 250 x\nS: 250 x\nS: 354 x\nS: 552 5.3.4 too big\nclose\n"
    );
    let (peer, at) = play(&world, ANY_PORT, None, &[&script]);
    let tls = ClientTls::new(&world).expect("TLS");
    let mut session = open(&world, &tls, &Target::tcp("127.0.0.1", at), &Plan::new("a.test"))
        .await
        .expect("open");
    let content = memory(&"x\r\n".repeat(10_000_000));
    let relayed = session.relay(&mail(&envelope(&["b@b.test"]), &content)).await;
    let Outcome::Failed(cause) = &relayed.outcomes[0] else { panic!("{relayed:?}") };
    assert_eq!(cause.trouble.to_string(), "552 5.3.4 too big");
    peer.await.expect("played");
}

#[tokio::test]
async fn lmtp_over_a_unix_socket() {
    let world = real_world();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("lmtp");
    let listener = world.net.listen_unix(&path, 0o600).expect("listening");
    let script = "S: 220 x\nC: LHLO a.test\nS: 250-x\nS: 250 PIPELINING\nC: MAIL\nC: RCPT\nC: RCPT\nC: DATA\nS: 250 x\nS: 250 x\nS: 250 x\nS: 354 x\ncontent\nS: 250 one\nS: 452 4.2.2 two is full\nC: QUIT\nS: 221 x";
    let playing = peer::play_on(listener, None, &[script]);
    let plan = Plan { protocol: Protocol::Lmtp, ..Plan::new("a.test") };
    let target = Target::unix(path.into());
    let tls = ClientTls::new(&world).expect("TLS");
    let mut session = open(&world, &tls, &target, &plan).await.expect("open");
    let recipients = envelope(&["one@b.test", "two@b.test"]);
    let relayed = session.relay(&mail(&recipients, &memory("x\r\n"))).await;
    assert!(
        matches!(&relayed.outcomes[..], [Outcome::Relayed(_), Outcome::Deferred(_)]),
        "{relayed:?}"
    );
    assert!(said(&session.quit().await).ends_with("C: QUIT\nS: 221 x\n"));
    playing.await.expect("played");
}
