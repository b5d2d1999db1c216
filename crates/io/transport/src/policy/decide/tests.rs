//! Which policy applies, against tables of answers.

use std::sync::Arc;

use world::sim::{SimWorld, disk::SimDisk};

use super::*;
use crate::{
    mta_sts::StsPolicy,
    mx::{Ourselves, mail_exchangers},
};

const ZONE: &str = "
    signed.test           SIGNED
    signed.test           MX 10 mx.signed.test
    mx.signed.test        A 192.0.2.1
    _25._tcp.mx.signed.test TLSA 3 1 1 DIGEST

    plain.signed.test     MX 10 none.signed.test
    none.signed.test      A 192.0.2.2

    odd.signed.test       MX 10 oddhost.signed.test
    oddhost.signed.test   A 192.0.2.3
    _25._tcp.oddhost.signed.test TLSA 1 1 1 DIGEST

    forged.signed.test    MX 10 forgedhost.signed.test
    forgedhost.signed.test A 192.0.2.4
    _25._tcp.forgedhost.signed.test BOGUS TLSA

    lame.signed.test      MX 10 lamehost.signed.test
    lamehost.signed.test  A 192.0.2.5
    _25._tcp.lamehost.signed.test SERVFAIL

    away.signed.test      MX 10 mx.open.test
    unsigned.test         MX 10 mx.signed.test
    mx.open.test          A 192.0.2.6
    _25._tcp.mx.open.test TLSA 3 1 1 DIGEST

    alias.signed.test     MX 10 to.signed.test
    to.signed.test        CNAME mx.signed.test
    half.signed.test      MX 10 out.signed.test
    out.signed.test       CNAME mx.open.test
    _25._tcp.out.signed.test TLSA 2 0 1 DIGEST
    implicit.signed.test  A 192.0.2.7
    _25._tcp.implicit.signed.test TLSA 3 1 1 DIGEST
";

fn sts(mode: Mode, mx: &str) -> StsFound {
    let (mx, lines) = (vec![mx.to_owned()], Vec::new());
    StsFound::Policy(Arc::new(StsPolicy { mode, mx, max_age: Duration::from_secs(9), lines }))
}

fn no_sts() -> StsFound {
    StsFound::None("no record".to_owned())
}

/// The demand on a domain's first host, in a word or two.
async fn ask(level: TlsLevel, domain: &str, sts: &StsFound) -> (String, Policy) {
    let sim = SimWorld::new(1);
    sim.dns.add(&ZONE.replace("DIGEST", &"ab".repeat(32))).unwrap();
    let world = sim.world_for([192, 0, 2, 99].into(), Arc::new(SimDisk::new(1)));
    let found = mail_exchangers(&world, domain, &Ourselves::default(), 25).await.unwrap();
    let asked = Asked {
        level,
        names: &[],
        domain: Some(domain),
        secure_mx: found.security.is_secure(),
        sts,
        port: 25,
    };
    let (policy, _) = decide(&world, &asked, &found.hosts[0]).await;
    let word = match &policy.demand {
        Demand::Clear => "clear".to_owned(),
        Demand::Opportunistic => "may".to_owned(),
        Demand::Encrypted => "encrypted".to_owned(),
        Demand::Certificate { .. } => "certificate".to_owned(),
        Demand::Dane(dane) => format!("dane {}", dane.base),
        Demand::Unusable { result, .. } => {
            format!("unusable {}", result.map_or_else(String::new, |result| result.to_string()))
        }
    };
    (word, policy)
}

