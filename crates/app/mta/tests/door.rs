//! At the door, over whole sessions in the simulated world: what a client hears, what `why` tells of it,
//! and what survives a restart.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use mta::{Agent, Pace, config::Config, why};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};
use world::{
    net::Connect,
    sim::{SimWorld, disk::SimDisk},
};

const ZONE: &str = r#"
    41.2.0.192.zen.spamhaus.org  A 127.0.0.2
    41.2.0.192.zen.spamhaus.org  TXT "https://check.spamhaus.org/query/ip/192.0.2.41"
    42.2.0.192.zen.spamhaus.org  A 127.255.255.254
    44.2.0.192.zen.spamhaus.org  TIMEOUT 600
    45.2.0.192.zen.spamhaus.org  A 127.0.0.2
    45.2.0.192.list.dnswl.org    A 127.0.5.3
    bad.test.dbl.spamhaus.org    A 127.0.1.2
    a.test     MX 10 mail.a.test
    mail.a.test A 192.0.2.50
    192.0.2.50 PTR mail.a.test
    192.0.2.51 PTR forged.a.test
    forged.a.test A 192.0.2.99
    null.test  MX 0 .
    gone.test  SERVFAIL
"#;
const US: [u8; 4] = [192, 0, 2, 1];
const NEXT: [u8; 4] = [192, 0, 2, 2];

struct Scene {
    sim: SimWorld,
    disk: SimDisk,
    config: Config,
    agent: Arc<Agent>,
}

async fn start(sim: &SimWorld, host: [u8; 4], config: &Config, disk: &SimDisk) -> Arc<Agent> {
    let world = sim.world_for(host.into(), Arc::new(disk.clone()));
    Agent::start(config.clone(), world, Pace::Task).await.expect("it starts")
}

impl Scene {
    async fn new(tables: &str) -> Self {
        let sim = SimWorld::new(7);
        sim.dns.add(ZONE).unwrap();
        let text = format!(
            "hostname = 'mx.b.test'\ndata = '/data'\n[tls]\n[[listener]]\naddress = '192.0.2.1:25'\n\
             tls = 'none'\n[domains.'b.test']\n[domains.'next.test']\nkind = 'smtp'\n\
             next_hop = '192.0.2.2:25'\n{tables}"
        );
        let config = match Config::parse(&text) {
            Ok((config, _)) => config,
            Err(problems) => panic!("{problems:?}"),
        };
        let disk = SimDisk::new(1);
        let agent = start(&sim, US, &config, &disk).await;
        Self { sim, disk, config, agent }
    }

    /// A connection from 192.0.2.`last`: what is read until the client is to speak, and the rest.
    async fn connect(&self, last: u8) -> Talk {
        self.connect_to(last, 25).await
    }

    async fn connect_to(&self, last: u8, port: u16) -> Talk {
        let host = [192, 0, 2, last];
        let world = self.sim.world_for(host.into(), Arc::new(SimDisk::new(9)));
        let to = SocketAddr::from((US, port));
        let timeout = Duration::from_secs(30);
        let stream = world.net.connect(Connect { to, source: None, timeout }).await.unwrap();
        Talk(stream)
    }

    /// The reply to RCPT of an honest client.
    async fn rcpt(&self, last: u8, helo: &str, mail: &str, rcpt: &str) -> String {
        let mut talk = self.connect(last).await;
        let greeting = talk.reply().await;
        if !greeting.starts_with("220") {
            return greeting;
        }
        talk.say(&format!("EHLO {helo}")).await;
        let mail = talk.say(&format!("MAIL FROM:<{mail}>")).await;
        if !mail.starts_with("250") {
            return mail;
        }
        let reply = talk.say(&format!("RCPT TO:<{rcpt}>")).await;
        talk.say("QUIT").await;
        reply
    }

    fn why(&self, subject: &str) -> String {
        let context = &self.agent.queue.context;
        let log = context.evidence.log.as_ref().unwrap();
        log.flush();
        let why = why::ask(subject, log, &|_| None, context.world.clock.now()).unwrap();
        why.render(&why::Look { width: 200, full: true, ..why::Look::default() })
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        self.agent.queue.context.policy.counts()
    }
}

