//! The page of a server that refuses some, in a domain with mistakes, as the lab plays it.

use std::{sync::Arc, time::Duration};

use lab::{Server, scenario::ServerScript};
use world::{Clock, Net, Random, disk::RealDisk, dns::table::TableDns};

use super::*;
use clap::Parser;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    probe: Probe,
}

/// Loopback, and names by this table.
fn world(zone: &str) -> World {
    World {
        clock: Clock::Real,
        disk: Arc::new(RealDisk),
        dns: Arc::new(TableDns::parse(zone).expect("records")),
        net: Net::Real,
        random: Random::seeded(1),
    }
}

fn asked(words: &[&str]) -> Probe {
    let words = std::iter::once(&"probe").chain(words);
    Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).probe
}

/// Probes a server of the lab on loopback; what differs from run to run is made the same.
fn played(script: &str, zone: &str, words: &[&str]) -> (String, Option<Weight>) {
    let script: ServerScript = serde_json::from_str(script).expect("a script");
    let world = world(zone);
    let probe = asked(words);
    let answer = block_on(async {
        let server = Server::listen(&Net::Real, "127.0.0.1:0".parse().unwrap(), script, None);
        let server = server.expect("a free port");
        let port = server.local().expect("bound").port();
        tokio::spawn(async move { server.run().await });
        let (order, general) = probe.order(&world).unwrap_or_else(|_| panic!("good arguments"));
        let mut answer = probe.look(&world, &Order { port, ..order }, &general).await?;
        answer.report.port = 25;
        for visit in &mut answer.report.visits {
            visit.connect = visit.connect.map(|_| Duration::from_millis(1));
            visit.greeting = visit.greeting.map(|_| Duration::from_millis(2));
            for line in &mut visit.dialogue {
                line.replace_range(..9.min(line.len()), "    0.000");
                // The port of ours that stands there is any.
                let end = line.find("connected to").unwrap_or(line.len());
                line.truncate(end);
            }
        }
        Ok((answer, port))
    });
    let Ok((answer, port)) = answer else { panic!("probed") };
    let worst = answer.worst();
    (show::page(&answer, probe.dialogue, Some(100)).replace(&port.to_string(), "25"), worst)
}

const ZONE: &str = "
    b.test MX 10 mx.b.test
    mx.b.test A 127.0.0.1
    127.0.0.1 PTR other.b.test
    other.b.test A 192.0.2.9
    b.test TXT \"v=spf1 mx -all\"
    b.test TXT \"v=spf1 ip4:192.0.2.0/33 -all\"
    _dmarc.b.test TXT \"v=DMARC1; p=none; rua=postmaster@b.test\"
    selector1._domainkey.b.test TXT \"v=DKIM1; p=\"
    2.0.0.127.bl.test A 127.0.0.2
    2.0.0.127.zen.spamhaus.org A 127.255.255.254
";

#[test]
fn a_domain_with_mistakes() {
    let words = ["b.test", "--to", "bob@b.test,eve@b.test", "--ehlo", "a.test"];
    let lists = ["--address", "127.0.0.2", "--lists", "bl.test,zen.spamhaus.org,quiet.test"];
    let script = r#"{"offers": ["PIPELINING", "AUTH PLAIN LOGIN"],
        "on": [{"command": "RCPT", "contains": "eve@", "reply": "550 5.1.1 no such user"}]}"#;
    let words: Vec<&str> = words.iter().chain(&lists).copied().collect();
    let (page, worst) = played(script, ZONE, &words);
    insta::assert_snapshot!(page);
    assert_eq!(worst, Some(Weight::Failure));
}

#[test]
fn a_host_of_ones_own_that_relays() {
    let script = r#"{"offers": [], "on": [
        {"command": "RCPT", "contains": "%", "reply": "550 5.7.1 no relaying"},
        {"command": "RCPT", "contains": "no-such-mailbox", "reply": "550 5.1.1 no such user"},
        {"command": "RCPT", "contains": "!", "reply": "421 4.7.0 enough of you", "then": "close"},
        {"command": "RCPT", "contains": "\"", "reply": "550 5.7.1 no relaying"}]}"#;
    let (page, worst) = played(script, ZONE, &["mx.b.test:25", "--mine"]);
    insta::assert_snapshot!(page);
    assert_eq!(worst, Some(Weight::Failure));
}

const BISECT: &[&str] = &["mx.b.test:25", "--to", "bob@b.test", "--bisect", "--timeout", "3"];

#[test]
fn the_feature_that_hurts() {
    let script = r#"{"offers": ["SIZE 9999999", "CHUNKING", "8BITMIME"],
        "on": [{"command": "BDAT", "reply": "500 5.5.1 what?"}]}"#;
    let (page, worst) = played(script, ZONE, BISECT);
    insta::assert_snapshot!(page);
    assert_eq!(worst, Some(Weight::Failure));
}

#[test]
fn no_feature_hurts() {
    let (page, _) = played(r#"{"offers": ["SIZE 9999999", "PIPELINING"]}"#, ZONE, BISECT);
    assert!(page.contains("everything passes with all features in use"), "{page}");
    let script = r#"{"offers": ["SIZE 9999999"], "on": [{"command": "RCPT", "reply": "550 no"}]}"#;
    let (page, _) = played(script, ZONE, BISECT);
    assert!(page.contains("it never passes, whatever is switched off"), "{page}");
}

#[test]
fn a_domain_that_takes_no_mail() {
    let zone = "none.test MX 0 .\nnone.test TXT \"v=spf1 -all\"";
    let (page, worst) = played("{}", zone, &["none.test"]);
    insta::assert_snapshot!(page);
    assert_eq!(worst, Some(Weight::Failure));
}

#[test]
fn an_address_that_nobody_else_sees_is_not_looked_up() {
    let (page, _) = played("{}", ZONE, &["127.0.0.1", "--lists", "bl.test"]);
    assert!(page.contains("we connect from 127.0.0.1, which nobody else sees"), "{page}");
}
