//! Who is believed: XCLIENT, XFORWARD and the PROXY protocol, for configured peers only.

use std::time::{Duration, Instant};

use harness::{bed::Bed, client::Client, maildir, ports, program::wait_for};

use crate::{STRANGER, hand_over, listener};

const CLIENT: &str =
    "XCLIENT ADDR=192.0.2.99 PORT=4711 NAME=client.example HELO=helo.example PROTO=ESMTP";
const TO_OTHERS: &str = "RCPT TO:<x@elsewhere.example>";

#[test]
fn xclient_makes_another_client_of_a_trusted_proxy() {
    let port = ports::free();
    let own = "xclient = [\"127.0.0.1/32\"]\nnetworks = [\"127.0.0.1/32\"]\ntls = \"none\"";
    let bed = Bed::start(&listener(port, own));
    let mut proxy = Client::hello(port);
    assert!(proxy.expect("EHLO proxy.test", "250").contains("XCLIENT NAME ADDR"));
    // The proxy itself may relay; its client is a stranger, and may not.
    proxy.expect("MAIL FROM:<sender@from.test>", "250");
    proxy.expect(TO_OTHERS, "250");
    proxy.expect("RSET", "250");
    proxy.expect(CLIENT, "220");
    assert!(!proxy.expect("EHLO client.example", "250").contains("XCLIENT"));
    proxy.expect("XCLIENT ADDR=127.0.0.1", "500");
    proxy.expect("MAIL FROM:<sender@from.test>", "250");
    proxy.expect(TO_OTHERS, "550 5.7.1");
    proxy.expect("RSET", "250");
    hand_over(&mut proxy, "MAIL FROM:<sender@from.test>", &["RCPT TO:<anna@here.test>"]);
    let kept = maildir::wait(&bed.mailbox("anna"), 1);
    let kept = String::from_utf8_lossy(&kept[0]);
    assert!(kept.contains("[192.0.2.99]") && !kept.contains("[127.0.0.1]"), "{kept}");
    bed.why("anna@here.test", &["192.0.2.99", "delivered"]);
}

#[test]
fn a_client_without_an_address_and_one_on_the_deny_list_are_not_the_proxy() {
    let port = ports::free();
    let own = "xclient = [\"127.0.0.1/32\"]\nnetworks = [\"127.0.0.1/32\"]\ntls = \"none\"";
    let bed =
        Bed::start(&format!("[door.deny]\nclients = [\"198.51.100.66\"]\n{}", listener(port, own)));
    let mut proxy = Client::hello(port);
    proxy.expect("EHLO proxy.test", "250");
    proxy.expect("XCLIENT ADDR=[UNAVAILABLE] NAME=[UNAVAILABLE]", "220");
    proxy.expect("EHLO client.example", "250");
    proxy.expect("MAIL FROM:<sender@from.test>", "250");
    proxy.expect(TO_OTHERS, "550 5.7.1");
    proxy.expect("RSET", "250");
    hand_over(&mut proxy, "MAIL FROM:<sender@from.test>", &["RCPT TO:<anna@here.test>"]);
    let kept = maildir::wait(&bed.mailbox("anna"), 1);
    let kept = String::from_utf8_lossy(&kept[0]);
    assert!(!kept.contains("127.0.0.1") && !kept.contains("0.0.0.0"), "{kept}");

    let mut proxy = Client::hello(port);
    proxy.expect("XCLIENT ADDR=198.51.100.66", "554 5.7.1");
    proxy.expect("EHLO client.example", "503");
    proxy.expect("MAIL FROM:<sender@from.test>", "503");
    proxy.expect("QUIT", "221");
    wait_for("the refusal in the log", Duration::from_secs(10), || {
        bed.log().contains("\"rule\":\"client-denied\"").then_some(())
    });
}

/// Whoever comes by a proxy has no more connections than who comes himself; and none less for having named himself
/// in two commands.
#[test]
fn whom_a_proxy_names_is_counted_among_the_connections() {
    let port = ports::free();
    let own = "xclient = [\"127.0.0.0/8\"]\ntls = \"none\"";
    let limits = "[limits]\nconnections_per_client_max = 2\n";
    let bed = Bed::start(&format!("{limits}{}", listener(port, own)));
    let proxied = |from: &str, client: &str, reply: &str| {
        let mut proxy = Client::from(from, port).expect("the server answers");
        proxy.expect(&format!("XCLIENT ADDR={client}"), reply);
        proxy
    };
    let mut first = proxied("127.0.0.81", "192.0.2.99", "220");
    first.expect("XCLIENT ADDR=192.0.2.99 HELO=client.example", "220");
    let second = proxied("127.0.0.82", "192.0.2.99", "220");
    proxied("127.0.0.83", "192.0.2.99", "421 4.7.0");
    proxied("127.0.0.83", "192.0.2.98", "220");
    // A client without a known address is nobody in particular.
    let unknown = ["127.0.0.84", "127.0.0.85", "127.0.0.86"];
    let _unknown = unknown.map(|from| proxied(from, "[UNAVAILABLE]", "220"));
    drop(second);
    wait_for("the place that was given back", Duration::from_secs(10), || {
        let mut proxy = Client::from("127.0.0.87", port).ok()?;
        let reply = proxy.say("XCLIENT ADDR=192.0.2.99").ok()?;
        reply.starts_with("220").then_some(())
    });
    wait_for("the refusal in the log", Duration::from_secs(10), || {
        bed.log().contains("\"rule\":\"connections\"").then_some(())
    });
}

