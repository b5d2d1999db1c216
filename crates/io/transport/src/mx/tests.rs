//! MX lookups against tables of answers.

use std::sync::Arc;

use world::sim::{SimWorld, disk::SimDisk};

use super::*;

const ZONE: &str = "
    two.test      300 MX 20 mx2.two.test
    two.test      300 MX 10 mx1.two.test
    mx1.two.test   60 A  192.0.2.1
    mx2.two.test   30 A  192.0.2.2

    alias.test        CNAME two.test
    implicit.test     A 192.0.2.3
    implicit.test     AAAA 2001:db8::3
    null.test         MX 0 .
    notnull.test      MX 0 .
    notnull.test      MX 5 mx1.two.test
    text.test         TXT hello
    broken.test       SERVFAIL
    mxbroken.test     SERVFAIL MX
    mxbroken.test     A 192.0.2.9
    abroken.test      SERVFAIL A

    dangling.test     MX 10 nowhere.test
    dangling.test     MX 20 text.test
    half.test         MX 10 nowhere.test
    half.test         MX 20 mx2.two.test
    shaky.test        MX 10 broken.test
    shaky.test        MX 20 nowhere.test
    shakybest.test    MX 10 broken.test
    shakybest.test    MX 20 mx2.two.test
    number.test       MX 10 192.0.2.1
    number.test       MX 20 mx2.two.test
    cname.test        MX 10 www.cname.test
    www.cname.test    CNAME mx1.two.test
    twice.test        MX 10 mx1.two.test
    twice.test        MX 20 MX1.two.test
    odd.test          MX 10 odd.test
    odd.test          A 0.0.0.0

    ours.test         MX 10 us.test
    ours.test         MX 20 mx2.two.test
    backup.test       MX 10 mx1.two.test
    backup.test       MX 20 elsewhere.test
    backup.test       MX 20 us.test
    backup.test       MX 30 mx2.two.test
    elsewhere.test    A 192.0.2.8
    byname.test       MX 10 Alias.us.test
    local.test        MX 10 lo.test
    lo.test           A 127.0.0.3
    shakyours.test    MX 10 broken.test
    shakyours.test    MX 20 us.test
    us.test           A 192.0.2.100

    xn--bcher-kva.test MX 10 mx1.two.test
    a_b.test          MX 10 mx1.two.test
";

fn us() -> Ourselves {
    let addresses = ["192.0.2.100".parse().unwrap(), "::1".parse().unwrap()];
    Ourselves::new(["alias.US.test".to_owned()], addresses, [25])
}

fn world(seed: u64) -> World {
    let sim = SimWorld::new(seed);
    sim.dns.add(ZONE).unwrap();
    sim.world_for([192, 0, 2, 100].into(), Arc::new(SimDisk::new(seed)))
}

/// `10 mx1 [192.0.2.1] 20 mx2 [..]`, or `5.1.2 why`.
async fn look(domain: &str, port: u16) -> String {
    match mail_exchangers(&world(1), domain, &us(), port).await {
        Ok(found) => {
            let hosts = found.hosts.iter().map(|host| {
                let Exchanger { preference, host, addresses, .. } = host;
                let addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
                format!("{preference} {host} {}", addresses.join(" "))
            });
            hosts.collect::<Vec<_>>().join(", ")
        }
        Err(Cause { stage: Stage::Routing, trouble: Trouble::Dns(status, why) }) => {
            format!("{status} {why}")
        }
        Err(other) => panic!("{domain}: {other:?}"),
    }
}

