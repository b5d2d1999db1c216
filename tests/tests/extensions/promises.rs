//! What a client is promised for its message: by when, not before, in which order, for whose mailbox.

use std::time::{Duration, Instant};

use harness::{
    bed::Bed,
    client::Client,
    maildir, ports,
    sink::{Habits, Sink},
};

use crate::{CONTENT, hand_over, listener, log_in, route};

/// Mail by users, who sign in in clear.
fn submission(port: u16) -> String {
    listener(port, "role = \"submission\"\ntls = \"none\"\nauth = { without_tls = true }")
}

/// A client that has signed in there.
fn user(port: u16) -> Client {
    let mut client = Client::hello(port);
    log_in(&mut client);
    client
}

fn bed(tables: &str, port: u16) -> Bed {
    let mut bed = Bed::new(&format!("{tables}\n{}", submission(port)));
    bed.add_user();
    bed.start_again();
    bed
}

const TO_NEXT: &str = "RCPT TO:<carol@next.test>";

#[test]
fn deliver_by_is_passed_on_with_what_is_left_or_ended() {
    let sink = Sink::with(Habits::offering(&["DELIVERBY"]));
    let plain = Sink::start();
    let port = ports::free();
    let domain = |name: &str| format!("[domains.\"{name}\"]\nkind = \"relay\"\n");
    let tables = [
        route("next.test", sink.port),
        domain("plain.test"),
        route("plain.test", plain.port),
        domain("dead.test"),
        route("dead.test", ports::free()),
    ];
    let bed = bed(&tables.concat(), port);
    let mut client = user(port);
    hand_over(&mut client, "MAIL FROM:<anna@here.test> BY=120;NT", &[TO_NEXT]);
    let mail = &sink.wait(1)[0].mail;
    let left = mail.split("BY=").nth(1).and_then(|by| by.split(';').next()?.parse::<u32>().ok());
    assert!(left.is_some_and(|left| (100..=120).contains(&left)), "{mail}");
    assert!(mail.contains(";NT"), "{mail}");
    // T has each relay tell, even where DSN goes on (RFC 2852 section 4.1.4).
    told(&bed, 1, &["Action: relayed", "carol@next.test", "Deliver-By-Date: "]);
    // With R it must not go where nobody heeds it, with N it may, and that is told.
    hand_over(&mut client, "MAIL FROM:<anna@here.test> BY=120;R", &["RCPT TO:<carol@plain.test>"]);
    told(&bed, 2, &["Action: failed", "Status: 5.4.7", "carol@plain.test"]);
    hand_over(&mut client, "MAIL FROM:<anna@here.test> BY=120;N", &["RCPT TO:<dora@plain.test>"]);
    assert!(!plain.wait(1)[0].mail.contains("BY="));
    told(&bed, 3, &["Action: relayed", "dora@plain.test", "does not watch the time"]);
    let never = "RCPT TO:<emma@plain.test> NOTIFY=NEVER";
    hand_over(&mut client, "MAIL FROM:<anna@here.test> BY=120;NT", &[never]);
    hand_over(&mut client, "MAIL FROM:<anna@here.test>", &["RCPT TO:<emma@plain.test>"]);
    plain.wait(3);
    // Its time runs out while nobody is there.
    hand_over(&mut client, "MAIL FROM:<anna@here.test> BY=3;R", &["RCPT TO:<carol@dead.test>"]);
    told(&bed, 4, &["Action: failed", "Status: 5.4.7", "carol@dead.test"]);
    assert_eq!(plain.taken().len(), 3);
    let mut strict = user(port);
    strict.expect("MAIL FROM:<anna@here.test> BY=0;R", "501");
}

/// Waits for so many reports to anna; the newest, as the numbers of their files tell nothing, is the one that
/// has all of this.
#[track_caller]
fn told(bed: &Bed, count: usize, expected: &[&str]) {
    let reports = maildir::wait(&bed.mailbox("anna"), count);
    let texts: Vec<_> = reports.iter().map(|report| String::from_utf8_lossy(report)).collect();
    let has_all = |text: &str| expected.iter().all(|line| text.contains(line));
    assert!(texts.len() == count && texts.iter().any(|text| has_all(text)), "{texts:#?}");
}

/// A site that is down is tried by one message now and then. The others behind it have their promises all the
/// same.
#[test]
fn what_waits_for_a_dead_site_is_told_and_returned_in_time() {
    let port = ports::free();
    let dead = route("next.test", ports::free()).replace("1s", "1h");
    let bed = bed(&dead, port);
    let mut client = user(port);
    hand_over(&mut client, "MAIL FROM:<anna@here.test>", &["RCPT TO:<first@next.test>"]);
    bed.why("first@next.test", &["refused"]);
    for (by, name) in [("2;N", "late"), ("2;R", "strict")] {
        let mail = format!("MAIL FROM:<anna@here.test> BY={by}");
        hand_over(&mut client, &mail, &[&format!("RCPT TO:<{name}@next.test>")]);
    }
    let reports = maildir::wait(&bed.mailbox("anna"), 2);
    assert_eq!(reports.len(), 2);
    told(&bed, 2, &["Action: delayed", "late@next.test", "Will-Retry-Until"]);
    told(&bed, 2, &["Action: failed", "Status: 5.4.7", "strict@next.test"]);
}