struct Talk(world::net::Stream);

impl Talk {
    async fn say(&mut self, line: &str) -> String {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        self.reply().await
    }

    /// The last line of the next reply; empty at the end.
    async fn reply(&mut self) -> String {
        let mut line = Vec::new();
        loop {
            let mut octet = [0];
            if self.0.read(&mut octet).await.unwrap_or(0) == 0 {
                return String::from_utf8(line).unwrap();
            }
            line.push(octet[0]);
            if line.ends_with(b"\r\n") {
                if line.get(3) != Some(&b'-') {
                    line.truncate(line.len() - 2);
                    return String::from_utf8(line).unwrap();
                }
                line.clear();
            }
        }
    }
}

const LISTS: &str = "[door]\nlist = [{ zone = 'zen.spamhaus.org' }, { zone = 'list.dnswl.org' }, \
                     { zone = 'dbl.spamhaus.org' }]\n";

#[tokio::test(start_paused = true)]
async fn a_listed_client_hears_so_and_why_tells_it() {
    let scene = Scene::new(LISTS).await;
    let ask = async |last| scene.rcpt(last, "client.test", "x@a.test", "bob@b.test").await;
    assert_eq!(
        ask(41).await,
        "550 5.7.1 Email rejected because 192.0.2.41 is listed by zen.spamhaus.org; see \
         https://check.spamhaus.org/query/ip/192.0.2.41"
    );
    for subject in ["bob@b.test", "x@a.test", "b.test", "192.0.2.41"] {
        let why = scene.why(subject);
        assert!(why.contains("dnsbl"), "{subject}: {why}");
        assert!(why.contains("127.0.0.2, SBL: a known source of spam: +10"), "{subject}: {why}");
    }
    assert_eq!(scene.counts(), [("dnsbl", 1)]);
    let not_listed = "250 2.1.5 recipient accepted";
    assert_eq!(ask(40).await, not_listed);
    assert_eq!(ask(42).await, not_listed, "the list refuses to answer: that is no listing");
    assert_eq!(ask(45).await, not_listed, "a list of honest senders outweighs");
    let start = Instant::now();
    assert_eq!(ask(44).await, not_listed, "a list without an answer");
    assert!(start.elapsed() < Duration::from_secs(7), "{:?}", start.elapsed());
    let by_domain = scene.rcpt(40, "client.test", "x@bad.test", "bob@b.test").await;
    assert_eq!(
        by_domain,
        "550 5.7.1 Email rejected because bad.test is listed by dbl.spamhaus.org; see \
         https://check.spamhaus.org/results/?query=bad.test"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stranger_comes_again_and_is_known_after_a_restart() {
    let mut scene = Scene::new(&format!(
        "{LISTS}[door.greylist]\non = true\n[door.greylist.except]\nrecipients = ['postmaster@']\n"
    ))
    .await;
    let fresh = "451 4.7.1 greylisted: you are new here, come back in 5m";
    let known = "250 2.1.5 recipient accepted";
    let ask =
        async |scene: &Scene, last| scene.rcpt(last, "x.test", "x@c.test", "bob@b.test").await;
    assert_eq!(ask(&scene, 40).await, fresh);
    assert!(scene.why("bob@b.test").contains("greylist"), "{}", scene.why("bob@b.test"));
    let postmaster = scene.rcpt(40, "x.test", "x@c.test", "postmaster@b.test").await;
    assert_eq!(postmaster, known, "nobody is asked for him");
    assert_eq!(ask(&scene, 45).await, known, "a list of honest senders has it");
    let own = scene.rcpt(50, "mail.a.test", "x@a.test", "bob@b.test").await;
    assert_eq!(own, known, "its confirmed name is of the sender's domain");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(ask(&scene, 40).await, "451 4.7.1 greylisted: you are new here, come back in 4m");
    scene.agent.stop(Duration::from_secs(1)).await;
    scene.disk.crash();
    scene.sim.net.reset(US.into());
    scene.agent = start(&scene.sim, US, &scene.config, &scene.disk).await;
    sleep(Duration::from_secs(300)).await;
    assert_eq!(ask(&scene, 40).await, known);
    assert_eq!(ask(&scene, 40).await, known);
}

#[tokio::test(start_paused = true)]
async fn who_is_denied_may_say_quit() {
    let scene = Scene::new("[door.deny]\nclients = ['192.0.2.66']\n").await;
    let mut denied = scene.connect(66).await;
    assert_eq!(denied.reply().await, "554 5.7.1 this server takes no mail from your address");
    let nothing = "503 5.5.1 this server takes nothing from you: send QUIT";
    assert_eq!(denied.say("EHLO x.test").await, nothing);
    assert_eq!(denied.say("MAIL FROM:<x@a.test>").await, nothing);
    assert_eq!(denied.say("QUIT").await, "221 2.0.0 goodbye");
    assert_eq!(denied.reply().await, "");
    let mut silent = scene.connect(66).await;
    silent.reply().await;
    let start = Instant::now();
    assert!(silent.reply().await.starts_with("421"), "it is not waited for long");
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    let why = scene.why("192.0.2.66");
    assert!(why.contains("client-denied"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_users_submit_has_whole_domains() {
    let scene = Scene::new(
        "[[listener]]\naddress = '192.0.2.1:587'\nrole = 'submission'\nauth.offered = false\n\
         require_auth = false\nnetworks = ['192.0.2.0/24']\ntls = 'none'\n\
         [domains.intranet]\n[routes]\nprinter = '192.0.2.2:25'\n",
    )
    .await;
    let mut user = scene.connect_to(40, 587).await;
    user.reply().await;
    user.say("EHLO x.test").await;
    let incomplete = "554 5.1.8 the reverse-path's domain is not complete";
    assert_eq!(user.say("MAIL FROM:<anna@sales>").await, incomplete);
    assert!(user.say("MAIL FROM:<anna@intranet>").await.starts_with("250"), "it is ours");
    let incomplete = "554 5.1.2 the recipient's domain is not complete";
    assert_eq!(user.say("RCPT TO:<bob@sales>").await, incomplete);
    for path in ["bob@intranet", "x@printer", "x@[192.0.2.7]", "x@c.test", "postmaster"] {
        let reply = user.say(&format!("RCPT TO:<{path}>")).await;
        assert!(reply.starts_with("250"), "{path}: {reply}");
    }
    assert!(scene.why("bob@sales").contains("incomplete-domain"), "{}", scene.why("bob@sales"));
    // A server that sends to us may call itself what it likes.
    let other = scene.rcpt(40, "x.test", "anna@sales", "bob@b.test").await;
    assert_eq!(other, "250 2.1.5 recipient accepted");
}

#[tokio::test(start_paused = true)]
async fn who_talks_early_is_refused_and_who_has_waited_waits_no_more() {
    let scene =
        Scene::new("[limits]\ngreeting_wait = '6s'\n[door]\nteaser = 'please wait'\n").await;
    let mut early = scene.connect(40).await;
    early.0.write_all(b"EHLO x.test\r\n").await.unwrap();
    assert_eq!(early.reply().await, "554 5.5.1 wait for the greeting before you send");
    assert!(scene.why("192.0.2.40").contains("early-talker"));
    let start = Instant::now();
    let mut honest = scene.connect(41).await;
    let mut line = [0; 27];
    honest.0.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"220-mx.b.test please wait\r\n");
    assert!(start.elapsed() < Duration::from_secs(1), "the first line comes at once");
    assert_eq!(honest.reply().await, "220 mx.b.test ESMTP");
    assert!(start.elapsed() >= Duration::from_secs(6));
    assert!(honest.say("EHLO x.test").await.starts_with("250"));
    let start = Instant::now();
    assert_eq!(scene.connect(41).await.reply().await, "220 mx.b.test ESMTP");
    assert!(start.elapsed() < Duration::from_secs(1), "it has waited before");
    assert_eq!(scene.counts(), [("early-talker", 1)]);
}

#[tokio::test(start_paused = true)]
async fn each_rule_has_its_reply() {
    let scene = Scene::new(
        "[door]\nreverse_name = 'reject'\nhelo_literal = 'reject'\nhelo_name = 'reject'\n\
         helo_unknown = 'reject'\nsender_domain = 'reject'\nunanswered = 'defer'\n\
         [door.deny]\nclients = ['198.51.100.0/24']\nsenders = ['*.spam.test']\nrecipients = ['closed@b.test']\n\
         [door.allow]\nclients = ['192.0.2.77']\n",
    )
    .await;
    for (last, helo, mail, rcpt, reply) in [
        (50, "mail.a.test", "x@a.test", "bob@b.test", "250 2.1.5"),
        (50, "mail.a.test", "", "bob@b.test", "250 2.1.5"), // the null sender has no domain
        (
            50,
            "mx.b.test",
            "x@a.test",
            "bob@b.test",
            "550 5.7.1 the name in EHLO is this server's own",
        ),
        (50, "b.test", "x@a.test", "bob@b.test", "550 5.7.1 the name in EHLO is this server's own"),
        (
            50,
            "[192.0.2.1]",
            "x@a.test",
            "bob@b.test",
            "550 5.7.1 the name in EHLO is this server's",
        ),
        (50, "[192.0.2.50]", "x@a.test", "bob@b.test", "250 2.1.5"),
        (50, "[192.0.2.51]", "x@a.test", "bob@b.test", "550 5.7.1 the name in EHLO is not your"),
        (50, "laptop", "x@a.test", "bob@b.test", "550 5.7.1 the name in EHLO is not a full name"),
        (50, "nowhere.test", "x@a.test", "bob@b.test", "550 5.7.1 the name in EHLO has no address"),
        (50, "mail.a.test", "x@nowhere.test", "bob@b.test", "550 5.1.8"),
        (50, "mail.a.test", "x@gone.test", "bob@b.test", "450 4.1.8"),
        (50, "mail.a.test", "x@null.test", "bob@b.test", "550 5.7.27"),
        (51, "mail.a.test", "x@a.test", "bob@b.test", "550 5.7.25 192.0.2.51 has no name"),
        (52, "mail.a.test", "x@a.test", "bob@b.test", "550 5.7.25"),
        (
            50,
            "mail.a.test",
            "x@sub.spam.test",
            "bob@b.test",
            "550 5.7.1 mail with this reverse-path",
        ),
        (50, "mail.a.test", "x@a.test", "closed@b.test", "550 5.7.1 this address takes no mail"),
        (77, "laptop", "x@nowhere.test", "bob@b.test", "250 2.1.5"), // on the allow list
        (77, "laptop", "x@nowhere.test", "bob@other.test", "550 5.7.1 no relaying"), // which is no relaying
    ] {
        let said = scene.rcpt(last, helo, mail, rcpt).await;
        assert!(said.starts_with(reply), "{last} {helo} {mail} {rcpt}: {said}, not {reply}");
    }
    let world = scene.sim.world_for([198, 51, 100, 7].into(), Arc::new(SimDisk::new(9)));
    let (to, timeout) = (SocketAddr::from((US, 25)), Duration::from_secs(30));
    let stream = world.net.connect(Connect { to, source: None, timeout }).await.unwrap();
    let said = Talk(stream).reply().await;
    assert_eq!(said, "554 5.7.1 this server takes no mail from your address");
    assert!(scene.why("198.51.100.7").contains("client-denied"));
    let told = ["bob@b.test", "closed@b.test", "bob@other.test"].map(|subject| scene.why(subject));
    assert!(told[1].contains("recipient-denied") && told[2].contains("relay"), "{told:?}");
    let counted: Vec<&str> = scene.counts().iter().map(|(rule, _)| *rule).collect();
    assert_eq!(
        counted,
        [
            "client-denied",
            "recipient-denied",
            "sender-denied",
            "helo-ours",
            "helo-literal",
            "helo-name",
            "helo-unknown",
            "reverse-name",
            "sender-domain",
            "null-mx",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn commands_ahead_of_our_replies_are_refused() {
    let scene = Scene::new("").await;
    let mut talk = scene.connect(40).await;
    assert!(talk.reply().await.starts_with("220"));
    let all = b"EHLO x.test\r\nMAIL FROM:<x@a.test>\r\nRCPT TO:<bob@b.test>\r\n";
    talk.0.write_all(all).await.unwrap();
    assert!(talk.reply().await.starts_with("250 "));
    assert!(talk.reply().await.starts_with("250 2.1.0"));
    assert!(talk.reply().await.starts_with("554 5.5.1 commands were sent before"));
    // After EHLO's reply a group is what PIPELINING is for.
    let mut talk = scene.connect(40).await;
    assert!(talk.reply().await.starts_with("220"));
    assert!(talk.say("EHLO x.test").await.starts_with("250"));
    talk.0.write_all(b"MAIL FROM:<x@a.test>\r\nRCPT TO:<bob@b.test>\r\n").await.unwrap();
    assert!(talk.reply().await.starts_with("250"));
    assert!(talk.reply().await.starts_with("250"));
}

#[tokio::test(start_paused = true)]
async fn rates_say_when_to_come_back() {
    let scene = Scene::new(
        "[limits]\nconnections_per_client_per_minute = 3\n\
         [door]\nrate = [{ count = 'messages', per = 'sender', most = 2, within = '1m' }]\n",
    )
    .await;
    let ask = async |last| scene.rcpt(last, "x.test", "x@a.test", "bob@b.test").await;
    assert!(ask(40).await.starts_with("250"));
    assert!(ask(40).await.starts_with("250"));
    // Sessions take some time here too, so how long is left is known to a few seconds.
    for (last, reply, wait) in [
        (40, "452 4.7.0 too many messages, come back in ", 25..=30),
        (40, "421 4.7.0 too many connections, come back in ", 12..=20),
        (41, "452 4.7.0 too many messages, come back in ", 25..=30),
    ] {
        let said = ask(last).await;
        let seconds = said.strip_prefix(reply).and_then(|rest| rest.strip_suffix('s'));
        let seconds = seconds.and_then(|seconds| seconds.parse::<u32>().ok());
        assert!(seconds.is_some_and(|seconds| wait.contains(&seconds)), "{said}");
    }
    sleep(Duration::from_secs(31)).await;
    assert!(ask(40).await.starts_with("250"));
    assert!(scene.why("x@a.test").contains("message-rate"), "{}", scene.why("x@a.test"));
}

#[tokio::test(start_paused = true)]
async fn the_next_hop_is_asked_and_is_no_reason_to_lose_mail() {
    let scene = Scene::new("[door.ask_next_hop]\non = true\n").await;
    let unasked = scene.rcpt(40, "x.test", "x@a.test", "carol@next.test").await;
    assert!(unasked.starts_with("250"), "nobody is there to ask: {unasked}");
    let text = "hostname = 'next.test'\ndata = '/data'\n[[listener]]\naddress = '192.0.2.2:25'\n\
                tls = 'none'\n[domains.'next.test']\nmailboxes = ['bob']\n";
    let config = Config::parse(text).unwrap().0;
    let next = start(&scene.sim, NEXT, &config, &SimDisk::new(3)).await;
    let ask =
        async |name: &str| scene.rcpt(40, "x.test", "x@a.test", &format!("{name}@next.test")).await;
    assert!(ask("bob").await.starts_with("250"));
    assert_eq!(ask("nobody").await, "550 5.1.1 no mailbox here by that name");
    assert!(scene.why("nobody@next.test").contains("next-hop"));
    let before = next.queue.context.metrics.connections_in.value();
    assert!(ask("bob").await.starts_with("250"));
    assert!(ask("nobody").await.starts_with("550"));
    assert_eq!(next.queue.context.metrics.connections_in.value(), before, "it was remembered");
}