#[test]
fn a_strangers_xclient_and_xforward_change_nothing() {
    let port = ports::free();
    let own = "xclient = [\"127.0.0.1/32\"]\nxforward = [\"127.0.0.1/32\"]\n\
               networks = [\"127.0.0.1/32\"]\ntls = \"none\"";
    let bed = Bed::start(&listener(port, own));
    let mut stranger = Client::from(STRANGER, port).expect("the server answers");
    let offer = stranger.expect("EHLO client.test", "250");
    assert!(!offer.contains("XCLIENT") && !offer.contains("XFORWARD"), "{offer}");
    stranger.expect("XCLIENT ADDR=127.0.0.1", "500");
    stranger.expect("XFORWARD ADDR=127.0.0.1", "500");
    stranger.expect("MAIL FROM:<sender@from.test>", "250");
    stranger.expect(TO_OTHERS, "550 5.7.1");
    stranger.expect("RSET", "250");
    hand_over(&mut stranger, "MAIL FROM:<sender@from.test>", &["RCPT TO:<anna@here.test>"]);
    let kept = maildir::wait(&bed.mailbox("anna"), 1);
    assert!(String::from_utf8_lossy(&kept[0]).contains(&format!("[{STRANGER}]")));
}

#[test]
fn xforward_is_for_the_log_and_moves_no_right() {
    let port = ports::free();
    let own = "xforward = [\"127.0.0.1/32\"]\nnetworks = [\"192.0.2.0/24\"]\ntls = \"none\"";
    let bed = Bed::start(&listener(port, own));
    let mut filter = Client::hello(port);
    assert!(filter.expect("EHLO filter.test", "250").contains("XFORWARD NAME ADDR"));
    filter.expect("XFORWARD NONSENSE=1", "501");
    filter.expect("XFORWARD ADDR=127.0.0.1", "250");
    filter.expect("MAIL FROM:<sender@from.test>", "250");
    filter.expect(TO_OTHERS, "550 5.7.1");
    filter.expect("RSET", "250");
    // It is for one transaction.
    filter.expect("XFORWARD ADDR=192.0.2.99 NAME=client.example", "250");
    hand_over(&mut filter, "MAIL FROM:<sender@from.test>", &["RCPT TO:<anna@here.test>"]);
    wait_for("the log's line", Duration::from_secs(10), || {
        bed.log().contains("\"address\":\"192.0.2.99\"").then_some(())
    });
}

/// Version 2: the signature, a connection over IPv4, its addresses, and what else a proxy tells.
fn version_2(more: &[u8]) -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 192, 0, 2, 25, 0x12, 0x67, 0, 25];
    let length = ((addresses.len() + more.len()) as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x21, 0x11][..], &length, &addresses, more].concat()
}

#[test]
fn a_proxy_says_whose_connection_it_is() {
    let port = ports::free();
    let bed = Bed::start(&listener(port, "proxy_protocol = [\"127.0.0.1/32\"]\ntls = \"none\""));
    let junk = [&[0x05, 0, 3, b'a', b'b', b'c', 0xee, 0, 1, 0xff][..], &[0x04; 200]].concat();
    let headers =
        [b"PROXY TCP4 192.0.2.7 192.0.2.25 4711 25\r\n".to_vec(), version_2(&[]), version_2(&junk)];
    for (number, header) in headers.iter().enumerate() {
        let mut client = Client::unheard("127.0.0.1", port).expect("it listens");
        client.write(header).expect("it reads");
        let greeting = client.reply().unwrap_or_else(|error| panic!("header {number}: {error}"));
        assert!(greeting.starts_with("220"), "header {number}: {greeting}");
        client.expect("EHLO client.test", "250");
        hand_over(&mut client, "MAIL FROM:<sender@from.test>", &["RCPT TO:<anna@here.test>"]);
        let kept = maildir::wait(&bed.mailbox("anna"), number + 1);
        let all = kept.iter().map(|kept| String::from_utf8_lossy(kept)).collect::<String>();
        assert_eq!(all.matches("[192.0.2.7]").count(), number + 1, "{all}");
    }
}

#[test]
fn what_is_no_proxy_header_ends_the_connection_unanswered() {
    let port = ports::free();
    let own =
        "proxy_protocol = [\"127.0.0.1/32\"]\ntls = \"none\"\nlimits = { handshake_wait = \"2s\" }";
    let bed = Bed::start(&listener(port, own));
    let cut = version_2(&[]);
    let rows: [&[u8]; 4] =
        [b"EHLO client.example\r\n", b"PROXY TCP4 nonsense\r\n", &cut[..20], b""];
    for octets in rows {
        let start = Instant::now();
        let mut client = Client::unheard("127.0.0.1", port).expect("it listens");
        client.write(octets).expect("it reads");
        let answer = client.reply();
        assert!(answer.is_err(), "{}: {answer:?}", octets.escape_ascii());
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
    // Who is no proxy is greeted as ever, and not believed.
    let mut stranger = Client::from(STRANGER, port).expect("the server answers");
    stranger.expect("PROXY TCP4 127.0.0.1 127.0.0.1 4711 25", "554 5.5.1");
    assert!(stranger.reply().is_err(), "the connection is closed");
    drop(bed);
}
