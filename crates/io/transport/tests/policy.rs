//! DANE and MTA-STS over real handshakes: certificates of a test authority, hosts of a simulated network.

mod peer;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use peer::{Pair, said};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData,
};
use smtp::{Stage, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::{
    ClientTls, Demand, Plan, Policy, ServerIdentity, Target, TlsResult,
    mta_sts::{FetchError, Mode, Store, StsFound, fetch},
    open,
    policy::{Published, PublishedKind},
    tls::{Dane, accept, usable},
};
use world::{Clock, World, dns::Tlsa};

const STARTTLS: &str =
    "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\ntls\n";

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}

/// An issuer and a server below it.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    own: Certificate,
}

struct Server {
    config: Arc<rustls::ServerConfig>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "Test CA");
        let key = KeyPair::generate().unwrap();
        let own = parameters.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(parameters, key), own }
    }

    /// Valid until the end of that year; the issuer's certificate comes along if `with_issuer`.
    fn server(&self, name: &str, until: i32, with_issuer: bool) -> Server {
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.not_after = rcgen::date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        let made = parameters.signed_by(&key, &self.issuer).unwrap();
        let mut chain = made.pem();
        if with_issuer {
            chain.push_str(&self.own.pem());
        }
        let identity = ServerIdentity::from_pem(&chain, &key.serialize_pem(), ("c", "k")).unwrap();
        Server {
            config: ServerIdentity::config(&[identity]).unwrap(),
            certificate: made.der().to_vec(),
            key: key.subject_public_key_info(),
        }
    }

    fn file(&self, directory: &Path) -> std::path::PathBuf {
        let path = directory.join("ca.pem");
        std::fs::write(&path, self.own.pem()).unwrap();
        path
    }
}

fn tlsa(usage: u8, selector: u8, matching: u8, of: &[u8]) -> Tlsa {
    let data = match matching {
        0 => of.to_vec(),
        1 => digest(&SHA256, of).as_ref().to_vec(),
        _ => digest(&SHA512, of).as_ref().to_vec(),
    };
    Tlsa { usage, selector, matching, data }
}

fn by_dane(records: &[Tlsa]) -> Arc<Policy> {
    let records = usable(records);
    assert!(!records.is_empty(), "the test's own records");
    let names = vec!["mx.b.test".to_owned(), "b.test".to_owned()];
    let dane = Dane { base: "mx.b.test".to_owned(), port: 25, names, records };
    Arc::new(Policy::of_route(Demand::Dane(Arc::new(dane)), "test"))
}

/// What comes of a session: `Ok` with how it was verified, or why not.
async fn attempt(
    pair: &Pair,
    server: &Server,
    policy: Arc<Policy>,
) -> Result<String, (String, Option<TlsResult>)> {
    let script = format!("{STARTTLS}C: EHLO\nS: 250 x\nC: QUIT\nS: 221 x");
    let peer = pair.play(Some(server.config.clone()), &[&script]);
    let tls = ClientTls::new(&pair.ours).unwrap();
    let target = pair.target().with_policy(policy);
    let found = match open(&pair.ours, &tls, &target, &Plan::new("a.test")).await {
        Ok(session) => {
            let verified = session.tls().unwrap().verified.clone();
            session.quit().await;
            Ok(verified.unwrap())
        }
        Err(failure) => {
            assert_eq!((failure.cause.stage, failure.permanent), (Stage::Tls, false));
            let facts = failure.tls.expect("the certificates that were shown");
            assert!(facts.certificate[0].starts_with("subject: CN="), "{facts:?}");
            let text = said(&failure.transcript);
            assert!(text.contains("its certificate: subject: CN="), "{text}");
            assert!(text.contains("offered: TLSv1.3 and TLSv1.2 with TLS13_"), "{text}");
            Err((failure.cause.trouble.to_string(), failure.tls_result))
        }
    };
    peer.abort();
    found
}

