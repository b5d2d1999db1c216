//! TLS: a real handshake of rustls, its records kept, read from outside and with a key log.

mod played;

use std::{
    io::{Read, Write},
    sync::{Arc, Mutex},
};

use capture::keys::KeyLog;
use diagnose::{
    Session,
    session::{Event, Kind, Party, Wire},
};
use played::{Step, c, follower, play, s, shown};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
    pki_types::PrivatePkcs8KeyDer,
    version::{TLS12, TLS13},
};

/// Keeps what a browser would write into `SSLKEYLOGFILE`.
#[derive(Debug, Default)]
struct Log(Mutex<String>);

impl rustls::KeyLog for Log {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hexadecimal = |octets: &[u8]| -> String {
            octets.iter().map(|octet| format!("{octet:02x}")).collect()
        };
        let line = format!("{label} {} {}\n", hexadecimal(client_random), hexadecimal(secret));
        self.0.lock().unwrap().push_str(&line);
    }
}

/// Both ends of a connection, and what went over the wire between them.
struct Pair {
    client: Connection,
    server: Connection,
    log: Arc<Log>,
    wire: Vec<Step>,
}

impl Pair {
    fn new(version: &'static SupportedProtocolVersion, trusted: bool, chacha: bool) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["mx.b.test".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let log = Arc::new(Log::default());
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        let is_chacha = |name: &str| name.contains("CHACHA20");
        provider.cipher_suites.retain(|suite| is_chacha(&format!("{suite:?}")) == chacha);
        let provider = Arc::new(provider);
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .unwrap();
        let mut roots = RootCertStore::empty();
        if trusted {
            roots.add(certificate).unwrap();
        }
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.key_log = log.clone();
        let name = "mx.b.test".try_into().unwrap();
        Self {
            client: ClientConnection::new(Arc::new(client), name).unwrap().into(),
            server: ServerConnection::new(Arc::new(server)).unwrap().into(),
            log,
            wire: Vec::new(),
        }
    }

    /// Carries octets to and fro until both are silent.
    fn exchange(&mut self) {
        loop {
            let (mut there, mut back) = (Vec::new(), Vec::new());
            while self.client.wants_write() {
                self.client.write_tls(&mut there).unwrap();
            }
            hear(&mut self.server, &there);
            while self.server.wants_write() {
                self.server.write_tls(&mut back).unwrap();
            }
            hear(&mut self.client, &back);
            if there.is_empty() && back.is_empty() {
                return;
            }
            for step in [c(there), s(back)] {
                if !matches!(&step, Step::Octets(_, octets) if octets.is_empty()) {
                    self.wire.push(step);
                }
            }
        }
    }

    fn say(&mut self, by: Party, text: &str) {
        let end = if by == Party::Client { &mut self.client } else { &mut self.server };
        end.writer().write_all(text.as_bytes()).unwrap();
        self.exchange();
    }

    /// A session of SMTP inside.
    fn smtp(&mut self) {
        self.say(Party::Client, "EHLO a.test\r\nAUTH PLAIN AHNlY3JldA==\r\n");
        self.say(Party::Server, "250 mx.b.test\r\n235 in\r\n");
        self.say(Party::Client, "DATA\r\n");
        self.say(Party::Server, "354 go\r\n");
        self.say(Party::Client, &format!("{}.\r\n", "a line\r\n".repeat(5_000)));
        self.say(Party::Server, "250 queued\r\n");
    }
}

fn hear(end: &mut Connection, mut octets: &[u8]) {
    while !octets.is_empty() {
        end.read_tls(&mut octets).unwrap();
        // A handshake that fails leaves an alert to be sent.
        let _ = end.process_new_packets();
        let _ = end.reader().read_to_end(&mut Vec::new());
    }
}

/// In clear up to STARTTLS, then those octets.
fn session(port: u16, wire: &[Step], piece: usize, log: &str) -> Session {
    let mut keys = KeyLog::default();
    keys.read(log.as_bytes());
    let mut follower = follower(port);
    follower.event(std::time::Duration::ZERO, 0, Party::Client, Event::Connected, "");
    let mut steps = Vec::new();
    if port != 465 {
        let clear = ["220 mx.b.test ESMTP\r\n", "STARTTLS\r\n", "220 go\r\n"];
        steps.extend([s(clear[0]), c(clear[1]), s(clear[2])]);
    }
    steps.extend_from_slice(wire);
    play(&mut follower, &steps, piece, &keys);
    follower.finish(Wire::default())
}

