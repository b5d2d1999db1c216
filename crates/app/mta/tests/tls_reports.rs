//! A day's TLS report on its way to a web server (RFC 8460 section 5.4) and by mail (section 5.3), in the simulated
//! world with real TLS.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use mta::{Agent, Pace, config::Config, tls_reports::Sight};
use smtp::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};
use transport::{
    ServerConfig, ServerIdentity,
    policy::{Published, PublishedKind},
    tls,
};
use world::{
    World,
    disk::read_whole,
    sim::{SimWorld, disk::SimDisk},
};

const WEB: [u8; 4] = [192, 0, 2, 9];

/// Answers each request with the next of the answers, and keeps what was asked.
async fn serve(
    world: World,
    tls: Arc<ServerConfig>,
    answers: Vec<&'static str>,
    asked: Arc<Mutex<Vec<Request>>>,
) {
    let listener = world.net.listen(SocketAddr::from((WEB, 443))).expect("it listens");
    for answer in answers {
        let stream = listener.accept().await.expect("a connection");
        let (mut wire, _) = tls::accept(stream, &tls).await.expect("a handshake");
        let mut request = Vec::new();
        while !is_whole(&request) {
            let mut piece = [0; 1024];
            match wire.read(&mut piece).await.expect("a request") {
                0 => break,
                count => request.extend_from_slice(&piece[..count]),
            }
        }
        let head = memchr::memmem::find(&request, b"\r\n\r\n").expect("it is whole");
        let text = String::from_utf8(request[..head].to_vec()).expect("UTF-8");
        asked.lock().unwrap().push((text, request[head + 4..].to_vec()));
        let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
        wire.write_all(head.as_bytes()).await.expect("it is read");
        wire.flush().await.expect("it is read");
    }
}

/// Head and body.
type Request = (String, Vec<u8>);

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = memchr::memmem::find(request, b"\r\n\r\n") else { return false };
    let (head, body) = (String::from_utf8_lossy(&request[..end]), &request[end + 4..]);
    let length = head.split("Content-Length: ").nth(1).and_then(|rest| rest.lines().next());
    length.and_then(|length| length.parse().ok()) == Some(body.len())
}

