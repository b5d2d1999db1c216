//! Who is in the world, and what is done to them.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::sleep;
use world::{
    World,
    sim::{SimWorld, disk::SimDisk, net::Conditions},
};

use super::{
    End,
    between::Between,
    client::{self, Errand},
    eavesdropper, errand,
    events::Events,
    host::Host,
    impostor::Impostor,
    judge,
    ledger::Ledger,
    map::{ALPHA, BETA, BETWEEN, NAMES, PEERS, POLICY_HOST, delta, gamma, trick},
    named::{NAMINGS, Proxy},
    odd::Odd,
    operator::Operator,
    peer::{Peer, Temper},
    policy_host,
    tls::{PAPERS, Tls},
    trouble::harm,
    user::{Approach, HONEST, OTHERS, Visitor},
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
    let tls = Arc::new(Tls::new(&PAPERS));
    settle_peers(&sim, &tls, &ledger, &mut random);
    settle_between(&sim, &tls, &ledger, &mut random);
    let sending = DAY * days.saturating_sub(REST_DAYS).max(1);
    let mut lives = Vec::new();
    let (gamma, delta) = (gamma(), delta());
    for (name, ip, config) in [
        ("alpha", [10, 0, 0, 1], ALPHA),
        ("beta", [10, 0, 0, 2], BETA),
        ("gamma", [10, 0, 0, 3], gamma.as_str()),
        ("delta", [10, 0, 0, 4], delta.as_str()),
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
    tokio::spawn(submit(sim.clone(), tls.clone(), ledger.clone(), random.fork(), sending));
    tokio::spawn(start_queues(sim.clone(), ledger.clone(), random.fork(), sending));
    tokio::spawn(hand_on(sim.clone(), ledger.clone(), random.fork(), sending));
    let impostor = Impostor {
        world: sim.world_for([10, 2, 1, 66].into(), Arc::new(SimDisk::new(0))),
        tls: tls.clone(),
        ledger: ledger.clone(),
        random: random.fork(),
        locked: BTreeMap::new(),
    };
    tokio::spawn(impostor.work(sending));
    tokio::spawn(babble(sim.clone(), tls, ledger.clone(), random.fork(), sending));
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

/// The address of the host that is reached as the peer with that index.
fn address_of(index: usize) -> [u8; 4] {
    let between = BETWEEN.iter().position(|(domain, _)| *domain == PEERS[index].0);
    match between {
        Some(position) => [10, 0, 6, position as u8 + 1],
        None => [10, 0, 5, index as u8 + 1],
    }
}

/// Those in between, whoever listens on the wires, and the host that hands out MTA-STS policies.
fn settle_between(sim: &SimWorld, tls: &Arc<Tls>, ledger: &Ledger, random: &mut fastrand::Rng) {
    let mut promised = BTreeMap::new();
    for (index, (domain, _)) in PEERS.into_iter().enumerate() {
        let Some(&(name, is_verified)) = BETWEEN.iter().find(|(name, _)| *name == domain) else {
            continue;
        };
        let ip = address_of(index);
        promised.insert(ip.into(), name);
        let between = Between {
            name,
            is_verified,
            world: sim.world_for(ip.into(), Arc::new(SimDisk::new(0))),
            behind: SocketAddr::from(([10, 0, 5, index as u8 + 1], MAIL)),
            tls: tls.clone(),
            ledger: ledger.clone(),
        };
        tokio::spawn(between.work(SocketAddr::from((ip, MAIL)), random.fork()));
    }
    sim.net.listen_in(eavesdropper::listens(ledger.clone(), promised));
    sim.dns.add(&format!("_25._tcp.mx.dane.test TLSA {}", PAPERS.tlsa)).expect("a record");
    let world = sim.world_for(POLICY_HOST.into(), Arc::new(SimDisk::new(0)));
    tokio::spawn(policy_host::serve(world, tls.clone(), ledger.clone()));
}

fn settle_peers(sim: &SimWorld, tls: &Arc<Tls>, ledger: &Ledger, random: &mut fastrand::Rng) {
    sim.dns.add(NAMES).expect("records");
    // Somebody is there, and listens to nothing.
    drop(sim.net.host([10, 0, 3, 1].into()));
    for (index, (domain, temper)) in PEERS.into_iter().enumerate() {
        let ip = [10, 0, 5, index as u8 + 1];
        if temper != Temper::Lmtp {
            let [a, b, c, d] = address_of(index);
            let records = format!("{domain} MX 10 mx.{domain}\nmx.{domain} A {a}.{b}.{c}.{d}");
            sim.dns.add(&records).expect("records");
        }
        let world = sim.world_for(ip.into(), Arc::new(SimDisk::new(0)));
        let listener = world.net.listen(SocketAddr::from((ip, MAIL))).expect("nobody else listens");
        let peer = Peer::new(domain, temper, tls.clone(), ledger.clone(), random.u64(..));
        tokio::spawn(peer.serve(listener));
    }
}

/// Cuts and resets hosts at random, as long as mail is sent and some days more.
async fn weather(sim: Arc<SimWorld>, ledger: Ledger, mut random: fastrand::Rng, sending: u64) {
    while ledger.now() < sending + DAY * 3 {
        sleep(Duration::from_secs(random.u64(600..28_800))).await;
        let hosts = 4 + PEERS.len() as u8;
        let ip = match random.u8(..hosts) {
            agent @ 0..4 => [10, 0, 0, agent + 1],
            peer => address_of(usize::from(peer) - 4),
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

/// Two machines of clients: one in the network that may relay, and one elsewhere.
fn inside_and_outside(sim: &SimWorld, host: u8) -> [World; 2] {
    [1, 2].map(|network| sim.world_for([10, network, 0, host].into(), Arc::new(SimDisk::new(0))))
}

async fn send(sim: &Arc<SimWorld>, ledger: &Ledger, random: &mut fastrand::Rng, until: u64) {
    let [known, stranger] = inside_and_outside(sim, 7);
    while ledger.now() < until {
        // In bursts, so that connections, groups and limits are shared.
        sleep(Duration::from_secs(random.u64(60..3_600))).await;
        for _ in 0..random.u32(1..6) {
            let number = ledger.number();
            let mut errand = errand::of_machine(number, random);
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
            errand.may_relay = is_known;
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

/// Somebody of the clients' network who starts alpha's queue by ETRN (RFC 1985), and strangers who try.
async fn start_queues(sim: Arc<SimWorld>, ledger: Ledger, mut random: fastrand::Rng, until: u64) {
    let [known, stranger] = inside_and_outside(&sim, 7);
    let nodes = ["good.test", "busy.test", "@test", "lmtp.test", "#mx.busy.test", "gone.test"];
    while ledger.now() < until {
        sleep(Duration::from_secs(random.u64(600..10_000))).await;
        let is_known = random.u32(..3) > 0;
        let node = random.choice(nodes).expect("there are some");
        let world = if is_known { known.clone() } else { stranger.clone() };
        tokio::spawn(client::start_queue(world, is_known, node, ledger.clone()));
    }
}

/// Users, honest ones and others, at delta.
async fn submit(
    sim: Arc<SimWorld>,
    tls: Arc<Tls>,
    ledger: Ledger,
    mut random: fastrand::Rng,
    until: u64,
) {
    let [home, abroad] = inside_and_outside(&sim, 8);
    while ledger.now() < until {
        sleep(Duration::from_secs(random.u64(60..3_600))).await;
        for _ in 0..random.u32(1..4) {
            let is_honest = random.u32(..3) > 0;
            let approaches: &[Approach] = if is_honest { &HONEST } else { &OTHERS };
            let approach = *random.choice(approaches).expect("there are some");
            let number = ledger.number();
            let mut errand = errand::of_user(number, &mut random);
            match approach {
                Approach::Borrows => errand.mail.reverse_path = format!("s{number}@a.test"),
                // Only who signs in may have mail held back there.
                Approach::Machine => errand.mail.hold = None,
                _ => {}
            }
            promise(&ledger, approach, &errand);
            let away = !is_honest || approach != Approach::Machine && random.u32(..4) == 0;
            ledger.note(&format!(
                "message {number} from <{}> to delta, {approach:?}, {:?}, abroad {away},{} for {}",
                errand.mail.reverse_path,
                errand.manner,
                errand.mail.wishes,
                errand.mail.recipients.join(" ")
            ));
            let world = if away { &abroad } else { &home };
            let (tls, ledger, user) = (tls.clone(), ledger.clone(), random.usize(..2));
            let is_home = !away;
            let visitor = Visitor { world: world.clone(), tls, approach, ledger, user, is_home };
            tokio::spawn(visitor.send(errand));
        }
    }
}

/// What is to be kept wherever the message goes.
fn promise(ledger: &Ledger, approach: Approach, errand: &Errand) {
    let (number, mail) = (errand.number, &errand.mail);
    let mut inner = ledger.lock();
    if mail.wishes.contains("REQUIRETLS") && !mail.reverse_path.is_empty() {
        inner.require_tls.insert(number);
    }
    if mail.wishes_of_each.contains("RRVS") {
        inner.rrvs.insert(number);
    }
    // Of machines it is lowered.
    if approach != Approach::Machine {
        let words = ["MT-PRIORITY=4", "MT-PRIORITY=-3"];
        let asked = words.into_iter().find(|word| mail.wishes.contains(word));
        inner.priorities.extend(asked.map(|word| (number, word)));
    }
}

/// Proxies of alpha's, and those who pretend to be some, who name clients of both kinds.
async fn hand_on(sim: Arc<SimWorld>, ledger: Ledger, mut random: fastrand::Rng, until: u64) {
    let machine = |ip: [u8; 4]| sim.world_for(ip.into(), Arc::new(SimDisk::new(0)));
    // The first may relay itself.
    let machines = [[10, 3, 0, 1], [10, 3, 0, 2], [10, 2, 0, 10]].map(machine);
    while ledger.now() < until {
        sleep(Duration::from_secs(random.u64(1_200..12_000))).await;
        let by = random.usize(..3);
        let (is_believed, is_known) = (by < 2, random.bool());
        let number = ledger.number();
        let mut errand = errand::of_machine(number, &mut random);
        // What the client at 25 may ask for is not offered here.
        errand.mail.hold = None;
        errand.may_relay = is_believed && is_known;
        if !errand.may_relay {
            ledger.lock().strangers.insert(number);
            let first = errand.mail.recipients.len();
            errand.tricks = (first..first + random.usize(..4))
                .map(|index| trick(number, index, "a.test", &mut random))
                .collect();
        }
        let naming = random.choice(NAMINGS).expect("there are some");
        ledger.note(&format!(
            "message {number} from <{}> by proxy {by}, {naming:?}, known {is_known}, for {}",
            errand.mail.reverse_path,
            errand.mail.recipients.join(" ")
        ));
        let (world, ledger) = (machines[by].clone(), ledger.clone());
        // A stranger names nobody but who would be of use to him.
        let client = [10, if is_known || !is_believed { 1 } else { 2 }, 0, 11];
        let proxy = Proxy { world, ledger, is_believed, naming, client };
        tokio::spawn(proxy.send(errand));
    }
}

/// Those who say anything at all, at every door.
async fn babble(
    sim: Arc<SimWorld>,
    tls: Arc<Tls>,
    ledger: Ledger,
    mut random: fastrand::Rng,
    until: u64,
) {
    let [known, stranger] = inside_and_outside(&sim, 9);
    while ledger.now() < until {
        sleep(Duration::from_secs(random.u64(60..2_400))).await;
        for _ in 0..random.u32(1..4) {
            let is_known = random.bool();
            let world = if is_known { known.clone() } else { stranger.clone() };
            let (tls, ledger, random) = (tls.clone(), ledger.clone(), random.fork());
            let odd = Odd { world, is_known, tls, ledger, random, dialogue: Vec::new() };
            tokio::spawn(odd.visit());
        }
    }
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