#[test]
fn dane() {
    let authority = Authority::new();
    let other = Authority::new();
    let good = authority.server("mx.b.test", 2040, true);
    let alone = authority.server("mx.b.test", 2040, false);
    let named = authority.server("b.test", 2040, true);
    let misnamed = authority.server("other.test", 2040, true);
    let expired = authority.server("mx.b.test", 2025, true);
    let issuer = authority.own.der().to_vec();
    let wrong = tlsa(3, 1, 1, b"another key");
    type Row<'a> = (&'a Server, Vec<Tlsa>, Result<&'a str, TlsResult>, &'a str);
    let rows: Vec<Row<'_>> = vec![
        (&good, vec![tlsa(3, 1, 1, &good.key)], Ok("by DANE-EE"), "the key"),
        (&good, vec![tlsa(3, 1, 2, &good.key)], Ok("by DANE-EE"), "SHA-512"),
        (&good, vec![tlsa(3, 1, 0, &good.key)], Ok("by DANE-EE"), "the key itself"),
        (&good, vec![tlsa(3, 0, 1, &good.certificate)], Ok("by DANE-EE"), "the certificate"),
        (&good, vec![wrong.clone(), tlsa(3, 1, 1, &good.key)], Ok("by DANE-EE"), "a roll-over"),
        (&misnamed, vec![tlsa(3, 1, 1, &misnamed.key)], Ok("by DANE-EE"), "no name is looked at"),
        (&expired, vec![tlsa(3, 1, 1, &expired.key)], Ok("by DANE-EE"), "nor the expiry"),
        (&good, vec![wrong.clone()], Err(TlsResult::ValidationFailure), "another key"),
        (
            &good,
            vec![tlsa(3, 1, 1, &good.key), tlsa(3, 1, 2, b"x")],
            Err(TlsResult::ValidationFailure),
            "only the strongest digest counts",
        ),
        (&good, vec![tlsa(2, 0, 1, &issuer)], Ok("for `mx.b.test`, by DANE-TA"), "the issuer"),
        (&named, vec![tlsa(2, 0, 1, &issuer)], Ok("for `b.test`, by DANE-TA"), "the domain's name"),
        (
            &misnamed,
            vec![tlsa(2, 0, 1, &issuer)],
            Err(TlsResult::CertificateHostMismatch),
            "under an issuer the name counts",
        ),
        (
            &expired,
            vec![tlsa(2, 0, 1, &issuer)],
            Err(TlsResult::CertificateExpired),
            "and the expiry",
        ),
        (
            &alone,
            vec![tlsa(2, 0, 1, &issuer)],
            Err(TlsResult::ValidationFailure),
            "the issuer was not shown",
        ),
        (
            &alone,
            vec![tlsa(2, 0, 0, &issuer)],
            Ok("for `mx.b.test`, by DANE-TA"),
            "it is in the DNS",
        ),
        (
            &good,
            vec![tlsa(2, 0, 0, other.own.der())],
            Err(TlsResult::CertificateNotTrusted),
            "another issuer",
        ),
        (
            &good,
            vec![tlsa(2, 1, 1, &good.key)],
            Err(TlsResult::ValidationFailure),
            "a server is no issuer of its own",
        ),
    ];
    for (server, records, expected, why) in rows {
        run(async {
            let pair = Pair::new();
            match (attempt(&pair, server, by_dane(&records)).await, expected) {
                (Ok(verified), Ok(expected)) => {
                    assert!(verified.starts_with(expected), "{why}: {verified}");
                }
                (Err((_, Some(found))), Err(expected)) => assert_eq!(found, expected, "{why}"),
                (found, expected) => panic!("{why}: {found:?}, expected {expected:?}"),
            }
        });
    }
}

#[test]
fn a_dane_mismatch_says_what_is_published_and_what_was_shown() {
    run(async {
        let good = Authority::new().server("mx.b.test", 2040, true);
        let pair = Pair::new();
        let policy = by_dane(&[tlsa(3, 1, 1, b"another key")]);
        let (why, _) = attempt(&pair, &good, policy).await.unwrap_err();
        let published = tlsa(3, 1, 1, b"another key");
        let shown = tlsa(3, 1, 1, &good.key);
        assert_eq!(
            why,
            format!(
                "its certificate is none that the TLSA records at `_25._tcp.mx.b.test` allow: they have \
                 {published}; its key would be `{shown}`"
            )
        );
    });
}

