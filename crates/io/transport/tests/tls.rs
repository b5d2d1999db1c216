//! TLS: what is verified, what is recorded, and what errors say.

mod peer;

use std::{path::PathBuf, sync::Arc};

use peer::{Pair, envelope, mail, memory};
use smtp::{Outcome, Stage, Timestamp};
use transport::{ClientTls, Credentials, Plan, ServerIdentity, TlsLevel, open};
use world::{Clock, World};

const STARTTLS: &str =
    "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\ntls\n";
const OPEN: &str = "C: EHLO\nS: 250-x\nS: 250 AUTH PLAIN\n";

/// A self-signed certificate of that name, its server configuration, and a file that trusts it.
struct Certificate {
    config: Arc<rustls::ServerConfig>,
    file: PathBuf,
    _directory: tempfile::TempDir,
}

fn certificate(world: &World, name: &str) -> Certificate {
    let made = ServerIdentity::self_signed(world, &[name.to_owned()]).expect("made");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("certificate.pem");
    std::fs::write(&file, &made.certificate).expect("written");
    let key = directory.path().join("key.pem");
    std::fs::write(&key, &made.key).expect("written");
    let identity = ServerIdentity::load(&file, &key).expect("loaded");
    assert_eq!(identity.names(), [name]);
    let config = ServerIdentity::config(&[identity]).expect("configured");
    Certificate { config, file, _directory: directory }
}

fn at(world: &World, time: Timestamp) -> World {
    let origin = tokio::time::Instant::now();
    World { clock: Clock::Sim { epoch: time, origin }, ..world.clone() }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}

#[test]
fn opportunistic_takes_any_certificate_and_says_what_it_is() {
    run(async {
        let pair = Pair::new();
        let shown = certificate(&pair.theirs, "other.test");
        let script = format!(
            "{STARTTLS}{OPEN}C: MAIL\nS: 250 x\nC: RCPT\nS: 250 x\nC: DATA\nS: 354 x\ncontent\nS: 250 x\nC: QUIT\nS: 221 x"
        );
        let peer = pair.play(Some(shown.config), &[&script]);
        let tls = ClientTls::with_authorities(&pair.ours, &shown.file).expect("trust");
        let mut session =
            open(&pair.ours, &tls, &pair.target(), &Plan::new("a.test")).await.expect("open");
        let facts = session.tls().expect("encrypted").clone();
        assert_eq!(
            (facts.version.as_str(), facts.server_name.as_deref()),
            ("TLSv1.3", Some("mx.b.test"))
        );
        assert_eq!(
            facts.verified,
            Err("its certificate is not for `mx.b.test` but for other.test".to_owned())
        );
        assert!(facts.certificate[0].starts_with("subject: CN=other.test"), "{facts:?}");
        let relayed = session.relay(&mail(&envelope(&["b@b.test"]), &memory("x\r\n"))).await;
        assert!(matches!(&relayed.outcomes[..], [Outcome::Relayed(_)]));
        assert!(!session.is_dead(), "session tickets are no words of the peer");
        session.quit().await;
        assert_eq!(peer.await.expect("played"), [b"x\r\n"]);
    });
}

#[test]
fn verified_wants_the_right_name_issuer_and_time() {
    // Who made it when, whom we trust, and what must come of it.
    let now = Timestamp(1_767_225_600_000);
    for (name, made_at, trusted, expected) in [
        ("mx.b.test", now, true, None),
        (
            "other.test",
            now,
            true,
            Some("its certificate is not for `mx.b.test` but for other.test"),
        ),
        ("mx.b.test", now, false, Some("its certificate is self-signed (`CN=mx.b.test`)")),
        (
            "mx.b.test",
            Timestamp(1_120_000_000_000),
            true,
            Some("its certificate has expired (on Jan  1 00:00:00 2015 +00:00)"),
        ),
    ] {
        run(async {
            let pair = Pair::new();
            let shown = certificate(&at(&pair.theirs, made_at), name);
            let stranger = certificate(&pair.theirs, "stranger.test");
            let peer =
                pair.play(Some(shown.config), &[&format!("{STARTTLS}{OPEN}C: QUIT\nS: 221 x")]);
            let file = if trusted { &shown.file } else { &stranger.file };
            let tls = ClientTls::with_authorities(&pair.ours, file).expect("trust");
            let plan = Plan { tls: TlsLevel::Verified, ..Plan::new("a.test") };
            let found = match open(&pair.ours, &tls, &pair.target(), &plan).await {
                Ok(session) => {
                    assert!(session.tls().is_some_and(|facts| facts.verified.is_ok()));
                    session.quit().await;
                    None
                }
                Err(failure) => {
                    assert_eq!((failure.cause.stage, failure.permanent), (Stage::Tls, false));
                    Some(failure.cause.trouble.to_string())
                }
            };
            assert_eq!(found.as_deref(), expected);
            peer.await.expect("played");
        });
    }
}

