//! Every scenario of the lab, played in a simulated network: what it is found as from our own attempt (by
//! `why`) and from a capture of it (by `analyze`), and that both have the same name for it.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use capture::{Analysis, Limits};
use diagnose::{Finding, Weight, examine, inspect};
use lab::{Middlebox, Recording, Recordings, Scenario, Server, scenario};
use mta::{Agent, Pace, config::Config, why::Step};
use smtp::{Envelope, Recipient};
use transport::{
    ClientTls, Features, Plan,
    content::Memory,
    probe::{Bisect, Order, Subject, Trial, Visit, probe},
    send::{Report, Via, send},
};
use world::{
    World,
    sim::{SimWorld, disk::SimDisk},
};

const CLIENT: [u8; 4] = [192, 0, 2, 1];
const BOX: [u8; 4] = [192, 0, 2, 2];
const SERVER: [u8; 4] = [192, 0, 2, 3];

/// A file in memory.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What came of a message through a scenario.
struct Played {
    report: Report,
    /// What `why` names, for the first recipient that has trouble.
    own: Vec<String>,
    /// What `analyze` names.
    captured: Vec<Finding>,
}

const AGENT: [u8; 4] = [192, 0, 2, 4];
/// Relays everything by way of the box.
const CONFIG: &str = r#"
hostname = "mx.a.test"
data = "/data"
default_route = { tls = "opportunistic", use = ["XEXCH50"], next_hop = "192.0.2.2:25", retry = { first = "1m" } }
relay = { networks = ["192.0.2.1/32"] }
domains = { "a.test" = { kind = "smtp", next_hop = "discard:" } }
listener = [{ address = "192.0.2.4:25", role = "mx", tls = "none" }]
spool = { reserve = "1MiB", segment_size = "1MiB" }
"#;

/// A scenario that is being played: a server at [`SERVER`], a box in front of it at [`BOX`].
struct Stage {
    sim: SimWorld,
    /// The client's world.
    ours: World,
    server: Arc<Server>,
    playing: tokio::task::JoinHandle<()>,
    /// What a capture on the client's side has.
    capture: Shared,
}

impl Stage {
    fn world(&self, host: [u8; 4], seed: u64) -> World {
        self.sim.world_for(IpAddr::from(host), Arc::new(SimDisk::new(seed)))
    }
}

/// Begins to play a scenario.
fn stage(scenario: &Scenario, seed: u64) -> Stage {
    let sim = SimWorld::new(seed);
    let world =
        |host: [u8; 4], seed| sim.world_for(IpAddr::from(host), Arc::new(SimDisk::new(seed)));
    let (ours, between, theirs) = (world(CLIENT, 1), world(BOX, 2), world(SERVER, 3));
    let far = SocketAddr::from((SERVER, 25));
    let server = Server::listen(&theirs.net, far, scenario.server.clone(), None).unwrap();
    let server = Arc::new(server);
    let capture = Shared::default();
    let near = Recording::new(Box::new(capture.clone()), ours.clock.now().0).unwrap();
    let at = SocketAddr::from((BOX, 25));
    let middlebox = Middlebox::listen(&between.net, at, far, scenario.middlebox.clone())
        .unwrap()
        .recorded(Recordings { near: Some(near), far: None });
    let behind = Arc::clone(&server);
    let playing = tokio::spawn(async move {
        tokio::join!(behind.run(), middlebox.run());
    });
    Stage { sim, ours, server, playing, capture }
}

/// As a route with `use` has it.
fn plan() -> Plan {
    Plan { allow: Features::XEXCH50, ..Plan::new("client.a.test") }
}