#[test]
fn what_binds_is_never_lowered() {
    // Neither by a server that offers no STARTTLS, nor one that refuses it, nor by what was learned.
    for (script, stage) in [
        ("S: 220 x\nC: EHLO\nS: 250 x\nC: QUIT\nS: 221 x", Stage::StartTls),
        (
            "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 no\nC: QUIT\nS: 221 x",
            Stage::StartTls,
        ),
        ("S: 220 x\nC: EHLO\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nclose", Stage::Tls),
    ] {
        for demand in [
            Demand::Encrypted,
            Demand::Certificate { names: Vec::new() },
            by_dane(&[tlsa(3, 1, 1, b"k")]).demand.clone(),
        ] {
            run(async {
                let pair = Pair::new();
                let peer = pair.play(None, &[script]);
                let tls = ClientTls::new(&pair.ours).unwrap();
                let target = pair.target().with_policy(Arc::new(Policy::of_route(demand, "test")));
                let avoid = transport::Features::STARTTLS.with(transport::Features::EHLO);
                let plan = Plan { avoid, ..Plan::new("a.test") };
                let failure = open(&pair.ours, &tls, &target, &plan).await.err().expect("no mail");
                assert_eq!((failure.cause.stage, failure.permanent), (stage, false));
                assert!(failure.tls_result.is_some());
                peer.await.expect("one connection, not two");
            });
        }
    }
}

#[test]
fn an_unusable_host_is_not_connected_to() {
    run(async {
        let pair = Pair::new();
        let published = Published {
            kind: PublishedKind::Sts,
            domain: "b.test".into(),
            lines: vec![],
            mx: vec![],
        };
        let cause =
            smtp::Cause { stage: Stage::Routing, trouble: smtp::Trouble::Tls("why".into()) };
        let demand =
            Demand::Unusable { cause: cause.clone(), result: Some(TlsResult::DaneRequired) };
        let policy =
            Policy { published: Some(Arc::new(published)), ..Policy::of_route(demand, "") };
        let tls = ClientTls::new(&pair.ours).unwrap();
        let target: Target = pair.target().with_policy(Arc::new(policy));
        let failure = open(&pair.ours, &tls, &target, &Plan::new("a.test")).await.err().unwrap();
        assert_eq!((failure.cause, failure.tls_result), (cause, Some(TlsResult::DaneRequired)));
        assert_eq!(pair.sim.net.connections(), 0);
    });
}

/// A web server that gives one answer to each connection, over real TLS.
fn web(
    world: &World,
    server: &Server,
    answers: Vec<String>,
) -> tokio::task::JoinHandle<Vec<String>> {
    let listener = world.net.listen(SocketAddr::from((peer::PEER, 443))).unwrap();
    let config = server.config.clone();
    tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let stream = listener.accept().await.unwrap();
            let Ok((mut wire, _)) = accept(stream, &config).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut octet = [0];
                if wire.read(&mut octet).await.unwrap_or(0) == 0 {
                    break;
                }
                request.extend(octet);
            }
            requests.push(String::from_utf8(request).unwrap());
            let _ = wire.write_all(answer.as_bytes()).await;
            let _ = wire.shutdown().await;
        }
        requests
    })
}

fn policy_answer(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}")
}

const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: *.b.test\r\nmax_age: 604800\r\n";

