//! Probing a domain in the simulated world: DNSSEC, DANE and MTA-STS beside what the dialogue shows.

mod peer;

use std::sync::Arc;

use diagnose::Weight;
use peer::Pair;
use smtp::Timestamp;
use transport::{
    ClientTls, Plan, ServerIdentity, TlsLevel,
    probe::{Order, Report, Subject, Trial, probe},
};
use world::{Clock, World};

const SCRIPT: &str = "S: 220 mx.b.test ESMTP\nC: EHLO\nS: 250-mx.b.test\nS: 250-AUTH=LOGIN\nS: 250 STARTTLS\n\
    C: STARTTLS\nS: 220 go\ntls\nC: EHLO\nS: 250-mx.b.test\nS: 250-SIZE 1000\nS: 250 AUTH PLAIN\n";

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}

fn identity(pair: &Pair) -> Arc<rustls::ServerConfig> {
    let made = ServerIdentity::self_signed(&pair.theirs, &["mx.b.test".to_owned()]).expect("made");
    let identity = ServerIdentity::from_pem(&made.certificate, &made.key, ("here", "here"));
    ServerIdentity::config(&[identity.expect("read")]).expect("configured")
}

fn order(trial: Option<Trial>) -> Order {
    Order {
        subject: Subject::Domain("b.test".to_owned()),
        port: 25,
        plan: Plan { tls: TlsLevel::Published, ..Plan::new("a.test") },
        trial,
        selectors: vec!["s1".to_owned()],
        mine: false,
        bisect: None,
        https_port: 443,
    }
}

async fn probed(pair: &Pair, order: &Order) -> Report {
    let tls = ClientTls::new(&pair.ours).expect("TLS");
    probe(&pair.ours, &tls, order).await
}

fn zone(pair: &Pair, lines: &[&str]) {
    for line in ["b.test MX 10 mx.b.test", "mx.b.test A 192.0.2.2"].iter().chain(lines) {
        pair.sim.dns.add(line).expect("a record");
    }
}

#[test]
fn both_offers_and_an_envelope_without_a_message() {
    run(async {
        let pair = Pair::new();
        zone(&pair, &["192.0.2.2 PTR mx.b.test"]);
        let script = format!(
            "{SCRIPT}C: MAIL FROM:<> SIZE=900\nS: 250 fine\nC: RCPT TO:<bob@b.test>\nS: 250 fine\n\
             C: RCPT TO:<eve@b.test>\nS: 550 5.1.1 unknown\nC: RSET\nS: 250 fine\nC: QUIT\nS: 221 bye\nend"
        );
        let peer = pair.play(Some(identity(&pair)), &[&script]);
        let recipients = ["bob@b.test", "eve@b.test"].map(|path| path.parse().expect("a path"));
        let trial = Trial { reverse_path: None, recipients: recipients.to_vec(), size: Some(900) };
        let report = probed(&pair, &order(Some(trial))).await;
        assert!(peer.await.expect("played").is_empty(), "nothing is sent");
        let visit = &report.visits[0];
        assert_eq!(visit.names.confirmed, ["mx.b.test"]);
        assert_eq!(visit.in_clear.as_ref().expect("said").mechanisms(), ["LOGIN"]);
        assert_eq!(visit.under_tls.as_ref().expect("said").mechanisms(), ["PLAIN"]);
        assert_eq!(visit.tls.as_ref().expect("encrypted").version, "TLSv1.3");
        let accepted: Vec<bool> = visit.steps.iter().map(|step| step.accepted).collect();
        assert_eq!(accepted, [true, true, false]);
        assert!(visit.notices.iter().any(|own| own.what.contains("offered without TLS")));
        assert!(
            visit.findings.iter().any(|own| own.rule == "no-such-mailbox"),
            "{:?}",
            visit.findings
        );
    });
}