/// Gives a message to a transfer agent whose next hop is behind the scenario; how many arrived within a
/// day, and what was learned on the way.
async fn relay_by_agent(scenario: &Scenario) -> (u32, Vec<String>) {
    let stage = stage(scenario, 11);
    let (config, _) = Config::parse(CONFIG).unwrap();
    let agent = Agent::start(config, stage.world(AGENT, 4), Pace::Task).await.unwrap();
    let mut envelope = Envelope::new(long_sender().parse().ok());
    envelope.recipients.push(Recipient::new("bob@b.test".parse().unwrap()));
    let content = Memory(long_content().into());
    let via = Via::Server("192.0.2.4".to_owned(), 25);
    let (ours, tls) = (&stage.ours, ClientTls::new(&stage.ours).unwrap());
    let given = send(ours, &tls, &via, &Plan::new("c.a.test"), &envelope, &content).await;
    assert!(matches!(given.outcomes[..], [smtp::Outcome::Relayed(_)]), "{:?}", given.outcomes);
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let why = mta::inquire::explain(&agent.queue, "bob@b.test").await.unwrap();
    let notes = why.stories.iter().flat_map(|story| &story.steps).filter_map(|step| match step {
        Step::Note { text, .. } => Some(text.clone()),
        _ => None,
    });
    let notes = notes.collect();
    agent.stop(Duration::ZERO).await;
    stage.playing.abort();
    (stage.server.accepted(), notes)
}

