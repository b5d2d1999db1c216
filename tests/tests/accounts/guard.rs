//! Guessing, against a running server: how long a no takes, who is locked, and who is not.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use harness::{
    bed::{Bed, PASSWORD, USER},
    client::Client,
    ports,
    program::wait_for,
};
use sasl::{
    Bindings, Mechanism,
    client::{Context, Credentials, Exchange, Step},
};

use super::server::{connect, listener, plain};

fn bed(port: u16, logins: &str) -> Bed {
    let tables = format!(
        "{}[limits]\nerrors_max = 1000\n[door.logins]\n{logins}\n",
        listener(port, ", mechanisms = [\"SCRAM-SHA-256\", \"PLAIN\"]")
    );
    let mut bed = Bed::new(&tables);
    bed.add_user();
    bed.start_again();
    bed
}

fn say(client: &mut Client, line: &str) -> String {
    client.say(line).expect("the server answers")
}

#[test]
fn strangers_lock_themselves_out_and_nobody_else() {
    let port = ports::free();
    let bed = bed(port, "per_client = 5\nper_user = 8\ndelay = \"10ms\"\ndelay_max = \"20ms\"");
    let mut home = connect("127.0.0.41", port);
    assert!(say(&mut home, &plain(USER, PASSWORD)).starts_with("235"), "known from now on");
    let mut guesses = 0;
    for stranger in ["127.0.0.42", "127.0.0.43"] {
        let mut client = connect(stranger, port);
        let mut locked = String::new();
        for _ in 0..6 {
            guesses += 1;
            let reply = say(&mut client, &plain(USER, &format!("guess {guesses}")));
            match reply.starts_with("535 5.7.8") {
                true => continue,
                false => locked = reply,
            }
        }
        assert!(locked.starts_with("454 4.7.0 too many failed logins, come back in "), "{locked}");
    }
    let mut journey = connect("127.0.0.44", port);
    let reply = say(&mut journey, &plain(USER, PASSWORD));
    assert!(reply.starts_with("454"), "for strangers the name is locked: {reply}");
    let mut home = connect("127.0.0.41", port);
    assert!(
        say(&mut home, &plain(USER, PASSWORD)).starts_with("235"),
        "where he is known it is not"
    );
    bed.command(&["reload"]).good();
    let shown = bed.command(&["door", "logins", "--locked"]).good();
    assert!(shown.contains("127.0.0.42") && shown.contains(USER), "it survives a reload: {shown}");
    assert!(!shown.contains("127.0.0.41"), "{shown}");
    bed.command(&["door", "unlock", USER]).good();
    let mut journey = connect("127.0.0.44", port);
    assert!(say(&mut journey, &plain(USER, PASSWORD)).starts_with("235"), "unlocked");
    assert_ne!(bed.command(&["door", "unlock", "nobody@here.test"]).status(), 0);
    let log = bed.log();
    assert!(log.contains("login-rate") && log.contains("wrong-login"), "{log}");
    assert!(!log.contains("guess 1"), "no password gets into the log");
}

#[test]
fn a_restart_opens_no_lock() {
    let port = ports::free();
    let mut bed =
        bed(port, "per_client = 3\nper_user = 50\ndelay = \"10ms\"\ndelay_max = \"20ms\"");
    let mut home = connect("127.0.0.45", port);
    assert!(say(&mut home, &plain(USER, PASSWORD)).starts_with("235"), "known from now on");
    let guess = |number: u8| {
        say(&mut connect("127.0.0.46", port), &plain(USER, &format!("guess {number}")))
    };
    for number in 0..3 {
        assert!(guess(number).starts_with("535 5.7.8"));
    }
    assert!(guess(3).starts_with("454 4.7.0"), "locked");
    let file = bed.data().join("logins/logins.log");
    // Written within a second of the last failure, by a process that is given no time to end.
    let length = || std::fs::metadata(&file).map_or(0, |file| file.len());
    wait_for("the lock on disk", Duration::from_secs(20), || {
        let before = length();
        std::thread::sleep(Duration::from_millis(1_500));
        (before > 0 && before == length()).then_some(())
    });
    bed.kill();
    bed.start_again();
    assert!(guess(4).starts_with("454 4.7.0"), "a kill opened the lock");
    let shown = bed.command(&["door", "logins", "--locked"]).good();
    assert!(shown.contains("127.0.0.46"), "{shown}");
    bed.command(&["door", "unlock", "127.0.0.46"]).good();
    assert_eq!(bed.stop().code(), Some(0));
    bed.start_again();
    assert!(guess(5).starts_with("535 5.7.8"), "what is forgotten stays forgotten");
}