#[tokio::test]
async fn who_takes_mail_for_a_domain() {
    let rows = [
        ("two.test", "10 mx1.two.test 192.0.2.1, 20 mx2.two.test 192.0.2.2", "by preference"),
        ("TWO.Test.", "10 mx1.two.test 192.0.2.1, 20 mx2.two.test 192.0.2.2", "case, final dot"),
        ("alias.test", "10 mx1.two.test 192.0.2.1, 20 mx2.two.test 192.0.2.2", "a CNAME"),
        ("implicit.test", "0 implicit.test 192.0.2.3 2001:db8::3", "no MX, but addresses"),
        ("null.test", "5.1.10 `null.test` takes no mail: it says so with a null MX (RFC 7505)", ""),
        ("notnull.test", "5 mx1.two.test 192.0.2.1", "a null MX beside others means nothing"),
        ("nowhere.test", "5.1.2 `nowhere.test` does not exist", "NXDOMAIN: no implicit MX"),
        (
            "text.test",
            "5.4.4 `text.test` takes no mail: it has neither MX nor address",
            "NODATA for both",
        ),
        ("broken.test", "4.4.3 cannot resolve `broken.test` for now: SERVFAIL", ""),
        (
            "mxbroken.test",
            "4.4.3 cannot resolve `mxbroken.test` for now: SERVFAIL",
            "an address is no MX as long as the MX is not known",
        ),
        ("abroken.test", "4.4.3 cannot resolve `abroken.test` for now: SERVFAIL", "implicit MX"),
        (
            "dangling.test",
            "5.4.4 `dangling.test`: no exchange can be used (nowhere.test: `nowhere.test` does not \
             exist; text.test: `text.test` has no A or AAAA record)",
            "with MX records there is no implicit MX",
        ),
        ("half.test", "20 mx2.two.test 192.0.2.2", "what does not resolve is left out"),
        (
            "shaky.test",
            "4.4.3 `shaky.test`: no exchange can be used for now (broken.test: cannot resolve \
             `broken.test` for now: SERVFAIL; nowhere.test: `nowhere.test` does not exist)",
            "one of them may come back",
        ),
        ("shakybest.test", "20 mx2.two.test 192.0.2.2", "the best is not there now"),
        ("number.test", "20 mx2.two.test 192.0.2.2", "an address is no host name"),
        ("cname.test", "10 www.cname.test 192.0.2.1", "an exchange that is an alias"),
        ("twice.test", "10 mx1.two.test 192.0.2.1", "the same host again"),
        (
            "odd.test",
            "5.4.6 `odd.test`: its mail comes to us, and we do not keep it: it would go round \
             (odd.test: that is ourselves)",
            "0.0.0.0 leads to this machine",
        ),
        ("bücher.test", "10 mx1.two.test 192.0.2.1", "IDN"),
        ("a_b.test", "10 mx1.two.test 192.0.2.1", "not a host name, but it is in the DNS"),
        ("", "5.1.3 the domain is empty", ""),
        ("\u{ad}.test", "5.1.3 `\u{ad}.test` is no international domain name", "soft hyphen alone"),
        (
            "bü／cher.test",
            "5.1.3 `bü／cher.test` is no international domain name",
            "maps to a slash",
        ),
    ];
    for (domain, wanted, why) in rows {
        assert_eq!(look(domain, 25).await, wanted, "{domain}: {why}");
    }
}

