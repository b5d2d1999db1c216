//! Whether a certificate chain is the one that TLSA records ask for: RFC 6698 section 2.1 as RFC 7671
//! and, for mail, RFC 7672 section 3 narrow it.
//!
//! | usage       | what must match        | name checked | expiry checked |
//! |-------------|------------------------|--------------|----------------|
//! | 3 DANE-EE   | the server's own       | no           | no             |
//! | 2 DANE-TA   | an issuer in its chain | yes          | yes            |
//! | 0, 1, other | unusable for mail      |              |                |
//!
//! Of several digests of the same thing only the strongest counts (RFC 7671 section 9).

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime},
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use world::dns::Tlsa;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{explain::Refusal, facts};
use crate::policy::TlsResult;

const TRUST_ANCHOR: u8 = 2;
const END_ENTITY: u8 = 3;

/// What a host's TLSA records ask for; at least one of them is usable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dane {
    /// The TLSA base domain: where the records are, and the name that is asked for by SNI.
    pub base: String,
    /// The port in their name.
    pub port: u16,
    /// What a certificate under a DANE-TA may be for: the base, the host, the recipient domain.
    pub names: Vec<String>,
    /// The usable ones.
    pub records: Vec<Tlsa>,
}

/// The records that a client can use.
pub fn usable(records: &[Tlsa]) -> Vec<Tlsa> {
    let mut usable: Vec<Tlsa> =
        records.iter().filter(|record| is_usable(record)).cloned().collect();
    usable.sort();
    usable.dedup();
    let strongest = |record: &Tlsa| {
        let same = |other: &&Tlsa| {
            (other.usage, other.selector) == (record.usage, record.selector) && other.matching > 0
        };
        usable.iter().filter(same).map(|other| other.matching).max()
    };
    let keep: Vec<bool> = usable
        .iter()
        .map(|record| record.matching == 0 || Some(record.matching) == strongest(record))
        .collect();
    usable.into_iter().zip(keep).filter_map(|(record, keep)| keep.then_some(record)).collect()
}

fn is_usable(record: &Tlsa) -> bool {
    let length = match record.matching {
        0 => !record.data.is_empty(),
        1 => record.data.len() == 32,
        2 => record.data.len() == 64,
        _ => false,
    };
    matches!(record.usage, TRUST_ANCHOR | END_ENTITY) && record.selector <= 1 && length
}

impl Dane {
    /// Which record matched; or why none did.
    pub(super) fn check(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        provider: &CryptoProvider,
    ) -> Result<String, Refusal> {
        let place = format!("_{}._tcp.{}", self.port, self.base);
        if let Some(record) = self.with_usage(END_ENTITY).find(|record| matches(record, leaf)) {
            return Ok(format!("by DANE-EE, `{}` at `{place}`", short(record)));
        }
        let mut trouble = None;
        for record in self.with_usage(TRUST_ANCHOR) {
            for anchor in anchors(record, chain) {
                match self.under(&anchor, leaf, chain, now, provider) {
                    Ok(name) => {
                        let record = short(record);
                        return Ok(format!("for `{name}`, by DANE-TA, `{record}` at `{place}`"));
                    }
                    Err(refusal) => trouble = trouble.or(Some(refusal)),
                }
            }
        }
        Err(trouble.unwrap_or_else(|| self.no_match(leaf, &place)))
    }

    fn with_usage(&self, usage: u8) -> impl Iterator<Item = &Tlsa> {
        self.records.iter().filter(move |record| record.usage == usage)
    }