/// What a route keeps off the wire is not the next hop's business.
#[test]
fn a_report_of_success_is_ours_where_dsn_is_not_used() {
    let sink = Sink::start();
    let port = ports::free();
    let bed = bed(&format!("{}avoid = [\"DSN\"]\n", route("next.test", sink.port)), port);
    let notify = format!("{TO_NEXT} NOTIFY=SUCCESS");
    hand_over(&mut user(port), "MAIL FROM:<anna@here.test>", &[&notify]);
    assert!(!sink.wait(1)[0].rcpt[0].contains("NOTIFY"));
    told(&bed, 1, &["Action: relayed", "carol@next.test"]);
}

#[test]
fn what_is_held_is_released_in_time_and_not_before_a_restart_or_not() {
    let sink = Sink::start();
    let port = ports::free();
    let mut bed = bed(&route("next.test", sink.port), port);
    let start = Instant::now();
    let mut client = user(port);
    let offer = client.expect("EHLO client.test", "250");
    assert!(offer.contains("FUTURERELEASE 604800 "), "{offer}");
    let id = hand_over(&mut client, "MAIL FROM:<anna@here.test> HOLDFOR=8", &[TO_NEXT]);
    bed.kill();
    bed.start_again();
    // An operator who wants everything tried now does not take it to be his.
    let id = id.trim_end().rsplit(' ').next().unwrap_or_default();
    let list = bed.command(&["queue", "list"]).good();
    assert!(list.contains(id), "{list}");
    assert!(sink.taken().is_empty(), "it was sent early");
    let taken = sink.wait(1).remove(0);
    let after = taken.at.duration_since(start);
    assert!((8.0..25.0).contains(&after.as_secs_f32()), "{after:?}");
    bed.why(id, &["relayed"]);
    // Only for users, and not without end.
    Client::hello(port).expect("MAIL FROM:<anna@here.test> HOLDFOR=8", "530");
    user(port).expect("MAIL FROM:<anna@here.test> HOLDFOR=604801", "501");
    let mx = Client::hello(bed.mx).expect("EHLO client.test", "250");
    assert!(!mx.contains("FUTURERELEASE"), "{mx}");
}

#[test]
fn the_higher_priority_goes_first_and_is_passed_on() {
    let (dead, port, etrn) = (ports::free(), ports::free(), ports::free());
    let tables = format!(
        "{}connections_max = 1\n{}",
        route("next.test", dead).replace("1s", "1h"),
        listener(etrn, "etrn = [\"127.0.0.1/32\"]\ntls = \"none\"").replace("own", "etrn")
    );
    let bed = bed(&tables, port);
    let mut client = user(port);
    for (priority, reply) in [("-3", "250 2.1.0"), ("0", "250 2.1.0"), ("4", "250 2.1.0")] {
        let mail = format!("MAIL FROM:<anna@here.test> MT-PRIORITY={priority}");
        client.expect(&mail, reply);
        client.expect(TO_NEXT, "250");
        client.expect("DATA", "354");
        client.write(CONTENT).expect("the server reads");
        client.expect(".", "250");
    }
    client.expect("MAIL FROM:<anna@here.test> MT-PRIORITY=9", "250 2.3.6 4 is");
    // Who is in a hurry there is nobody's business who has not signed in.
    Client::hello(bed.mx).expect("MAIL FROM:<anna@here.test> MT-PRIORITY=1", "555");
    bed.why("carol@next.test", &["refused"]);
    let habits = Habits::offering(&["MT-PRIORITY"]);
    let sink = Sink::at(dead, habits);
    Client::hello(etrn).expect("ETRN next.test", "253 2.0.0 3 messages");
    let taken = sink.wait(3);
    let priority = |mail: &str| mail.split("MT-PRIORITY=").nth(1).map(str::to_owned);
    let order: Vec<_> = taken.iter().filter_map(|taken| priority(&taken.mail)).collect();
    assert_eq!(order, ["4", "0", "-3"], "{taken:?}");
    let trace = String::from_utf8_lossy(&taken[0].content);
    assert!(trace.contains("PRIORITY 4;"), "{trace}");
}

