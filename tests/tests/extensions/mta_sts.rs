//! MTA-STS (RFC 8461), and REQUIRETLS by it (RFC 8689 section 4.2.1): a web server has the policies, a resolver an
//! unsigned zone, so that nothing but the policies vouches for the MX hosts. The next hops are ourselves and Postfix.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use harness::{
    bed::Bed,
    client::Client,
    maildir,
    peers::{PolicyHost, Postfix, Publishes, Unbound, Wants},
    program::wait_for,
    sink::Sink,
};

use crate::require_tls::{STRICT, send};

/// Whose policy is what; each domain `NAME.open` has the one MX host `mx.NAME.open`.
const DOMAINS: [(&str, &str); 7] = [
    ("enforce", "version: STSv1\r\nmode: enforce\r\nmx: *.enforce.open\r\nmax_age: 86400\r\n"),
    // The host's certificate has other names.
    ("wrong", "version: STSv1\r\nmode: enforce\r\nmx: mx.wrong.open\r\nmax_age: 86400\r\n"),
    ("other", "version: STSv1\r\nmode: enforce\r\nmx: mx.elsewhere.open\r\nmax_age: 86400\r\n"),
    ("testing", "version: STSv1\r\nmode: testing\r\nmx: mx.testing.open\r\nmax_age: 86400\r\n"),
    ("expired", "version: STSv1\r\nmode: enforce\r\nmx: mx.expired.open\r\nmax_age: 86400\r\n"),
    ("moved", ""),
    ("plain", ""),
];

/// All that runs.
struct World {
    far: Bed,
    web: PolicyHost,
    unbound: Unbound,
    bed: Bed,
    sink: Sink,
    _postfix: Postfix,
}

impl World {
    fn start() -> Option<Self> {
        let mut web = PolicyHost::new()?;
        for (name, policy) in DOMAINS {
            let what = match name {
                "plain" => continue,
                "moved" => Publishes::Redirect("enforce.open"),
                "expired" => Publishes::Expired(policy),
                _ => Publishes::Policy(policy),
            };
            web.publish(&format!("{name}.open"), &what);
        }
        let old = "version: STSv1\r\nmode: enforce\r\nmx: peer.test\r\nmax_age: 86400\r\n";
        web.publish("old.open", &Publishes::Policy(old));
        web.serve();
        let sink = Sink::start();
        let postfix = Postfix::start(sink.port, Wants::default())?;
        let unbound = Unbound::start("peer.test. IN A 127.0.0.1", &zone(&web), &[])?;
        let far = far(&web);
        let bed = near(&web, &unbound, &far, &postfix);
        Some(Self { far, web, unbound, bed, sink, _postfix: postfix })
    }

    fn mailbox(&self, name: &str) -> PathBuf {
        self.far.data().join(format!("mail/{name}.open/carol"))
    }

    /// Messages of a domain that have arrived.
    fn arrived(&self, name: &str) -> usize {
        fs::read_dir(self.mailbox(name).join("new")).map_or(0, Iterator::count)
    }

    /// Gives the queue id.
    fn hand_over(&self, name: &str, head: &str) -> String {
        let content = format!("Subject: x\r\n{head}\r\ntext\r\n");
        let to = format!("carol@{name}.open");
        let mut client = Client::hello(self.bed.mx);
        let reply = client.transaction("anna@here.test", &[&to], content.as_bytes());
        let reply = reply.expect("an answer");
        assert!(reply.starts_with("250"), "{reply}");
        reply.trim_end().rsplit(' ').next().unwrap_or_default().to_owned()
    }
}

fn zone(web: &PolicyHost) -> String {
    let mut zone = String::new();
    for name in DOMAINS.iter().map(|(name, _)| *name).chain(["old"]) {
        let host = if name == "old" { "peer.test.".to_owned() } else { format!("mx.{name}.open.") };
        zone.push_str(&format!("{name}.open. IN MX 10 {host}\n"));
        if name != "old" {
            zone.push_str(&format!("{host} IN A 127.0.0.1\n"));
        }
        if name != "plain" {
            zone.push_str(&format!(
                "_mta-sts.{name}.open. IN TXT \"v=STSv1; id=1\"\nmta-sts.{name}.open. IN A {}\n",
                web.address
            ));
        }
    }
    zone
}

