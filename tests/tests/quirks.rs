//! Quirks of the field, met by the real program: what a site says of all our mail, and what ends no more than a
//! connection.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use harness::{
    bed::Bed,
    client::Client,
    peers::Unbound,
    ports,
    program::wait_for,
    sink::{Habits, Sink},
};

const CONTENT: &[u8] = b"Subject: x\r\nMessage-ID: <1@from.test>\r\n\r\ntext\r\n";

/// Hands over a message to each recipient.
#[track_caller]
fn hand_over(bed: &Bed, recipients: &[&str]) {
    let mut client = Client::hello(bed.mx);
    for recipient in recipients {
        let reply = client.transaction("anna@here.test", &[recipient], CONTENT);
        assert!(reply.as_ref().is_ok_and(|reply| reply.starts_with("250")), "{reply:?}");
    }
}

fn route(port: u16, more: &str) -> String {
    format!("[routes.\"next.test\"]\nnext_hop = \"127.0.0.1:{port}\"\nconnections_max = 1\n{more}")
}

/// Takes two messages over a connection, and says so only at the third.
fn two_only() -> Habits {
    Habits {
        mail: Arc::new(|_, number| {
            (number > 1).then_some("452 4.5.0 too many messages in this session")
        }),
        ..Habits::default()
    }
}

#[test]
fn a_connection_that_is_used_up_costs_no_wait_and_is_learned() {
    let sink = Sink::with(two_only());
    let bed = Bed::start(&route(sink.port, "retry = { first = \"1h\" }\n"));
    let recipients = ["a", "b", "c", "d", "e", "f", "g"].map(|name| format!("{name}@next.test"));
    let recipients: Vec<_> = recipients.iter().map(String::as_str).collect();
    hand_over(&bed, &recipients);
    let taken = sink.wait(recipients.len());
    let over = |session| taken.iter().filter(|taken| taken.session == session).count();
    assert!((0..4).all(|session| over(session) <= 2), "{taken:?}");
    let told = bed.why("c@next.test", &["no more than 2 messages go over one connection"]);
    assert!(
        told.contains("(quirk `messages-per-connection`)") && told.contains("relayed"),
        "{told}"
    );
    // It was learned: nobody ran into it again.
    let learned = wait_for("what was learned in the log", Duration::from_secs(10), || {
        let count = bed.log().matches("so many messages over a connection").count();
        Some(count).filter(|&count| count > 0)
    });
    assert_eq!(learned, 1);
    assert!(!bed.log().contains("\"message\":\"deferred\""), "{}", bed.log());
}

