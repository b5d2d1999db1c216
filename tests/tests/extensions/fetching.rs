//! ETRN starts a queue, ATRN fetches it, TURN is refused.

use std::{fs, time::Duration};

use harness::{
    bed::{Bed, PASSWORD, USER},
    client::Client,
    maildir, ports,
    program::wait_for,
    sink::{Habits, Sink},
};

use crate::{STRANGER, hand_over, listener, log_in, route};

#[test]
fn etrn_starts_the_queue_of_a_domain_for_those_who_may() {
    let (dead, port) = (ports::free(), ports::free());
    let tables = [
        route("next.test", dead).replace("1s", "1h"),
        listener(port, "etrn = [\"127.0.0.1/32\"]\ntls = \"none\""),
        "[domains.\"sub.next.test\"]\nkind = \"relay\"\n".to_owned(),
        route("sub.next.test", dead).replace("1s", "1h"),
    ];
    let bed = Bed::start(&tables.concat());
    let mut client = Client::hello(bed.mx);
    for recipient in ["carol@next.test", "carol@sub.next.test"] {
        let rcpt = format!("RCPT TO:<{recipient}>");
        hand_over(&mut client, "MAIL FROM:<anna@here.test>", &[&rcpt]);
    }
    // The other one may share the fate of its site without a try of its own.
    bed.why("carol@next.test", &["refused"]);
    let sink = Sink::at(dead, Habits::default());
    // A stranger does not see it, and starts nothing; nor does the listener that has no friends.
    let mut stranger = Client::from(STRANGER, port).expect("the server answers");
    let offer = stranger.expect("EHLO client.test", "250");
    assert!(!offer.contains("ETRN"), "{offer}");
    stranger.expect("ETRN next.test", "502");
    client.expect("ETRN next.test", "502");
    std::thread::sleep(Duration::from_secs(1));
    assert!(sink.taken().is_empty(), "a stranger started a queue");
    let mut friend = Client::hello(port);
    assert!(friend.expect("EHLO client.test", "250").contains("ETRN"));
    friend.expect("ETRN other.test", "458");
    friend.expect("ETRN here.test", "458");
    friend.expect("ETRN next.test", "253 2.0.0 1 message");
    assert_eq!(sink.wait(1)[0].recipients, ["carol@next.test"]);
    friend.expect("ETRN next.test", "251");
    friend.expect("ETRN @next.test", "253 2.0.0 1 message");
    assert_eq!(sink.wait(2)[1].recipients, ["carol@sub.next.test"]);
}

/// Both ends are ours: the provider keeps the mail, the customer signs in and is given it.
#[test]
fn atrn_hands_the_mail_to_its_owner_and_to_nobody_else() {
    let port = ports::free();
    let odmr = listener(
        port,
        "role = \"submission\"\ntls = \"none\"\nauth = { without_tls = true }\n\
                               advertise = [\"ATRN\"]",
    );
    let mut provider = Bed::new(&format!(
        "[domains.\"customer.test\"]\nkind = \"odmr\"\n[domains.\"rival.test\"]\nkind = \"odmr\"\n{odmr}"
    ));
    provider.add_user();
    let users = provider.data().join("users.toml");
    let text = fs::read_to_string(&users).expect("the users file is there");
    fs::write(&users, owning(&text, "customer.test")).expect("the users file can be written");
    provider.start_again();
    let mut client = Client::hello(provider.mx);
    for recipient in ["carol@customer.test", "dora@customer.test", "eve@rival.test"] {
        let rcpt = format!("RCPT TO:<{recipient}>");
        hand_over(&mut client, "MAIL FROM:<sender@from.test>", &[&rcpt]);
    }
    let mut early = Client::hello(port);
    early.expect("ATRN customer.test", "530");
    log_in(&mut early);
    early.expect("ATRN rival.test", "450 4.7.1");
    early.expect("ATRN customer.test,rival.test", "450 4.7.1");
    early.expect("QUIT", "221");

    let customer = Bed::start(&format!(
        "[domains.\"customer.test\"]\n[[odmr]]\nprovider = \"127.0.0.1:{port}\"\ntls = \"never\"\n\
         auth = {{ user = \"{USER}\", password = \"{PASSWORD}\" }}\nevery = \"1s\"\n"
    ));
    let mailbox = |name: &str| customer.data().join("mail/customer.test").join(name);
    for name in ["carol", "dora"] {
        let kept = maildir::wait(&mailbox(name), 1);
        let kept = String::from_utf8_lossy(&kept[0]);
        assert!(kept.starts_with("Return-Path: <sender@from.test>\r\n"), "{kept}");
        let told = provider.why(&format!("{name}@customer.test"), &["relayed"]);
        assert!(told.contains("fetched by its owner (ATRN)"), "{told}");
    }
    let mut again = Client::hello(port);
    log_in(&mut again);
    again.expect("ATRN", "453");
    assert!(
        !mailbox("eve").exists()
            && provider.command(&["queue", "list"]).good().contains("rival.test")
    );
    // What comes later is fetched at the next asking.
    hand_over(&mut client, "MAIL FROM:<sender@from.test>", &["RCPT TO:<carol@customer.test>"]);
    maildir::wait(&mailbox("carol"), 2);
    wait_for("an empty lane", Duration::from_secs(10), || {
        let list = provider.command(&["queue", "list"]).good();
        (!list.contains("customer.test")).then_some(())
    });
    customer.log().lines().for_each(|line| assert!(!line.contains(PASSWORD), "{line}"));
}

/// The users file with a domain for its one user.
fn owning(users: &str, domain: &str) -> String {
    let line = format!("odmr = [\"{domain}\"]\n");
    match users.find("password = ") {
        Some(at) => [&users[..at], &line, &users[at..]].concat(),
        None => {
            let hash = users.split_once(" = ").map(|(_, hash)| hash.trim()).expect("a user");
            format!("[\"{USER}\"]\npassword = {hash}\n{line}")
        }
    }
}

#[test]
fn turn_is_refused() {
    let bed = Bed::start("");
    let mut client = Client::hello(bed.mx);
    let refused = client.expect("TURN", "502 5.7.0");
    assert!(refused.contains("ETRN") && refused.contains("ATRN"), "{refused}");
}
