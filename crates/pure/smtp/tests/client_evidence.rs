//! What the client machine leaves behind: the transcript without secrets, what it used, what it knows of
//! the next hop.

mod sasl_driver;

use std::{sync::Arc, time::Duration};

use smtp::{
    Envelope, Outcome, Recipient, TlsFacts, Trouble,
    client::{Client, Credentials, Features, Output, Plan, Transaction},
};

const SECOND: Duration = Duration::from_secs(1);

fn client(plan: Plan, said: &[&str]) -> Client {
    let mut client = Client::new(Arc::new(plan), Duration::ZERO);
    say(&mut client, said);
    client
}

fn say(client: &mut Client, said: &[&str]) {
    for line in said {
        client.feed(SECOND, format!("{line}\r\n").as_bytes());
        client.commands().clear();
    }
}

fn transaction() -> Transaction {
    let mut envelope = Envelope::new(None);
    envelope.recipients.push(Recipient::new("bob@b.test".parse().expect("an address")));
    Transaction::new(Arc::new(envelope), 6)
}

fn transcript(client: &Client) -> Vec<String> {
    let lines = client.transcript().lines();
    lines.map(|line| format!("{:.1?}: {}", line.by, line.text.escape_ascii())).collect()
}

fn credentials() -> Arc<Credentials> {
    Arc::new(Credentials { in_clear_allowed: true, ..Credentials::new("ann", "secret") })
}

#[test]
fn secrets_are_struck_out() {
    let with_credentials = || Plan { credentials: Some(credentials()), ..Plan::new("mx.a.test") };
    for (mechanism, said) in [
        ("PLAIN", &["334 ", "235 ok"][..]), // the response is asked for once more
        ("LOGIN", &["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok"]),
    ] {
        let offer = format!("250 AUTH {mechanism}");
        let mut client = client(with_credentials(), &["220 hi", "250-hi", &offer]);
        assert_eq!(client.poll(), Some(Output::SignIn));
        client.sign_in(SECOND, sasl_driver::client_context());
        say(&mut client, said);
        assert_eq!(client.poll(), Some(Output::Ready), "{mechanism}");
        let seen = transcript(&client);
        assert!(seen.iter().any(|line| line.contains("****")), "{seen:?}");
        for secret in ["YW5u", "c2VjcmV0", "AGFubgBzZWNyZXQ="] {
            assert!(!seen.iter().any(|line| line.contains(secret)), "{secret} in {seen:?}");
        }
    }
    assert!(!format!("{:?}", with_credentials()).contains("secret"), "Debug");
}

#[test]
fn secrets_typed_by_hand_are_struck_out() {
    let mut client = client(Plan::new("mx.a.test"), &["220 hi", "250-hi", "250 AUTH PLAIN LOGIN"]);
    client.command(SECOND, "auth plain AGFubgBzZWNyZXQ=\r\nMAIL FROM:<>");
    assert_eq!(
        client.commands(),
        b"auth plain AGFubgBzZWNyZXQ=\r\n",
        "one line, and no second command"
    );
    say(&mut client, &["535 5.7.8 no"]);
    client.command(SECOND, "AUTH LOGIN");
    say(&mut client, &["334 VXNlcm5hbWU6"]);
    client.command(SECOND, "YW5u");
    say(&mut client, &["334 UGFzc3dvcmQ6"]);
    client.command(SECOND, "c2VjcmV0");
    say(&mut client, &["235 ok"]);
    client.command(SECOND, "NOOP");
    let seen: Vec<_> =
        transcript(&client).into_iter().filter(|line| line.starts_with('C')).collect();
    let shown = ["EHLO mx.a.test", "auth plain ****", "AUTH LOGIN", "****", "****", "NOOP"];
    assert_eq!(seen, shown.map(|line| format!("Client: {line}")));
}