#[test]
fn a_policy_is_fetched_over_verified_https_only() {
    let authority = Authority::new();
    let good = authority.server("mta-sts.b.test", 2040, true);
    let directory = tempfile::tempdir().unwrap();
    let file = authority.file(directory.path());
    let big = policy_answer(&format!("{POLICY}{}", "x: y\r\n".repeat(20_000)));
    type Row<'a> = (Server, String, Result<(), (TlsResult, &'a str)>);
    let rows: Vec<Row<'_>> = vec![
        (authority.server("mta-sts.b.test", 2040, true), policy_answer(POLICY), Ok(())),
        (
            authority.server("b.test", 2040, true),
            policy_answer(POLICY),
            Err((TlsResult::StsWebpkiInvalid, "is not for `mta-sts.b.test` but for b.test")),
        ),
        (
            authority.server("mta-sts.b.test", 2025, true),
            policy_answer(POLICY),
            Err((TlsResult::StsWebpkiInvalid, "has expired")),
        ),
        (
            Authority::new().server("mta-sts.b.test", 2040, true),
            policy_answer(POLICY),
            Err((TlsResult::StsWebpkiInvalid, "another of that name")),
        ),
        (
            authority.server("mta-sts.b.test", 2040, true),
            "HTTP/1.1 301 Moved\r\nLocation: https://c.test/\r\nContent-Length: 0\r\n\r\n".into(),
            Err((TlsResult::StsPolicyFetchError, "redirects are not followed")),
        ),
        (
            authority.server("mta-sts.b.test", 2040, true),
            policy_answer(POLICY).replace("text/plain", "text/html"),
            Err((TlsResult::StsPolicyFetchError, "`text/html`")),
        ),
        (
            authority.server("mta-sts.b.test", 2040, true),
            big,
            Err((TlsResult::StsPolicyFetchError, "longer than 65536 octets")),
        ),
        (
            authority.server("mta-sts.b.test", 2040, true),
            policy_answer("version: STSv1\nmode: odd"),
            Err((TlsResult::StsPolicyInvalid, "`mode: odd`")),
        ),
        (
            good,
            policy_answer(POLICY)[..60].to_owned(),
            Err((TlsResult::StsPolicyFetchError, "ends in")),
        ),
    ];
    for (server, answer, expected) in rows {
        run(async {
            let pair = Pair::new();
            pair.sim.dns.add("mta-sts.b.test A 192.0.2.2").unwrap();
            let web = web(&pair.theirs, &server, vec![answer]);
            let tls = ClientTls::with_authorities(&pair.ours, &file).unwrap();
            let found = fetch(&pair.ours, &tls, "b.test", 443).await;
            match (found, expected) {
                (Ok((policy, _)), Ok(())) => {
                    assert_eq!((policy.mode, policy.names("mx.b.test")), (Mode::Enforce, true));
                    let request = web.await.unwrap().remove(0);
                    assert!(request.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"));
                    assert!(request.contains("\r\nHost: mta-sts.b.test\r\n"), "{request}");
                }
                (Err(error), Err((result, text))) => {
                    assert_eq!(error.result(), result, "{error}");
                    assert!(error.to_string().contains(text), "{error}");
                }
                (found, expected) => panic!("{found:?}, expected {expected:?}"),
            }
        });
    }
}

#[test]
fn a_silent_web_server_is_given_up() {
    run(async {
        let pair = Pair::new();
        pair.sim.dns.add("mta-sts.b.test A 192.0.2.2").unwrap();
        let _listener = pair.theirs.net.listen(SocketAddr::from((peer::PEER, 443))).unwrap();
        let tls = ClientTls::new(&pair.ours).unwrap();
        let start = tokio::time::Instant::now();
        let error = fetch(&pair.ours, &tls, "b.test", 443).await.unwrap_err();
        assert!(matches!(error, FetchError::Fetch(_)), "{error}");
        assert_eq!(start.elapsed().as_secs(), 60);
    });
}

