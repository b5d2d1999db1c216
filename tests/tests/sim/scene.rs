//! Who is in the world, and what is done to them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::sleep;
use world::sim::{SimWorld, disk::SimDisk, net::Conditions};

use super::{
    End,
    client::{self, Errand, MANNERS, Manner},
    events::Events,
    host::Host,
    judge,
    ledger::{Ledger, Mail},
    peer::{Peer, Temper},
};

const MAIL: u16 = 25;
const DAY: u64 = 86_400_000;
/// A message waits five days, then its report does; half a day is for what a crash delays.
const REST_DAYS: u64 = 11;

/// Takes strangers' mail for a.test, relays for its own network, by MX.
const ALPHA: &str = r#"
hostname = "mx.a.test"
data = "/data"
default_route = { tls = "never" }
relay = { networks = ["10.1.0.0/24", "10.0.0.3/32"] }
listener = [{ address = "10.0.0.1:25", role = "mx", tls = "none" }]
domains = { "a.test" = {} }
spool = { reserve = "1MiB", segment_size = "1MiB" }
evidence = { size_max = "8MiB" }
"#;

/// Relays for c.test and for the network of clients.
const BETA: &str = r#"
hostname = "mx.beta.test"
data = "/data"
default_route = { tls = "never" }
relay = { networks = ["10.1.0.0/24", "10.0.0.1/32"] }
listener = [{ address = "10.0.0.2:25", role = "mx", tls = "none" }]
domains = { "c.test" = { kind = "smtp", next_hop = "10.0.0.3:25" } }
spool = { reserve = "1MiB", segment_size = "1MiB" }
evidence = { size_max = "8MiB" }
"#;

/// Has the mailboxes of b.test and c.test.
const GAMMA: &str = r#"
hostname = "mx.b.test"
data = "/data"
default_route = { tls = "never", next_hop = "10.0.0.1:25" }
listener = [{ address = "10.0.0.3:25", role = "mx", tls = "none" }]
domains = { "b.test" = {}, "c.test" = {} }
spool = { reserve = "1MiB", segment_size = "1MiB" }
evidence = { size_max = "8MiB" }
"#;

const PEERS: [(&str, Temper); 9] = [
    ("good.test", Temper::Good),
    ("plain.test", Temper::Plain),
    ("rude.test", Temper::Rude(70)),
    ("moody.test", Temper::Rude(25)),
    ("never.test", Temper::Never),
    ("busy.test", Temper::Busy),
    ("grey.test", Temper::Grey),
    ("few.test", Temper::Few(2)),
    ("forgetful.test", Temper::Forgetful),
];

const NAMES: &str = "
a.test MX 10 mx.a.test
mx.a.test A 10.0.0.1
b.test MX 10 mx.b.test
mx.b.test A 10.0.0.3
c.test MX 10 mx.beta.test
mx.beta.test A 10.0.0.2
dead.test MX 10 mx.dead.test
mx.dead.test A 10.0.3.1
void.test MX 10 mx.void.test
mx.void.test A 10.0.4.1
null.test MX 0 .
fails.test SERVFAIL
slow.test TIMEOUT 10
two.test MX 5 mx.dead.test
two.test MX 10 mx.void.test
two.test MX 20 mx.good.test
";

const DOMAINS: [&str; 18] = [
    "a.test",
    "b.test",
    "c.test",
    "good.test",
    "plain.test",
    "rude.test",
    "moody.test",
    "never.test",
    "busy.test",
    "grey.test",
    "few.test",
    "forgetful.test",
    "dead.test",
    "void.test",
    "null.test",
    "fails.test",
    "two.test",
    "gone.test",
];