/// Every transaction's transcript is the opening and its own part, however long the session lives.
#[test]
fn a_transcript_is_the_opening_and_the_newest_transaction() {
    let mut client = client(Plan::new("mx.a.test"), &["220 hi", "250 hi"]);
    let opening = transcript(&client);
    for number in 0..1_000 {
        client.begin(SECOND, transaction());
        let reply = format!("550 5.1.8 refusal {number}");
        say(&mut client, &[&reply]);
        assert!(client.is_reusable());
        let seen = transcript(&client);
        assert_eq!(seen[..opening.len()], opening);
        assert_eq!(
            seen[opening.len()..],
            ["Client: MAIL FROM:<>".to_owned(), format!("Server: {reply}")]
        );
    }
    assert_eq!(client.transactions(), 1_000);
}

#[test]
fn content_is_noted_by_its_size() {
    for (offer, shown) in [
        (
            "250 SIZE",
            &["Client: DATA", "Server: 354 go", "Note: content: 6 octets", "Client: ."][..],
        ),
        ("250 CHUNKING", &["Client: BDAT 6 LAST", "Note: content: 6 octets"]),
    ] {
        let mut client = client(Plan::new("mx.a.test"), &["220 hi", "250-hi", offer]);
        client.begin(SECOND, transaction());
        say(&mut client, &["250 ok", "250 ok"]);
        if !client.wants_content() {
            say(&mut client, &["354 go"]);
        }
        let mut out = Vec::new();
        client.frame(SECOND, b"text\r\n", &mut out);
        client.content_sent(SECOND);
        let seen = transcript(&client);
        assert!(seen.ends_with(&shown.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()));
        assert!(!seen.iter().any(|line| line.contains("text")), "{seen:?}");
    }
}

#[test]
fn features_that_were_used_can_be_told() {
    let offer = ["220 hi", "250-hi", "250-PIPELINING", "250-CHUNKING", "250 XEXCH50"];
    for (avoid, used) in [
        (Features::NONE, "EHLO PIPELINING CHUNKING"),
        (Features::PIPELINING, "EHLO CHUNKING"),
        (Features::CHUNKING, "EHLO PIPELINING"),
        (Features::PIPELINING.with(Features::CHUNKING), "EHLO"),
    ] {
        let plan = Plan { avoid, ..Plan::new("mx.a.test") };
        let mut client = client(plan, &offer);
        client.begin(SECOND, transaction());
        say(
            &mut client,
            &["250 ok", "250 ok", "354 go"][..if used.contains("CHUNKING") { 2 } else { 3 }],
        );
        assert!(client.wants_content(), "{used}");
        assert_eq!(client.used().to_string(), used);
    }
}

/// A reply before the end of the content is the next hop's last word: nothing more is sent.
#[test]
fn a_reply_in_mid_content_ends_it() {
    for (reply, failed) in
        [("552 5.3.4 too big", true), ("451 4.3.0 oops", false), ("250 ok", false)]
    {
        let offer = ["220 hi", "250-hi", "250 PIPELINING"];
        let mut client = client(Plan::new("mx.a.test"), &offer);
        client.begin(SECOND, transaction());
        say(&mut client, &["250 ok", "250 ok", "354 go"]);
        let mut out = Vec::new();
        client.frame(SECOND, b"te", &mut out);
        say(&mut client, &[reply]);
        client.frame(SECOND, b"xt", &mut out);
        client.content_sent(SECOND);
        assert_eq!((out.as_slice(), client.commands().as_slice()), (&b"te"[..], &b""[..]));
        let outputs: Vec<_> = std::iter::from_fn(|| client.poll()).collect();
        let [Output::Ready, Output::Content(_), Output::Finished(outcomes), Output::Close] =
            &outputs[..]
        else {
            panic!("{outputs:?}");
        };
        assert_eq!(matches!(outcomes[..], [Outcome::Failed(_)]), failed, "{reply}");
        assert!(!client.is_reusable());
    }
}

