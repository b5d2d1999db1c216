//! Scenarios as a client meets them.

use std::net::SocketAddr;

use lab::{
    Middlebox, Scenario, Server,
    scenario::{Kind, ServerScript},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use world::Net;

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn server(script: ServerScript) -> SocketAddr {
    let server = Server::listen(&Net::Real, loopback(), script, None).unwrap();
    let at = server.local().unwrap();
    tokio::spawn(async move { server.run().await });
    at
}

/// A client of the scenario: of a box with a server in order behind it.
async fn client(name: &str) -> Client {
    let scenario = Scenario::named(name).unwrap();
    let mut script = scenario.server.clone();
    if scenario.kind == Kind::Middlebox {
        script.offers.push("STARTTLS".to_owned());
    }
    let behind = server(script);
    let at = match scenario.kind {
        Kind::Server => behind,
        Kind::Middlebox => {
            let middlebox =
                Middlebox::listen(&Net::Real, loopback(), behind, scenario.middlebox).unwrap();
            let at = middlebox.local().unwrap();
            tokio::spawn(async move { middlebox.run().await });
            at
        }
    };
    Client(TcpStream::connect(at).await.unwrap())
}

struct Client(TcpStream);

impl Client {
    /// Says something, and hears what comes within a moment.
    async fn says(&mut self, text: &str) -> String {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.hears().await
    }

    async fn hears(&mut self) -> String {
        let mut heard = Vec::new();
        let mut chunk = [0; 4096];
        let moment = std::time::Duration::from_millis(150);
        loop {
            match tokio::time::timeout(moment, self.0.read(&mut chunk)).await {
                Ok(Ok(0)) => return String::from_utf8_lossy(&heard).into_owned() + "<closed>",
                Ok(Ok(count)) => heard.extend_from_slice(&chunk[..count]),
                Ok(Err(_)) => return String::from_utf8_lossy(&heard).into_owned() + "<reset>",
                Err(_) => return String::from_utf8_lossy(&heard).into_owned(),
            }
        }
    }
}

const ENVELOPE: &str = "MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\n";

#[tokio::test]
async fn a_server_in_order_takes_mail_by_data_and_by_bdat() {
    let mut client = client("good").await;
    assert_eq!(client.hears().await, "220 lab.test ESMTP lab\r\n");
    assert!(client.says("EHLO a.test\r\n").await.ends_with("250 CHUNKING\r\n"));
    let said = client.says(&format!("{ENVELOPE}DATA\r\n")).await;
    assert!(said.ends_with("354 end with a line of a single dot\r\n"), "{said}");
    assert_eq!(client.says("Subject: x\r\n\r\n..\r\n.\r\n").await, "250 2.0.0 taken as lab1\r\n");
    let said = client.says(&format!("{ENVELOPE}BDAT 3 LAST\r\nabcQUIT\r\n")).await;
    assert!(said.ends_with("250 2.0.0 chunk ok\r\n221 2.0.0 bye\r\n<closed>"), "{said}");
}

#[tokio::test]
async fn mail_is_taken_away_and_answered() {
    let mut client = client("strip-mail-from").await;
    client.hears().await;
    client.says("EHLO a.test\r\n").await;
    assert_eq!(client.says("MAIL FROM:<a@a.test>\r\n").await, "250 OK\r\n");
    assert_eq!(client.says("RCPT TO:<b@b.test>\r\n").await, "503 5.5.1 need MAIL first\r\n");
}

#[tokio::test]
async fn forged_answers_come_in_their_turn() {
    let mut client = client("strip-mail-from").await;
    client.hears().await;
    let said = client.says(&format!("NOOP\r\n{ENVELOPE}")).await;
    assert_eq!(said, "250 2.0.0 ok\r\n250 OK\r\n503 5.5.1 need MAIL first\r\n");
}

#[tokio::test]
async fn what_pix_does() {
    let mut client = client("pix-fixup").await;
    assert_eq!(client.hears().await, "220 ******** ***** ***\r\n");
    assert_eq!(client.says("EHLO a.test\r\n").await, "500 5.5.2 command not recognized\r\n");
    assert_eq!(client.says("HELO a.test\r\n").await, "250 lab.test\r\n");
}

#[tokio::test]
async fn keywords_masked_and_stripped() {
    let mut masked = client("asa-mask").await;
    masked.hears().await;
    let said = masked.says("EHLO a.test\r\n").await;
    assert!(said.ends_with("250-XXXXXXXA\r\n250 XXXXXXXA\r\n"), "{said}");
    let mut stripped = client("strip-starttls").await;
    stripped.hears().await;
    let said = stripped.says("EHLO a.test\r\n").await;
    assert!(said.ends_with("250 CHUNKING\r\n") && !said.contains("STARTTLS"), "{said}");
}

#[tokio::test]
async fn connections_are_broken_off_where_the_scenario_says() {
    for (name, last, end) in [
        ("xexch50-abort", "XEXCH50 10 2\r\n", "<reset>"),
        ("drop-bdat", "BDAT 3 LAST\r\nabc", "<reset>"),
        ("rst", "MAIL FROM:<a@a.test>\r\n", "<reset>"),
        ("close-after-rcpt", "MAIL FROM:<>\r\nRCPT TO:<b@b.test>\r\n", "<closed>"),
        ("421", "", "<closed>"),
    ] {
        let mut client = client(name).await;
        let heard = client.hears().await + &client.says("EHLO a.test\r\n").await;
        let said = if heard.ends_with('>') { heard } else { client.says(last).await };
        assert!(said.ends_with(end), "{name}: {said}");
    }
}

#[tokio::test]
async fn a_group_of_commands_loses_all_but_its_first() {
    let mut client = client("broken-pipelining").await;
    client.hears().await;
    client.says("EHLO a.test\r\n").await;
    assert_eq!(client.says(ENVELOPE).await, "250 2.1.0 sender ok\r\n");
    assert_eq!(client.says("RCPT TO:<b@b.test>\r\n").await, "250 2.1.5 recipient ok\r\n");
}

#[tokio::test]
async fn content_is_swallowed_or_loses_its_end() {
    for (name, content) in
        [("mtu-blackhole", "x".repeat(1_500) + "\r\n.\r\n"), ("pix-dot", "x\r\n.\r\n".into())]
    {
        let mut client = client(name).await;
        client.hears().await;
        let said = client.says(&format!("HELO a\r\n{ENVELOPE}DATA\r\n")).await;
        assert!(said.ends_with("single dot\r\n"), "{said}");
        assert_eq!(client.says(&content).await, "", "{name}");
    }
}

#[tokio::test]
async fn greylisting_lets_the_second_session_through() {
    let scenario = Scenario::named("greylist").unwrap();
    let at = server(scenario.server);
    for expected in ["450", "250"] {
        let mut client = Client(TcpStream::connect(at).await.unwrap());
        client.hears().await;
        client.says("EHLO a\r\nMAIL FROM:<>\r\n").await;
        assert!(client.says("RCPT TO:<b@b.test>\r\n").await.starts_with(expected));
    }
}