/// Plays one world until all queues are empty and judges it.
pub async fn play(seed: u64, days: u64, with_course: bool) -> End {
    let began = tokio::time::Instant::now();
    let ledger = Ledger::new(with_course);
    let _events = tracing::subscriber::set_default(Events(ledger.clone()));
    let sim = Arc::new(SimWorld::new(seed));
    let mut random = fastrand::Rng::with_seed(seed);
    sim.net.set_conditions(Conditions { reset_one_in: Some(400), ..Conditions::default() });
    settle_peers(&sim, &ledger, &mut random);
    let sending = DAY * days.saturating_sub(REST_DAYS).max(1);
    let mut lives = Vec::new();
    for (name, ip, config) in [
        ("alpha", [10, 0, 0, 1], ALPHA),
        ("beta", [10, 0, 0, 2], BETA),
        ("gamma", [10, 0, 0, 3], GAMMA),
    ] {
        let mut host = Host::new(name, ip, config, &ledger, random.u64(..));
        host.crashes_until = sending + DAY * 6;
        lives.push(tokio::spawn(host.live(sim.clone())));
    }
    tokio::spawn(weather(sim.clone(), ledger.clone(), random.fork(), sending));
    send(&sim, &ledger, &mut random, sending).await;
    let mut hosts = Vec::new();
    for life in lives {
        hosts.push(life.await.expect("a life"));
    }
    rest(&hosts, sending + DAY * REST_DAYS + DAY / 2, &ledger).await;
    let mut broken = Vec::new();
    for host in &hosts {
        let Some(agent) = &host.agent else { continue };
        for view in agent.queue.views(|_| true) {
            broken.push(format!(
                "{} still has {} for {} ({:?})",
                host.name, view.id, view.lane, view.place
            ));
        }
        let usage = agent.queue.context.spool.usage();
        if usage.jobs > 0 && agent.queue.is_empty() || usage.damaged > 0 {
            broken.push(format!("the spool of {} is not at rest: {usage:?}", host.name));
        }
    }
    let mut inner = ledger.lock();
    let mut copies = std::mem::take(&mut inner.copies);
    for host in &hosts {
        copies.extend(judge::mailboxes(&host.disk, host.name, sim.epoch().0));
    }
    copies.sort_by_key(|copy| copy.at);
    let mut judgement = judge::judge(&inner, &copies);
    judgement.broken.extend(broken);
    let lines = inner.course.take();
    drop(inner);
    End { judgement, course: ledger.course(), lines, took: began.elapsed() }
}

fn settle_peers(sim: &SimWorld, ledger: &Ledger, random: &mut fastrand::Rng) {
    sim.dns.add(NAMES).expect("records");
    // Somebody is there, and listens to nothing.
    drop(sim.net.host([10, 0, 3, 1].into()));
    for (index, (domain, temper)) in PEERS.into_iter().enumerate() {
        let ip = [10, 0, 5, index as u8 + 1];
        let [a, b, c, d] = ip;
        let records = format!("{domain} MX 10 mx.{domain}\nmx.{domain} A {a}.{b}.{c}.{d}");
        sim.dns.add(&records).expect("records");
        let world = sim.world_for(ip.into(), Arc::new(SimDisk::new(0)));
        let listener = world.net.listen(SocketAddr::from((ip, MAIL))).expect("nobody else listens");
        tokio::spawn(Peer::new(domain, temper, ledger.clone(), random.u64(..)).serve(listener));
    }
}

/// Cuts and resets hosts at random, as long as mail is sent and some days more.
async fn weather(sim: Arc<SimWorld>, ledger: Ledger, mut random: fastrand::Rng, sending: u64) {
    while ledger.now() < sending + DAY * 3 {
        sleep(Duration::from_secs(random.u64(600..28_800))).await;
        let hosts = 3 + PEERS.len() as u8;
        let ip = match random.u8(..hosts) {
            agent @ 0..3 => [10, 0, 0, agent + 1],
            peer => [10, 0, 5, peer - 2],
        };
        if random.bool() {
            ledger.note(&format!("connections of {ip:?} are reset"));
            sim.net.reset(ip.into());
        } else {
            ledger.note(&format!("{ip:?} is cut off"));
            sim.net.cut(ip.into());
            sleep(Duration::from_secs(random.u64(1..7_200))).await;
            sim.net.heal(ip.into());
            ledger.note(&format!("{ip:?} is back"));
        }
    }
}