/// BDAT's length is a promise: another number of octets breaks the connection off.
#[test]
fn a_chunk_of_the_wrong_length_is_not_passed_off() {
    for octets in [&b"text"[..], b"text\r\n+"] {
        let mut client = client(Plan::new("mx.a.test"), &["220 hi", "250-hi", "250 CHUNKING"]);
        client.begin(SECOND, transaction());
        say(&mut client, &["250 ok", "250 ok"]);
        let mut out = Vec::new();
        client.frame(SECOND, octets, &mut out);
        client.content_sent(SECOND);
        assert!(out.len() <= 6, "an octet too many would be a command to the next hop");
        let outputs: Vec<_> = std::iter::from_fn(|| client.poll()).collect();
        let [.., Output::Finished(outcomes), Output::Close] = &outputs[..] else {
            panic!("{outputs:?}");
        };
        let [Outcome::Deferred(cause)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert!(matches!(cause.trouble, Trouble::Local(..)), "{cause:?}");
    }
}

/// The next hop says goodbye in the same breath as its EHLO reply: the driver hears `Ready` first.
#[test]
fn a_session_that_is_over_before_it_is_used_defers() {
    let mut client = client(Plan::new("mx.a.test"), &["220 hi"]);
    client.feed(SECOND, b"250 hi\r\n421 4.3.2 sorry\r\n");
    assert_eq!(client.poll(), Some(Output::Ready));
    client.begin(SECOND, transaction());
    let Some(Output::Finished(outcomes)) = client.poll() else { panic!("no verdict") };
    let [Outcome::Deferred(cause)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(cause.trouble, Trouble::Closed);
    assert_eq!((client.poll(), client.poll()), (Some(Output::Close), None));
}

/// The same before the login: whoever looks for the credentials comes too late, and nothing is said or failed
/// once more (found by the fuzzer).
#[test]
fn a_session_that_is_over_before_the_login_signs_nobody_in() {
    let plan = Plan { credentials: Some(credentials()), ..Plan::new("mx.a.test") };
    let mut client = client(plan, &["220 hi"]);
    client.feed(SECOND, b"250 hi\r\n421 4.3.2 sorry\r\n");
    client.commands().clear();
    assert_eq!(client.poll(), Some(Output::SignIn));
    client.sign_in(SECOND, sasl_driver::client_context());
    assert!(client.commands().is_empty(), "something is said behind the end");
    assert!(matches!(client.poll(), Some(Output::Failed { .. })));
    assert_eq!((client.poll(), client.poll()), (Some(Output::Close), None));
}

#[test]
fn what_the_next_hop_offers_is_kept_as_it_said_it() {
    let facts = TlsFacts {
        bindable: false,
        version: "TLSv1.3".into(),
        cipher: "x".into(),
        server_name: None,
        verified: Err("not asked for".into()),
        certificate: Vec::new(),
    };
    let mut client =
        Client::new(Arc::new(Plan { under_tls: true, ..Plan::new("mx.a.test") }), Duration::ZERO);
    client.tls_established(Duration::ZERO, facts.clone());
    let offer = [
        "220 hi",
        "250-hi SIZE 1",
        "250-size 1000",
        "250-AUTH NTLM",
        "250-Auth=LOGIN PLAIN",
        "250-",
        "250-XSHADOW  two  spaces",
        "250 SIZE",
    ];
    say(&mut client, &offer);
    assert_eq!(client.tls(), Some(&facts));
    let extensions = client.extensions();
    assert_eq!(extensions.size_max(), Some(1000), "neither the greeting's nor the empty one");
    assert_eq!(extensions.mechanisms().collect::<Vec<_>>(), ["NTLM", "LOGIN", "PLAIN"]);
    assert!(extensions.has("xshadow") && !extensions.has("PIPELINING") && !extensions.has("hi"));
    assert_eq!(extensions.iter().nth(3), Some(("XSHADOW", "two  spaces")));
    assert_eq!(client.usable().to_string(), "EHLO SIZE AUTH AUTH=LOGIN");
}