/// The next hop of all but `old.open`: its certificate has the names of all but `wrong.open`.
fn far(web: &PolicyHost) -> Bed {
    let names = DOMAINS.iter().map(|(name, _)| *name).filter(|&name| name != "wrong");
    let names: Vec<String> = names.map(|name| format!("mx.{name}.open")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let certificate = web.certificate("far", &names, false);
    let mut tables =
        format!("[tls]\ncertificate = \"{0}\"\nkey = \"{0}\"\n", certificate.display());
    for (name, _) in DOMAINS {
        tables.push_str(&format!("[domains.\"{name}.open\"]\nmailboxes = [\"carol\"]\n"));
    }
    Bed::start(&tables)
}

fn near(web: &PolicyHost, unbound: &Unbound, far: &Bed, postfix: &Postfix) -> Bed {
    // Postfix is its own issuer.
    let both = [web.authority(), postfix.certificate()].map(|file| read(&file)).concat();
    let issuers = web.authority().with_file_name("issuers.pem");
    fs::write(&issuers, both).expect("it can be written");
    let mut tables = format!(
        "[dns]\nservers = [\"{}\"]\n[tls]\nclient_ca = \"{}\"\n",
        unbound.at,
        issuers.display()
    );
    for name in DOMAINS.iter().map(|(name, _)| *name).chain(["old"]) {
        let port = if name == "old" { postfix.port } else { far.mx };
        tables.push_str(&format!(
            "[domains.\"{name}.open\"]\nkind = \"relay\"\n[routes.\"{name}.open\"]\nport = {port}\n"
        ));
    }
    Bed::start(&tables)
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn policies_are_fetched_obeyed_probed_and_vouch_for_requiretls() {
    let Some(world) = World::start() else { return };
    mail_as_the_policy_has_it(&world);
    what_probe_shows(&world);
    an_operators_next_hop(&world);
    requiretls(&world);
}

fn mail_as_the_policy_has_it(world: &World) {
    for (name, _) in DOMAINS {
        world.hand_over(name, "");
    }
    for (name, outcome, words) in [
        ("enforce", "relayed", "mode enforce: a verified certificate"),
        ("wrong", "deferred", "mx.wrong.open"),
        ("other", "deferred", "does not name `mx.other.open` but mx.elsewhere.open"),
        ("testing", "relayed", "mode testing: TLS if offered"),
        ("expired", "relayed", "the MTA-STS policy of `expired.open` can't be had"),
        ("moved", "relayed", "redirects are not followed"),
        ("plain", "relayed", "no MTA-STS"),
    ] {
        let told = world.bed.why(&format!("carol@{name}.open"), &[outcome]);
        assert!(told.contains(words), "{name}: no `{words}` in {told}");
        match outcome {
            "relayed" => drop(maildir::wait(&world.mailbox(name), 1)),
            _ => assert_eq!(world.arrived(name), 0, "{name}: {told}"),
        }
    }
    // RFC 8689 section 5: it goes all the same.
    for name in ["wrong", "other"] {
        world.hand_over(name, "TLS-Required: No\r\n");
        maildir::wait(&world.mailbox(name), 1);
    }
}

/// One by name is looked up, and nobody's policy forbids it.
fn an_operators_next_hop(world: &World) {
    let id = world.hand_over("wrong", "");
    let had = world.arrived("wrong");
    let hop = format!("mx.plain.open:{}", world.far.mx);
    wait_for("a moment in which it is not tried", Duration::from_secs(20), || {
        (world.bed.command(&["queue", "reroute", &id, &hop]).status() == 0).then_some(())
    });
    maildir::wait(&world.mailbox("wrong"), had + 1);
    let told = world.bed.why(&id, &["relayed"]);
    assert!(told.contains(&format!("next hop set by the operator: {hop}")), "{told}");
}

fn what_probe_shows(world: &World) {
    let (dns, ca) = (world.unbound.at.to_string(), world.web.authority().display().to_string());
    let port = world.far.mx.to_string();
    for (name, kept, named, words) in [
        ("enforce", Some(true), Some(true), "mode enforce"),
        ("wrong", Some(false), Some(true), "mode enforce"),
        ("other", Some(false), Some(false), "does not name `mx.other.open`"),
        ("testing", None, Some(true), "mode testing"),
        ("expired", None, None, "mta-sts.expired.open"),
        ("moved", None, None, "redirects are not followed"),
        ("plain", None, None, "no MTA-STS"),
    ] {
        let domain = format!("{name}.open");
        let arguments = ["probe", &domain, "--port", &port, "--dns", &dns, "--ca", &ca, "--json"];
        let probed = world.bed.command(&arguments);
        let report: serde_json::Value = serde_json::from_str(probed.out().trim()).expect("JSON");
        let visit = &report["visits"][0];
        assert_eq!(visit["policy_kept"].as_bool(), kept, "{name}: {visit}");
        assert_eq!(visit["mta_sts_names_it"].as_bool(), named, "{name}: {visit}");
        let policy = visit["policy"].as_str().unwrap_or_default();
        assert!(policy.contains(words), "{name}: no `{words}` in {policy}");
        // What forbids the host keeps mail from going through; all of the rest is seen in any case.
        assert_eq!(probed.status() == 2, kept == Some(false), "{name}: {report}");
        assert!(visit["under_tls"].is_object(), "{name}: {visit}");
    }
}

fn requiretls(world: &World) {
    send(&world.bed, STRICT, &["carol@enforce.open"], "");
    maildir::wait(&world.mailbox("enforce"), 2);
    let told = world.bed.why("carol@enforce.open", &["C: MAIL FROM:<anna@here.test>"]);
    let mail = told.split("C: MAIL FROM:").nth(1).and_then(|rest| rest.split(" S: ").next());
    assert!(mail.is_some_and(|mail| mail.contains(" REQUIRETLS ")), "{told}");
    // Without a policy in force nobody vouches for the host's name; and Postfix does not offer REQUIRETLS.
    let mut reports = 0;
    // (The hosts that their policies forbid are left alone for a while: they were found out above.)
    for name in ["testing", "plain", "expired", "moved", "old"] {
        let had = world.arrived(name);
        send(&world.bed, STRICT, &[&format!("carol@{name}.open")], "");
        reports += 1;
        let all = maildir::wait(&world.bed.mailbox("anna"), reports);
        let to = format!("carol@{name}.open");
        let own = all.iter().map(|report| String::from_utf8_lossy(report).into_owned());
        let own: Vec<String> = own.filter(|report| report.contains(&to)).collect();
        assert_eq!(own.len(), 1, "{name}: {all:?}");
        assert!(own[0].contains("Status: 5.7.30"), "{name}: {}", own[0]);
        assert_eq!(world.arrived(name), had, "{name}: it got there");
    }
    assert!(world.sink.taken().is_empty(), "nothing got away");
}
