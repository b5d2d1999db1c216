//! `mailwright reload`: what changes at once, what waits for a restart and is named, and what is refused and then
//! changes nothing at all.

use std::{net::TcpListener, time::Duration};

use harness::{
    bed::{Bed, answers},
    client::Client,
    ports,
    program::wait_for,
    sink::{Habits, Sink},
};
use rustix::process::Signal;

const SMALL: &[u8] = b"Subject: small\r\nMessage-ID: <small@from.test>\r\n\r\nsmall\r\n";

#[test]
fn reload_keeps_connections() {
    let bed = Bed::start("");
    let mut open = Client::hello(bed.mx);
    let refused = Client::hello(bed.mx).transaction("sender@from.test", &["x@new.test"], SMALL);
    assert!(refused.as_ref().is_ok_and(|reply| reply.starts_with("550")), "{refused:?}");
    bed.configure("", "[domains.\"new.test\"]\n");
    bed.signal(Signal::HUP);
    wait_for("the new domain", Duration::from_secs(10), || {
        let reply =
            Client::hello(bed.mx).transaction("sender@from.test", &["x@new.test"], SMALL).ok()?;
        reply.starts_with("250").then_some(())
    });
    let reply = open.transaction("sender@from.test", &["anna@here.test"], SMALL);
    assert!(
        reply.as_ref().is_ok_and(|reply| reply.starts_with("250")),
        "the open session: {reply:?}"
    );
}

/// What each of two listeners offers, and what goes to a next hop, is what the file says since the last reload.
#[test]
fn keywords_of_each_listener_and_route_follow_the_file() {
    let (port, other) = (ports::free(), ports::free());
    let sink = Sink::with(Habits::offering(&["CHUNKING", "XEXCH50"]));
    let tables = |own: &str, route: &str| {
        format!(
            "[[listener]]\nname = \"own\"\naddress = \"127.0.0.1:{port}\"\ntls = \"none\"\n{own}\n\
             [[listener]]\nname = \"other\"\naddress = \"127.0.0.1:{other}\"\ntls = \"none\"\n\
             [routes.\"next.test\"]\nnext_hop = \"127.0.0.1:{}\"\n{route}\n",
            sink.port
        )
    };
    let bed = Bed::start(&tables("", ""));
    let offer = |port| Client::hello(port).expect("EHLO client.test", "250");
    let mut sent = 0;
    let mut sends = || {
        let reply = Client::hello(bed.mx).transaction("a@from.test", &["x@next.test"], SMALL);
        assert!(reply.as_ref().is_ok_and(|reply| reply.starts_with("250")), "{reply:?}");
        sent += 1;
        sink.wait(sent).pop().expect("one more").mail
    };
    let before = offer(other);
    for (own, has, lacks) in [
        ("hide = [\"SIZE\", \"CHUNKING\"]", "DSN", "CHUNKING"),
        ("hide = [\"DSN\"]\nadvertise = [\"MT-PRIORITY\"]", "MT-PRIORITY", "DSN"),
        ("advertise = [\"FUTURERELEASE\"]", "FUTURERELEASE", "MT-PRIORITY"),
        ("", "CHUNKING", "FUTURERELEASE"),
    ] {
        bed.configure("", &tables(own, ""));
        assert_eq!(bed.command(&["reload"]).good(), "reloaded\n");
        let offered = offer(port);
        assert!(offered.contains(has) && !offered.contains(lacks), "{own}: {offered}");
        assert_eq!(offer(other), before, "{own} is the other listener's own affair");
    }
    assert!(sends().contains("SIZE="));
    for (route, size) in [("avoid = [\"SIZE\"]", false), ("", true)] {
        bed.configure("", &tables("", route));
        bed.command(&["reload"]).good();
        assert_eq!(sends().contains("SIZE="), size, "{route}");
        let site = bed.command(&["config", "show", "--site", "next.test"]).good();
        assert_eq!(site.contains("avoided: SIZE"), !size, "{site}");
    }
    let told = || bed.command(&["why", "x@next.test", "--full"]).text();
    assert!(!told().contains("C: XEXCH50"), "it is used only where the route says so");
    bed.configure("", &tables("", "use = [\"XEXCH50\"]"));
    bed.command(&["reload"]).good();
    sends();
    bed.why("x@next.test", &["C: XEXCH50"]);
}