async fn send(sim: &Arc<SimWorld>, ledger: &Ledger, random: &mut fastrand::Rng, until: u64) {
    let known = sim.world_for([10, 1, 0, 7].into(), Arc::new(SimDisk::new(0)));
    let stranger = sim.world_for([10, 2, 0, 7].into(), Arc::new(SimDisk::new(0)));
    let mut number = 0;
    while ledger.now() < until {
        // In bursts, so that connections, groups and limits are shared.
        sleep(Duration::from_secs(random.u64(60..3_600))).await;
        for _ in 0..random.u32(1..6) {
            number += 1;
            let errand = errand(number, random);
            let is_known = random.u32(..4) > 0;
            let host = match is_known {
                true => 1 + random.u8(..3) % 2,
                false => 1 + random.u8(..3),
            };
            let to = SocketAddr::from(([10, 0, 0, host], MAIL));
            ledger.note(&format!(
                "message {number} from <{}> to {} by host {host}, {:?}, known {is_known}, for {}",
                errand.mail.reverse_path,
                to,
                errand.manner,
                errand.mail.recipients.join(" ")
            ));
            let world = if is_known { &known } else { &stranger };
            tokio::spawn(client::send(world.clone(), to, errand, ledger.clone()));
        }
    }
}

fn errand(number: u32, random: &mut fastrand::Rng) -> Errand {
    let mut recipients = Vec::new();
    for _ in 0..random.u32(1..4) {
        let domain = random.choice(DOMAINS).expect("there are some");
        for _ in 0..random.u32(1..5) {
            recipients.push(format!("t{number}r{}@{domain}", recipients.len()));
        }
    }
    let reverse_path = match random.u32(..8) {
        0 => String::new(),
        1..4 => format!("s{number}@a.test"),
        4 => format!("s{number}@b.test"),
        5 => format!("s{number}@c.test"),
        _ => format!("s{number}@{}", random.choice(DOMAINS).expect("there are some")),
    };
    let manner = match random.u32(..12) {
        common @ 0..6 => MANNERS[common as usize % 3],
        rare => MANNERS[rare as usize - 6],
    };
    let manner = if manner == Manner::Hangs && random.bool() { Manner::Polite } else { manner };
    Errand {
        number,
        mail: Mail { reverse_path, recipients, content: content(number, random) },
        manner,
    }
}

/// With dots where they hurt, and now and then too big for memory.
fn content(number: u32, random: &mut fastrand::Rng) -> Vec<u8> {
    let mut content = format!("Subject: number {number}\r\nX-Sim: {number}\r\n\r\n").into_bytes();
    let length = match random.u32(..40) {
        0 => random.usize(250_000..600_000),
        1..5 => random.usize(10_000..60_000),
        _ => random.usize(0..4_000),
    };
    while content.len() < length {
        match random.u32(..12) {
            0 => content.extend_from_slice(b"."),
            1 => content.extend_from_slice(b".."),
            2 => {}
            _ => content.extend((0..random.usize(1..70)).map(|_| random.alphanumeric() as u8)),
        }
        content.extend_from_slice(b"\r\n");
    }
    content
}

/// Until every queue is empty, at most until `latest`.
async fn rest(hosts: &[Host], latest: u64, ledger: &Ledger) {
    let empty = |host: &Host| host.agent.as_ref().is_none_or(|agent| agent.queue.is_empty());
    while ledger.now() < latest && !hosts.iter().all(empty) {
        sleep(Duration::from_secs(3_600)).await;
    }
    // Finishes ride with the next group; whoever still talks says goodbye.
    sleep(Duration::from_secs(7_200)).await;
}
