//! A report as RFC 8460 section 4.4 has it.

use serde_json::{Value, json};

use super::DomainDay;

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

/// The report on one domain and day.
pub fn json(about: &About<'_>, counted: &DomainDay) -> Value {
    let About { organization, contact, day, domain } = about;
    let policies = counted.policies.iter().map(|policy| {
        let failed: u64 = policy.failures.iter().map(|failure| failure.count).sum();
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
                "total-failure-session-count": failed,
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