    /// The chain below an issuer that a DANE-TA record names.
    fn under(
        &self,
        anchor: &CertificateDer<'_>,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        provider: &CryptoProvider,
    ) -> Result<&str, Refusal> {
        let refused = |error: webpki::Error| {
            let error = Refusal::of_webpki(&error, leaf);
            Refusal {
                why: format!("{} (under the issuer of a DANE-TA record)", error.why),
                ..error
            }
        };
        let anchors: [TrustAnchor<'_>; 1] = [anchor_from_trusted_cert(anchor).map_err(refused)?];
        let certificate = EndEntityCert::try_from(leaf).map_err(refused)?;
        certificate
            .verify_for_usage(
                provider.signature_verification_algorithms.all,
                &anchors,
                chain,
                now,
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map_err(refused)?;
        let is_for = |name: &&String| {
            ServerName::try_from(name.as_str())
                .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
        };
        self.names.iter().find(is_for).map(String::as_str).ok_or_else(|| {
            let names = facts::names_of(leaf);
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            let why = format!("its certificate is not for `{}` but for {names}", self.base);
            Refusal { why, result: TlsResult::CertificateHostMismatch }
        })
    }

    fn no_match(&self, leaf: &CertificateDer<'_>, place: &str) -> Refusal {
        let own = Tlsa {
            usage: END_ENTITY,
            selector: 1,
            matching: 1,
            data: public_key(leaf).map_or_else(Vec::new, |key| sha256(&key)),
        };
        let published: Vec<_> = self.records.iter().take(3).map(short).collect();
        let more = match self.records.len() {
            0..=3 => String::new(),
            count => format!(" and {} more", count - 3),
        };
        let why = format!(
            "its certificate is none that the TLSA records at `{place}` allow: they have {}{more}; \
             its key would be `{}`",
            published.join(", "),
            short(&own),
        );
        Refusal { why, result: TlsResult::ValidationFailure }
    }
}

/// The certificates that a DANE-TA record stands for: one in the chain above the server's own, or, for
/// `2 0 0`, the record itself, which the server need not send (RFC 7671 section 5.2.2).
fn anchors<'a>(record: &'a Tlsa, chain: &'a [CertificateDer<'_>]) -> Vec<CertificateDer<'a>> {
    let shown = chain.iter().filter(|issuer| matches(record, issuer));
    let mut anchors: Vec<_> = shown.map(|issuer| CertificateDer::from(issuer.as_ref())).collect();
    if (record.selector, record.matching) == (0, 0) && anchors.is_empty() {
        anchors.push(CertificateDer::from(record.data.as_slice()));
    }
    anchors
}

fn matches(record: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let selected = match record.selector {
        0 => Some(certificate.as_ref().to_vec()),
        _ => public_key(certificate),
    };
    let Some(selected) = selected else { return false };
    match record.matching {
        0 => selected == record.data,
        1 => sha256(&selected) == record.data,
        _ => digest(&SHA512, &selected).as_ref() == record.data,
    }
}

fn sha256(octets: &[u8]) -> Vec<u8> {
    digest(&SHA256, octets).as_ref().to_vec()
}

/// The SubjectPublicKeyInfo, DER.
fn public_key(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.tbs_certificate.subject_pki.raw.to_vec())
}

/// A record with its data cut short: whole certificates are too long to read.
fn short(record: &Tlsa) -> String {
    const SHOWN: usize = 76;
    let text = record.to_string();
    if text.len() <= SHOWN { text } else { format!("{}...", &text[..SHOWN]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlsa(text: &str) -> Tlsa {
        let mut words = text.split(' ');
        let mut number = || words.next().unwrap().parse::<usize>().unwrap();
        let (usage, selector, matching, length) = (number(), number(), number(), number());
        let (usage, selector, matching) = (usage as u8, selector as u8, matching as u8);
        Tlsa { usage, selector, matching, data: vec![7; length] }
    }

    #[test]
    fn what_can_be_used() {
        // Usage, selector, matching type, length of the data.
        let rows: [(&[&str], &[&str], &str); 8] = [
            (&["3 1 1 32"], &["3 1 1 32"], "the usual one"),
            (&["2 0 1 32"], &["2 0 1 32"], "an issuer"),
            (&["0 0 1 32", "1 1 1 32"], &[], "PKIX usages are not for mail (RFC 7672 3.1.3)"),
            (&["3 2 1 32", "3 1 3 32", "9 1 1 32"], &[], "unknown numbers"),
            (&["3 1 1 31", "3 1 2 32", "3 1 0 0"], &[], "wrong lengths"),
            (&["3 1 1 32", "3 1 2 64"], &["3 1 2 64"], "the stronger digest"),
            (
                &["3 1 1 32", "3 0 2 64", "3 1 0 99"],
                &["3 0 2 64", "3 1 0 99", "3 1 1 32"],
                "digests of other things stand",
            ),
            (&["3 1 1 32", "3 1 1 32"], &["3 1 1 32"], "twice the same"),
        ];
        for (records, expected, why) in rows {
            let records: Vec<_> = records.iter().map(|text| tlsa(text)).collect();
            let mut expected: Vec<_> = expected.iter().map(|text| tlsa(text)).collect();
            expected.sort();
            assert_eq!(usable(&records), expected, "{why}");
        }
    }
}
