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
    map::{ALPHA, BETA, DOMAINS, GAMMA, NAMES, PEERS, trick},
    operator::Operator,
    peer::{Peer, Temper},
    trouble::harm,
};

const MAIL: u16 = 25;
const DAY: u64 = 86_400_000;
/// A message waits five days, then its report does; half a day is for what a crash delays.
const REST_DAYS: u64 = 11;

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
        let trouble =
            harm(host.disk.clone(), name, ledger.clone(), random.fork(), sending + DAY * 3);
        tokio::spawn(trouble);
        tokio::spawn(
            operator(&host, config, random.fork()).work(sending + DAY * 3, sending + DAY * 7),
        );
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
        let Some(agent) = host.running.agent() else { continue };
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

/// He changes between the configuration and one that offers less and opens fewer connections.
fn operator(host: &Host, config: &str, random: fastrand::Rng) -> Operator {
    let narrow = config
        .replace("tls = \"none\"", "tls = \"none\", hide = [\"PIPELINING\", \"CHUNKING\"]")
        + "[queue]\nconnections_max = 3\n";
    let narrow = match mta::config::Config::parse(&narrow) {
        Ok((config, _)) => config,
        Err(problems) => panic!("the narrow configuration of {}: {problems:?}", host.name),
    };
    let configs = vec![host.config.clone(), narrow];
    let (name, running, ledger) = (host.name, host.running.clone(), host.ledger.clone());
    Operator { name, running, ledger, random, configs }
}

fn settle_peers(sim: &SimWorld, ledger: &Ledger, random: &mut fastrand::Rng) {
    sim.dns.add(NAMES).expect("records");
    // Somebody is there, and listens to nothing.
    drop(sim.net.host([10, 0, 3, 1].into()));
    for (index, (domain, temper)) in PEERS.into_iter().enumerate() {
        let ip = [10, 0, 5, index as u8 + 1];
        if temper != Temper::Lmtp {
            let [a, b, c, d] = ip;
            let records = format!("{domain} MX 10 mx.{domain}\nmx.{domain} A {a}.{b}.{c}.{d}");
            sim.dns.add(&records).expect("records");
        }
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
            let mut errand = errand(number, random);
            let is_known = random.u32(..4) > 0;
            let host = match is_known {
                true => 1 + random.u8(..3) % 2,
                false => 1 + random.u8(..3),
            };
            let to = SocketAddr::from(([10, 0, 0, host], MAIL));
            if !is_known {
                ledger.lock().strangers.insert(number);
                let ours = ["a.test", "c.test", "b.test"][usize::from(host) - 1];
                let first = errand.mail.recipients.len();
                errand.tricks = (first..first + random.usize(..4))
                    .map(|index| trick(number, index, ours, random))
                    .collect();
            }
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
    let hold = (random.u32(..10) == 0).then(|| random.u64(60..20_000));
    let by = (random.u32(..10) == 0).then(|| random.u64(600..80_000));
    let mail = Mail { reverse_path, hold, by, recipients, content: content(number, random) };
    Errand { number, mail, manner, tricks: Vec::new() }
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
    let empty = |host: &Host| host.running.agent().is_none_or(|agent| agent.queue.is_empty());
    while ledger.now() < latest && !hosts.iter().all(empty) {
        sleep(Duration::from_secs(3_600)).await;
    }
    // Finishes ride with the next group; whoever still talks says goodbye.
    sleep(Duration::from_secs(7_200)).await;
}