#[test]
fn a_telephone_with_the_old_password_locks_nobody() {
    let port = ports::free();
    let _bed = bed(port, "per_client = 5\nper_user = 5\ndelay = \"0s\"");
    for _ in 0..30 {
        let mut phone = connect("127.0.0.51", port);
        assert!(say(&mut phone, &plain(USER, "of last year")).starts_with("535 5.7.8"));
    }
    let mut phone = connect("127.0.0.51", port);
    assert!(say(&mut phone, &plain(USER, PASSWORD)).starts_with("235"));
}

/// Whoever it was, and whatever was wrong.
const REFUSED: &str = "535 5.7.8 user or password is wrong";

/// SCRAM with a password, as a client does it.
fn scram(client: &mut Client, user: &str, password: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let context = Context {
        service: "smtp",
        host: "localhost".into(),
        port: 587,
        bindings: Bindings::default(),
        random: [9; 32],
        now: 0,
    };
    let credentials = Credentials::new(user, password);
    let mut exchange = Exchange::new(Mechanism::ScramSha256, context, Arc::new(credentials), false);
    let Step::Send(initial) = exchange.begin() else { panic!("SCRAM begins with the client") };
    let mut reply =
        say(client, &format!("AUTH SCRAM-SHA-256 {}", STANDARD.encode(initial.octets())));
    while let Some(challenge) = reply.strip_prefix("334 ") {
        let challenge = STANDARD.decode(challenge.trim_end()).expect("base64");
        let step = exchange.challenge(&challenge);
        let Step::Send(response) = exchange.worked(step) else { panic!("{reply}") };
        reply = say(client, &STANDARD.encode(response.octets()));
    }
    reply
}

#[test]
fn scram_lets_users_in() {
    let port = ports::free();
    let _bed = bed(port, "delay = \"0s\"");
    assert!(scram(&mut connect("127.0.0.52", port), USER, PASSWORD).starts_with("235"));
    assert!(scram(&mut connect("127.0.0.52", port), USER, "wrong").starts_with("535 5.7.8"));
}

/// Times of refusals, sorted: of a user, and of nobody, one after the other.
fn times(rounds: usize, mut refuse: impl FnMut(&str)) -> [Vec<Duration>; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (times, name) in times.iter_mut().zip([USER, "nobody@here.test"]) {
            let began = Instant::now();
            refuse(name);
            times.push(began.elapsed());
        }
    }
    times.iter_mut().for_each(|times| times.sort());
    times
}

#[test]
fn nobody_can_tell_by_the_time_who_exists() {
    let port = ports::free();
    let off = "per_client = 0\nper_network = 0\nper_user = 0\n";
    // Without the delay that would hide it: the work itself has to be the same.
    let _bed = bed(port, &format!("{off}delay = \"0s\""));
    // Ten failures end a session.
    let fresh = || connect("127.0.0.61", port);
    let mut number = 0;
    let by_password = times(25, |name| {
        number += 1;
        let line = plain(name, &format!("guess {number}"));
        let reply = say(&mut fresh(), &line);
        assert_eq!(reply.trim_end(), REFUSED);
    });
    let by_proof = times(25, |name| {
        let reply = scram(&mut fresh(), name, "wrong");
        assert_eq!(reply.trim_end(), REFUSED);
    });
    for (what, [known, unknown]) in [("PLAIN", by_password), ("SCRAM", by_proof)] {
        let (a, b) = (known[known.len() / 2], unknown[unknown.len() / 2]);
        println!(
            "{what}: median {a:?} of a user, {b:?} of nobody; least {:?}, {:?}",
            known[0], unknown[0]
        );
        let (less, more) = (a.min(b), a.max(b));
        // This machine has other things to do: a lookup that was left out would be a factor of ten and more.
        assert!(more < less * 2 + Duration::from_millis(5), "{what}: {a:?} and {b:?}");
    }
    // The salt that nobody gets is his for ever, and no other than a user's would be.
    let salt = |name: &str| {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let first = STANDARD.encode(format!("n,,n={name},r=abcdefghijklmnop"));
        let mut client = connect("127.0.0.62", port);
        let reply = say(&mut client, &format!("AUTH SCRAM-SHA-256 {first}"));
        let challenge =
            STANDARD.decode(reply.trim_end().trim_start_matches("334 ")).expect("base64");
        let text = String::from_utf8(challenge).expect("text");
        text.split_once(",s=").expect("a salt").1.to_owned()
    };
    let nobody = salt("nobody@here.test");
    assert_eq!(nobody, salt("nobody@here.test"));
    assert_ne!(nobody, salt("nobody2@here.test"));
    assert_eq!(nobody.len(), salt(USER).len(), "as long, and with as many iterations");
}
