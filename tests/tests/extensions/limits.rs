//! LIMITS (RFC 9422): ours are said and kept, and a next hop's are respected.

use harness::{
    bed::Bed,
    client::Client,
    ports,
    sink::{Habits, Sink},
};

use crate::{CONTENT, hand_over, listener, route};

#[test]
fn ours_are_said_and_kept() {
    let port = ports::free();
    let limits = "limits = { recipients_max = 2, messages_per_session_max = 2 }\ntls = \"none\"";
    let bed = Bed::start(&listener(port, limits));
    let mut client = Client::hello(port);
    let offer = client.expect("EHLO client.test", "250");
    assert!(offer.contains("250-LIMITS MAILMAX=2 RCPTMAX=2\r\n"), "{offer}");
    client.expect("MAIL FROM:<sender@from.test>", "250");
    for (recipient, reply) in [("anna", "250"), ("bob", "250"), ("anna", "452 4.5.3")] {
        client.expect(&format!("RCPT TO:<{recipient}@here.test>"), reply);
    }
    client.expect("RSET", "250");
    hand_over(&mut client, "MAIL FROM:<sender@from.test>", &["RCPT TO:<anna@here.test>"]);
    client.expect("MAIL FROM:<sender@from.test>", "452 4.5.3");
    client.expect("QUIT", "221");
    drop(bed);
}

/// Five recipients, two in a transaction, one transaction over a connection: three connections, at once.
#[test]
fn theirs_are_respected_over_as_many_connections_as_it_takes() {
    let offers = ["LIMITS MAILMAX=1 RCPTMAX=2 RCPTDOMAINMAX=1"];
    let sink = Sink::with(Habits::offering(&offers));
    let bed = Bed::start(&route("next.test", sink.port).replace("1s", "1h"));
    let recipients = ["a", "b", "c", "d", "e"].map(|name| format!("{name}@next.test"));
    let recipients: Vec<_> = recipients.iter().map(String::as_str).collect();
    let reply = Client::hello(bed.mx).transaction("anna@here.test", &recipients, CONTENT);
    assert!(reply.as_ref().is_ok_and(|reply| reply.starts_with("250")), "{reply:?}");
    let taken = sink.wait(3);
    let sizes: Vec<_> = taken.iter().map(|taken| taken.recipients.len()).collect();
    assert_eq!(sizes, [2, 2, 1], "{taken:?}");
    let mut sessions: Vec<_> = taken.iter().map(|taken| taken.session).collect();
    sessions.dedup();
    assert_eq!(sessions.len(), 3, "one transaction over a connection");
    let told = bed.why("e@next.test", &["relayed"]);
    assert!(told.contains("LIMITS: 2 of 5 recipients"), "{told}");
}