#[tokio::test(start_paused = true)]
async fn the_order_of_policies() {
    use TlsLevel::{Dane, DaneOnly, MtaSts, Never, Opportunistic, Published, Required, Verified};
    let enforced = || sts(Mode::Enforce, "mx.signed.test");
    let rows = [
        // (level, domain, MTA-STS, demand, whether the host's name is sure, why)
        (Published, "signed.test", no_sts(), "dane mx.signed.test", true, "DANE"),
        (Published, "signed.test", enforced(), "dane mx.signed.test", true, "DANE before MTA-STS"),
        (
            Published,
            "signed.test",
            sts(Mode::Enforce, "other.test"),
            "dane mx.signed.test",
            true,
            "secure MX records say whose host it is",
        ),
        (Published, "plain.signed.test", no_sts(), "may", true, "no TLSA"),
        (
            Published,
            "plain.signed.test",
            sts(Mode::Enforce, "*.signed.test"),
            "certificate",
            true,
            "no TLSA, MTA-STS",
        ),
        (Published, "plain.signed.test", sts(Mode::Testing, "x.test"), "may", false, "testing"),
        (Published, "plain.signed.test", sts(Mode::None, "x.test"), "may", true, "mode none"),
        (
            Published,
            "plain.signed.test",
            sts(Mode::Enforce, "x.test"),
            "unusable validation-failure",
            false,
            "not one of the policy's hosts",
        ),
        (Published, "odd.signed.test", no_sts(), "encrypted", false, "only unusable records"),
        (Dane, "odd.signed.test", no_sts(), "encrypted", false, "the same"),
        (DaneOnly, "odd.signed.test", no_sts(), "unusable tlsa-invalid", false, "DANE is a must"),
        (
            Published,
            "odd.signed.test",
            sts(Mode::Enforce, "oddhost.signed.test"),
            "certificate",
            true,
            "unusable records, MTA-STS asks for more",
        ),
        (
            Published,
            "forged.signed.test",
            no_sts(),
            "unusable dnssec-invalid",
            false,
            "bogus is not `none`",
        ),
        (Published, "lame.signed.test", no_sts(), "unusable ", false, "no answer is not `none`"),
        (Opportunistic, "lame.signed.test", no_sts(), "may", false, "nobody asks for DANE"),
        (Published, "away.signed.test", no_sts(), "may", true, "insecure addresses"),
        (DaneOnly, "away.signed.test", no_sts(), "unusable dane-required", false, "the same"),
        (
            Published,
            "unsigned.test",
            no_sts(),
            "dane mx.signed.test",
            false,
            "insecure MX records, secure host: DANE, but whose host is it",
        ),
        (DaneOnly, "unsigned.test", no_sts(), "unusable dane-required", false, "a must: MX too"),
        (
            Published,
            "unsigned.test",
            enforced(),
            "dane mx.signed.test",
            true,
            "MTA-STS vouches for the name, DANE for the key",
        ),
        (
            Published,
            "unsigned.test",
            sts(Mode::Enforce, "x.test"),
            "unusable validation-failure",
            false,
            "a forged MX record must not get round MTA-STS",
        ),
        (Published, "alias.signed.test", no_sts(), "dane mx.signed.test", true, "expanded first"),
        (
            Published,
            "half.signed.test",
            no_sts(),
            "dane out.signed.test",
            true,
            "an alias in a signed zone that leads out of it",
        ),
        (
            Published,
            "implicit.signed.test",
            no_sts(),
            "dane implicit.signed.test",
            true,
            "no MX: the domain itself",
        ),
        (MtaSts, "signed.test", no_sts(), "may", true, "DANE is not looked at"),
        (MtaSts, "signed.test", enforced(), "certificate", true, "MTA-STS only"),
        (Never, "signed.test", enforced(), "clear", false, "the route"),
        (Required, "signed.test", enforced(), "encrypted", false, "the route"),
        (Verified, "signed.test", no_sts(), "certificate", true, "the route"),
    ];
    for (level, domain, sts, expected, sure, why) in rows {
        let (found, policy) = ask(level, domain, &sts).await;
        let shown = format!("{level:?} {domain}, {why}: {}", policy.why);
        assert_eq!((found.as_str(), policy.name_is_sure), (expected, sure), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn require_tls_raises_what_is_asked() {
    for (level, domain, expected) in [
        (TlsLevel::Published, "signed.test", "dane"),
        (TlsLevel::Published, "plain.signed.test", "certificate"),
        (TlsLevel::Published, "unsigned.test", "unusable"), // the MX records may be forged
        (TlsLevel::Published, "odd.signed.test", "unusable"),
        (TlsLevel::Never, "signed.test", "unusable"),
    ] {
        let (_, policy) = ask(level, domain, &no_sts()).await;
        let raised = match policy.for_require_tls("mx", &[]).demand {
            Demand::Dane(_) => "dane",
            Demand::Certificate { .. } => "certificate",
            Demand::Unusable { .. } => "unusable",
            _ => "less",
        };
        assert_eq!(raised, expected, "{level:?} {domain}");
    }
}