#[test]
fn a_mailbox_with_another_owner_since_takes_nothing() {
    let sink = Sink::with(Habits::offering(&["RRVS"]));
    let plain = Sink::start();
    let tables = [
        "[domains.\"owned.test\"]\nmailboxes = [\"anna\"]\nmailbox_since = { anna = \"2024-01-31\" }\n",
        &route("next.test", sink.port),
        "[domains.\"plain.test\"]\nkind = \"relay\"\n",
        &route("plain.test", plain.port),
    ];
    let bed = Bed::start(&tables.concat());
    let mut client = Client::hello(bed.mx);
    let offer = client.expect("EHLO client.test", "250");
    assert!(offer.contains("250-RRVS\r\n"), "{offer}");
    client.expect("MAIL FROM:<anna@here.test>", "250");
    let rcpt = |address: &str, since: &str| format!("RCPT TO:<{address}> RRVS={since}");
    client.expect(&rcpt("anna@owned.test", "2023-04-03T23:01:00Z;R"), "550 5.7.17");
    client.expect(&rcpt("anna@owned.test", "2025-04-03T23:01:00Z;R"), "250");
    client.expect("RSET", "250");
    // The same by a field of the header section: refused, or where others take the message, told to its originator.
    let field = |since: &str| {
        format!("Require-Recipient-Valid-Since: ANNA@owned.test;\r\n {since}\r\n\r\ntext\r\n")
    };
    let (old, new) = ("Wed, 3 Apr 2023 23:01:00 +0200", "Thu, 3 Apr 2025 23:01:00 GMT");
    for (others, since, reply) in
        [(false, new, "250"), (false, old, "550 5.7.17"), (true, old, "250")]
    {
        client.expect("MAIL FROM:<anna@here.test>", "250");
        client.expect("RCPT TO:<Anna@owned.test>", "250");
        if others {
            client.expect("RCPT TO:<carol@next.test>", "250");
        }
        client.expect("DATA", "354");
        client.write(field(since).as_bytes()).expect("the server reads");
        client.expect(".", reply);
    }
    told(&bed, 1, &["Status: 5.7.17", "Anna@owned.test"]);
    assert_eq!(maildir::wait(&bed.data().join("mail/owned.test/anna"), 1).len(), 1);
    sink.wait(1);
    let since = "2014-04-03T23:01:00Z;C";
    hand_over(&mut client, "MAIL FROM:<anna@here.test>", &[&rcpt("carol@next.test", since)]);
    assert!(sink.wait(2)[1].rcpt[0].ends_with(&format!("RRVS={since}")));
    // Where the next hop knows nothing of it: with C it goes all the same, with R it comes back.
    hand_over(&mut client, "MAIL FROM:<anna@here.test>", &[&rcpt("carol@plain.test", since)]);
    assert!(!plain.wait(1)[0].rcpt[0].contains("RRVS"));
    let strict = rcpt("dora@plain.test", "2014-04-03T23:01:00Z;R");
    hand_over(&mut client, "MAIL FROM:<anna@here.test>", &[&strict]);
    told(&bed, 2, &["Status: 5.3.3", "dora@plain.test"]);
    assert_eq!(plain.taken().len(), 1);
}

#[test]
fn solicitation_of_a_class_is_refused_by_parameter_and_by_field() {
    let port = ports::free();
    let sink = Sink::with(Habits::offering(&["NO-SOLICITING org.example:ADV"]));
    let own = "no_soliciting = [\"net.example:ADV\"]\ntls = \"none\"\n";
    let bed = Bed::start(&[route("next.test", sink.port), listener(port, own)].concat());
    let mut client = Client::hello(port);
    let offer = client.expect("EHLO client.test", "250");
    assert!(offer.contains("NO-SOLICITING net.example:ADV"), "{offer}");
    client.expect("MAIL FROM:<anna@here.test> SOLICIT=net.example:adv", "550 5.7.1");
    client.expect("MAIL FROM:<anna@here.test>", "250");
    client.expect("RCPT TO:<anna@here.test>", "250");
    client.expect("DATA", "354");
    client.write(b"Solicitation: net.example:ADV\r\n\r\nbuy\r\n").expect("the server reads");
    client.expect(".", "550 5.7.1");
    assert!(maildir::read(&bed.mailbox("anna")).is_empty());
    // What the next hop does not take is not sent there.
    let class = "MAIL FROM:<anna@here.test> SOLICIT=org.example:ADV";
    hand_over(&mut client, class, &[TO_NEXT]);
    let report = maildir::wait(&bed.mailbox("anna"), 1);
    assert!(String::from_utf8_lossy(&report[0]).contains("Status: 5.7.1"));
    hand_over(&mut client, "MAIL FROM:<anna@here.test> SOLICIT=org.example:NEWS", &[TO_NEXT]);
    assert!(sink.wait(1)[0].mail.contains("SOLICIT=org.example:NEWS"));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(sink.taken().len(), 1);
}
