//! The Exchange family as configured, and every keyword switched while the server runs.

use harness::{
    bed::Bed,
    client::Client,
    maildir, ports,
    program::python,
    sink::{Habits, Sink},
};

use crate::{CONTENT, base64, listener, log_in, route};

const ALL: &str = "advertise = [\"X-EXPS\", \"X-EXPS=LOGIN\", \"X-LINK2STATE\", \"XEXCH50\", \"XSHADOW\", \
                   \"XRDST\", \"X-ANONYMOUSTLS\", \"TLS\"]\nauth = { offered = true, without_tls = true }";

fn with_user(tables: &str) -> Bed {
    let mut bed = Bed::new(tables);
    bed.add_user();
    bed.start_again();
    bed
}

#[test]
fn exchange_hears_its_own_words() {
    let port = ports::free();
    let bed = with_user(&listener(port, ALL));
    let mut client = Client::hello(port);
    let offer = client.expect("EHLO ex.test", "250");
    for keyword in ["250-X-EXPS ", "X-EXPS=LOGIN", "X-LINK2STATE", "XEXCH50", "X-ANONYMOUSTLS"] {
        assert!(offer.contains(keyword), "no {keyword}: {offer}");
    }
    // The story of XEXCH50: refused before AUTH, and the mail goes on.
    client.expect("MAIL FROM:<sender@from.test>", "250");
    client.expect("RCPT TO:<anna@here.test>", "250");
    client.expect("XEXCH50 1904 2", "504 Need to authenticate first");
    let chunk = format!("BDAT {} LAST", CONTENT.len());
    client.write(format!("{chunk}\r\n").as_bytes()).expect("the server reads");
    client.write(CONTENT).expect("the server reads");
    assert!(client.reply().expect("a reply").starts_with("250"));
    // After it: exactly so many octets, whatever they look like.
    client.expect("X-EXPS LOGIN", "334");
    client.expect(&base64(harness::bed::USER.as_bytes()), "334");
    client.expect(&base64(harness::bed::PASSWORD.as_bytes()), "235");
    client.expect("X-LINK2STATE FIRST CHUNK={00}", "250");
    client.expect("MAIL FROM:<sender@from.test>", "250");
    client.expect("RCPT TO:<anna@here.test>", "250");
    let blob = b"RSET\r\n.\r\nQUIT\r\n\0\xff";
    client.expect(&format!("XEXCH50 {} 2", blob.len()), "354");
    client.write(blob).expect("the server reads");
    assert!(client.reply().expect("a reply").starts_with("250"));
    client.expect("DATA", "354");
    client.write(CONTENT).expect("the server reads");
    client.expect(".", "250");
    for kept in maildir::wait(&bed.mailbox("anna"), 2) {
        assert!(kept.ends_with(CONTENT), "{}", String::from_utf8_lossy(&kept));
    }
}

#[test]
fn x_anonymoustls_is_a_starttls() {
    let port = ports::free();
    let bed = with_user(&listener(port, ALL));
    let script = r#"
import smtplib, socket, ssl, sys
client = smtplib.SMTP('127.0.0.1', int(sys.argv[1]), 'ex.test', timeout=60)
client.docmd('EHLO ex.test')
reply = client.docmd(sys.argv[2])
assert reply[0] == 220, reply
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
client.sock, client.file = context.wrap_socket(client.sock), None
offer = client.docmd('EHLO ex.test')[1].decode()
assert 'X-ANONYMOUSTLS' not in offer and 'REQUIRETLS' in offer, offer
"#;
    for word in ["X-ANONYMOUSTLS", "TLS", "STARTTLS"] {
        python(script, &[&port.to_string(), word]).good();
    }
    // Where it is not configured, the words are as unknown as any.
    for word in ["X-ANONYMOUSTLS", "XEXCH50 10 2", "X-LINK2STATE FIRST CHUNK={00}", "X-EXPS LOGIN"]
    {
        Client::hello(bed.mx).expect(word, "500");
    }
}

#[test]
fn keywords_are_switched_while_it_runs() {
    let port = ports::free();
    let sink = Sink::with(Habits::offering(&["XEXCH50", "MT-PRIORITY"]));
    let tables = |own: &str, avoid: &str| {
        [listener(port, own), route("next.test", sink.port), avoid.to_owned()].concat()
    };
    let own = "tls = \"none\"\nauth = { offered = true, without_tls = true }";
    let bed = with_user(&tables(own, ""));
    let mut open = Client::hello(port);
    let offer = |port| Client::hello(port).expect("EHLO client.test", "250");
    assert!(offer(port).contains("CHUNKING") && !offer(port).contains("XEXCH50"));
    let shown = |arguments: &[&str]| bed.command(&[&["config", "show"], arguments].concat()).good();
    let client = ["--client", "127.0.0.1", "--listener", "own"];
    assert!(shown(&client).contains("CHUNKING"), "{}", shown(&client));
    let site = shown(&["--site", "next.test"]);
    assert!(site.contains("never used:") && site.contains("XEXCH50"), "{site}");

    let hide = format!("{own}\nhide = [\"CHUNKING\", \"SIZE\"]\nadvertise = [\"XEXCH50\"]");
    bed.configure("", &tables(&hide, "avoid = [\"SIZE\", \"PIPELINING\"]\n"));
    bed.command(&["reload"]).good();
    let now = offer(port);
    assert!(now.contains("XEXCH50") && !now.contains("CHUNKING") && !now.contains("SIZE"), "{now}");
    let page = shown(&client);
    assert!(page.contains("XEXCH50") && !page.contains("CHUNKING"), "{page}");
    let site = shown(&["--site", "next.test"]);
    assert!(site.contains("avoided: PIPELINING SIZE"), "{site}");
    // Who is inside goes on as it came in; who comes, finds what is now.
    open.expect("BDAT 0", "503");
    Client::hello(port).expect("BDAT 0", "502");
    let mut client = Client::hello(port);
    log_in(&mut client);
    let reply = client.transaction("anna@here.test", &["carol@next.test"], CONTENT);
    assert!(reply.as_ref().is_ok_and(|reply| reply.starts_with("250")), "{reply:?}");
    let mail = &sink.wait(1)[0].mail;
    assert!(!mail.contains("SIZE="), "{mail}");
}