#[test]
fn implicit_tls_and_credentials() {
    run(async {
        let pair = Pair::new();
        let shown = certificate(&pair.theirs, "mx.b.test");
        let script = "tls\nS: 220 x\nC: EHLO\nS: 250-x\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AHUAcA==\nS: 235 x\nC: QUIT\nS: 221 x";
        let peer = pair.play(Some(shown.config), &[script]);
        let tls = ClientTls::with_authorities(&pair.ours, &shown.file).expect("trust");
        let credentials = Credentials::new("u", "p");
        let plan = Plan {
            tls: TlsLevel::Verified,
            implicit_tls: true,
            credentials: Some(Arc::new(credentials)),
            ..Plan::new("a.test")
        };
        let session = open(&pair.ours, &tls, &pair.target(), &plan).await.expect("open");
        let text = peer::said(&session.quit().await);
        assert!(text.contains("C: AUTH PLAIN ****") && !text.contains("AHUAcA"), "{text}");
        peer.await.expect("played");
    });
}

#[test]
fn an_identity_that_cannot_be_used_says_why() {
    run(async {
        let pair = Pair::new();
        let one = ServerIdentity::self_signed(&pair.ours, &["a.test".to_owned()]).expect("made");
        let two = ServerIdentity::self_signed(&pair.ours, &["a.test".to_owned()]).expect("made");
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
        let cut = one.certificate.replace(end, "");
        let garbled = format!("# mine\n{begin}\n!!!\n{end}\n");
        let encrypted = one.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        for (certificate, key, expected) in [
            (
                &one.certificate,
                &two.key,
                "`k`: the key in line 1 is not that of the first certificate in `c`",
            ),
            (&one.certificate, &one.certificate, "`k`: there is no private key in it"),
            (&one.key, &one.key, "`c`: there is no `-----BEGIN CERTIFICATE-----` in it"),
            (&cut, &one.key, "`c`: what begins in line 1 has no `-----END CERTIFICATE-----`"),
            (&garbled, &one.key, "`c`: the certificate in line 2:"),
            (
                &one.certificate,
                &encrypted,
                "`k`: the key in line 1 is encrypted; take the passphrase off",
            ),
        ] {
            let error = ServerIdentity::from_pem(certificate, key, ("c", "k"))
                .expect_err(expected)
                .to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let missing = ServerIdentity::load(
            &PathBuf::from("/nowhere/c.pem"),
            &PathBuf::from("/nowhere/k.pem"),
        );
        assert!(
            missing.expect_err("missing").to_string().starts_with("cannot read `/nowhere/c.pem`: ")
        );
    });
}

#[test]
fn expiry_is_warned_of() {
    run(async {
        let pair = Pair::new();
        let day = 86_400_000;
        // Made in 2005, so valid until the end of 2014.
        let end = 1_420_070_400_000;
        let made = ServerIdentity::self_signed(
            &at(&pair.ours, Timestamp(1_120_000_000_000)),
            &["a.test".to_owned()],
        )
        .expect("made");
        let identity =
            ServerIdentity::from_pem(&made.certificate, &made.key, ("c", "k")).expect("read");
        for (now, expected) in [
            (end - 100 * day, None),
            (end - 5 * day, Some("the certificate in `c` expires in 5 days")),
            (end, Some("the certificate in `c` has expired (on Jan  1 00:00:00 2015 +00:00)")),
        ] {
            let warnings = identity.warnings(&at(&pair.ours, Timestamp(now)));
            assert_eq!(warnings.first().map(String::as_str), expected);
        }
    });
}
