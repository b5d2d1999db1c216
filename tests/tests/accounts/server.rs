//! The whole server with other people's back ends: who gets in by which mechanism, and as whom he may send.

use base64::{Engine, engine::general_purpose::STANDARD};
use harness::{
    bed::{Bed, PASSWORD, USER},
    client::Client,
    peers::Dovecot,
    ports,
};

use super::*;

/// A listener that takes logins in clear, for a client of few words.
pub fn listener(port: u16, more: &str) -> String {
    format!(
        "[[listener]]\nname = \"clear\"\naddress = \"127.0.0.1:{port}\"\nrole = \"submission\"\n\
         tls = \"none\"\nauth = {{ without_tls = true{more} }}\n"
    )
}

/// Lets a client try as often as it likes, and waits for nothing.
pub const LENIENT: &str = "[limits]\nerrors_max = 1000\n[door.logins]\ndelay = \"10ms\"\n\
    delay_max = \"10ms\"\nper_client = 1000\nper_network = 1000\nper_user = 1000\n";

pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

pub fn plain(user: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", base64(&format!("\0{user}\0{password}")))
}

pub fn connect(source: &str, port: u16) -> Client {
    let mut client = Client::from(source, port).expect("the server answers");
    client.say("EHLO client.test").expect("the server answers");
    client
}

#[test]
fn dovecots_users_get_in_and_send_as_what_is_theirs() {
    let Some(dovecot) = Dovecot::start() else { return };
    let port = ports::free();
    let tables = format!(
        "{}[[accounts]]\nkind = \"dovecot\"\nsocket = \"{}\"\n[[accounts]]\nkind = \"users\"\n\
         [senders]\nown = \"address\"\nnull = false\nfrom_field = true\n[senders.map]\n\"info@next.test\" = \"anna@next.test\"\n\
         [door.logins]\ndelay = \"0s\"\n",
        listener(port, ", mechanisms = [\"SCRAM-SHA-256\", \"PLAIN\", \"LOGIN\", \"CRAM-MD5\"]"),
        shown(&dovecot.auth_socket())
    );
    let mut bed = Bed::new(&tables);
    bed.add_user();
    bed.start_again();
    let mut client = Client::from("127.0.0.31", port).expect("the server answers");
    let hello = client.say("EHLO client.test").expect("the server answers");
    assert!(hello.contains("AUTH SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN"), "{hello}");
    assert!(client.say(&plain("anna@next.test", "y")).expect("a reply").starts_with("535 5.7.8"));
    assert!(client.say(&plain("broken@next.test", "x")).expect("a reply").starts_with("454 4.7.0"));
    assert!(client.say(&plain("anna@next.test", "x")).expect("a reply").starts_with("235"));
    for (path, code) in
        [("bob@next.test", "553 5.7.1"), ("", "553 5.7.1"), ("info@next.test", "250")]
    {
        let reply = client.say(&format!("MAIL FROM:<{path}>")).expect("a reply");
        assert!(reply.starts_with(code), "{path}: {reply}");
    }
    client.say("RCPT TO:<anna@here.test>").expect("a reply");
    client.say("DATA").expect("a reply");
    let forged = "From: Bob <bob@next.test>\r\nSubject: x\r\n\r\ntext\r\n.";
    assert!(
        client.say(forged).expect("a reply").starts_with("550 5.7.1"),
        "the From field is bob's"
    );
    for (command, code) in [
        ("MAIL FROM:<anna@next.test>", "250"),
        ("RCPT TO:<anna@here.test>", "250"),
        ("DATA", "354"),
        ("From: Anna <anna@next.test>\r\nSubject: x\r\n\r\ntext\r\n.", "250"),
    ] {
        let reply = client.say(command).expect("a reply");
        assert!(reply.starts_with(code), "{command}: {reply}");
    }
    let mut own = connect("127.0.0.32", port);
    assert!(
        own.say(&plain(USER, PASSWORD)).expect("a reply").starts_with("235"),
        "our own users, too"
    );
    bed.why("anna@next.test", &["535", "AUTH"]);
    let status = bed.command(&["status"]).good();
    assert!(status.contains("wrong-login 1") && status.contains("login-unavailable 1"), "{status}");
}

#[test]
fn an_administrator_tries_a_login() {
    let Some(dovecot) = Dovecot::start() else { return };
    let tables = format!(
        "[[accounts]]\nkind = \"users\"\n[[accounts]]\nkind = \"dovecot\"\nsocket = \"{}\"\n[senders]\nown = \"domain\"\n",
        shown(&dovecot.auth_socket())
    );
    let bed = Bed::new(&tables);
    bed.add_user();
    let file = bed.folder().join("password");
    let test = |user: &str, password: &str| {
        std::fs::write(&file, password).expect("a file can be written");
        bed.command(&["user", "test", user, "--password-file", &shown(&file)])
    };
    let page = test("anna@next.test", "x").good();
    assert!(
        page.contains("users: no, there is no user of that name\ndovecot: yes, it is he\n"),
        "{page}"
    );
    assert!(
        page.contains("may send as anybody at next.test, and with the null reverse-path"),
        "{page}"
    );
    let known = test(USER, "wrong");
    assert_ne!(known.status(), 0);
    assert!(
        known.text().contains("users: no, the password is wrong; it knows the name"),
        "{}",
        known.text()
    );
    assert!(known.text().contains("a client would hear 535"), "{}", known.text());
    let broken = test("broken@next.test", "x").text();
    assert!(broken.contains("dovecot: can't tell now") && broken.contains("454"), "{broken}");
}
