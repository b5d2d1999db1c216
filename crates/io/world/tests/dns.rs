//! The real resolver against a real name server: unbound, on a free port of the loopback.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use world::dns::{
    Answer, Dns, DnsError, Mx, Security,
    real::{RealDns, Settings},
};

const ZONE: &str = "\
$ORIGIN a.test.
$TTL 300
@      SOA   ns hostmaster 1 3600 600 86400 60
@      NS    ns
ns     A     127.0.0.1
@      MX    20 mx2
@      MX    10 mx1
@ 120  TXT   \"v=spf1 \" \"mx -all\"
mx1    A     192.0.2.1
mx1 60 AAAA  2001:db8::1
mx2    A     192.0.2.2
www 30 CNAME mx1
alias  CNAME a.test.
null   MX    0 .
gone   CNAME nowhere
";

const REVERSE: &str = "\
$ORIGIN 2.0.192.in-addr.arpa.
$TTL 300
@ SOA ns.a.test. hostmaster.a.test. 1 3600 600 86400 60
@ NS  ns.a.test.
1 PTR mx1.a.test.
";

/// A running unbound, stopped when dropped.
struct Unbound {
    child: Child,
    at: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Unbound {
    /// `None`, with a word on it, where it is not installed.
    fn start() -> Option<Self> {
        let program = ["/usr/sbin/unbound", "/usr/local/sbin/unbound", "/usr/bin/unbound"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let Some(program) = program else {
            eprintln!("skipped: unbound is not installed (apt-get install unbound)");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let at = free_port();
        let path = directory.path().join("unbound.conf");
        fs::write(directory.path().join("a.zone"), ZONE).unwrap();
        fs::write(directory.path().join("reverse.zone"), REVERSE).unwrap();
        fs::write(&path, configuration(directory.path(), at.port())).unwrap();
        let child = Command::new(program)
            .args(["-d", "-p", "-c"])
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut unbound = Self { child, at, _directory: directory };
        unbound.wait_until_it_answers();
        Some(unbound)
    }

    fn wait_until_it_answers(&mut self) {
        // A query for the root's NS, by hand: any reply will do.
        let query = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 4, b't', b'e', b's', b't', 0];
        let query = [&query[..], &[0, 1, 0, 1]].concat();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait().unwrap() {
                let log = fs::read_to_string(self._directory.path().join("log")).unwrap();
                panic!("unbound ended with {status}: {log}");
            }
            let _ = socket.send_to(&query, self.at);
            if socket.recv_from(&mut [0; 512]).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("unbound does not answer on {}", self.at);
    }
}

/// Free for UDP and TCP, below the ports that clients get: one of those may be taken by the time that
/// unbound comes for it.
fn free_port() -> SocketAddr {
    let start = 10_000 + (std::process::id() % 500) as u16 * 10;
    let mut candidates = (start..16_000).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let is_free = |at: &SocketAddr| UdpSocket::bind(at).is_ok() && TcpListener::bind(at).is_ok();
    candidates.find(is_free).unwrap()
}

fn configuration(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        "server:
  interface: 127.0.0.1
  port: {port}
  username: \"\"
  chroot: \"\"
  directory: \"{directory}\"
  pidfile: \"\"
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  module-config: \"iterator\"
  do-not-query-localhost: no
  local-zone: \"test.\" nodefault
  local-zone: \"2.0.192.in-addr.arpa.\" nodefault
  local-zone: \"refused.test.\" refuse
remote-control:
  control-enable: no
auth-zone:
  name: \"a.test\"
  zonefile: \"{directory}/a.zone\"
  for-upstream: no
auth-zone:
  name: \"2.0.192.in-addr.arpa\"
  zonefile: \"{directory}/reverse.zone\"
  for-upstream: no
# Nobody gives this zone away, so what is under it cannot be resolved: SERVFAIL.
auth-zone:
  name: \"broken.test\"
  primary: 127.0.0.1@1
  fallback-enabled: no
  for-upstream: no
"
    )
}

fn resolver(server: SocketAddr) -> RealDns {
    RealDns::new(&Settings { servers: vec![server], retries: 1, ..Settings::default() }).unwrap()
}

fn sorted<T: Ord>(mut records: Vec<T>) -> Vec<T> {
    records.sort();
    records
}

#[tokio::test]
async fn a_real_name_server() {
    let Some(unbound) = Unbound::start() else { return };
    let dns = resolver(unbound.at);
    answers(&dns, unbound.at).await;
    failures(&dns).await;
}

async fn answers(dns: &RealDns, server: SocketAddr) {
    let Answer { mut records, ttl, canonical, by, security } = dns.mx("a.test").await.unwrap();
    records.sort_by_key(|mx| mx.preference);
    let mx = |preference, exchange: &str| Mx { preference, exchange: exchange.into() };
    assert_eq!(records, [mx(10, "mx1.a.test"), mx(20, "mx2.a.test")]);
    assert_eq!((ttl.as_secs(), canonical, by), (300, None, Some(server)));
    assert_eq!(security, Security::Insecure, "a local resolver, an unsigned zone");

    let alias = dns.mx("Alias.A.test").await.unwrap();
    assert_eq!(alias.canonical.as_deref(), Some("a.test"), "a CNAME was followed");
    assert_eq!(alias.records.len(), 2);
    assert_eq!(dns.mx("null.a.test").await.unwrap().records, [mx(0, "")], "RFC 7505");

    let hosts = dns.addresses("mx1.a.test").await.unwrap();
    let both: [IpAddr; 2] = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().unwrap());
    assert_eq!(sorted(hosts.records), both);
    assert_eq!((hosts.ttl.as_secs(), hosts.canonical), (60, None), "the shorter TTL");
    let www = dns.addresses("www.a.test").await.unwrap();
    assert_eq!(sorted(www.records), both);
    assert_eq!(www.ttl.as_secs(), 30, "the CNAME's TTL is shorter still");
    assert_eq!(www.canonical.as_deref(), Some("mx1.a.test"));