#[tokio::test(start_paused = true)]
async fn a_report_is_posted_and_posted_again_until_it_is_taken() {
    let sim = SimWorld::new(11);
    let record =
        "_smtp._tls.b.test TXT \"v=TLSRPTv1; rua=https://web.b.test/in?x\"\nweb.b.test A 192.0.2.9";
    sim.dns.add(record).unwrap();
    let web = sim.world_for(WEB.into(), Arc::new(SimDisk::new(2)));
    let made = ServerIdentity::self_signed(&web, &["web.b.test".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let issuers = folder.path().join("issuers.pem");
    write(&issuers, &made.certificate);
    let identity = ServerIdentity::from_pem(&made.certificate, &made.key, ("", "")).unwrap();
    let tls = ServerIdentity::config(&[identity]).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let answers = vec!["503 Busy", "201 Created", "500 Never asked"];
    let server = tokio::spawn(serve(web, tls, answers, asked.clone()));

    let text = format!(
        "hostname = 'mx.a.test'\ndata = '/data'\n[[listener]]\naddress = '192.0.2.1:25'\ntls = 'none'\n\
         [tls]\nclient_ca = '{}'\n[tls_reports]\nsend = true\n",
        issuers.display()
    );
    let config = Config::parse(&text).unwrap().0;
    let world = sim.world_for([192, 0, 2, 1].into(), Arc::new(SimDisk::new(1)));
    let agent = Agent::start(config, world, Pace::Task).await.expect("it starts");
    let context = &agent.queue.context;
    context.tls_reports.as_ref().unwrap().count(context.world.clock.now(), &sight());
    let day = message::date::day(context.world.clock.now());
    assert!(asked.lock().unwrap().is_empty(), "the day is not over");
    sleep(Duration::from_secs(30 * 3600)).await;
    let requests = asked.lock().unwrap().clone();
    assert_eq!(requests.len(), 2, "again after the 503, and not after the 201: {requests:?}");
    assert_eq!(requests[0], requests[1]);
    let (head, body) = &requests[1];
    assert!(head.starts_with("POST /in?x HTTP/1.1\r\nHost: web.b.test\r\n"), "{head}");
    assert!(head.contains("Content-Type: application/tlsrpt+gzip\r\n"), "{head}");
    let unpacked = flate2::read::GzDecoder::new(body.as_slice());
    let report: serde_json::Value = serde_json::from_reader(unpacked).unwrap();
    assert_eq!(report["report-id"], format!("{day}.b.test@mx.a.test"));
    let summary = &report["policies"][0]["summary"];
    assert_eq!(summary["total-successful-session-count"], 1, "{report}");
    server.abort();
    agent.stop(Duration::from_secs(1)).await;
}

/// A session with a host of `b.test` that was as it should be.
fn sight() -> Sight<'static> {
    static PUBLISHED: LazyLock<Published> = LazyLock::new(|| Published {
        kind: PublishedKind::None,
        domain: "b.test".into(),
        lines: Vec::new(),
        mx: Vec::new(),
    });
    Sight {
        domain: "b.test",
        published: &PUBLISHED,
        host: "mx.b.test",
        address: None,
        from: None,
        result: None,
        why: "",
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_goes_by_mail() {
    let sim = SimWorld::new(12);
    sim.dns.add("_smtp._tls.b.test TXT \"v=TLSRPTv1; rua=mailto:anna@a.test\"").unwrap();
    let text = "hostname = 'mx.a.test'\ndata = '/data'\n[[listener]]\naddress = '192.0.2.1:25'\n\
        tls = 'none'\n[domains.'a.test']\nmailboxes = ['anna']\n[tls_reports]\nsend = true\n";
    let config = Config::parse(text).unwrap().0;
    let world = sim.world_for([192, 0, 2, 1].into(), Arc::new(SimDisk::new(1)));
    let agent = Agent::start(config, world.clone(), Pace::Task).await.expect("it starts");
    let context = &agent.queue.context;
    let day = message::date::day(context.world.clock.now());
    context.tls_reports.as_ref().unwrap().count(context.world.clock.now(), &sight());
    sleep(Duration::from_secs(30 * 3600)).await;
    let folder = Path::new("/data/mail/a.test/anna/new");
    let names = world.disk.list(folder).expect("a mailbox");
    assert_eq!(names.len(), 1, "one report of one day: {names:?}");
    let mail = read_whole(world.disk.as_ref(), &folder.join(&names[0]), 1 << 20).unwrap();
    let mail = String::from_utf8(mail).expect("ASCII").replace("\r\n", "\n");
    let begin = Timestamp::from_rfc3339(&format!("{day}T00:00:00Z")).unwrap().0 / 1000;
    for line in [
        "Return-Path: <>".to_owned(),
        "TLS-Report-Domain: b.test".to_owned(),
        "TLS-Report-Submitter: mx.a.test".to_owned(),
        "Content-Type: multipart/report; report-type=\"tlsrpt\";".to_owned(),
        "Content-Type: application/tlsrpt+gzip".to_owned(),
        format!(" filename=\"mx.a.test!b.test!{begin}!{}.json.gz\"", begin + 86_399),
    ] {
        assert!(mail.lines().any(|own| own == line), "no `{line}`: {mail}");
    }
    let attached = mail.split("json.gz\"\n\n").nth(1).expect("an attachment");
    let attached = attached.split("\n--").next().unwrap().replace('\n', "");
    let packed = STANDARD.decode(attached).expect("base64");
    let report: serde_json::Value =
        serde_json::from_reader(flate2::read::GzDecoder::new(packed.as_slice())).expect("JSON");
    assert_eq!(report["report-id"], format!("{day}.b.test@mx.a.test"));
    agent.stop(Duration::from_secs(1)).await;
}

#[allow(clippy::disallowed_methods, reason = "issuers are read from the real file system")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