#[test]
fn policies_are_kept_renewed_and_outlive_what_blocks_them() {
    let authority = Authority::new();
    let server = authority.server("mta-sts.b.test", 2040, true);
    let directory = tempfile::tempdir().unwrap();
    let file = authority.file(directory.path());
    run(async {
        let pair = Pair::new();
        let names = &pair.sim.dns;
        let tls = ClientTls::with_authorities(&pair.ours, &file).unwrap();
        let at = Path::new("/data/mta-sts");
        let store = Store::open(&pair.ours, at, 443).unwrap();
        let mode = |found: StsFound| match found {
            StsFound::Policy(policy) => format!("{:?}", policy.mode),
            StsFound::None(_) => "none".to_owned(),
            StsFound::Failed { result, .. } => result.to_string(),
        };
        assert_eq!(mode(store.find(&pair.ours, &tls, "b.test").await), "none", "no record");

        names.add("_mta-sts.b.test TXT \"v=STSv1; id=1\"\nmta-sts.b.test A 192.0.2.2").unwrap();
        assert_eq!(
            mode(store.find(&pair.ours, &tls, "b.test").await),
            "sts-policy-fetch-error",
            "nobody listens"
        );
        let testing = policy_answer(&POLICY.replace("enforce", "testing"));
        let served = web(&pair.theirs, &server, vec![policy_answer(POLICY), testing]);
        assert_eq!(
            mode(store.find(&pair.ours, &tls, "b.test").await),
            "sts-policy-fetch-error",
            "a failure is remembered for minutes"
        );
        tokio::time::sleep(Duration::from_secs(301)).await;
        assert_eq!(mode(store.find(&pair.ours, &tls, "b.test").await), "Enforce");
        assert_eq!(mode(store.find(&pair.ours, &tls, "b.test").await), "Enforce", "from the cache");

        names.remove("_mta-sts.b.test");
        assert_eq!(
            mode(store.find(&pair.ours, &tls, "b.test").await),
            "Enforce",
            "no record any more"
        );
        names.add("_mta-sts.b.test SERVFAIL").unwrap();
        let again = Store::open(&pair.ours, at, 443).unwrap();
        assert_eq!(
            mode(again.find(&pair.ours, &tls, "b.test").await),
            "Enforce",
            "after a restart"
        );

        names.remove("_mta-sts.b.test");
        names.add("_mta-sts.b.test TXT \"v=STSv1; id=2\"").unwrap();
        assert_eq!(mode(again.find(&pair.ours, &tls, "b.test").await), "Testing", "another id");
        assert_eq!(served.await.unwrap().len(), 2);

        names.remove("_mta-sts.b.test");
        names.add("_mta-sts.b.test TXT \"v=STSv1; id=3\"").unwrap();
        assert_eq!(
            mode(again.find(&pair.ours, &tls, "b.test").await),
            "Testing",
            "the new one can't be had: the old one counts"
        );
        let served = web(&pair.theirs, &server, vec![policy_answer(POLICY)]);
        assert_eq!(
            mode(again.find(&pair.ours, &tls, "b.test").await),
            "Testing",
            "and for minutes nobody is asked for the new one"
        );
        tokio::time::sleep(Duration::from_secs(301)).await;
        assert_eq!(mode(again.find(&pair.ours, &tls, "b.test").await), "Enforce");
        assert_eq!(served.await.unwrap().len(), 1);
        tokio::time::sleep(Duration::from_secs(604_801)).await;
        assert_eq!(
            mode(again.find(&pair.ours, &tls, "b.test").await),
            "sts-policy-fetch-error",
            "expired"
        );
    });
}

#[test]
fn policies_are_refreshed_before_they_expire() {
    let authority = Authority::new();
    let server = authority.server("mta-sts.b.test", 2040, true);
    let directory = tempfile::tempdir().unwrap();
    let file = authority.file(directory.path());
    run(async {
        let pair = Pair::new();
        pair.sim
            .dns
            .add("_mta-sts.b.test TXT \"v=STSv1; id=1\"\nmta-sts.b.test A 192.0.2.2")
            .unwrap();
        let tls = ClientTls::with_authorities(&pair.ours, &file).unwrap();
        let store = Store::open(&pair.ours, Path::new("/data/mta-sts"), 443).unwrap();
        let served = web(&pair.theirs, &server, vec![policy_answer(POLICY); 2]);
        store.find(&pair.ours, &tls, "b.test").await;
        let fetched = |store: &Store| store.policies()[0].2;
        let first: Timestamp = fetched(&store);
        store.refresh(&pair.ours, &tls).await;
        assert_eq!(fetched(&store), first, "it is young");
        tokio::time::sleep(Duration::from_secs(86_401)).await;
        store.refresh(&pair.ours, &tls).await;
        assert!(fetched(&store) > first);
        assert_eq!(served.await.unwrap().len(), 2);
        assert!(matches!(pair.ours.clock, Clock::Sim { .. }));
    });
}