#[test]
fn with_a_key_log_the_dialogue_goes_on_inside() {
    for (version, chacha) in [(&TLS12, false), (&TLS12, true), (&TLS13, false), (&TLS13, true)] {
        let mut pair = Pair::new(version, true, chacha);
        pair.exchange();
        pair.smtp();
        let log = pair.log.0.lock().unwrap().clone();
        let whole = session(25, &pair.wire, usize::MAX, &log);
        assert_eq!(session(25, &pair.wire, 3, &log), whole);
        let tls = whole.tls.as_ref().unwrap();
        assert!(tls.decrypted && tls.alerts.is_empty());
        let cipher = tls.cipher.clone().unwrap();
        assert_eq!(cipher.contains("CHACHA20"), chacha, "{cipher}");
        assert_eq!(tls.server_name.as_deref(), Some("mx.b.test"));
        assert_eq!(tls.certificates.len(), 1);
        let version = tls.version.clone().unwrap();
        let content = "a line\\r\\n".repeat(256);
        let expected = [
            "S 220 mx.b.test ESMTP".to_owned(),
            "C STARTTLS".to_owned(),
            "S 220 go".to_owned(),
            format!("C [TlsHello] up to {version}, asks for mx.b.test"),
            format!("S [TlsHello] {version} {cipher}"),
            format!("- [TlsEstablished] {version} {cipher}"),
            "C EHLO a.test".to_owned(),
            "C AUTH PLAIN ****".to_owned(),
            "S 250 mx.b.test".to_owned(),
            "S 235 in".to_owned(),
            "C DATA".to_owned(),
            "S 354 go".to_owned(),
            format!("C [content, 40000] {content}"),
            "S 250 queued".to_owned(),
        ];
        assert_eq!(shown(&whole), expected);
        // TLS from the first octet, and the greeting inside.
        assert_eq!(shown(&session(465, &pair.wire, usize::MAX, &log))[..], expected[3..]);
    }
}

#[test]
fn from_outside_only_lengths_are_seen() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::new(version, true, false);
        pair.exchange();
        pair.smtp();
        let whole = session(25, &pair.wire, usize::MAX, "");
        assert_eq!(session(25, &pair.wire, 3, ""), whole);
        let tls = whole.tls.as_ref().unwrap();
        assert!(!tls.decrypted && tls.alerts.is_empty());
        // RFC 8446 section 2: certificates are sealed from 1.3 on.
        let certificates = usize::from(version.version == rustls::ProtocolVersion::TLSv1_2);
        assert_eq!(tls.certificates.len(), certificates);
        if let Some((subject, issuer)) = tls.certificates.first() {
            assert_eq!(subject, issuer);
            assert!(subject.contains("CN="), "{subject}");
        }
        let established =
            |line: &&diagnose::session::Line| line.kind == Kind::Event(Event::TlsEstablished);
        assert_eq!(whole.lines.iter().filter(established).count(), 1);
        let sealed: u64 = whole
            .lines
            .iter()
            .map(|line| if let Kind::Encrypted { octets } = line.kind { octets } else { 0 })
            .sum();
        assert!((40_000..45_000).contains(&sealed), "{sealed}");
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_an_alert() {
    let mut pair = Pair::new(&TLS12, false, false);
    pair.exchange();
    let tls = session(25, &pair.wire, usize::MAX, "").tls.unwrap();
    assert_eq!(tls.alerts, [(Party::Client, "unknown_ca".to_owned())]);
    // Under 1.3 it is sealed: that it is an alert its length tells, which one the key log.
    let mut pair = Pair::new(&TLS13, false, false);
    pair.exchange();
    let log = pair.log.0.lock().unwrap().clone();
    let outside = session(25, &pair.wire, usize::MAX, "");
    assert_eq!(outside.tls.unwrap().alerts, [(Party::Client, "encrypted".to_owned())]);
    let inside = session(25, &pair.wire, usize::MAX, &log);
    assert_eq!(inside.tls.unwrap().alerts, [(Party::Client, "unknown_ca".to_owned())]);
}

#[test]
fn a_key_log_of_others_and_a_gap_are_said() {
    let mut pair = Pair::new(&TLS13, true, false);
    pair.exchange();
    pair.smtp();
    let log = pair.log.0.lock().unwrap().clone();
    let other = log.replace(|digit: char| digit.is_ascii_digit(), "7");
    let remark = "the key log has no secrets of this session";
    assert!(shown(&session(25, &pair.wire, 99, &other)).iter().any(|line| line.contains(remark)));
    // Half of what the client said is missing.
    let last = pair.wire.iter().rposition(|step| matches!(step, Step::Octets(Party::Client, _)));
    pair.wire.insert(last.unwrap(), Step::Gap(Party::Client, 100));
    let lines = shown(&session(25, &pair.wire, 99, &log));
    assert_eq!(lines[lines.len() - 3..lines.len() - 2], ["C [gap, 100]"]);
    assert!(lines[lines.len() - 2].starts_with("C [encrypted, 4"), "{lines:?}");
    assert_eq!(lines[lines.len() - 1], "S 250 queued");
}