#[test]
fn what_waits_for_a_restart_is_named() {
    let bed = Bed::start("");
    let held =
        "[spool]\nreserve = \"2 MiB\"\n[log]\nlevel = \"debug\"\n[tls_reports]\nkeep = false\n";
    bed.configure("", &format!("[domains.\"new.test\"]\n{held}"));
    let said = bed.command(&["reload"]).good();
    let waits = |key: &str| format!("`{key}` has changed, and waits for a restart");
    for key in ["spool.reserve", "log.level", "tls_reports.keep"] {
        assert!(said.contains(&waits(key)), "{key}: {said}");
    }
    assert_eq!(said.lines().count(), 4, "these and no other: {said}");
    // What does not wait is in force at once, and what waits is named as long as it does.
    Client::hello(bed.mx)
        .transaction("a@from.test", &["x@new.test"], SMALL)
        .map(|reply| assert!(reply.starts_with("250"), "{reply}"))
        .expect("the server answers");
    let json = bed.command(&["reload", "--json"]).good();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let notes: Vec<_> = ["log.level", "spool.reserve", "tls_reports.keep"].map(waits).into();
    assert_eq!(json, serde_json::json!({ "done": "reloaded", "count": 1, "notes": notes }));
    bed.configure("", "");
    assert_eq!(bed.command(&["reload"]).good(), "reloaded\n", "as it was started");
    assert!(bed.log().contains("waits for a restart"), "it is in the log, too");
}

/// Without what breaks it into lines.
fn joined(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace() && *letter != '│').collect()
}

/// Whatever is wrong with a file, none of it comes into force: not its other keys, not its listeners.
#[test]
fn a_configuration_that_is_refused_changes_nothing() {
    let (own, wanted) = (ports::free(), ports::free());
    let good = format!(
        "[[listener]]\nname = \"own\"\naddress = \"127.0.0.1:{own}\"\ntls = \"none\"\nhide = [\"CHUNKING\"]\n"
    );
    let bed = Bed::start(&good);
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = other.local_addr().expect("an address").port();
    let mut open = Client::hello(own);
    let listener = |name: &str, port: u16| {
        format!("[[listener]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\ntls = \"none\"\n")
    };
    // Each would add a domain and a listener, and take one away.
    let rows = [
        ("nonsense = 1", String::new(), "mailwright.toml:3: there is no key `nonsense` here"),
        ("hostname = ", String::new(), "mailwright.toml:3: "),
        (
            "tls = { certificate = \"/nowhere/cert.pem\", key = \"/nowhere/key.pem\" }",
            String::new(),
            "/nowhere/cert.pem",
        ),
        ("", listener("taken", taken), "cannot listen on 127.0.0.1:"),
        ("", "[limits]\nerrors_max = -1\n".to_owned(), ": invalid value: integer `-1`"),
        ("", "[[accounts]]\nkind = \"nobody\"\n".to_owned(), "nobody"),
        ("", format!("[routes]\n\"next.test\" = \"127.0.0.1:{wanted}x\"\n"), "mailwright.toml:"),
    ];
    for (keys, tables, named) in rows {
        bed.configure(
            keys,
            &format!("[domains.\"new.test\"]\n{}{tables}", listener("wanted", wanted)),
        );
        for arguments in [&["reload"][..], &["reload", "--json"]] {
            let data = bed.data().display().to_string();
            let told = bed.command(&[arguments, &["--data", &data]].concat());
            assert!(told.status() != 0 && told.out().is_empty(), "{named}: {}", told.text());
            assert!(joined(&told.text()).contains(&joined(named)), "{named}: {}", told.text());
        }
        let offer = Client::hello(own).expect("EHLO client.test", "250");
        assert!(!offer.contains("CHUNKING"), "{named}: {offer}");
        assert!(!answers(wanted), "{named}: its listener is open");
        let mut client = Client::hello(bed.mx);
        client.expect("MAIL FROM:<a@from.test>", "250");
        client.expect("RCPT TO:<x@new.test>", "550");
        client.expect("RCPT TO:<anna@here.test>", "250");
        assert!(open.say("NOOP").is_ok_and(|reply| reply.starts_with("250")), "{named}");
    }
    // Mended, it is taken.
    bed.configure("", &format!("[domains.\"new.test\"]\n{}", listener("wanted", wanted)));
    bed.command(&["reload"]).good();
    assert!(answers(wanted));
    wait_for("the end of the listener that is gone", Duration::from_secs(5), || {
        (!answers(own)).then_some(())
    });
}