#[tokio::test]
async fn mail_does_not_go_round() {
    let rows = [
        (
            "ours.test",
            25,
            "5.4.6 `ours.test`: its mail comes to us, and we do not keep it: it would go round \
             (us.test: that is ourselves; mx2.two.test: no better than ourselves, with preference 10)",
            "we are the best",
        ),
        ("backup.test", 25, "10 mx1.two.test 192.0.2.1", "only who is better; not our equals"),
        (
            "backup.test",
            2525,
            "10 mx1.two.test 192.0.2.1, 20 elsewhere.test 192.0.2.8, 20 us.test 192.0.2.100, \
             30 mx2.two.test 192.0.2.2",
            "on that port it is another server of this machine (equals in the seed's order)",
        ),
        (
            "byname.test",
            25,
            "5.4.6 `byname.test`: its mail comes to us, and we do not keep it: it would go round \
             (alias.us.test: that is ourselves)",
            "by name, whatever its address is seen as from here",
        ),
        (
            "local.test",
            25,
            "5.4.6 `local.test`: its mail comes to us, and we do not keep it: it would go round \
             (lo.test: that is ourselves)",
            "all of 127.0.0.0/8",
        ),
        ("local.test", 26, "10 lo.test 127.0.0.3", "somebody else there"),
        (
            "shakyours.test",
            25,
            "4.4.3 `shakyours.test`: no exchange can be used for now (broken.test: cannot resolve \
             `broken.test` for now: SERVFAIL; us.test: that is ourselves)",
            "there is a better one, only not now",
        ),
        ("[192.0.2.100]", 25, "5.4.6 `[192.0.2.100]` is ourselves: the message would go round", ""),
    ];
    for (domain, port, wanted, why) in rows {
        let mut got = look(domain, port).await;
        if port == 2525 {
            // Equals come in random order.
            got = got.replace(
                "20 us.test 192.0.2.100, 20 elsewhere.test 192.0.2.8",
                "20 elsewhere.test 192.0.2.8, 20 us.test 192.0.2.100",
            );
        }
        assert_eq!(got, wanted, "{domain}: {why}");
    }
}

#[tokio::test]
async fn address_literals() {
    let rows = [
        ("[192.0.2.7]", Some("192.0.2.7")),
        ("[IPv6:2001:db8::7]", Some("2001:db8::7")),
        ("[ipv6:2001:DB8::7]", Some("2001:db8::7")), // the tag is not case-sensitive
        ("[2001:db8::7]", None),                     // it needs its tag
        ("[IPv6:192.0.2.7]", None),
        ("[192.0.2.7", None),
        ("[]", None),
        ("[x400:c=de]", None),
    ];
    for (domain, address) in rows {
        match mail_exchangers(&world(1), domain, &us(), 25).await {
            Ok(found) => {
                assert_eq!(found.found, Found::AddressLiteral);
                let addresses = &found.hosts[0].addresses;
                assert_eq!(addresses, &[address.unwrap().parse::<IpAddr>().unwrap()], "{domain}");
            }
            Err(cause) => {
                assert_eq!(address, None, "{domain}: {cause:?}");
                assert_eq!(cause.status(true), BAD_SYNTAX, "{domain}");
            }
        }
    }
}

#[tokio::test]
async fn equals_come_in_random_order_and_the_same_for_the_same_seed() {
    let zone: String = (0..6)
        .map(|n| format!("eq.test MX 10 h{n}.eq.test\nh{n}.eq.test A 192.0.2.{n}\n"))
        .collect();
    let order = async |seed| {
        let sim = SimWorld::new(seed);
        sim.dns.add(&zone).unwrap();
        let world = sim.world_for([192, 0, 2, 100].into(), Arc::new(SimDisk::new(seed)));
        let found = mail_exchangers(&world, "eq.test", &us(), 25).await.unwrap();
        found.hosts.into_iter().map(|host| host.host).collect::<Vec<_>>()
    };
    let mut firsts = BTreeSet::new();
    for seed in 0..60 {
        let hosts = order(seed).await;
        assert_eq!(hosts, order(seed).await, "seed {seed}");
        assert_eq!(hosts.iter().collect::<BTreeSet<_>>().len(), 6, "each once");
        firsts.insert(hosts[0].clone());
    }
    assert_eq!(firsts.len(), 6, "RFC 5321 section 5.1: the load is spread: {firsts:?}");
}

