//! A report as RFC 8460 section 4.4 has it.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use smtp::Timestamp;

use super::DomainDay;

/// What a report is sent as (RFC 8460 section 6.5): those who take reports have to take it compressed.
pub(super) const MEDIA_TYPE: &str = "application/tlsrpt+gzip";

/// Who reports, and what about.
pub struct About<'a> {
    /// `organization-name`.
    pub organization: &'a str,
    /// `contact-info`.
    pub contact: &'a str,
    /// `2026-11-20`.
    pub day: &'a str,
    /// The recipient domain.
    pub domain: &'a str,
}

impl About<'_> {
    /// The first and the last second of the day, counted from 1970.
    fn seconds(&self) -> Option<(u64, u64)> {
        let begin = Timestamp::from_rfc3339(&format!("{}T00:00:00Z", self.day))?.0 / 1000;
        Some((begin, begin + 86_399))
    }

    /// As an attachment is called (RFC 8460 section 5.1).
    pub(super) fn file_name(&self) -> Option<String> {
        let (begin, end) = self.seconds()?;
        Some(format!("{}!{}!{begin}!{end}.json.gz", self.organization, self.domain))
    }
}

/// The report on one domain and day, compressed by gzip (RFC 1952).
///
/// # Errors
/// None that memory can have.
pub(super) fn packed(about: &About<'_>, counted: &DomainDay) -> io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(&serde_json::to_vec(&json(about, counted))?)?;
    packer.finish()
}

/// The report on one domain and day.
pub fn json(about: &About<'_>, counted: &DomainDay) -> Value {
    let About { organization, contact, day, domain } = about;
    let policies = counted.policies.iter().map(|policy| {
        let details = policy.failures.iter().map(|failure| {
            let mut detail = json!({
                "result-type": failure.result,
                "receiving-mx-hostname": failure.host,
                "failed-session-count": failure.count,
                "failure-reason-code": failure.why,
            });
            for (name, value) in
                [("receiving-ip", &failure.address), ("sending-mta-ip", &failure.from)]
            {
                if let Some(value) = value {
                    detail[name] = json!(value);
                }
            }
            detail
        });
        let mut own = json!({
            "policy-type": policy.kind,
            "policy-string": policy.lines,
            "policy-domain": policy.domain,
        });
        if !policy.mx.is_empty() {
            own["mx-host"] = json!(policy.mx);
        }
        json!({
            "policy": own,
            "summary": {
                "total-successful-session-count": policy.successes,
                "total-failure-session-count": policy.failed(),
            },
            "failure-details": details.collect::<Vec<_>>(),
        })
    });
    json!({
        "organization-name": organization,
        "date-range": {
            "start-datetime": format!("{day}T00:00:00Z"),
            "end-datetime": format!("{day}T23:59:59Z"),
        },
        "contact-info": contact,
        "report-id": format!("{day}.{domain}@{organization}"),
        "policies": policies.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use transport::TlsResult;

    use super::*;
    use crate::tls_reports::day::{Counted, Failure};

    const ABOUT: About<'_> = About {
        organization: "mail.sender.test",
        contact: "sts-reporting@sender.test",
        day: "2016-04-01",
        domain: "company-y.example",
    };

    fn failure(result: TlsResult, host: &str, address: Option<&str>, count: u64) -> Failure {
        Failure {
            result,
            host: host.to_owned(),
            address: address.map(str::to_owned),
            from: Some("2001:db8:abcd:0012::1".to_owned()),
            why: "in our words".to_owned(),
            count,
        }
    }

    /// The facts of RFC 8460 appendix B.
    fn counted() -> DomainDay {
        let lines =
            ["version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400"];
        let policy = Counted {
            kind: "sts".to_owned(),
            domain: "company-y.example".to_owned(),
            lines: lines.map(str::to_owned).to_vec(),
            mx: vec!["*.mail.company-y.example".to_owned()],
            successes: 5_326,
            unlisted: 0,
            failures: vec![
                failure(TlsResult::CertificateExpired, "mx1.mail.company-y.example", None, 100),
                failure(
                    TlsResult::StarttlsNotSupported,
                    "mx2.mail.company-y.example",
                    Some("203.0.113.56"),
                    200,
                ),
            ],
        };
        DomainDay { policies: vec![policy], done: false }
    }

    #[test]
    fn as_the_appendix_has_it() {
        let expected = json!({
            "organization-name": "mail.sender.test",
            "date-range": {
                "start-datetime": "2016-04-01T00:00:00Z",
                "end-datetime": "2016-04-01T23:59:59Z",
            },
            "contact-info": "sts-reporting@sender.test",
            "report-id": "2016-04-01.company-y.example@mail.sender.test",
            "policies": [{
                "policy": {
                    "policy-type": "sts",
                    "policy-string": ["version: STSv1", "mode: testing",
                        "mx: *.mail.company-y.example", "max_age: 86400"],
                    "policy-domain": "company-y.example",
                    "mx-host": ["*.mail.company-y.example"],
                },
                "summary": {
                    "total-successful-session-count": 5326,
                    "total-failure-session-count": 300,
                },
                "failure-details": [{
                    "result-type": "certificate-expired",
                    "sending-mta-ip": "2001:db8:abcd:0012::1",
                    "receiving-mx-hostname": "mx1.mail.company-y.example",
                    "failed-session-count": 100,
                    "failure-reason-code": "in our words",
                }, {
                    "result-type": "starttls-not-supported",
                    "sending-mta-ip": "2001:db8:abcd:0012::1",
                    "receiving-mx-hostname": "mx2.mail.company-y.example",
                    "receiving-ip": "203.0.113.56",
                    "failed-session-count": 200,
                    "failure-reason-code": "in our words",
                }],
            }],
        });
        assert_eq!(json(&ABOUT, &counted()), expected);
    }

    #[test]
    fn what_is_packed_is_unpacked_and_named_by_its_seconds() {
        let packed = packed(&ABOUT, &counted()).expect("memory does not fail");
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).expect("gzip");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(report, json(&ABOUT, &counted()));
        let name = "mail.sender.test!company-y.example!1459468800!1459555199.json.gz";
        assert_eq!(ABOUT.file_name().as_deref(), Some(name));
    }
}