    let names = dns.names("192.0.2.1".parse().unwrap()).await.unwrap();
    assert_eq!((names.records, names.canonical), (vec!["mx1.a.test".to_owned()], None));
    let texts = dns.texts("a.test").await.unwrap();
    assert_eq!(texts.records, ["v=spf1 mx -all"], "one record's strings are joined");

    let localhost = dns.addresses("localhost").await.unwrap();
    assert!(localhost.records.iter().all(|address| address.is_loopback()), "{localhost:?}");
    assert_eq!(localhost.by, None, "nobody was asked (RFC 6761)");
}

async fn failures(dns: &RealDns) {
    let rows = [
        ("nowhere.a.test", "`nowhere.a.test` does not exist"),
        ("gone.a.test", "`gone.a.test` does not exist"), // a CNAME to a name that does not exist
        ("mx1.a.test", "`mx1.a.test` has no MX record"),
        ("www.a.test", "`www.a.test` has no MX record"), // nor has its target
        ("192.0.2.1", "`192.0.2.1` does not exist"),     // not a name at all
    ];
    for (name, wanted) in rows {
        for question in ["first", "from the cache"] {
            let got = dns.mx(name).await.unwrap_err();
            assert_eq!(got.to_string(), wanted, "{question}");
        }
    }
    for (name, code) in [("a.broken.test", "Server Failure"), ("refused.test", "Query Refused")] {
        let got = dns.mx(name).await.unwrap_err();
        let DnsError::Temporary { why, .. } = &got else { panic!("{name}: {got}") };
        assert!(why.starts_with(code), "{name}: {why}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    let timeout = Duration::from_millis(200);
    let dns =
        RealDns::new(&Settings { servers: vec![at], timeout, retries: 1, ..Settings::default() })
            .unwrap();
    let start = Instant::now();
    let got = dns.mx("a.test").await.unwrap_err();
    assert!(matches!(got, DnsError::Temporary { .. }), "{got}");
    assert!(got.to_string().contains(&at.to_string()), "it says who was asked: {got}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