/// A reply that means all our mail: the message that heard it waits a minute and not its own hour, and those
/// behind it are not even tried.
#[test]
fn words_about_all_our_mail_make_the_site_rest() {
    let throttled = |_, _| Some("421 4.7.0 Too many concurrent connections from your address");
    let sink = Sink::with(Habits { mail: Arc::new(throttled), ..Habits::default() });
    let bed = Bed::start(&route(sink.port, "retry = { first = \"1h\" }\n"));
    hand_over(&bed, &["a@next.test"]);
    let told = bed.why("a@next.test", &["nothing is sent there for 1m"]);
    assert!(told.contains("421 4.7.0 Too many concurrent connections"), "{told}");
    assert!(told.contains("(quirk `too-many-connections`)"), "{told}");
    hand_over(&bed, &["b@next.test"]);
    let list = wait_for("two that wait", Duration::from_secs(10), || {
        let list = bed.command(&["queue", "list", "--json"]).out();
        (list.lines().count() == 2 && !list.contains("\"busy\"")).then_some(list)
    });
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("after 1970").as_millis() as i64;
    for line in list.lines() {
        let job: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let due = job["due"].as_i64().unwrap_or_else(|| panic!("no `due`: {job}"));
        assert!((0..=61_000).contains(&(due - now)), "{} ms: {job}", due - now);
    }
    let attempts = wait_for("the attempt in the log", Duration::from_secs(10), || {
        Some(bed.log().matches("\"message\":\"deferred\"").count()).filter(|&count| count > 0)
    });
    assert_eq!(attempts, 1, "the second was not tried");
    // An operator who knows better has his way.
    let start = Instant::now();
    let id = bed.why("b@next.test", &["b@next.test"]).split(' ').next().map(str::to_owned);
    bed.command(&["queue", "retry", &id.expect("an id")]);
    wait_for("another try", Duration::from_secs(20), || {
        (bed.log().matches("\"message\":\"deferred\"").count() > attempts).then_some(())
    });
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_is_switched_off_is_not_heeded_and_shown() {
    let sink = Sink::with(two_only());
    let without = "without_quirks = [\"messages-per-connection\"]\nretry = { first = \"1h\" }\n";
    let bed = Bed::start(&route(sink.port, without));
    let site = |name: &str| bed.command(&["config", "show", "--site", name]).good();
    assert!(site("next.test").contains("quirks not heeded: messages-per-connection"));
    let yahoo = site("mta5.am0.yahoodns.net");
    assert!(
        yahoo.contains("quirk yahoo-messages: at most 20 messages over one connection"),
        "{yahoo}"
    );
    assert!(yahoo.contains("help.yahoo.com") && yahoo.contains("too-many-connections"), "{yahoo}");
    hand_over(&bed, &["a@next.test", "b@next.test", "c@next.test"]);
    bed.why("c@next.test", &["452 4.5.0 too many messages"]);
    assert_eq!(sink.taken().len(), 2);
    bed.configure("", &format!("{}\n[queue]\nquirks = false\n", route(sink.port, "")));
    assert!(site("mta5.am0.yahoodns.net").contains("none is heeded"));
    bed.configure("", &route(ports::free(), "without_quirks = [\"nonsense\"]\n"));
    let refused = bed.command(&["reload"]);
    assert!(refused.text().contains("no quirk is called `nonsense`"), "{}", refused.text());
}

/// Providers are known by the names of their hosts, whichever domains lead there.
#[test]
fn providers_are_met_as_they_are_known() {
    let throttled =
        |_, _| Some("421 4.7.28 Our system has detected an unusual rate of unsolicited mail");
    let google = Sink::with(Habits { mail: Arc::new(throttled), ..Habits::default() });
    let yahoo = Sink::start();
    let zone = "gmail.test. IN MX 10 gmail-smtp-in.l.google.com.\n\
                gmail-smtp-in.l.google.com. IN A 127.0.0.1\n\
                yahoo.test. IN MX 1 mta5.am0.yahoodns.net.\nmta5.am0.yahoodns.net. IN A 127.0.0.1\n";
    let Some(unbound) = Unbound::start(zone, "", &[]) else { return };
    let route = |domain: &str, port: u16| {
        format!("[domains.\"{domain}\"]\nkind = \"relay\"\n[routes.\"{domain}\"]\nport = {port}\n")
    };
    let bed = Bed::start(&format!(
        "[dns]\nservers = [\"{}\"]\n[queue]\nconnections_per_site_max = 1\nidle_keep = \"20s\"\n{}{}",
        unbound.at,
        route("gmail.test", google.port),
        route("yahoo.test", yahoo.port),
    ));
    hand_over(&bed, &["a@gmail.test"]);
    let told = bed.why("a@gmail.test", &["nothing is sent there for 10m"]);
    assert!(told.contains("(quirk `google-rate`)"), "{told}");
    let recipients = ["b@yahoo.test"; 21];
    hand_over(&bed, &recipients);
    let taken = yahoo.wait(recipients.len());
    let over = |session| taken.iter().filter(|taken| taken.session == session).count();
    assert_eq!((over(0), over(1)), (20, 1));
    let told = bed.why("b@yahoo.test", &["relayed"]);
    let quirk = "at most 20 messages over one connection (quirk `yahoo-messages`)";
    assert!(told.contains(quirk), "{told}");
}