#[test]
fn a_key_that_dane_does_not_allow_and_the_rest_all_the_same() {
    run(async {
        let pair = Pair::new();
        let digest = "00".repeat(32);
        let tlsa = format!("_25._tcp.mx.b.test TLSA 3 1 1 {digest}");
        zone(&pair, &["b.test SIGNED", &tlsa]);
        let refused = "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\ntls\n";
        let again = format!("{SCRIPT}C: QUIT\nS: 221 bye\n");
        let _peer = pair.play(Some(identity(&pair)), &[refused, &again]);
        let report = probed(&pair, &order(None)).await;
        let visit = &report.visits[0];
        assert_eq!(visit.security, "secure");
        assert!(visit.policy.starts_with("DANE: 1 TLSA records"), "{}", visit.policy);
        assert_eq!(visit.policy_kept, Some(false));
        assert!(visit.under_tls.is_some(), "the rest is seen: {:?}", visit.dialogue);
        let told = |own: &&transport::probe::Notice| own.what.contains("by the published policy");
        let notice = visit.notices.iter().find(told).expect("told");
        assert_eq!(notice.weight, Weight::Failure);
    });
}

#[test]
fn records_and_hosts_that_are_not_there() {
    run(async {
        let pair = Pair::new();
        let includes: Vec<String> = (0..11)
            .map(|n| format!("i{n}.b.test TXT \"v=spf1 include:i{}.b.test\"", n + 1))
            .collect();
        let mut lines: Vec<&str> = includes.iter().map(String::as_str).collect();
        lines.extend(["b.test TXT \"v=spf1 include:i0.b.test -all\"", "b.test TXT \"other\""]);
        zone(&pair, &lines);
        let report = probed(&pair, &order(None)).await;
        let record = |kind| report.records.iter().find(|record| record.kind == kind).expect("told");
        assert_eq!(record("SPF").remark, "more than 10 look-ups");
        assert_eq!(record("SPF").texts.len(), 1);
        let dkim = record("DKIM");
        assert_eq!((dkim.name.as_str(), dkim.notices.len()), ("s1._domainkey.b.test", 1));
        let visit = &report.visits[0];
        assert!(visit.connect.is_none() && visit.failure.is_some(), "nobody listens there");
        assert!(visit.findings.iter().any(|own| own.weight == Weight::Failure), "{visit:?}");
        assert_eq!(report.worst(), Some(Weight::Failure));
    });
}

/// RFC 7489 section 7.1.
#[test]
fn reports_to_somebody_who_has_not_agreed_are_told() {
    run(async {
        let pair = Pair::new();
        zone(
            &pair,
            &[
                "_dmarc.b.test TXT \"v=DMARC1; p=reject; rua=mailto:r@c.test,mailto:r@d.test,mailto:r@b.test\"",
                "b.test._report._dmarc.c.test TXT \"v=DMARC1\"",
            ],
        );
        let report = probed(&pair, &order(None)).await;
        let dmarc = report.records.iter().find(|record| record.kind == "DMARC").expect("told");
        let whats: Vec<&str> = dmarc.notices.iter().map(|notice| notice.what.as_str()).collect();
        assert!(
            matches!(whats[..], [one] if one.contains("`d.test`, which has not said")),
            "{whats:?}"
        );
    });
}

#[test]
fn a_certificate_that_expires_soon_is_told() {
    run(async {
        let day = 86_400_000;
        // Made in 2005, so valid until the end of 2014.
        let end = 1_420_070_400_000;
        for (days, told) in
            [(5, Some("the certificate expires in 5 days, at 2015-01-01T00:00:00Z")), (100, None)]
        {
            let pair = Pair::new();
            zone(&pair, &[]);
            let at = |world: &World, now| {
                let origin = tokio::time::Instant::now();
                World { clock: Clock::Sim { epoch: Timestamp(now), origin }, ..world.clone() }
            };
            let then = at(&pair.theirs, 1_120_000_000_000);
            let made = ServerIdentity::self_signed(&then, &["mx.b.test".to_owned()]).expect("made");
            let identity =
                ServerIdentity::from_pem(&made.certificate, &made.key, ("c", "k")).expect("read");
            let identity = ServerIdentity::config(&[identity]).expect("configured");
            let script = format!("{SCRIPT}C: QUIT\nS: 221 bye\n");
            let _peer = pair.play(Some(identity), &[&script]);
            let now = at(&pair.ours, end - days * day - day / 2);
            let tls = ClientTls::new(&now).expect("TLS");
            let report = probe(&now, &tls, &order(None)).await;
            let notices = &report.visits[0].notices;
            let expires = notices.iter().find(|own| own.what.contains("expires"));
            assert_eq!(expires.map(|own| own.what.as_str()), told, "{notices:?}");
            assert!(expires.is_none_or(|own| own.weight == Weight::Fault));
        }
    });
}