#[tokio::test(start_paused = true)]
async fn the_transfer_agent_gets_round_what_it_can() {
    let mut wrong = Vec::new();
    for scenario in scenario::all().unwrap() {
        let (arrived, notes) = relay_by_agent(&scenario).await;
        let expected = u32::from(scenario.passes);
        if arrived != expected {
            wrong.push(format!("{}: {arrived} arrived, not {expected}: {notes:?}", scenario.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    for (name, feature) in [
        ("drop-bdat", "CHUNKING"),
        ("bdat-500", "CHUNKING"),
        ("broken-pipelining", "PIPELINING"),
        ("starttls-garbage", "STARTTLS"),
        ("xexch50-abort", "XEXCH50"),
        ("xexch50-504", "XEXCH50"),
    ] {
        let (_, notes) = relay_by_agent(&Scenario::named(name).unwrap()).await;
        assert!(notes.iter().any(|note| note.contains(feature)), "{name}: {notes:?}");
    }
}

async fn play(scenario: &Scenario) -> Played {
    let stage = stage(scenario, 7);
    let report = hand_over(&stage.ours, scenario).await;
    // What ends a connection takes its way, too.
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    stage.playing.abort();
    let own = report.attempts.iter().flat_map(|attempt| {
        attempt
            .outcomes
            .iter()
            .filter(|(_, outcome)| !matches!(outcome, smtp::Outcome::Relayed(_)))
            .map(|(path, _)| examine(attempt, path).rule)
    });
    let own = own.collect();
    let mut analysis = Analysis::new(Limits::default());
    analysis.feed(&stage.capture.0.lock().unwrap());
    analysis.finish();
    let sessions = analysis.sessions();
    if std::env::var("LAB_SHOW").is_ok_and(|name| name == scenario.name) {
        for line in sessions.iter().flat_map(|session| &session.lines) {
            eprintln!("{:?} {:?} {:?} {}", line.at, line.by, line.kind, line.lossy());
        }
    }
    let captured = sessions.iter().flat_map(inspect).collect();
    Played { report, own, captured }
}

/// A reverse-path that makes MAIL longer than some boxes like.
fn long_sender() -> String {
    format!("a-sender-with-a-long-name-{}@a.test", "x".repeat(40))
}

/// A content of several packets.
fn long_content() -> String {
    let line = "A line of a message that is long enough to fill more than one packet.\r\n";
    format!("Subject: lab\r\n\r\n{}", line.repeat(180))
}

/// A message as our transfer agent sends it: long enough for what minds long things.
async fn hand_over(ours: &World, scenario: &Scenario) -> Report {
    let mut envelope = Envelope::new(long_sender().parse().ok());
    let count = if scenario.name == "rcpt-limit" { 120 } else { 2 };
    for number in 0..count {
        envelope.recipients.push(Recipient::new(format!("b{number}@b.test").parse().unwrap()));
    }
    let content = long_content();
    let tls = ClientTls::new(ours).unwrap();
    let via = Via::Server("192.0.2.2".to_owned(), 25);
    send(ours, &tls, &via, &plan(), &envelope, &Memory(content.into())).await
}

#[tokio::test(start_paused = true)]
async fn every_scenario_is_found_and_named_alike() {
    let mut wrong = Vec::new();
    for scenario in scenario::all().unwrap() {
        let played = play(&scenario).await;
        let heavy = |finding: &&Finding| finding.weight > Weight::Remark;
        let captured: Vec<&str> = played.captured.iter().map(|f| f.rule.as_str()).collect();
        let accused: Vec<&str> =
            played.captured.iter().filter(heavy).map(|f| f.rule.as_str()).collect();
        let names = |rules: &[String]| rules.iter().any(|rule| scenario.finds.contains(rule));
        let is_found = match scenario.finds.is_empty() {
            true => accused.is_empty() && played.own.is_empty(),
            false => captured.iter().any(|rule| scenario.finds.iter().any(|found| found == rule)),
        };
        let is_named_alike =
            played.own.is_empty() || scenario.finds.is_empty() || names(&played.own);
        if !is_found || !is_named_alike {
            let outcomes: Vec<String> = played
                .report
                .attempts
                .iter()
                .flat_map(|attempt| attempt.transcript.lines())
                .map(|line| format!("{:?} {}", line.by, String::from_utf8_lossy(line.text)))
                .collect();
            wrong.push(format!(
                "{}: expected {:?}, analyze {captured:?}, why {:?}, outcome {outcomes:?}",
                scenario.name,
                scenario.finds,
                played.own.first()
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What `probe` sees when it looks through a box at the lab's server.
async fn probed(scenario: &Scenario, how: Option<Bisect>) -> Visit {
    let stage = stage(scenario, 5);
    let mut plan = plan();
    plan.timeouts.limit(Duration::from_secs(30));
    let trial = Trial {
        reverse_path: long_sender().parse().ok(),
        recipients: vec!["bob@b.test".parse().unwrap()],
        size: None,
    };
    let order = Order {
        subject: Subject::Host("192.0.2.2".to_owned()),
        port: 25,
        plan,
        trial: Some(trial),
        selectors: Vec::new(),
        mine: false,
        bisect: how,
        https_port: 443,
    };
    let tls = ClientTls::new(&stage.ours).unwrap();
    let mut report = probe(&stage.ours, &tls, &order).await;
    stage.playing.abort();
    report.visits.remove(0)
}

/// What `probe --bisect` names, and its tries.
async fn bisected(scenario: &Scenario, how: Bisect) -> (Option<String>, Vec<String>) {
    let bisection = probed(scenario, Some(how)).await.bisection.expect("it was connected");
    let tries = bisection.tries.iter().map(|tried| format!("{tried:?}")).collect();
    (bisection.culprit, tries)
}

#[tokio::test(start_paused = true)]
async fn bisection_names_what_breaks_in_a_box() {
    use Bisect::{BreakOff, Send};
    let mut wrong = Vec::new();
    for (name, how, culprit) in [
        ("plain", BreakOff, None),
        ("plain", Send, None),
        // It passes, but only as HELO stands in for EHLO.
        ("pix-fixup", BreakOff, Some("EHLO")),
        ("pix-fixup", Send, Some("EHLO")),
        ("drop-bdat", BreakOff, Some("CHUNKING")),
        ("drop-bdat", Send, Some("CHUNKING")),
        ("bdat-500", BreakOff, Some("CHUNKING")),
        ("bdat-500", Send, Some("CHUNKING")),
        ("broken-pipelining", BreakOff, Some("PIPELINING")),
        ("broken-pipelining", Send, Some("PIPELINING")),
        ("xexch50-abort", BreakOff, Some("XEXCH50")),
        ("xexch50-abort", Send, Some("XEXCH50")),
        ("mtu-blackhole", BreakOff, Some("large content")),
        ("mtu-blackhole", Send, Some("large content")),
        ("content-kill", BreakOff, Some("large content")),
        ("starttls-verb", Send, None), // refused, it goes on in clear: no break
        ("starttls-garbage", BreakOff, Some("STARTTLS")),
        ("size-limit", Send, None), // it refuses small ones too
        ("bdat-refused", Send, Some("CHUNKING")),
        ("long-line-reset", Send, None), // whatever is switched off, the sender is long
        ("strip-mail-from", Send, None),
        ("xexch50-504", BreakOff, None),
    ] {
        let (found, tries) = bisected(&Scenario::named(name).unwrap(), how).await;
        if found.as_deref() != culprit {
            wrong.push(format!(
                "{name} {how:?}: {found:?}, not {culprit:?}:\n  {}",
                tries.join("\n  ")
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// By which of a scenario's names each of these calls it, `-` where by none. The same name comes first.
fn named(scenario: &Scenario, columns: [&[String]; 3]) -> [String; 3] {
    let calls = |rules: &[String], name: &String| rules.contains(name);
    let alike = |name: &&String| columns[..2].iter().all(|rules| calls(rules, name));
    let mut names: Vec<&String> = scenario.finds.iter().collect();
    names.sort_by_key(|name| !alike(name));
    columns.map(|rules| {
        let name = names.iter().find(|name| calls(rules, name));
        name.map_or("-".to_owned(), |name| (*name).clone())
    })
}

/// A scenario's row: what it is found as, by each that looks.
async fn row(scenario: &Scenario, wrong: &mut Vec<String>) -> String {
    let played = play(scenario).await;
    let rules = |findings: &[Finding]| -> Vec<String> {
        findings.iter().map(|finding| finding.rule.clone()).collect()
    };
    let captured = rules(&played.captured);
    let own: Vec<Finding> =
        played.report.attempts.iter().flat_map(|attempt| inspect(&attempt.into())).collect();
    let why = played.own.iter().chain(&rules(&own)).cloned().collect::<Vec<_>>();
    let visit = probed(scenario, Some(Bisect::Send)).await;
    let seen = rules(&visit.findings);
    let culprit = visit.bisection.and_then(|bisection| bisection.culprit);
    let [analyze, why, probe] = named(scenario, [&captured, &why, &seen]);
    if !scenario.finds.is_empty() && (analyze == "-" || why != "-" && why != analyze) {
        wrong.push(format!("{}: analyze {captured:?}, why {why}", scenario.name));
    }
    let culprit = culprit.unwrap_or_else(|| "-".to_owned());
    let kind = format!("{:?}", scenario.kind).to_lowercase();
    format!("| `{}` | {kind} | {analyze} | {why} | {probe} | {culprit} |", scenario.name)
}

const BEGINS: &str = "<!-- made by `GOLDEN=write cargo test -p mailwright-tests --test lab` -->";

/// docs/lab.md has what each scenario is found as.
#[tokio::test(start_paused = true)]
async fn the_table_of_the_documentation_is_what_is_found() {
    let mut rows = vec![
        "| scenario | plays the | `analyze` | our own evidence | `probe` | `--bisect --send` |"
            .to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    let mut wrong = Vec::new();
    for scenario in scenario::all().unwrap() {
        rows.push(row(&scenario, &mut wrong).await);
    }
    let table = rows.join("\n");
    println!("{table}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lab.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, _) = page.split_once(BEGINS).expect("the place of the table");
    let wanted = format!("{before}{BEGINS}\n\n{table}\n");
    if std::env::var_os("GOLDEN").is_some() {
        std::fs::write(path, wanted).unwrap();
        return;
    }
    assert_eq!(page, wanted, "GOLDEN=write cargo test -p mailwright-tests --test lab");
}