#[tokio::test]
async fn a_domain_cannot_keep_us_asking() {
    let zone: String = (0..200)
        .map(|n| format!("many.test MX {n} h{n}.many.test\nh{n}.many.test A 192.0.2.1\n"))
        .collect();
    let world = world(1);
    let sim = SimWorld::new(1);
    sim.dns.add(&zone).unwrap();
    let world = World { dns: sim.dns.clone(), ..world };
    let found = mail_exchangers(&world, "many.test", &us(), 25).await.unwrap();
    assert_eq!((found.hosts.len(), found.skipped.len()), (EXCHANGES_MAX, 200 - EXCHANGES_MAX));
    assert_eq!(found.hosts.last().unwrap().preference, 31, "the best are kept");
}

/// Exchanges are asked for at once: five that time out take no longer than one.
#[tokio::test(start_paused = true)]
async fn slow_exchanges_do_not_add_up() {
    let sim = SimWorld::new(1);
    for n in 0..5 {
        let zone = format!("slow.test MX {n} h{n}.slow.test\nh{n}.slow.test TIMEOUT 10\n");
        sim.dns.add(&zone).unwrap();
    }
    sim.dns.add("slow.test MX 9 ok.test\nok.test A 192.0.2.1").unwrap();
    let world = sim.world_for([192, 0, 2, 100].into(), Arc::new(SimDisk::new(1)));
    let found = mail_exchangers(&world, "slow.test", &us(), 25).await.unwrap();
    assert_eq!(world.clock.now().since(sim.epoch()).as_secs(), 10);
    assert_eq!(found.hosts.len(), 1);
}

#[test]
fn the_order_of_addresses() {
    let rows = [
        // (whether we have global IPv6, as the DNS gave them, in order of use)
        (
            false,
            "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2",
            "192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2",
        ),
        (true, "192.0.2.1 192.0.2.2 2001:db8::1", "2001:db8::1 192.0.2.1 192.0.2.2"),
        (true, "192.0.2.1 192.0.2.2", "192.0.2.1 192.0.2.2"),
        (true, "2001:db8::1 2001:db8::2 192.0.2.1", "2001:db8::1 192.0.2.1 2001:db8::2"),
        (false, "0.0.0.0 224.0.0.1 255.255.255.255 :: ff02::1 192.0.2.1", "192.0.2.1"),
    ];
    for (has_ipv6, given, wanted) in rows {
        let given = given.split(' ').map(|address| address.parse().unwrap()).collect();
        let got: Vec<_> = in_order(given, has_ipv6).iter().map(IpAddr::to_string).collect();
        assert_eq!(got.join(" "), wanted);
    }
    for (address, is_global) in
        [("2a01:4f8::1", true), ("fe80::1", false), ("fd00::1", false), ("::1", false)]
    {
        let own = Ourselves::new([], [address.parse().unwrap()], []);
        assert_eq!(own.has_global_ipv6(), is_global, "{address}");
    }
}

#[tokio::test]
async fn the_evidence() {
    let server = "192.0.2.53:53".parse().unwrap();
    let table = world::dns::table::TableDns::parse(ZONE).unwrap().answered_by(server);
    let world = World { dns: Arc::new(table), ..world(1) };
    let found = mail_exchangers(&world, "alias.test", &us(), 25).await.unwrap();
    assert_eq!(
        found.why,
        [
            "`alias.test` is an alias of `two.test`",
            "alias.test MX 10 mx1.two.test (TTL 300s, from 192.0.2.53:53)",
            "alias.test MX 20 mx2.two.test (TTL 300s, from 192.0.2.53:53)",
            "mx1.two.test A 192.0.2.1 (TTL 60s, from 192.0.2.53:53)",
            "mx2.two.test A 192.0.2.2 (TTL 30s, from 192.0.2.53:53)",
        ]
    );
    let found = mail_exchangers(&world, "half.test", &us(), 25).await.unwrap();
    assert!(found.why.contains(&"left out: 10 nowhere.test: `nowhere.test` does not exist".into()));
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["hosts"][0]["ttl_seconds"], 30);
    assert_eq!(json["found"], "mx");
    assert_eq!(json["skipped"][0]["host"], "nowhere.test");
}
